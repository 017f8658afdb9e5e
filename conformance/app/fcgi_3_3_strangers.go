package app

import (
	"bytes"
	"math/rand/v2"
	"slices"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// fcgi33Strangers are the cases of peers that do not speak FastCGI.
func fcgi33Strangers() []conformance.Case {
	var cases []conformance.Case
	for _, stranger := range []struct{ slug, what, bytes string }{
		{"http-to-fcgi-port", "an HTTP request", "GET /HELLO-STRANGER HTTP/1.1\r\nHost: localhost\r\n\r\n"},
		{"tls-clienthello-to-fcgi-port", "the beginning of a TLS connection", "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03" +
			"HELLO-STRANGER-HELLO-STRANGER-32\x00\x00\x02\x13\x01\x01\x00\x00\x00"},
	} {
		cases = append(cases, conformance.Case{
			Name:   "fcgi/3.3/" + stranger.slug,
			Quote:  "All data that flows over the transport connection is carried in FastCGI records.",
			Level:  conformance.Robustness,
			Sends:  stranger.what + ", and a plain request over another connection",
			Passes: "answers the former with nothing of what it sent, and serves the request",
			Run: test(func(t *T) {
				c := t.Connect()
				c.Send([]byte(stranger.bytes))
				c.Quiet(t.Patience() / 2)
				echoes := bytes.Contains(c.buf, []byte("HELLO-STRANGER")) || c.sent(wire.TypeStdout)
				t.Check(!echoes, "it answered: %s", c.heard())
				c.Close()
				t.Serves()
			}),
		})
	}
	return cases
}

// fcgi33Smuggling are the cases of bytes that only look like records.
func fcgi33Smuggling() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/3.3/http-post-carrying-request",
		Quote: "All data that flows over the transport connection is carried in FastCGI records. Who can make somebody " +
			"send an HTTP request here must not be able to run scripts with its body.",
		Level: conformance.Security,
		Sends: "an HTTP request whose first bytes are a record header of version 80 for those who do not look, and in " +
			"whose body a FastCGI request begins where that record ends",
		Passes: "does not serve the request",
		Run: test(func(t *T) {
			// "POST / H" announces 0x202f bytes of content and 0x20 of padding.
			head := []byte("POST / HTTP/1.1\r\nHost: localhost\r\nX: ")
			fill := bytes.Repeat([]byte("x"), 8+0x202f+0x20-len(head)-4)
			c := t.Connect()
			c.Send(head, fill, []byte("\r\n\r\n"), t.Get("").Bytes())
			t.Check(!c.Collect(1)[0].served(), "it served the request in the body")
		}),
	}, {
		Name: "fcgi/3.3/random-64k",
		Quote: "All data that flows over the transport connection is carried in FastCGI records. What is not must do no " +
			"harm.",
		Level: conformance.Robustness, Serial: true,
		Sends:  "200 times 64 KiB of random bytes, each over a connection of its own, and plain requests in between",
		Passes: "serves the requests, and its memory does not grow by 64 MiB",
		Run: test(func(t *T) {
			grown := t.growth()
			for seed := range uint64(200) {
				c := t.Connect()
				c.patience = t.Patience() / 10
				c.Send(randomBytes(seed, 64<<10))
				if c.Close(); seed%40 == 39 {
					t.Serves()
				}
			}
			t.Check(grown() < 64<<20, "its memory grew by %d bytes", grown())
		}),
	}}
}

func randomBytes(seed uint64, n int) []byte {
	random := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 0, n+8)
	for len(b) < n {
		x := random.Uint64()
		b = append(b, byte(x), byte(x>>8), byte(x>>16), byte(x>>24), byte(x>>32), byte(x>>40), byte(x>>48), byte(x>>56))
	}
	return b[:n]
}

// growth returns a function that says by how much the target's memory has grown since; 0 if that cannot be known.
func (t *T) growth() func() int64 {
	pid := t.target.pid()
	if !canMeasure(pid) {
		return func() int64 { return 0 }
	}
	before := memory(pid)
	return func() int64 { return memory(pid) - before }
}

func fcgi33Floods() []conformance.Case {
	return []conformance.Case{{
		Name:   "fcgi/3.3/empty-stdin-records-flood",
		Quote:  quoteInactive + " A flood of them must cost little.",
		Level:  conformance.Security,
		Serial: true,
		Sends: "100,000 empty records FCGI_STDIN of a request that has not begun, and a plain request over the same " +
			"connection",
		Passes: "serves the request in five times the usual time (5 s), or closes the connection",
		Run: test(func(t *T) {
			c := t.Connect()
			c.patience *= manyTimes
			c.Send(bytes.Repeat([]byte("\x01\x05\x00\x09\x00\x00\x00\x00"), 100_000), t.Get("").Bytes())
			resp := c.Settled(1)
			t.Check(resp.closed || resp.served(), "neither: %s", c.heard())
		}),
	}, {
		Name:  "fcgi/3.3/inactive-id-content-flood",
		Quote: quoteInactive + " What is ignored must not be kept.",
		Level: conformance.Security, Needs: []string{needPID}, Serial: true,
		Sends:  "64 MB of FCGI_STDIN of a request that has not begun",
		Passes: "closes the connection, or its memory does not grow by 16 MiB",
		Run: test(func(t *T) {
			c, grown := t.Connect(), t.growth()
			for range 64 {
				c.Send(slices.Repeat(rec(wire.TypeStdin, 9, string(make([]byte, 62500))), 16))
			}
			c.Quiet(t.Patience() / 4)
			t.Check(grown() < 16<<20, "its memory grew by %d bytes", grown())
		}),
	}, {
		Name:   "fcgi/3.3/slowloris-params",
		Quote:  "A peer that sends next to nothing must not keep others out for as long as it likes.",
		Level:  conformance.Security,
		Serial: true,
		Sends:  "FCGI_PARAMS byte by byte with pauses over one connection, and plain requests over others",
		Passes: "serves the requests, or closes the slow connection",
		Run: test(func(t *T) {
			r, slow := t.Get(""), t.Connect()
			slow.Send(r.Begin())
			for i, b := range r.Params()[:12] {
				slow.Send([]byte{b})
				_, open := slow.Quiet(t.Patience() / 4)
				if !open {
					return
				}
				if i%4 == 3 {
					t.Serves()
				}
			}
		}),
	}}
}
