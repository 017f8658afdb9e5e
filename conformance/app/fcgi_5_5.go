package app

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// fcgi55 has the cases of FastCGI 1.0 section 5.5, FCGI_END_REQUEST.
func fcgi55() []conformance.Case {
	return slices.Concat(fcgi55Body(), fcgi55Status(), fcgi55Crash(), fcgi55Multiplex(), fcgi55Many())
}

func fcgi55Body() []conformance.Case {
	const body = "The contentData component of a FCGI_END_REQUEST record has the form: typedef struct { unsigned " +
		"char appStatusB3; unsigned char appStatusB2; unsigned char appStatusB1; unsigned char appStatusB0; " +
		"unsigned char protocolStatus; unsigned char reserved[3]; } FCGI_EndRequestBody;"
	return []conformance.Case{{
		Name: "fcgi/5.5/end-request-body-8", Quote: body, Level: conformance.Must,
		Sends:  "a request for a long response, and a plain one over the same connection",
		Passes: "ends both with FCGI_END_REQUEST of eight bytes",
		Run: test(func(t *T) {
			for _, body := range t.endBodies() {
				t.Check(len(body) == wire.BodyLen, "FCGI_END_REQUEST with %d bytes", len(body))
			}
		}),
	}, {
		Name: "fcgi/5.5/end-request-reserved-zero", Quote: body, Level: conformance.Should,
		Sends:  "a request for a long response, and a plain one over the same connection",
		Passes: "ends both with FCGI_END_REQUEST whose reserved bytes are 0, and not what happened to be in memory",
		Run: test(func(t *T) {
			for _, body := range t.endBodies() {
				t.Check(bytes.HasSuffix(body, make([]byte, 3)), "FCGI_END_REQUEST with the content % x", body)
			}
		}),
	}, {
		Name: "fcgi/5.5/exactly-one-end", Level: conformance.Must,
		Quote:  "The application sends a FCGI_END_REQUEST record to terminate a request",
		Sends:  "a plain request",
		Passes: "sends one FCGI_END_REQUEST",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Ask(t.Get(""))
			more, _ := c.Quiet(t.Patience())
			t.Check(!slices.ContainsFunc(more, func(r record) bool { return r.Type == wire.TypeEndRequest }),
				"it sent more: %v", more)
		}),
	}}
}

// endBodies makes a request for a long response, and a plain one over the same connection, and returns the contents of
// FCGI_END_REQUEST that came.
func (t *T) endBodies() (bodies [][]byte) {
	c := t.Connect()
	for _, r := range []*request{t.Get(strings.Repeat("&", 2000)).Keep(), t.Get("")} {
		c.Send(r.Bytes())
		r, err := c.next(c.patience)
		for ; err == nil && r.Type != wire.TypeEndRequest; r, err = c.next(c.patience) {
		}
		if err != nil {
			break // of what came
		}
		bodies = append(bodies, r.content)
	}
	t.Check(len(c.got) > 0, "nothing came")
	return bodies
}

const quoteStatus = "The application sets the protocolStatus component to FCGI_REQUEST_COMPLETE and the appStatus " +
	"component to the status code that the CGI program would have returned via the exit system call."

func fcgi55Status() []conformance.Case {
	var cases []conformance.Case
	for _, exit := range []struct {
		name   string
		status uint32
	}{{"fcgi/5.5/appstatus-exit-code", 3}, {"fcgi/5.5/appstatus-exit-code-255", 255}} {
		status := exit.status
		cases = append(cases, conformance.Case{
			Name: exit.name, Family: "fcgi/5.5/appstatus-exit-code",
			Quote: quoteStatus, Level: conformance.Must, Echo: true,
			Serial: true, // libfcgi keeps the status for all others
			Sends:  fmt.Sprintf("a request that is answered and whose handler ends with status %d", status),
			Passes: fmt.Sprintf("ends it with appStatus %d", status),
			Run: test(func(t *T) {
				r := t.Connect().Ask(t.Get(fmt.Sprintf("exit=%d", status)))
				t.Check(r.end.AppStatus == status, "appStatus %d", r.end.AppStatus)
			}),
		})
	}
	return append(cases, conformance.Case{
		Name: "fcgi/5.5/appstatus-zero", Quote: quoteStatus, Level: conformance.Must, Echo: true,
		Sends:  "a plain request",
		Passes: "ends it with appStatus 0",
		Run: test(func(t *T) {
			r := t.Connect().Ask(t.Get(""))
			t.Check(r.end.AppStatus == 0, "appStatus %d", r.end.AppStatus)
		}),
	}, conformance.Case{
		Name: "fcgi/5.5/appstatus-not-sticky", Quote: quoteStatus, Level: conformance.Must, Echo: true, Serial: true,
		DependsOn: []string{"fcgi/5.5/appstatus-exit-code"},
		Sends:     "a request whose handler ends with status 3, and then a plain one: over one connection and over another",
		Passes:    "ends the plain ones with appStatus 0",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Ask(t.Get("exit=3").Keep())
			c.Send(t.Get("").Bytes())
			if again := c.Settled(1); again.served() {
				t.Check(again.end.AppStatus == 0, "appStatus %d of the next request", again.end.AppStatus)
			}
			c.Close()
			r := t.Connect().Ask(t.Get(""))
			t.Check(r.end.AppStatus == 0, "appStatus %d of a request over another connection", r.end.AppStatus)
		}),
	})
}

// truthful says whether a web server can tell from what came that the response is not right.
func (r *response) truthful() bool {
	return r.end == nil || r.end.ProtocolStatus != wire.StatusRequestComplete || r.end.AppStatus != 0
}

// Recovers makes sure that requests are served again, after a restart if the application has ended.
func (t *T) Recovers() {
	if t.within(t.Patience(), (*T).Serves) {
		return
	}
	if err := t.target.Restart(t.Context()); err != nil {
		t.Broken(err)
	}
	t.Serves()
}

func fcgi55Crash() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/5.5/handler-panic", Level: conformance.Robustness, Echo: true, Serial: true,
		Needs: []string{needRestart},
		Quote: "Harm: a request whose handler died gets an empty page as if all were well, or no end ever.",
		Sends: "a request whose handler dies before any output",
		Passes: "ends it with an appStatus other than 0 or with output that says so, or closes the connection; and " +
			"serves others",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(t.Get("crash").Bytes())
			r := c.Settled(1)
			t.Check(r.truthful() || r.served() && t.Reply(r.stdout).status >= 500, "it ended as if all were well, "+
				"output %.80q", r.stdout)
			c.Close()
			t.Recovers()
		}),
	}, {
		Name: "fcgi/5.5/handler-crash-mid-output", Level: conformance.Robustness, Echo: true, Serial: true,
		Needs:  []string{needRestart},
		Quote:  "Harm: a response that is cut off is shown, and kept by caches, as if it were whole.",
		Sends:  "a request whose handler dies after 10 KB of its output",
		Passes: "closes the connection, or ends the request with an appStatus other than 0; and serves others",
		Run: test(func(t *T) {
			c := t.Connect()
			c.Send(t.Get("crash=10240").Bytes())
			r := c.Settled(1)
			t.Check(r.truthful(), "it ended as if all were well, after %d bytes", len(r.stdout))
			c.Close()
			t.Recovers()
		}),
	}}
}
