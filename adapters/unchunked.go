package adapters

import (
	"bufio"
	"fmt"
	"io"
	"net/http/httputil"
	"strconv"
)

// An unchunkedBody undoes the chunked coding of a body, if it has one: some scripts only say so.
type unchunkedBody struct {
	io.ReadCloser        // the application's
	length        string // what its Content-Length was
	buffered      *bufio.Reader
	decoded       io.Reader // nil at first
}

// Read also reads what follows the last chunk, so that the backend sees its stream end.
func (b *unchunkedBody) Read(p []byte) (int, error) {
	if b.decoded == nil {
		if err := b.begin(); err != nil {
			return 0, err
		}
	}
	n, err := b.decoded.Read(p)
	switch {
	case err == io.EOF:
		if _, cerr := io.Copy(io.Discard, b.buffered); cerr != nil {
			err = cerr
		}
	case err == io.ErrUnexpectedEOF:
		err = fmt.Errorf("%w: no last chunk", ErrTruncated)
	case err != nil && sentinelStatus(err) == 0:
		err = fmt.Errorf("%w: %w", ErrBadResponse, err)
	}
	return n, err
}

// longestSize is how many digits a chunk-size has at most.
const longestSize = 16

// begin finds out whether the body begins with a chunk-size (RFC 9112 section 7.1).
func (b *unchunkedBody) begin() error {
	b.buffered = bufio.NewReader(b.ReadCloser)
	for digits := 0; digits <= longestSize; digits++ {
		start, err := b.buffered.Peek(digits + 1)
		if err == io.EOF {
			if b.length != strconv.Itoa(digits) {
				return fmt.Errorf("%w: no last chunk", ErrTruncated)
			}
			break
		}
		if err != nil {
			return err
		}
		switch c := start[digits]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
			continue
		case digits > 0 && (c == '\r' || c == '\n' || c == ';' || c == ' ' || c == '\t'):
			b.decoded = httputil.NewChunkedReader(b.buffered)
			return nil
		}
		break
	}
	b.decoded = b.buffered
	return nil
}
