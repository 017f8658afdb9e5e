package server

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gangway-go/gangway/conformance"
)

func itoa(n int) string { return strconv.Itoa(n) }

// randomText is so long and hard to compress.
func randomText(n int) string {
	source := rand.NewChaCha8([32]byte{'c', 'o', 'n', 'f', 'o', 'r', 'm'})
	b := make([]byte, n)
	source.Read(b)
	for i := range b {
		b[i] = 'a' + b[i]%16
	}
	return string(b)
}

// leave ends the response and leaves the rest of the request's body where it is.
func leave(response string) Reply {
	return func(x *Exchange) {
		x.Write(response)
		if x.Process != nil {
			x.End()
			return
		}
		x.Send(x.dialect.end(x))
		x.Conn.CloseWrite() // for the system breaks a connection that is closed before all of it has been read
	}
}

const quoteNotObliged = "However, it is not obliged to read any of the data."

// cgi72Streams are about the standard input and output of a program, RFC 3875 sections 4.2, 6.1 and 7.2.
var cgi72Streams = []conformance.Case{{
	Name: "cgi/7.2/stderr-logged", Level: conformance.Should, Needs: []string{"stderr"},
	Quote: "What a program writes to standard error is for the administrator; nobody else needs it, and it " +
		"must not stop the program.",
	Sends:  "a request that the application answers with 1 MiB on the error stream and then a response",
	Passes: "delivers the response, without the error stream",
	Run: test(func(t *T) {
		_, r := t.Do(t.Request("GET", "/app/stderr", ""), func(x *Exchange) {
			for range 1 << 5 {
				x.Stderr(strings.Repeat(strings.Repeat("e", 63)+"\n", 1<<9))
			}
			x.Write(plain + "\nbody")
			x.End()
		})
		t.Intact(r, 200, "body")
	}),
}, {
	Name:   "cgi/7.2/stdin-unread-no-deadlock",
	Spec:   "RFC 3875 section 4.2; RFC 3875",
	Quote:  quoteNotObliged,
	Level:  conformance.Robustness,
	Serial: true,
	Sends:  "a POST request with 10 MiB of body that the application answers without reading it",
	Passes: "delivers the response",
	Run: test(func(t *T) {
		_, r := t.Do(t.Request("POST", "/app/unread", randomText(10<<20)), leave(plain+"\nunread"))
		t.Intact(r, 200, "unread")
	}),
}, {
	Name:   "cgi/7.2/stdin-half-read",
	Spec:   "RFC 3875 section 4.2; RFC 3875",
	Quote:  quoteNotObliged,
	Level:  conformance.Robustness,
	Serial: true,
	Sends:  "a POST request with 10 MiB of body of which the application reads 1000 bytes before it answers",
	Passes: "delivers the response",
	Run: test(func(t *T) {
		_, r := t.Do(t.Request("POST", "/app/half", randomText(10<<20)), func(x *Exchange) {
			x.ReadBody(1000)
			leave(plain + "\nhalf")(x)
		})
		t.Intact(r, 200, "half")
	}),
}, {
	Name: "cgi/7.2/stdin-and-stdout-full-duplex", Level: conformance.Robustness, Serial: true,
	Quote: "A server that writes all of a request before it reads any of the response stops for ever when " +
		"both pipes are full.",
	Sends:  "a POST request with 10 MiB of body that the application sends back while it reads",
	Passes: "delivers all of it",
	Run: test(func(t *T) {
		body := randomText(10 << 20)
		_, r := t.Do(t.Request("POST", "/app/duplex", body), func(x *Exchange) {
			x.Write("Content-Type: application/octet-stream\n\n")
			for sent := 0; sent < len(body); {
				got, err := x.ReadBody(sent + 1)
				x.Write(got[sent:])
				sent = len(got)
				if errors.Is(err, errSilent) {
					t.Hang("the body stops after %d bytes", sent)
				}
				if err != nil {
					t.Fail("the body ends after %d bytes: %v", sent, err)
				}
			}
			x.End()
		})
		t.Intact(r, 200, body)
	}),
}, {
	Name:  "cgi/7.2/stdin-eof-after-content-length",
	Spec:  "RFC 3875 section 4.2; RFC 3875",
	Level: conformance.May,
	Needs: []string{"cgi"},
	Quote: "The server MAY signal an end-of-file condition after CONTENT_LENGTH bytes have been read or it " +
		"MAY supply extension data.",
	Sends:  "a POST request with 4 bytes of body, which the program reads until the end of standard input",
	Passes: "ends standard input after 4 bytes",
	Run: test(func(t *T) {
		t.Check(t.allInput(t.Request("POST", "/app/eof", "body")) == "body",
			"more than the body")
	}),
}, {
	Name:   "cgi/7.2/stdin-empty-on-get",
	Spec:   "RFC 3875 section 4.2; RFC 3875",
	Level:  conformance.Robustness,
	Needs:  []string{"cgi"},
	Quote:  "A request-body is supplied with the request if the CONTENT_LENGTH is not NULL.",
	Sends:  "a GET request, of which the program reads standard input to its end",
	Passes: "ends standard input at once",
	Run: test(func(t *T) {
		got := t.allInput(t.Request("GET", "/app/eof", ""))
		t.Check(got == "", "standard input has %s", excerpt(got))
	}),
}, {
	Name: "cgi/7.2/stdin-no-pipelined-request", Level: conformance.Security, Needs: []string{"cgi"},
	Quote: "The next request on a client's connection is not for the program that answers this one: with a " +
		"proxy in between it is another user's.",
	Sends: "a POST request with 4 bytes of body and, in the same segment, another request; the program reads " +
		"standard input to its end",
	Passes: "gives the program nothing of the second request",
	Run: test(func(t *T) {
		got := t.allInput(t.Request("POST", "/app/eof", "body") + t.Raw("GET /app/secret HTTP/1.1",
			"Host: "+t.host()))
		t.Check(!strings.Contains(got, "secret"), "standard input has %s", excerpt(got))
	}),
}}

