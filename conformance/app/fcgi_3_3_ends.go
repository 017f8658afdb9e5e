package app

import (
	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

var fcgi33Ends = []conformance.Case{{
	Name:   "fcgi/3.3/truncated-header-close",
	Quote:  quotePrefix,
	Level:  conformance.Robustness,
	Sends:  "3 bytes of a record header, a close, and a plain request over another connection",
	Passes: "serves the request",
	Run: test(func(t *T) {
		c := t.Connect()
		c.Send([]byte("\x01\x01\x00"))
		c.Close()
		t.Serves()
	}),
}, {
	Name:   "fcgi/3.3/truncated-content-close",
	Quote:  quotePrefix,
	Level:  conformance.Robustness,
	Sends:  "a request up to the middle of FCGI_PARAMS, a close, and a plain request over another connection",
	Passes: "serves the second request",
	Run: test(func(t *T) {
		r, c := t.Get(""), t.Connect()
		c.Send(r.Begin(), r.Params()[:len(r.Params())/2])
		c.Close()
		t.Serves()
	}),
}, {
	Name:   "fcgi/3.3/half-close-in-params",
	Quote:  quotePrefix + " What is cut short must not be served with half of its variables.",
	Level:  conformance.Security,
	Sends:  "a request up to the middle of FCGI_PARAMS, and the end of its direction of the connection",
	Passes: "closes the connection and serves nothing",
	Run: test(func(t *T) {
		r, c := t.Get(""), t.Connect()
		c.Send(r.Begin(), r.Params()[:len(r.Params())/2])
		c.CloseWrite()
		for _, record := range c.UntilClosed() {
			t.Check(record.Type != wire.TypeStdout || len(record.content) == 0, "it answered: %s", c.heard())
		}
	}),
}, {
	Name:   "fcgi/3.3/half-close-idle",
	Quote:  quotePrefix + " When no more records can come, the connection is of no use.",
	Level:  conformance.Robustness,
	Sends:  "nothing but the end of its direction of the connection",
	Passes: "closes the connection",
	Run: test(func(t *T) {
		c := t.Connect()
		c.CloseWrite()
		c.UntilClosed()
	}),
}, {
	Name: "fcgi/3.3/half-close-after-stdin",
	Quote: "first the Web server sends parameters and other data to the application, then the application sends " +
		"result data",
	Level:  conformance.Robustness,
	Sends:  "a plain request, and the end of its direction of the connection",
	Passes: "serves the request",
	Run: test(func(t *T) {
		c := t.Connect()
		c.Send(t.Get("").Bytes())
		c.CloseWrite()
		c.Served(1)
	}),
}, {
	Name:   "fcgi/3.3/close-before-response",
	Quote:  "Web servers close connections when their clients go; a write to one must not end the application.",
	Level:  conformance.Robustness,
	Sends:  "five times a request for 300 KB, if it is the echo application, and a close, and then a plain request",
	Passes: "serves the last request",
	Run: test(func(t *T) {
		for range 5 {
			c := t.Connect()
			c.Send(t.Get("large=300000").Bytes())
			c.Close()
		}
		t.Serves()
	}),
}, {
	Name:  "fcgi/3.3/rst-mid-stdin",
	Quote: "A connection can break at any time, also within a body.",
	Level: conformance.Robustness, Needs: []string{needTCP},
	Sends:  "half of a request's body, a reset of the connection, and a plain request over another one",
	Passes: "serves the second request",
	Run: test(func(t *T) {
		r, c := t.Post("", make([]byte, 1000)), t.Connect()
		c.Send(r.Begin(), r.Params(), r.Stdin()[:500])
		c.Quiet(t.Patience() / 8)
		c.Reset()
		t.Serves()
	}),
}}

// sent says whether a record of the type has come.
func (c *conn) sent(t wire.Type) bool {
	for _, r := range c.got {
		if r.Type == t {
			return true
		}
	}
	return false
}
