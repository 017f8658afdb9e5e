package faulty

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Gateway is a web server that lets an application answer, over FastCGI, SCGI, uwsgi or as a CGI program. Its layout is
// the one that package conformance/server wants of every server. It speaks HTTP/1.1 (RFC 9112), strictly, and HTTP/2
// without TLS to clients that begin with it; TLS is a matter of the listener. The fields must not change once Serve has
// been called.
type Gateway struct {
	Fault   string        // the name of the one thing that is wrong; nothing if empty
	App     string        // the address of the application, as package conformance/server takes it
	Root    string        // the document root
	Timeout time.Duration // how long the application may be silent; 10 s if 0
	Log     io.Writer     // gets what the application writes to its error stream; nobody if nil

	fault     fault
	misanswer *misanswer
	backend   backend

	mu        sync.Mutex
	listeners []net.Listener
	conns     map[net.Conn]struct{}
	stopped   bool
	running   sync.WaitGroup
	end       context.Context
	stop      context.CancelFunc
}

// gatewaySoftware is what the gateway calls itself, to clients and to applications.
const gatewaySoftware = "gangway-gateway/1.0"

// maxRedirects is how many local redirects one request may take.
const maxRedirects = 10

// errGone is the cause of the end of a request whose client went away.
var errGone = errors.New("gateway: the client is gone")

// refuse makes the error that the status describes.
func refuse(status int) error { return &Refusal{status, http.StatusText(status)} }

// Serve answers the clients of ln until Close is called, and returns then.
func (g *Gateway) Serve(ln net.Listener) error {
	if err := g.admit(ln, nil); err != nil {
		return err
	}
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		if err := g.admit(nil, conn); err != nil {
			conn.Close()
			return err
		}
		go func() {
			defer g.running.Done()
			defer g.forget(conn)
			g.converse(conn)
		}()
	}
}

// admit notes what Close has to close.
func (g *Gateway) admit(ln net.Listener, conn net.Conn) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.open(); err != nil {
		return err
	}
	switch {
	case g.stopped:
		return net.ErrClosed
	case ln != nil:
		g.listeners = append(g.listeners, ln)
	default:
		g.conns[conn] = struct{}{}
		g.running.Add(1)
	}
	return nil
}

// open is called with mu held.
func (g *Gateway) open() (err error) {
	if g.backend != nil {
		return nil
	}
	timeout, log := g.Timeout, g.Log
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	if g.Fault == "gateway/endless-patience" {
		timeout = time.Hour
	}
	if log == nil {
		log = io.Discard
	}
	g.fault = fault(strings.TrimPrefix(g.Fault, "gateway/"))
	g.misanswer = misanswerOf(g.fault)
	g.conns = map[net.Conn]struct{}{}
	g.end, g.stop = context.WithCancel(context.Background())
	g.backend, err = newBackend(g.App, g.fault, timeout, log)
	return err
}

func (g *Gateway) forget(conn net.Conn) {
	conn.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, conn)
}

// Close ends all listeners and connections and waits until nothing runs any more.
func (g *Gateway) Close() {
	g.mu.Lock()
	g.stopped = true
	if g.backend == nil {
		g.mu.Unlock()
		return
	}
	g.stop()
	for _, ln := range g.listeners {
		ln.Close()
	}
	for conn := range g.conns {
		conn.Close()
	}
	g.mu.Unlock()
	g.running.Wait()
	g.backend.Close()
}

// converse answers the requests of one connection.
func (g *Gateway) converse(conn net.Conn) {
	c := &gatewayConn{Conn: conn, gateway: g, br: bufio.NewReaderSize(conn, 32<<10), bw: bufio.NewWriter(conn)}
	if first, _ := c.br.Peek(1); len(first) == 1 && first[0] == 'P' {
		if preface, _ := c.br.Peek(4); string(preface) == "PRI " {
			g.converse2(c)
			return
		}
	}
	for c.exchange() {
	}
}

// respond lets whoever is responsible answer r, after local redirects if need be (RFC 3875 section 6.2.2).
func (g *Gateway) respond(ctx context.Context, r *gatewayRequest, out reply) {
	for range g.redirects() {
		location, err := g.answer(ctx, r, out)
		if location != "" {
			r, err = g.redirected(r, location, out)
		}
		var refused *Refusal
		switch {
		case errors.As(err, &refused):
			g.refuse(out, refused.Status)
		case err != nil:
			out.cut()
		case location == "" || r == nil:
			out.end()
		default:
			continue
		}
		return
	}
	g.refuse(out, http.StatusInternalServerError)
}

// answer answers r, or returns the target of a local redirect. A *Refusal means that nothing has been sent.
func (g *Gateway) answer(ctx context.Context, r *gatewayRequest, out reply) (location string, err error) {
	if g.list(r, out) {
		return "", nil
	}
	place, err := g.find(r)
	if err != nil {
		return "", err
	}
	if place.static {
		return "", g.sendFile(r, place.file, out)
	}
	body := io.ReadCloser(http.NoBody)
	if r.body != nil {
		body = r.body
	}
	vars := g.variables(r, place)
	switch place.script {
	case "/authorized":
		vars, err = g.authorize(ctx, r, vars, out)
	case "/filtered":
		vars, err = filtered(vars, place.file)
	}
	if err != nil || vars == nil {
		return "", err
	}
	if g.fault.is("body-before-answer") && r.body != nil {
		body = &latecomer{ReadCloser: body, read: make(chan struct{})}
	}
	output, err := g.backend.RoundTrip(ctx, vars, body)
	if err != nil {
		return "", err
	}
	defer output.Close()
	defer body.Close() // which the backend may still want to read
	g.await(ctx, body)
	if g.fault.is("answer-ends-request") {
		body.Close()
	}
	if g.isNPH(place) {
		return "", g.relayRaw(output, out)
	}
	return g.relay(r, output, out)
}

// redirected is the request that a local redirect makes of r.
func (g *Gateway) redirected(r *gatewayRequest, location string, out reply) (*gatewayRequest, error) {
	if g.leak(location, out) {
		return nil, nil
	}
	if g.fault.is("redirect-loses-query") {
		location, _, _ = strings.Cut(location, "?")
	}
	next := *r
	next.target, next.body, next.length, next.user = location, nil, 0, ""
	if r.method != http.MethodHead {
		next.method = http.MethodGet
	}
	next.fields = nil
	for _, field := range r.fields {
		if name := strings.ToLower(field.Name); !strings.HasPrefix(name, "content-") && name != "transfer-encoding" {
			next.fields = append(next.fields, field)
		}
	}
	if !isVisible(location) || g.locate(&next) != nil {
		return nil, refuse(http.StatusBadGateway)
	}
	g.misdirect(r, &next, out)
	return &next, nil
}
