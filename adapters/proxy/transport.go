package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// NewTransport returns a transport for [Handler.Transport], whose connections are kept for a minute. dial connects to
// the application; nil is TCP. An application on a Unix socket is reached by a dial that does not look at network and
// address. The fields may be changed before the first use; DialContext must stay, since by it a request that waits for
// the client's body learns that the application has closed the connection.
func NewTransport(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Transport {
	if dial == nil {
		dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &conn{Conn: c, gone: make(chan struct{})}, nil
		},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        time.Minute,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: adapters.DefaultHeaderLimit,
		Protocols:              protocols,
	}
}

var sharedTransport = sync.OnceValue(func() *http.Transport { return NewTransport(nil) })

// A conn says when it was closed, and keeps a request from being answered by what an application has sent behind the
// response before: net/http notices that, but lends the connection to the next request meanwhile.
type conn struct {
	net.Conn
	once sync.Once
	gone chan struct{}

	reading atomic.Bool // somebody waits for bytes: net/http, which then has none left
	lent    atomic.Bool // to a request that has written nothing yet
}

// connOf returns the conn that c is, or that is beneath its TLS; nil if there is none.
func connOf(c net.Conn) *conn {
	if wrapped, ok := c.(interface{ NetConn() net.Conn }); ok { // *tls.Conn
		c = wrapped.NetConn()
	}
	ours, _ := c.(*conn)
	return ours
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	c.reading.Store(true)
	defer c.reading.Store(false)
	return c.Conn.Read(p)
}

// Write implements net.Conn. The first bytes of a request wait until nothing is left of what came before.
func (c *conn) Write(p []byte) (int, error) {
	if c.lent.Load() {
		for i := 0; !c.reading.Load(); i++ {
			select {
			case <-c.gone:
				return 0, net.ErrClosed
			default:
			}
			if runtime.Gosched(); i > 100 {
				time.Sleep(100 * time.Microsecond)
			}
		}
		c.lent.Store(false)
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.once.Do(func() { close(c.gone) })
	return c.Conn.Close()
}

// errGone reaches the transport as an error of the request's body.
var errGone = fmt.Errorf("%w: it closed the connection before the request's end", adapters.ErrUnreachable)

// A requestBody is what the transport sends. net/http's transport does not return from RoundTrip, nor give up a
// connection, before its Read of the body has returned, however long the client takes: so this Read returns when the
// connection or the request has ended, and leaves a pending one behind, which the frontend ends.
type requestBody struct {
	src io.Reader
	ctx context.Context

	mu   sync.Mutex
	gone chan struct{} // of the connection; nil without one of ours, which is never gone
	err  error         // of src
}

// sendTo notes the connection that the body goes to.
func (b *requestBody) sendTo(c *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone = nil; c != nil {
		b.gone = c.gone
	}
}

// failed returns the error of the client's body, if it had one.
func (b *requestBody) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Read implements io.Reader. Since it may leave a read behind, that one reads into memory of its own.
func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	gone := b.gone
	b.mu.Unlock()
	type result struct {
		buf *[32 << 10]byte
		n   int
		err error
	}
	read := make(chan result, 1)
	go func() {
		buf := buffers.Get().(*[32 << 10]byte)
		n, err := b.src.Read(buf[:min(len(p), len(buf))])
		read <- result{buf, n, err}
	}()
	select {
	case r := <-read:
		defer buffers.Put(r.buf)
		if r.err != nil && r.err != io.EOF {
			b.fail(r.err)
		}
		return copy(p, r.buf[:r.n]), r.err
	case <-gone:
		return 0, errGone
	case <-b.ctx.Done():
		return 0, context.Cause(b.ctx)
	}
}

func (b *requestBody) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if adapters.StatusOf(err) == http.StatusInternalServerError { // the frontend's own reading error
		err = fmt.Errorf("%w: %w", adapters.ErrAborted, err)
	}
	b.err = err
}

// Close implements io.Closer. The body is the frontend's.
func (b *requestBody) Close() error { return nil }
