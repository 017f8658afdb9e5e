package faulty

import (
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

// gatewayBody is the body of a request whose length is known; the client sends it while the application may already answer.
type gatewayBody struct {
	conn *gatewayConn
	gone context.CancelCauseFunc
	out  *reply1
	wait bool          // for 100 Continue
	done chan struct{} // closed when nobody will read from the connection any more
	quit chan struct{} // closed by Close
	once sync.Once

	mu   sync.Mutex
	left int64
}

// attach gives r its body.
func (c *gatewayConn) attach(r *gatewayRequest, body *gatewayBody) error {
	body.wait = r.proto == "HTTP/1.1" && r.has("Expect", "100-continue") && r.length != 0
	switch {
	case r.length < 0:
		if body.wait {
			c.send100()
		}
		content, err := c.readChunked()
		if err != nil {
			return err
		}
		r.body, r.length = io.NopCloser(strings.NewReader(content)), int64(len(content))
	case r.length > 0:
		body.out.unasked = body.wait
		r.body, body.left = body, r.length
		return nil
	}
	close(body.done)
	return nil
}

func (c *gatewayConn) send100() error {
	c.bw.WriteString("HTTP/1.1 100 Continue\r\n\r\n")
	return c.bw.Flush()
}

// patience is how long an application may think whether it wants a body that the client has not sent yet.
const patience = 100 * time.Millisecond

func (b *gatewayBody) Read(p []byte) (int, error) {
	if b.wait {
		b.wait = false
		if !b.out.askForBody(b.quit) {
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
		close(b.done)
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
		if b.left > 0 {
			close(b.done)
		}
	})
	return nil
}

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
func (c *gatewayConn) readChunked() (string, error) {
	var content strings.Builder
	budget := maxHeader + maxBody
	for {
		size, err := c.readChunkSize(&budget)
		if err != nil {
			return "", err
		}
		if size == 0 {
			_, err := c.readFields(&budget)
			return content.String(), err
		}
		if int64(content.Len())+size > maxBody {
			return "", refuse(http.StatusRequestEntityTooLarge)
		}
		if _, err := io.CopyN(&content, c.br, size); err != nil {
			return "", err
		}
		if line, err := c.readLine(&budget); err != nil || line != "" {
			return "", errors.Join(refuse(http.StatusBadRequest), err)
		}
	}
}

func (c *gatewayConn) readChunkSize(budget *int) (int64, error) {
	line, err := c.readLine(budget)
	if err != nil {
		return 0, err
	}
	digits, extension, _ := strings.Cut(line, ";")
	digits = strings.TrimRight(digits, " \t")
	size, err := strconv.ParseInt(digits, 16, 48)
	if err != nil || !isHex(digits[0]) || !isValue(extension) {
		return 0, refuse(http.StatusBadRequest)
	}
	return size, nil
}
