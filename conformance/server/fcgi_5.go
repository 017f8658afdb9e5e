package server

import (
	"errors"
	"strings"
	"time"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

const keepConn = "flags & FCGI_KEEP_CONN: If zero, the application closes the connection after responding to " +
	"this request. If not " +
	"zero, the application does not close the connection after responding to this request; the Web server retains " +
	"responsibility for the connection."

// fcgi51 are the cases of FastCGI 1.0 section 5.1, FCGI_BEGIN_REQUEST.
var fcgi51 = []conformance.Case{
	{
		Name: "fcgi-client/5.1/keepconn-flag-matches", Level: conformance.Must, Quote: keepConn, Serial: true,
		Sends:  "a response, and leaves the connection open if the flag FCGI_KEEP_CONN is set; else closes it a moment later",
		Passes: "needs no close with the flag, and sends no further request on the connection without it",
		Run: test(func(t *T) {
			t.alone()
			c := t.Send(t.Request("GET", "/app/x", ""))
			x := t.Accept()
			x.ReadBody(-1)
			x.Send(join(x.out(text+"good"), x.normal()))
			if !x.KeepConn {
				t.Sleep(t.Patience() / 10) // in which the server may take the connection for free
				next := t.Send(t.Request("GET", "/app/next", ""))
				y := t.Accept()
				OK(y)
				t.Intact(next.Response(), 200, t.token)
				x.Close()
			}
			t.Intact(c.Response(), 200, "good")
		}),
	},
	{
		Name: "fcgi-client/5.1/unknown-flags-zero", Level: conformance.Should,
		Quote:  "The flags component contains a bit that controls connection shutdown. (The other bits have no meaning.)",
		Sends:  "GET /app/x",
		Passes: "sets no other bit of the flags than FCGI_KEEP_CONN",
		Run: test(func(t *T) {
			flags := t.Get("/app/x").Records[0].Content[2]
			t.Check(flags&^wire.FlagKeepConn == 0, "the flags are %#02x", flags)
		}),
	},
	{
		Name: "fcgi-client/5.1/keepconn-reuse", Level: conformance.May,
		Quote: keepConn, Serial: true, Needs: []string{"keepconn"},
		Sends:  "two requests, one after the other",
		Passes: "uses the same connection for both",
		Run: test(func(t *T) {
			t.alone()
			x, y := t.Get("/app/x"), t.Get("/app/y")
			t.Check(x.lease.appConn == y.lease.appConn, "two connections")
		}),
	},
	{
		Name: "fcgi-client/5.1/keepconn-app-closes-idle", Level: conformance.Robustness,
		Serial: true, Needs: []string{"keepconn"},
		Quote: "When an application closes a connection or finds that a connection has closed, the application " +
			"initiates a new connection. (section 3.5; applications end and are started again)",
		Sends:  "a request, closes the kept connection while it is idle, and sends another request",
		Passes: "serves the second one too",
		Run: test(func(t *T) {
			t.alone()
			t.Get("/app/x")
			t.alone()
			t.Get("/app/y")
		}),
	},
	{
		Name: "fcgi-client/5.1/keepconn-app-closes-race", Level: conformance.Robustness,
		Serial: true, Needs: []string{"keepconn"},
		Quote: "An application may close an idle connection at the moment in which the server sends a request on it; a " +
			"request that changes nothing can be sent again (RFC 9110 section 9.2.2).",
		Sends:  "a request, and then another that the application meets on the kept connection with a close",
		Passes: "serves the second request on a new connection",
		Run:    test(func(t *T) { t.race("GET", "", func(r *Response) { t.Intact(r, 200, t.token) }) }),
	},
	{
		Name: "fcgi-client/5.1/keepconn-post-not-replayed", Level: conformance.Security,
		Serial: true, Needs: []string{"keepconn"},
		Quote: "A user agent or a proxy must not automatically retry a request with a non-idempotent method (RFC 9110 " +
			"section 9.2.2): the order would be placed twice.",
		Sends:  "a request, and then POST, which the application reads from the kept connection before it closes",
		Passes: "does not send the POST again",
		Run:    test(func(t *T) { t.race("POST", "buy one", func(r *Response) { t.Want(r, 5) }) }),
	},
	{
		Name: "fcgi-client/5.1/not-replayed-after-output", Level: conformance.Security,
		Quote:  "What has begun to answer a request has processed it: to send it again is to process it twice.",
		Sends:  "GET, for which the application begins a response and closes the connection",
		Passes: "does not send the request again",
		Run: test(func(t *T) {
			_, r := t.Cut(t.Request("GET", "/app/x", ""), Partial(text+"hello"))
			t.Check(len(t.Exchanges) == 1, "the application got the request %d times; the client %v", len(t.Exchanges), r)
		}),
	},
}

// race closes a kept connection when a request has come on it.
func (t *T) race(method, body string, check func(*Response)) {
	t.alone()
	first := t.Get("/app/x")
	second, r := t.Do(t.Request(method, "/app/y", body), closed, OK)
	t.Check(second != nil, "the application did not get the second request; the server answered %v", r)
	if first.lease.appConn != second.lease.appConn {
		t.Skip("the server used a new connection for the second request")
	}
	t.Check(method == "GET" || len(t.Exchanges) == 2, "the application got the %s %d times", method, len(t.Exchanges)-1)
	check(r)
}

// fcgi52 are the cases of sections 5.2 to 5.4: the streams from the server, and their end.
var fcgi52 = []conformance.Case{
	{
		Name: "fcgi-client/5.2/params-then-empty", Level: conformance.Must,
		Quote: "a stream record is part of a stream, i.e. a series of zero or more non-empty records (length != 0) of " +
			"the stream " +
			"type, followed by an empty record (length == 0) of the stream type. (section 3.3)",
		Sends:  "GET /app/x",
		Passes: "ends FCGI_PARAMS with exactly one empty record",
		Run:    test(func(t *T) { t.oneEnd(t.Get("/app/x"), wire.TypeParams) }),
	},
	{
		Name: "fcgi-client/5.2/stdin-empty-on-get", Level: conformance.Must,
		Quote: "When a role protocol calls for transmitting a stream other than FCGI_STDERR, at least one record of the " +
			"stream " +
			"type is always transmitted, even if the stream is empty. (section 6.1)",
		Sends:  "GET /app/x and DELETE /app/x",
		Passes: "sends an empty FCGI_STDIN",
		Run: test(func(t *T) {
			for _, method := range []string{"GET", "DELETE"} {
				body := t.Served(t.Request(method, "/app/x", "")).Body()
				t.Check(body == "", "FCGI_STDIN is %s", excerpt(body))
			}
		}),
	},
	{
		Name: "fcgi-client/6.1/params-before-stdin", Level: conformance.Must,
		Quote: "role protocols are designed to use nearly sequential marshalling. […] Inputs are not interleaved with " +
			"each other",
		Sends:  "POST /app/x with 100000 bytes",
		Passes: "sends FCGI_BEGIN_REQUEST, then all of FCGI_PARAMS, then all of FCGI_STDIN",
		Run: test(func(t *T) {
			x := t.Post("/app/x", strings.Repeat("b", 100000))
			last := wire.TypeBeginRequest
			for i, r := range x.Records[1:] {
				t.Check(r.Type >= last && r.Type != wire.TypeBeginRequest, "record %d is %v after %v", i+2, r.Type, last)
				last = r.Type
			}
		}),
	},
	{
		Name: "fcgi-client/5.2/no-duplicate-names", Level: conformance.Should,
		Quote: "The Responder application receives CGI/1.1 environment variables from the Web server over FCGI_PARAMS. " +
			"(section 6.2; of two variables with one name each application takes another)",
		Sends:  "GET /app/x with two fields X-Dup, two Cookie and two Accept",
		Passes: "sends no name twice",
		Run:    test((*T).noDuplicates),
	},
	{
		Name: "fcgi-client/5.3/stdin-record-max", Level: conformance.Must,
		Quote: "FCGI_STDIN is a stream record type used in sending arbitrary data from the Web server to the " +
			"application. (contentData: Between 0 and 65535 bytes, section 3.3)",
		Sends:  "POST /app/x with 1 MB",
		Passes: "sends all of it in records of FCGI_STDIN and ends it with exactly one empty record",
		Run: test(func(t *T) {
			body := strings.Repeat("0123456789abcdef", 1<<16)
			x := t.Post("/app/x", body)
			t.Check(x.Body() == body, "a body of %d bytes, which are not those that were sent", len(x.Body()))
			t.oneEnd(x, wire.TypeStdin)
		}),
	},
	{
		Name: "fcgi-client/5.3/stdin-not-more-than-content-length", Level: conformance.Must,
		Quote: "The application receives at most CONTENT_LENGTH bytes from this stream before receiving the " +
			"end-of-stream indication. (section 6.2)",
		Sends:  "POST /app/x with 5 bytes and GET /app/y in one segment",
		Passes: "sends the 5 bytes only, and serves the second request",
		Run: test(func(t *T) {
			c := t.Client()
			post := t.Request("POST", "/app/x", "12345")
			c.Send(post + t.Request("GET", "/app/y", ""))
			x := t.Accept()
			OK(x)
			t.Check(x.Body() == "12345", "the body is %s", excerpt(x.Body()))
			t.Intact(c.Response(), 200, t.token)
			y := t.Accept()
			OK(y)
			t.Intact(c.Response(), 200, t.token)
		}),
	},
	{
		Name: "fcgi-client/5.3/stdin-short-client-abort", Level: conformance.Must,
		Quote: "The application receives less than CONTENT_LENGTH bytes only if the HTTP client fails to provide them, " +
			"e.g. because the client crashed. (section 6.2; php-fpm and others do not compare)",
		Sends:  "POST /app/x with 100000 of 200000 bytes, and breaks the connection",
		Passes: "sends FCGI_ABORT_REQUEST or closes the connection, and does not end FCGI_STDIN as if that were all",
		Run:    test((*T).uploadBroken),
	},
	{
		Name: "fcgi-client/5.4/client-disconnect-aborts", Level: conformance.Must, Timing: true,
		Quote: "A Web server aborts a FastCGI request when an HTTP client closes its transport connection while the " +
			"FastCGI request is running on behalf of that client.",
		Sends:  "GET /app/x, and closes the connection while the application works",
		Passes: "sends FCGI_ABORT_REQUEST or closes the connection within 2 s",
		Run:    test((*T).clientGone),
	},
	{
		Name: "fcgi-client/5.4/abort-not-on-kept-conn-of-others", Level: conformance.Must,
		Quote: "But with multiplexed requests, closing the transport connection has the unfortunate effect of aborting " +
			"all the requests on the connection.",
		Sends:  "two requests at once, and closes the client's connection of the first while the application works",
		Passes: "serves the second one",
		Run: test(func(t *T) {
			first := t.Send(t.Request("GET", "/app/first", ""))
			x := t.Accept()
			second := t.Send(t.Request("GET", "/app/second", ""))
			y := t.Accept()
			x.ReadBody(-1)
			first.Close()
			x.over(t.Patience() / 2)
			OK(y)
			t.Intact(second.Response(), 200, t.token)
		}),
	},
	{
		Name: "fcgi-client/5.4/late-output-not-delivered", Level: conformance.Security, Serial: true,
		Quote: "After receiving {FCGI_ABORT_REQUEST, R}, the application responds as soon as possible with " +
			"{FCGI_END_REQUEST, R, […]}: until then the connection is not free for another client.",
		Sends: "GET /app/x, closes the connection while the application works, sends GET /app/y, and lets the " +
			"application finish its answer to the first",
		Passes: "gives the second client its own response",
		Run: test(func(t *T) {
			t.alone()
			c := t.Send(t.Request("GET", "/app/x", ""))
			x := t.Accept()
			x.ReadBody(-1)
			x.Write(text + "for")
			c.Close()
			x.over(t.Patience() / 3)
			next := t.Send(t.Request("GET", "/app/y", ""))
			y := t.Arrival(t.Patience() / 3)
			x.Send(join(x.out("eign"), x.normal()))
			if y == nil { // the request may be on the old connection
				x.lease.release(nil)
				y = t.Accept()
			}
			OK(y)
			t.Intact(next.Response(), 200, t.token)
		}),
	},
	{
		Name: "fcgi-client/3.5/open-while-active", Level: conformance.Must,
		Quote: "The Web server can close a connection when no requests are active. (section 3.5; applications take the " +
			"end of the input for the end of the client)",
		Sends:  "POST /app/x, which the application answers after a while",
		Passes: "does not close its end of the connection, not for writing only either, before the response",
		Run:    test(func(t *T) { t.staysOpen() }),
	},
}

// oneEnd checks that the stream has one empty record, which is its last.
func (t *T) oneEnd(x *Exchange, stream wire.Type) {
	records := x.records(stream)
	for i, r := range records {
		t.Check(len(r.Content) > 0 || i == len(records)-1, "record %d of %d of %v is empty", i+1, len(records), stream)
	}
	t.Check(len(records) > 0 && len(records[len(records)-1].Content) == 0, "%v has no end", stream)
}

// noDuplicates sends fields with the same name.
func (t *T) noDuplicates() {
	x := t.Get("/app/x", "X-Dup: a", "X-Dup: b", "Cookie: a=1", "Cookie: b=2", "Accept: text/html", "Accept: text/plain")
	seen := map[string]bool{}
	for _, v := range x.Vars {
		t.Check(!seen[v.Name], "%s is there more than once: %q", v.Name, x.Values(v.Name))
		seen[v.Name] = true
	}
}

// uploadBroken breaks the client's connection in the middle of a body.
func (t *T) uploadBroken() {
	c := t.Client()
	c.Write(string(t.Request("POST", "/app/x", "", "Content-Length: 200000")) + strings.Repeat("b", 100000))
	x := t.Arrival(t.Patience() / 2)
	if x != nil {
		x.ReadBody(100000)
	}
	c.Conn.Reset()
	if x == nil {
		x = t.Arrival(t.Patience() / 2)
	}
	if x == nil {
		return // the server did not hand over what it did not have
	}
	body, err := x.ReadBody(-1)
	t.Check(err != nil && !errors.Is(err, errSilent),
		"the application got %d bytes, of which the client has sent 100000 at most, and then %v", len(body), describe(err))
}

func describe(err error) string {
	if err == nil {
		return "a regular end"
	}
	return err.Error()
}

// clientGone closes the client's connection while the application works.
func (t *T) clientGone() {
	c := t.Send(t.Request("GET", "/app/x", ""))
	x := t.Accept()
	x.ReadBody(-1)
	c.Close()
	t.Gone(x, 2*t.Patience())
}

// staysOpen checks that the connection stays open for as long as the application works.
func (t *T) staysOpen() {
	c := t.Send(t.Request("POST", "/app/x", "abc"))
	x := t.Accept()
	t.Check(x.Body() == "abc", "the body is %s", excerpt(x.Body()))
	start := time.Now()
	t.Check(!x.over(t.Patience()/4), "the connection ended %v after the request",
		time.Since(start).Round(time.Millisecond))
	OK(x)
	t.Intact(c.Response(), 200, t.token)
}
