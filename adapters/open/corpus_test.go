package open_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
)

// A question is one request of the equivalence corpus.
type question struct {
	method, target string
	header         http.Header
	body           int  // bytes
	chunked        bool // no Content-Length
}

func (q question) String() string {
	name := q.method + " " + q.target
	if q.body > 0 || q.chunked {
		name += fmt.Sprintf(" %d bytes", q.body)
	}
	if q.chunked {
		name += " chunked"
	}
	for _, field := range slices.Sorted(keys(q.header)) {
		name += fmt.Sprintf(" %s:%.20q", field, q.header[field])
	}
	return name
}

func keys(h http.Header) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for name := range h {
			if !yield(name) {
				return
			}
		}
	}
}

// corpus returns the questions that are asked through every frontend of every mount.
func corpus() []question {
	var all []question
	add := func(q question) { all = append(all, q) }
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "REPORT"} {
		add(question{method: method, target: "/what"})
		add(question{method: method, target: "/what?method"})
		add(question{method: method, target: "/big?n=5000&length"})
		add(question{method: method, target: "/fields"})
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "PROPFIND"} {
		for _, size := range []int{0, 1, 64 << 10} {
			add(question{method: method, target: "/what?length", body: size})
			add(question{method: method, target: "/what?chunked", body: size, chunked: true})
		}
	}
	for _, chunked := range []bool{false, true} {
		add(question{method: "POST", target: "/what?large", body: 10 << 20, chunked: chunked})
		add(question{method: "PUT", target: "/upload?large", body: 10 << 20, chunked: chunked})
	}
	for _, path := range []string{"/what/../what", "/./what", "/a//what", "/a%20b/what", "/caf%C3%A9/what", "/a+b/what",
		"/a;b=c/what", "/~user/what", "/a%25b/what", "/a%2Bb/what", "/(a)'!*,/what", "/a%3Fb/what", "/a%23b/what",
		"/a&b=c/what", "/a:b@c/what", "/%41/what", "/a%5Eb/what", "/a%22b/what", "/%E2%82%AC/what", "/a=b$c/what"} {
		add(question{method: "GET", target: path})
		add(question{method: "POST", target: path + "?q=1", body: 3})
	}
	for _, query := range []string{"a=1", "a=1&a=2", "a=%20+b", "=", "&", "a", "?", "a=b?c", "%zz", "a;b", "caf%C3%A9",
		"a=%00", "a[]=1&a[]=2", "x=" + strings.Repeat("y", 2000), "/../", "a=%26%3D", "a='\"", "~!*()"} {
		add(question{method: "GET", target: "/what?" + query})
	}
	for _, h := range []http.Header{
		{"Cookie": {"a=1; b=2"}}, {"X-Two": {"1", "2"}}, {"X-Two": {"1, 2", "3"}}, {"Accept-Language": {"de, en;q=0.5"}},
		{"X-High": {"caf\xc3\xa9"}}, {"X-Long": {strings.Repeat("l", 6000)}}, {"X-Odd": {`a "b" \c; d=<e>`}},
		{"Authorization": {"Basic YTpi"}}, {"Referer": {"http://example.org/?a=b#c"}}, {"User-Agent": {""}},
		{"Accept": {"text/html, */*;q=0.1"}}, {"Content-Type": {"application/json; charset=utf-8"}}, {"Proxy": {"evil"}},
		{"X_two": {"spoof"}}, {"X-Odd": {"tab\tinside"}}, {"Accept": {"a/b"}, "Cookie": {"x=y"}, "X-Odd": {"z"}},
	} {
		add(question{method: "GET", target: "/what?fields", header: h})
		add(question{method: "POST", target: "/what?fields", header: h, body: 100})
	}
	for _, code := range []int{200, 201, 202, 203, 204, 206, 299, 300, 304, 400, 401, 402, 403, 404, 405, 409, 410, 412, 418,
		422, 429, 451, 500, 501, 502, 503, 504, 599} {
		add(question{method: "GET", target: fmt.Sprintf("/status?code=%d", code)})
		add(question{method: "HEAD", target: fmt.Sprintf("/status?code=%d", code)})
	}
	for _, code := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{"http://example.org/a?b=c", "/relative?x=y", "//host/path"} {
			add(question{method: "GET", target: fmt.Sprintf("/found?code=%d&to=%s", code, url.QueryEscape(to))})
		}
	}
	for _, n := range []int{0, 1, 4095, 65535, 65536, 10 << 20} {
		add(question{method: "GET", target: fmt.Sprintf("/big?n=%d", n)})
		add(question{method: "GET", target: fmt.Sprintf("/big?n=%d&length", n)})
	}
	add(question{method: "GET", target: "/range", header: http.Header{"Range": {"bytes=2-5"}}})
	add(question{method: "GET", target: "/range"})
	add(question{method: "GET", target: "/hints"})
	add(question{method: "GET", target: "/quick-events"})
	add(question{method: "GET", target: "/none"})
	add(question{method: "GET", target: "/stderr"})
	add(question{method: "GET", target: "/busy"})
	return all
}

// An answer is what of a response must be equal everywhere.
type answer struct {
	status int
	header string // sorted lines
	body   string // length and hash
}

func (a answer) String() string { return fmt.Sprintf("%d %s\n%s", a.status, a.body, a.header) }

// ask sends q to the server at base.
func ask(c *http.Client, base string, q question) (answer, error) {
	var body io.Reader
	if q.body > 0 || q.chunked {
		body = bytes.NewReader(questionBody(q.body))
	}
	if q.chunked {
		body = struct{ io.Reader }{body}
	}
	r, err := http.NewRequest(q.method, base+"/", body)
	if err != nil {
		return answer{}, err
	}
	path, query, asked := strings.Cut(q.target, "?")
	r.URL.Opaque, r.URL.RawQuery, r.URL.ForceQuery = path, query, asked && query == ""
	r.Header.Set("User-Agent", "equivalence")
	for name, values := range q.header {
		r.Header[name] = values
	}
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(int, textproto.MIMEHeader) error { return nil },
	}))
	resp, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, resp.Body)
	return answer{resp.StatusCode, comparable(resp.Header), fmt.Sprintf("%d %x", n, sum.Sum(nil)[:8])}, err
}

func questionBody(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i >> 5)
	}
	return b
}

// comparable returns the fields but those of one connection and of the server (lighttpd and Apache say Accept-Ranges for
// all that they send), and Content-Length, which frames a message and is compared as the length of the body.
func comparable(h http.Header) string {
	var lines []string
	for name, values := range h {
		switch name {
		case "Date", "Server", "Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Via", "Accept-Ranges":
			continue
		}
		for _, v := range values {
			lines = append(lines, name+": "+v+"\n")
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