// allInput has a program read all of its standard input, more than it should, before it answers.
func (t *T) allInput(request Request) string {
	x, r := t.Do(request, func(x *Exchange) {
		for more, err := true, error(nil); more; {
			if more, err = (processes{}).read(x, 1<<20); errors.Is(err, errSilent) {
				t.Hang("standard input does not end after %d bytes", len(x.body))
			} else if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fail("standard input: %v", err)
			}
		}
		x.Write(plain + "\n" + t.token)
		x.End()
	}, OK)
	t.Check(x != nil, "the application got no request; the server answered %v", r)
	t.Want(r, 200)
	return string(x.body)
}

// killedCase is a case in which a program dies in the middle of its response.
func killedCase(name, sends, beginning string) conformance.Case {
	return conformance.Case{
		Name: "cgi/7.2/" + name, Level: conformance.Security, Needs: []string{"cgi"},
		Quote:  "Half of a response that looks like all of it is kept by caches and believed by clients.",
		Sends:  sends + " and then dies of SIGKILL",
		Passes: "lets the client see that the response is not complete, or answers with a 5xx status",
		Run: test(func(t *T) {
			x, r := t.Do(t.Request("GET", "/app/killed", ""), Partial(beginning))
			t.Check(x != nil, "the program was not run")
			t.Visible(r)
		}),
	}
}

