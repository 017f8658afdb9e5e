package faulty

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"strings"
)

// redirects is how many local redirects one request may take.
func (g *Gateway) redirects() int {
	if g.fault.is("redirects-for-ever") {
		return 1000
	}
	return maxRedirects
}

// misdirect makes of a local redirect what the mutants do.
func (g *Gateway) misdirect(r, next *gatewayRequest, out reply) {
	switch g.fault {
	case "redirect-keeps-escapes":
		next.path, _, _ = strings.Cut(next.target, "?")
	case "redirect-keeps-method":
		next.method = r.method
	case "redirect-opens-doors":
		next.redirected = true
	case "redirect-of-head-has-body":
		if o, ok := out.(*reply1); ok {
			o.request.method = http.MethodGet
		}
	}
}

// leak answers with the file that a local redirect leads to outside of the root, if this is the mutant that does.
func (g *Gateway) leak(location string, out reply) bool {
	if !g.fault.is("redirect-to-any-file") || !strings.HasPrefix(location, "/..") {
		return false
	}
	content, err := os.ReadFile(path.Clean(location))
	if err != nil || out.begin(http.StatusOK, "", nil, int64(len(content))) != nil {
		return false
	}
	out.Write(content)
	return true
}

// whole says whether all of the header of a response is there.
func whole(br *bufio.Reader) bool {
	br.Peek(1)
	there, _ := br.Peek(br.Buffered())
	return bytes.Contains(there, []byte("\n\n")) || bytes.Contains(there, []byte("\n\r\n"))
}

// malformed deals with a response that is malformed as the mutants do. Its error is not nil.
func (g *Gateway) malformed(r *gatewayRequest, h *cgiResponse, out reply) error {
	last := ""
	if h != nil && len(h.lines) > 0 {
		last = h.lines[len(h.lines)-1]
	}
	switch {
	case g.fault.is("logs-secrets"):
		fmt.Fprintf(g.Log, "malformed response to %v\n", r.fields)
	case g.fault.is("error-page-cut") && strings.HasPrefix(last, ":"):
		out.begin(http.StatusBadGateway, "", nil, 100)
		return errResponse
	}
	return refuse(http.StatusBadGateway)
}

// latecomer is the body of a request of which somebody wants to know that it has been read.
type latecomer struct {
	io.ReadCloser
	read chan struct{}
	over bool
}

func (l *latecomer) Read(b []byte) (int, error) {
	n, err := l.ReadCloser.Read(b)
	if err != nil && !l.over {
		l.over = true
		close(l.read)
	}
	return n, err
}

// await waits until the application has all of the body, if this is the mutant that does.
func (g *Gateway) await(ctx context.Context, body io.ReadCloser) {
	if l, ok := body.(*latecomer); ok {
		select {
		case <-l.read:
		case <-ctx.Done():
		}
	}
}

// isName says whether a field can have the name.
func (g *Gateway) isName(name string) bool {
	if g.fault.is("equals-in-names") {
		name = strings.ReplaceAll(name, "=", "-")
	}
	return isToken(name)
}
