package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/gangway-go/gangway/adapters"
)

func (x *exchange) response(r *http.Response) (*adapters.Response, error) {
	header := adapters.StripHopByHop(adapters.HeaderFrom(r.Header))
	resp := &adapters.Response{Status: r.StatusCode, Header: header}
	switch {
	case r.StatusCode == http.StatusSwitchingProtocols:
		return x.switching(resp, r)
	case r.StatusCode < 200 || r.StatusCode > 599:
		r.Body.Close()
		return nil, x.bad(fmt.Errorf("status %d", r.StatusCode))
	}
	resp.Body = &body{ReadCloser: r.Body, x: x, known: r.ContentLength >= 0}
	if r.StatusCode == http.StatusResetContent {
		return resp, resp.SetBody(resp.Body)
	}
	if r.ContentLength < 0 {
		resp.Trailer = func() adapters.Header { return adapters.HeaderFrom(r.Trailer) }
	}
	return resp, nil
}

func (x *exchange) bad(err error) error {
	return adapters.Failed(x.ctx, "proxy: response", x.addr, adapters.ErrBadResponse, err)
}

// switching makes the response with which the connection changes to another protocol.
func (x *exchange) switching(resp *adapters.Response, r *http.Response) (*adapters.Response, error) {
	conn, ok := r.Body.(io.ReadWriteCloser)
	protocol := r.Header.Get("Upgrade")
	if !ok || x.upgrade == "" || !adapters.EqualName(protocol, x.upgrade) {
		r.Body.Close()
		return nil, x.bad(fmt.Errorf("101 to %q, asked for was %q", protocol, x.upgrade))
	}
	resp.Header.Add("Connection", "Upgrade")
	resp.Header.Add("Upgrade", protocol)
	stop := context.AfterFunc(x.ctx, func() { conn.Close() }) // the transport does not look at ctx any more
	resp.Body = adapters.OnClose(conn, func() { stop() })
	return resp, nil
}

// A body is the Response.Body.
type body struct {
	io.ReadCloser
	x      *exchange
	known  bool // the response has a Content-Length
	closed atomic.Bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = b.failed(err)
	}
	return n, err
}

func (b *body) failed(err error) error {
	if b.closed.Load() {
		return fmt.Errorf("proxy: %w", adapters.ErrAborted)
	}
	return adapters.Failed(b.x.ctx, "proxy: response", b.x.addr, adapters.ErrTruncated, err)
}

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// WriteTo implements io.WriterTo. Unlike [adapters.Copy] it does not send the header before the first bytes if the
// length is known: then they come soon, and most bodies go out together with the header.
func (b *body) WriteTo(w io.Writer) (written int64, err error) {
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	flusher, _ := w.(adapters.Flusher)
	wait := !b.known
	for {
		if wait && flusher != nil {
			flusher.Flush()
		}
		n, rerr := b.Read(buf[:])
		if n > 0 {
			m, err := w.Write(buf[:n])
			written += int64(m)
			if err != nil {
				return written, err
			}
		}
		switch rerr {
		case nil:
			wait = n < len(buf)
		case io.EOF:
			return written, nil
		default:
			return written, rerr
		}
	}
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.closed.Store(true)
	return b.ReadCloser.Close()
}