// cgi72End are about the end of a program, RFC 3875 section 7.2.
var cgi72End = []conformance.Case{
	killedCase("script-killed-mid-response", "a request for a program that writes a header and the beginning of a "+
		"body", plain+"\nbeginning"),
	killedCase("script-killed-with-length", "a request for a program that writes a header with Content-Length: "+
		"100 and 9 bytes of body", plain+"Content-Length: 100\n\nbeginning"),
	killedCase("script-killed-in-header", "a request for a program that writes one field", plain),
	{
		Name: "cgi/7.2/nonzero-exit-after-complete", Level: conformance.Robustness, Needs: []string{"cgi"},
		Quote:  "A program that fails when all is said, in a destructor for example, has answered all the same.",
		Sends:  "a request for a program that exits with status 3 after a response with Content-Length",
		Passes: "delivers the response",
		Run: test(func(t *T) {
			_, r := t.Do(t.Request("GET", "/app/exit", ""), func(x *Exchange) {
				x.Write(plain + "Content-Length: 4\n\nbody")
				x.order(doExit, 3)
			})
			t.Intact(r, 200, "body")
		}),
	}, {
		Name:   "cgi/7.2/nonzero-exit-without-output",
		Quote:  aboutConformity,
		Level:  conformance.Robustness,
		Needs:  []string{"cgi"},
		Sends:  "a request for a program that exits with status 1 and writes nothing",
		Passes: "answers with a 5xx status",
		Run: test(func(t *T) {
			_, r := t.Do(t.Request("GET", "/app/exit", ""), func(x *Exchange) { x.order(doExit, 1) })
			t.Want(r, 5)
		}),
	}, {
		Name:   "cgi/7.2/grandchild-holds-stdout",
		Level:  conformance.Should,
		Needs:  []string{"cgi"},
		Timing: true,
		Serial: true,
		Quote: "A program that leaves a process behind, which has its standard output still open, must not " +
			"keep the client waiting as long as that lives.",
		Sends:  "a request for a program that answers, starts a process that lives on, and exits",
		Passes: "ends the response within its timeout",
		Run: test(func(t *T) {
			_, r := t.Do(t.Request("GET", "/app/daemon", ""), func(x *Exchange) {
				x.order(doGrandchild)
				x.Write(plain + "\nbody")
				x.order(doExit, 0)
				t.Grace(2 * t.target.Timeout)
			})
			t.Valid(r)
			t.Check(string(r.Body) == "body" && r.End != Silent, "%v", r)
		}),
	}, {
		Name:  "cgi/7.2/stdout-closed-early",
		Quote: "until the script signals the end of the message-body by way of an end-of-file condition",
		Spec:  "RFC 3875 section 6.4; RFC 3875",
		Level: conformance.Robustness, Needs: []string{"cgi"}, Timing: true,
		Sends:  "a request for a program that answers, closes its standard output, and lives on for a while",
		Passes: "delivers the response, complete, when the program has ended at the latest",
		Run: test(func(t *T) {
			_, r := t.Do(t.Request("GET", "/app/closed", ""), func(x *Exchange) {
				x.Write(plain + "\nbody")
				x.order(doClose)
				t.Sleep(t.Patience() / 2)
				x.order(doExit, 0)
			})
			t.Intact(r, 200, "body")
		}),
	}, {
		Name:   "cgi/7.2/zombie-free",
		Level:  conformance.Robustness,
		Needs:  []string{"cgi"},
		Serial: true,
		Timing: true,
		Quote: "A server that does not wait for the programs that it has started, or does not close their " +
			"pipes, runs full.",
		Sends: "100 requests for a program", Passes: "leaves no process behind, nor descriptors",
		Run: test(func(t *T) { t.zombies(100) }),
	},
}

// zombies makes requests and looks at what they leave behind.
func (t *T) zombies(n int) {
	var runs []*Process
	open := 0
	for i := range n {
		if runs = append(runs, t.Get("/app/x").Process); i == n/10 {
			open = descriptors(runs[i].Parent)
		}
	}
	var left []string
	for end := time.Now().Add(t.Patience()); time.Now().Before(end) &&
		t.Context().Err() == nil; t.Sleep(20 * time.Millisecond) {
		left = nil
		for _, p := range runs {
			if alive(p) {
				left = append(left, itoa(p.PID))
			}
		}
		if len(left) == 0 {
			break
		}
	}
	t.Check(len(left) == 0, "%d of %d processes are still there", len(left), n)
	now := descriptors(runs[n-1].Parent)
	t.Check(open == 0 || now < open+n/4, "%d open descriptors in the server after %d requests, and %d after %d", open,
		n/10, now, n)
}

// alive says whether there still is a process with that parent, at least as a zombie.
func alive(p *Process) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID))
	_, rest, _ := strings.Cut(string(b), ") ")
	words := strings.Fields(rest)
	return err == nil && len(words) > 1 && words[1] == itoa(p.Parent)
}

// descriptors counts those of a process; 0 if that cannot be known.
func descriptors(pid int) int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(entries)
}
