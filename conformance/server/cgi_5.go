package server

import (
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

const quoteNPH = "The server MUST ensure that the script output is sent to the client unmodified."

// NPH has the program that is not parsed answer, and returns what it wrote and what the client got.
func (t *T) NPH(c *Client, response string) *Response {
	x, r := c.Answer(t.Request("GET", t.script(nphFile), ""), CGI(response))
	t.Check(x != nil, "the program was not run; the server answered %v", r)
	return r
}

// nphCase is a case about a program that is not parsed.
func nphCase(name, quote, sends, passes string, level conformance.Level, run func(*T)) conformance.Case {
	needs := []string{"cgi", "nph"}
	if level == conformance.May {
		needs = needs[:1]
	}
	return conformance.Case{Name: "cgi/" + name, Quote: quote, Level: level, Needs: needs, Sends: sends,
		Passes: passes, Run: test(run)}
}

// RFC 3875 section 5, NPH Scripts.
func cgi5() []conformance.Case {
	return []conformance.Case{
		nphCase("5.1/nph-detect", "A server with NPH support MUST provide an implementation-defined mechanism for "+
			"identifying NPH scripts, perhaps based on the name or location of the script.",
			"a request for a program whose name begins with nph-, which writes a whole HTTP response with the "+
				"status 299",
			"sends that response as it is", conformance.May, func(t *T) {
				r := t.NPH(t.Client(), nphResponse)
				t.Check(string(r.Raw) == nphResponse, "%v", r)
			}),
		nphCase("5.2/nph-unmodified", quoteNPH, "a request that an NPH program answers with a reason phrase, names, "+
			"spaces and an order of its own",
			"sends it byte for byte", conformance.Must, func(t *T) {
				const response = "HTTP/1.1 207  conform-Ance\r\nx-b:2\r\nX-a:  1\r\ncOnTeNt-LeNgTh: " +
					"3\r\nConnection: close\r\nx-B: 3\r\n\r\nnph"
				c := t.Client()
				r := t.NPH(c, response)
				t.Check(string(r.Raw) == response, "%s", excerpt(string(r.Raw)))
				t.Next(c, r)
			}),
		nphCase("5.2/nph-binary", quoteNPH, "a request that an NPH program answers with a body of all 256 bytes, "+
			"and then nothing more",
			"sends it byte for byte", conformance.Must, func(t *T) {
				body := make([]byte, 256)
				for i := range body {
					body[i] = byte(i)
				}
				response := "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n" + string(body)
				r := t.NPH(t.Client(), response)
				t.Check(string(r.Raw) == response, "%s", excerpt(string(r.Raw)))
			}),
		nphCase("5.2/nph-early", "The server SHOULD attempt to ensure that the script output is sent directly to the "+
			"client, with minimal internal and no transport-visible buffering.",
			"a request that an NPH program answers with a header and the beginning of a body, after which it waits",
			"sends what there is while the program waits", conformance.Should, func(t *T) {
				c := t.Send(t.Request("GET", t.script(nphFile), ""))
				x := t.Accept()
				x.Write(strings.TrimSuffix(nphResponse, "ph"))
				t.wait(func() bool { return c.has("\r\n\r\nn") })
				t.Check(c.has("\r\n\r\nn"), "nothing comes before the program ends")
				x.Write("ph")
				x.End()
				t.Intact(c.Response(), 299, "nph")
			}),
		nphCase("5.2/nph-no-keepalive", "Unless the implementation defines otherwise, the script MUST NOT indicate in "+
			"its response that the client can send further requests over the same connection.",
			"a request that an NPH program answers without Connection: close, and another one on the same connection",
			"ends the connection when the program has ended", conformance.Must, func(t *T) {
				c := t.Client()
				t.Intact(t.NPH(c, strings.Replace(nphResponse, "Connection: close\r\n", "", 1)), 299, "nph")
				c.Send(t.Request("GET", "/app/second", ""))
				r := c.Response()
				t.Check(r.End != Silent && r.Status == 0, "the next request on the connection got %v", r)
			}),
	}
}

const nphResponse = "HTTP/1.1 299 Conform\r\nContent-Length: 3\r\nConnection: close\r\n\r\nnph"

// has says whether text is in what came from the server and is not part of a response yet.
func (c *Client) has(text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Contains(string(c.in), text)
}
