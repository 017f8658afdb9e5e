package faulty

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// gatewayBody is the body of a request whose length is known; the client sends it while the application may already
// answer.
type gatewayBody struct {
	conn *gatewayConn
	gone context.CancelCauseFunc
	out  *reply1
	wait bool          // for 100 Continue
	done chan struct{} // closed when nobody will read from the connection any more
	quit chan struct{} // closed by Close
	once sync.Once
	idle sync.Once

	mu   sync.Mutex
	left int64
	next []byte // what follows the body, for a mutant
}

// attach gives r its body.
func (c *gatewayConn) attach(r *gatewayRequest, body *gatewayBody) error {
	fault := c.gateway.fault
	body.wait = r.proto == "HTTP/1.1" && r.has("Expect", "100-continue") && r.length != 0 && !fault.is("never-continues")
	old := r.proto == "HTTP/1.0" && r.length > 0
	if fault.is("continues-at-once") && body.wait || fault.is("continues-old-clients") && old {
		c.send100()
		body.wait = false
	}
	if fault.is("body-begins-request") {
		if start, _ := c.br.Peek(int(min(r.length, 4))); string(start) == "GET " {
			r.length = 0
		}
	}
	if fault.is("refuses-expectations") && r.has("Expect", "x") {
		return refuse(http.StatusInternalServerError)
	}
	switch {
	case r.length < 0:
		if body.wait {
			c.send100()
		}
		content, err := c.readChunked(r)
		if err != nil {
			return err
		}
		r.body, r.length = io.NopCloser(strings.NewReader(content)), int64(len(content))
	case r.length == 0 && fault.is("invents-body") && r.has("Content-Length", "0"):
		r.body, r.length = io.NopCloser(strings.NewReader("\n")), 1
	case r.length > 0:
		if r.length <= 3 && fault.is("loses-last-byte") {
			r.length--
		}
		if fault.is("cuts-long-bodies") {
			r.length = min(r.length, 1<<16-1)
		}
		body.out.unasked = body.wait
		r.body, body.left = body, r.length
		return nil
	}
	body.end()
	return nil
}

func (c *gatewayConn) send100() error {
	c.bw.WriteString("HTTP/1.1 100 Continue\r\n\r\n")
	return c.bw.Flush()
}

// patience is how long an application may think whether it wants a body that the client has not sent yet.
const patience = 400 * time.Millisecond

func (b *gatewayBody) Read(p []byte) (int, error) {
	if b.wait {
		b.wait = false
		asked, err := b.out.askForBody(b.quit)
		if err != nil {
			b.gone(errGone)
			return 0, err
		}
		if !asked {
			<-b.quit
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left == 0 {
		return 0, io.EOF
	}
	select {
	case <-b.quit:
		return 0, net.ErrClosed
	default:
	}
	n, err := b.conn.br.Read(p[:min(int64(len(p)), b.left)])
	if b.left -= int64(n); b.left == 0 {
		b.next, _ = b.conn.br.Peek(b.conn.br.Buffered())
		b.next = bytes.Clone(b.next)
		b.end()
		return n, nil
	}
	if err != nil && b.conn.gateway.fault.is("pads-short-bodies") {
		n = int(min(int64(len(p)), b.left))
		clear(p[:n])
		b.left -= int64(n)
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		b.gone(errGone)
	}
	return n, err
}

// Close takes the connection away from those who read from it.
func (b *gatewayBody) Close() error {
	b.once.Do(func() {
		close(b.quit)
		b.conn.SetReadDeadline(time.Unix(1, 0))
		b.mu.Lock()
		defer b.mu.Unlock()
		b.end()
	})
	return nil
}

// end notes that nobody reads the body any more.
func (b *gatewayBody) end() { b.idle.Do(func() { close(b.done) }) }

// drain reads what is left of the body, if that is not too much and will come.
func (b *gatewayBody) drain() bool {
	if b.left == 0 {
		return true
	}
	if b.left > maxDrained || b.out.unasked {
		return false
	}
	b.conn.SetReadDeadline(time.Now().Add(time.Second))
	_, err := io.CopyN(io.Discard, b.conn.br, b.left)
	b.conn.SetReadDeadline(time.Time{})
	return err == nil
}

// readChunked reads a body in the chunked coding, RFC 9112 section 7.1. Extensions and trailers are ignored.
func (c *gatewayConn) readChunked(r *gatewayRequest) (string, error) {
	var content strings.Builder
	budget, fault := maxHeader+maxBody, c.gateway.fault
	for chunks := 0; ; chunks++ {
		size, err := c.readChunkSize(&budget)
		if err != nil && fault.is("ends-chunks-early") || size < 0 {
			return content.String(), nil
		}
		if err != nil {
			return "", err
		}
		if size == 0 {
			trailers, err := c.readFields(&budget)
			if fault.is("merges-trailers") {
				r.fields = append(r.fields, trailers...)
			}
			return content.String(), err
		}
		if int64(content.Len())+size > maxBody {
			return "", refuse(http.StatusRequestEntityTooLarge)
		}
		var to io.Writer = &content
		if chunks >= 9999 && fault.is("loses-late-chunks") {
			to = io.Discard
		}
		if _, err := io.CopyN(to, c.br, size); err != nil {
			return "", err
		}
		if line, err := c.readLine(&budget); err != nil || line != "" && !fault.is("skips-to-chunk-end") {
			return "", errors.Join(refuse(http.StatusBadRequest), err)
		}
	}
}

func (c *gatewayConn) readChunkSize(budget *int) (int64, error) {
	line, err := c.readLine(budget)
	if err != nil {
		return 0, err
	}
	digits, extension, extended := strings.Cut(line, ";")
	digits = c.gateway.lax(strings.TrimRight(digits, " \t"))
	size, err := strconv.ParseInt(digits, 16, 48)
	if errors.Is(err, strconv.ErrRange) && c.gateway.fault.is("chunk-size-wraps") {
		return -1, nil
	}
	if err != nil || !isHex(digits[0]) || !isValue(extension) || extended && c.gateway.fault.is("refuses-extensions") {
		return 0, refuse(http.StatusBadRequest)
	}
	return size, nil
}
