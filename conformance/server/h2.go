package server

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// stream is an HTTP/2 request on its way, or one over TLS.
type stream struct {
	cancel context.CancelFunc

	mu   sync.Mutex
	r    *Response
	done bool
}

// request2 sends a request over HTTP/2, over TLS if the server has it there and else without by prior knowledge; Do2 is
// for most cases. Fields are lines, "Name: value".
func (t *T) request2(method, target, body string, fields ...string) pending {
	return t.roundTrip(t.client2(), t.base2(), method, target, body, fields)
}

// Do2 is Do over HTTP/2.
func (t *T) Do2(method, target, body string, replies ...Reply) (*Exchange, *Response) {
	return t.answer(t.request2(method, target, body), replies)
}

// DoTLS is Do over HTTP/1.1 and TLS.
func (t *T) DoTLS(method, target, body string, replies ...Reply) (*Exchange, *Response) {
	client := t.std(func(p *http.Protocols) { p.SetHTTP1(true) })
	return t.answer(t.roundTrip(client, t.target.Secure, method, target, body, nil), replies)
}

func (t *T) base2() string {
	if t.target.Secure != "" {
		return t.target.Secure
	}
	return t.target.URL
}

func (t *T) client2() *http.Transport {
	return t.std(func(p *http.Protocols) {
		p.SetHTTP2(true)
		p.SetUnencryptedHTTP2(t.target.Secure == "")
	})
}

// std is a client of the standard library whose connections are logged.
func (t *T) std(choose func(*http.Protocols)) *http.Transport {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return t.Wrap(conn, network+" "+address), nil
		},
		TLSClientConfig:    &tls.Config{InsecureSkipVerify: true},
		DisableCompression: true,
		Protocols:          new(http.Protocols),
	}
	choose(transport.Protocols)
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func (t *T) roundTrip(client *http.Transport, base, method, target, body string, fields []string) *stream {
	ctx, cancel := context.WithCancel(t.Context())
	s := &stream{cancel: cancel, r: &Response{Framing: "h2"}}
	request, err := http.NewRequestWithContext(ctx, method, base+t.At(target), strings.NewReader(body))
	if err != nil {
		t.Broken(err)
	}
	request.Header.Set("X-Conform", t.token)
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ":")
		request.Header.Add(name, strings.TrimSpace(value))
	}
	t.Cleanup(cancel)
	t.touch()
	go s.run(t, client, request)
	return s
}

func (s *stream) run(t *T, client *http.Transport, request *http.Request) {
	response, err := client.RoundTrip(request)
	s.mu.Lock()
	if err == nil {
		s.r.Proto, s.r.Status, s.r.Reason = response.Proto, response.StatusCode, response.Status
		for name, values := range response.Header {
			for _, value := range values {
				s.r.Fields = append(s.r.Fields, Field{name, value})
			}
		}
	}
	s.mu.Unlock()
	for buf := make([]byte, writeSize); err == nil; {
		var n int
		n, err = response.Body.Read(buf)
		s.mu.Lock()
		s.r.Body = append(s.r.Body, buf[:n]...)
		s.mu.Unlock()
		t.touch()
	}
	if response != nil {
		response.Body.Close()
	}
	s.mu.Lock()
	s.r.End = Reset
	if err == io.EOF && s.r.Status != 0 {
		s.r.End = Complete
	}
	s.done = true
	s.mu.Unlock()
	t.touch()
}

func (s *stream) response(last bool) *Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done || last {
		r := *s.r
		if !s.done {
			r.End = Silent
		}
		return &r
	}
	return nil
}

func (s *stream) close() { s.cancel() }

// speaksH2 finds out whether the server speaks HTTP/2.
func (t *T) speaksH2() bool {
	p := t.request2("GET", "/app/h2", "")
	defer p.close()
	t.touch()
	var r *Response
	for {
		x := t.either(p, &r)
		if x == nil {
			return r.Status == 200 && strings.HasPrefix(r.Proto, "HTTP/2")
		}
		x.begin()
		OK(x)
	}
}
