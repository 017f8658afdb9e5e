package server

import "strings"

// What the cases of SCGI and uwsgi have in common.

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
