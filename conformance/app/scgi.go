package app

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/gangway-go/gangway/conformance"
)

func scgiCases() []conformance.Case {
	return slices.Concat(scgi2(), scgi2Ends(), scgi3(), scgi3Length(), scgi3Names(), scgi3Values(), scgi3Body(),
		scgi4(), scgi4Lengths(), scgi5())
}

// scgiAsk is the plain request of a target that speaks SCGI.
func (t *T) scgiAsk(query string) []byte {
	e := t.begin(scgi(t.scgiGet(query), nil))
	defer e.Close()
	return e.response()
}

// scgiGet are the headers of a GET: CONTENT_LENGTH, SCGI, and the meta-variables. More are given as name, value, ….
func (t *T) scgiGet(query string, more ...string) []pair {
	return t.scgiHeaders("GET", query, 0, more...)
}

// scgiPost are the headers of a POST with a body of the length.
func (t *T) scgiPost(length int, more ...string) []pair {
	return t.scgiHeaders("POST", "", length, append([]string{"CONTENT_TYPE", "application/octet-stream"}, more...)...)
}

func (t *T) scgiHeaders(method, query string, length int, more ...string) []pair {
	headers := []pair{{"CONTENT_LENGTH", strconv.Itoa(length)}, {"SCGI", "1"}}
	return append(headers, t.variables(method, query, more...)...)
}

// headerBlock is headers in the form of SCGI section 3.
func headerBlock(headers []pair) (b []byte) {
	for _, h := range headers {
		b = append(append(append(append(b, h.name...), 0), h.value...), 0)
	}
	return b
}

// netstring encloses a string as SCGI section 4 has it.
func netstring(b []byte) []byte { return fmt.Appendf(nil, "%d:%s,", len(b), b) }

// scgi is a whole request.
func scgi(headers []pair, body []byte) []byte {
	return append(netstring(headerBlock(headers)), body...)
}

// without takes a header away.
func without(headers []pair, name string) []pair {
	return slices.DeleteFunc(headers, func(p pair) bool { return p.name == name })
}

// scgi5 is the example.
func scgi5() []conformance.Case {
	return []conformance.Case{{
		Name:   "scgi/5/spec-example",
		Quote:  "The SCGI server closes the connection.",
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "the request of section 5, byte for byte",
		Passes: "answers it, with its body of 27 bytes, and closes the connection",
		Run: test(func(t *T) {
			e := t.begin([]byte("70:" +
				"CONTENT_LENGTH\x0027\x00" +
				"SCGI\x001\x00" +
				"REQUEST_METHOD\x00POST\x00" +
				"REQUEST_URI\x00/deepthought\x00" +
				"," +
				"What is the answer to life?"))
			got := t.Echo(e.response())
			t.CheckVar(got, "REQUEST_URI", "/deepthought")
			t.CheckBody(got, []byte("What is the answer to life?"))
		}),
	}}
}
