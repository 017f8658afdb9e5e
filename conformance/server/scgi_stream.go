package server

import (
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// What the cases of SCGI and uwsgi have in common: named gives them a name and the sentence of the protocol.
var (
	noDuplicatesCase = conformance.Case{
		Level:  conformance.Must,
		Sends:  "GET /app/x with two fields X-Dup, two Cookie and two Accept",
		Passes: "sends no name twice",
		Run:    test((*T).noDuplicates),
	}
	bodyNotMoreCase = conformance.Case{
		Level:  conformance.Must,
		Sends:  "POST /app/x with 5 bytes and GET /app/y in one segment",
		Passes: "sends the 5 bytes only",
		Run:    test((*T).pipelined),
	}
	chunkedBodyCase = conformance.Case{
		Level:  conformance.Must,
		Sends:  "POST /app/x with 11 bytes in chunks",
		Passes: "sends CONTENT_LENGTH 11 and the body, or answers with status 411",
		Run:    test((*T).chunkedPost),
	}
	cutBodyCase = conformance.Case{
		Level:  conformance.Security,
		Sends:  "a response with Content-Length 100 and 5 bytes, and closes the connection",
		Passes: "lets the client see that the response is not complete",
		Run:    test((*T).shortBody),
	}
	resetCase = conformance.Case{
		Level:  conformance.Security,
		Sends:  "the header and 5 bytes of a response, and breaks the connection (RST)",
		Passes: "lets the client see that the response is not complete",
		Run:    test((*T).resetMidBody),
	}
	noResponseCase = conformance.Case{
		Level:  conformance.Must,
		Sends:  "nothing, and closes the connection",
		Passes: "answers with status 5xx",
		Run: test(func(t *T) {
			_, r := t.Do(t.Request("GET", "/app/x", ""), closed)
			t.Want(r, 5)
		}),
	}
	earlyResponseCase = conformance.Case{
		Level:  conformance.Must,
		Sends:  "POST /app/x with 16 MB; the application answers and closes the connection without reading it",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			_, r := t.Do(t.Request("POST", "/app/x", strings.Repeat("b", 16<<20)), Early("Content-Length: 4\r\n"+text+"good"))
			t.Intact(r, 200, "good")
		}),
	}
	clientGoneCase = conformance.Case{
		Level: conformance.Should, Timing: true,
		Sends:  "GET /app/x, and closes the connection while the application works",
		Passes: "closes the connection to the application within 2 s",
		Run:    test((*T).clientGone),
	}
	uploadBrokenCase = conformance.Case{
		Level:  conformance.Security,
		Sends:  "POST /app/x with 100000 of 200000 bytes, and breaks the connection",
		Passes: "closes the connection to the application, and sends no other bytes for those that are missing",
		Run:    test((*T).uploadBroken),
	}
	byteByByteCase = conformance.Case{
		Level:  conformance.Must,
		Sends:  "a response, each byte by itself",
		Passes: "delivers the response as it is",
		Run:    test((*T).byteByByte),
	}
	neverAnswersCase = conformance.Case{
		Level: conformance.Robustness, Timing: true,
		Sends:  "GET /app/x, which the application never answers",
		Passes: "answers with status 5xx within its time limit, and closes the connection to the application",
		Run:    test((*T).neverAnswers),
	}
)

// named is a case that is one of several protocols.
func named(c conformance.Case, name, quote string) conformance.Case {
	c.Name, c.Quote = name, quote
	return c
}

// exactBody checks that the application gets the body and nothing more.
func (t *T) exactBody(body string) {
	x := t.Post("/app/x", body)
	t.Check(x.Body() == body, "%d bytes, which are not those that were sent", len(x.Body()))
	t.Check(len(x.in) == 0, "%d more bytes", len(x.in))
}

// pipelined sends a second request behind a body.
func (t *T) pipelined() {
	c := t.Client()
	post := t.Request("POST", "/app/x", "12345")
	c.Send(post + t.Request("GET", "/app/y", ""))
	x := t.Accept()
	x.Body()
	t.Sleep(t.Patience() / 20)
	t.Check(!x.over(t.Patience()/10) && len(x.in) == 0, "after the body %s", excerpt(string(x.in)))
	OK(x)
	t.Intact(c.Response(), 200, t.token)
	OK(t.Accept())
	t.Intact(c.Response(), 200, t.token)
}

// chunkedPost sends a body in chunks.
func (t *T) chunkedPost() {
	x, r := t.Do(t.Request("POST", "/app/x", Chunked("hello world", 4), "Transfer-Encoding: chunked"))
	if x == nil {
		t.Want(r, 411)
		return
	}
	x.Want("CONTENT_LENGTH", "11")
	t.Check(x.Body() == "hello world", "the body is %s", excerpt(x.Body()))
}

// shortBody answers with less than Content-Length says.
func (t *T) shortBody() {
	_, r := t.Cut(t.Request("GET", "/app/x", ""), CGI("Content-Length: 100\r\n"+text+"hello"))
	t.Visible(r)
}

// resetMidBody breaks the connection within the response.
func (t *T) resetMidBody() {
	_, r := t.Cut(t.Request("GET", "/app/x", ""), func(x *Exchange) {
		x.ReadBody(-1)
		x.Write(text + "hello")
		t.Sleep(t.Patience() / 10) // what has not been read when the connection breaks is lost
		x.Reset()
	})
	t.Visible(r)
}

// byteByByte sends each byte of the response by itself.
func (t *T) byteByByte() {
	_, r := t.Do(t.Request("GET", "/app/x", ""), func(x *Exchange) {
		x.ReadBody(-1)
		for _, c := range strings.Split(text+"good", "") {
			x.Write(c)
			t.Sleep(t.Patience() / 1000)
		}
		x.End()
	})
	t.Intact(r, 200, "good")
}

// neverAnswers has the application never answer.
func (t *T) neverAnswers() {
	c := t.Send(t.Request("GET", "/app/x", ""))
	x := t.Accept()
	x.ReadBody(-1)
	t.Grace(t.limit())
	t.Want(c.Response(), 5)
	t.Gone(x, t.Patience())
}
