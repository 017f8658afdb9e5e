package faulty

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// fcgiMutantConn is what mutants remember of a connection.
type fcgiMutantConn struct {
	total, records      atomic.Int64 // bytes of records that were taken, and records
	first, idle         int          // bytes that were received with the first record; empty records of inactive requests
	padded, paddedBegin bool
	kept                [][]byte
}

// fcgiMutantRequest is what mutants remember of a request.
type fcgiMutantRequest struct {
	bodyless bool   // its body is lost
	deaf     bool   // it is not answered
	full     bool   // the last record of parameters was as long as can be
	believed []byte // memory for a length
}

// What the mutants of FastCGI 1.0 sections 2 to 3.4 do where the clean application calls these methods: the clean one
// does nothing in them, or what their names say.

// endsAtStart are the faults of the beginning of the program.
func (a *FCGIApp) endsAtStart() error {
	info, err := os.Stdin.Stat()
	switch {
	case err == nil && info.Mode()&os.ModeSocket == 0 && a.fault("silent-as-cgi"):
		os.Exit(0)
	case a.fault("ends-if-nonblocking") && os.Stdin.SetReadDeadline(time.Time{}) == nil:
		return errors.New("faulty: the listening socket does not block")
	case a.fault("needs-environment") && len(os.Environ()) < 6:
		return errors.New("faulty: too few environment variables")
	}
	return nil
}

// die ends the application as a program ends that crashes.
func (a *FCGIApp) die() { go a.Close() }

// await are the faults of an application that accepts no other connection before this one has sent something.
func (a *FCGIApp) await(nc net.Conn) net.Conn {
	n := 0
	switch {
	case a.fault("idle-connection-blocks"):
		n = 1
	case a.fault("half-header-blocks"):
		n = wire.HeaderLen
	default:
		return nc
	}
	head := make([]byte, n)
	n, _ = io.ReadFull(nc, head)
	return &fcgiBegun{Conn: nc, ahead: bytes.NewReader(head[:n])}
}

// fcgiBegun is a connection some bytes of which were read already.
type fcgiBegun struct {
	net.Conn
	ahead *bytes.Reader
}

func (r *fcgiBegun) Read(b []byte) (int, error) {
	if r.ahead.Len() > 0 {
		return r.ahead.Read(b)
	}
	return r.Conn.Read(b)
}

func (r *fcgiBegun) CloseWrite() error { return r.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// misjudges says whether the application is wrong about the address of a web server. The peer is nil if it has none.
func (a *FCGIApp) misjudges(list string, bound bool, peer *net.TCPAddr) bool {
	first := a.accepted.Add(1) == 1
	if !bound {
		if peer == nil {
			return first && a.fault("loses-first-unix-connection")
		}
		return first && a.fault("loses-first-tcp-connection")
	}
	listed := peer != nil && fcgiListed(list, peer)
	addrs := strings.Split(list, ",")
	switch {
	case a.fault("addrs-admit-nobody"):
		return listed
	case a.fault("addrs-only-first"):
		return listed && !fcgiListed(addrs[0], peer)
	case a.fault("addrs-only-50"):
		return listed && !fcgiListed(strings.Join(addrs[:min(50, len(addrs))], ","), peer)
	case a.fault("addrs-ignored"):
		return !listed
	case a.fault("addrs-by-beginning"):
		return !listed && peer != nil && strings.Contains(","+list, ","+peer.IP.String())
	case a.fault("empty-addrs-admit-all"):
		return !listed && list == ""
	case a.fault("addrs-not-over-unix"):
		return peer == nil
	case a.fault("addrs-checked-once"):
		return !listed && !first
	}
	if _, err := netip.ParseAddr(addrs[0]); err != nil && list != "" {
		return !listed && a.fault("malformed-addrs-admit-all")
	}
	return false
}

// fill reads all of b from the connection: the header of a record, or its content if h is its header. The error is
// io.EOF only if there is nothing at all.
func (c *fcgiConn) fill(b []byte, h *wire.Header) error {
	if c.app.fault("needs-whole-header") && h == nil && c.total.Load() < 2000 {
		if c.br.Peek(1); c.br.Buffered() > 0 && c.br.Buffered() < len(b) {
			return errFCGIProtocol
		}
	}
	params := h != nil && h.Type == wire.TypeParams
	if params && c.br.Buffered() < len(b) && len(b) < 2000 && c.app.fault("needs-whole-content") {
		return errFCGIProtocol
	}
	if params && c.app.fault("params-lock-out-others") {
		c.app.lock.Lock()
		defer c.app.lock.Unlock()
	}
	n, err := io.ReadFull(c.br, b)
	if c.total.Load() == 0 {
		c.first = n + c.br.Buffered()
	}
	if c.total.Add(int64(n)); err != nil {
		return c.cutShort(err, n, h)
	}
	return nil
}

// cutShort are the faults when the connection ends after n bytes of a header or, if h is not nil, of a content.
func (c *fcgiConn) cutShort(err error, n int, h *wire.Header) error {
	a := c.app
	reset := err != io.EOF && err != io.ErrUnexpectedEOF
	switch {
	case h == nil && reset && c.total.Load() == 0 && a.fault("ends-after-resets") && a.empty.Add(1) == 20,
		h == nil && err == io.EOF && c.total.Load() == 0 && a.fault("ends-after-empty-connections") && a.empty.Add(1) == 20,
		reset && c.busy() != nil && a.fault("ends-on-reset"),
		h == nil && n == 3 && a.fault("ends-on-short-header"),
		h != nil && h.Type == wire.TypeParams && n > 0 && a.fault("ends-on-short-content"):
		a.die()
	case h == nil && c.total.Load() == 0 && a.fault("ignores-half-close"):
		select {
		case <-time.After(2 * time.Second):
		case <-a.ctx.Done():
		}
	case h != nil && h.Type == wire.TypeParams && n > 0 && a.fault("serves-cut-params"):
		c.serveCut(*h, n)
	case h == nil && n == 0 && a.fault("half-close-is-abort"):
		return errFCGIProtocol
	case h != nil:
		return errors.Join(errFCGIProtocol, err)
	}
	return err
}

// serveCut answers a request with what came of its parameters.
func (c *fcgiConn) serveCut(h wire.Header, n int) {
	if r := c.request(h.RequestID); r != nil {
		r.params(c.content[:n])
		r.pairs = nil
		r.params(nil)
		r.stdin(nil)
		c.answers.Wait()
	}
}

// unskipped are the faults of receivers that do not skip the padding of some records, by name.
var unskipped = map[string]func(h wire.Header, active bool) bool{
	"stdin-padding-not-skipped": func(h wire.Header, active bool) bool {
		return h.Type == wire.TypeStdin && h.ContentLength > 0 && h.ContentLength < wire.MaxContent && active
	},
	"abort-padding-not-skipped":      func(h wire.Header, _ bool) bool { return h.Type == wire.TypeAbortRequest },
	"get-values-padding-not-skipped": func(h wire.Header, _ bool) bool { return h.Type == wire.TypeGetValues },
	"unknown-padding-not-skipped":    func(h wire.Header, _ bool) bool { return h.RequestID == 0 && h.Type > 11 },
	"inactive-padding-not-skipped": func(h wire.Header, active bool) bool {
		return h.RequestID != 0 && !active && h.Type != wire.TypeBeginRequest
	},
	"params-padding-not-skipped": func(h wire.Header, _ bool) bool {
		return h.Type == wire.TypeParams && h.ContentLength > 0
	},
	"largest-record-overflows": func(h wire.Header, _ bool) bool {
		return int(h.ContentLength)+int(h.PaddingLength) > wire.MaxContent
	},
}

// skip skips padding.
func (c *fcgiConn) skip(h wire.Header) error {
	n := int(h.PaddingLength)
	_, slug, _ := strings.Cut(c.app.Fault, "/")
	if wrong := unskipped[slug]; wrong != nil && wrong(h, c.request(h.RequestID) != nil) {
		n = 0
	}
	if c.app.fault("padding-has-to-be-there") {
		n = min(n, c.br.Buffered())
	}
	_, err := c.br.Discard(n)
	c.padded = c.padded || h.PaddingLength > 0
	if h.Type == wire.TypeBeginRequest {
		c.paddedBegin = h.PaddingLength > 0
	}
	return err
}

// tolerates says whether a record of another version is taken for one of version 1.
func (c *fcgiConn) tolerates(h wire.Header) bool {
	switch {
	case c.app.fault("any-version-begins"):
		return h.Type == wire.TypeBeginRequest
	case c.app.fault("any-version-of-stdin"):
		return h.Type == wire.TypeStdin
	case c.app.fault("any-version-of-unknown-types"):
		return h.Type > wire.TypeUnknownType
	case c.app.fault("echoes-what-it-does-not-know"):
		b, _ := c.br.Peek(min(64, c.br.Buffered()))
		c.nc.Write(append(h.Append(nil), b...))
	case c.app.fault("ends-after-garbage") && c.app.empty.Add(1) == 50:
		c.app.die()
	}
	return false
}

// stops are the faults of record types that silence the request that they belong to, by name.
var stops = map[string]wire.Type{
	"stdout-stops-request": wire.TypeStdout, "stderr-stops-request": wire.TypeStderr,
	"obeys-end-request": wire.TypeEndRequest, "unknown-type-stops-request": 99,
}

// mishandle handles a record wrongly, or returns false.
func (c *fcgiConn) mishandle(h wire.Header, content []byte) (bool, error) {
	a, r := c.app, c.request(h.RequestID)
	c.records.Add(1)
	_, slug, _ := strings.Cut(a.Fault, "/")
	inactive := h.RequestID != wire.NullRequestID && r == nil && h.Type != wire.TypeBeginRequest
	switch {
	case h.Reserved != 0 && a.fault("wants-reserved-zero"),
		inactive && h.Type == wire.TypeParams && a.fault("inactive-params-close"),
		inactive && h.Type == wire.TypeStdin && a.fault("inactive-stdin-closes"),
		inactive && h.Type == wire.TypeAbortRequest && a.fault("inactive-abort-closes"),
		h.Type == wire.TypeBeginRequest && c.records.Load() > 3*8 && a.fault("eight-requests-per-connection"):
		return true, errFCGIProtocol
	case inactive && h.Type > wire.TypeUnknownType && a.fault("inactive-unknown-type-answered"):
		return true, c.write(wire.AppendUnknownType(nil, h.Type))
	case inactive && h.Type == wire.TypeParams && a.fault("stray-params-mixed"),
		inactive && h.Type == wire.TypeStdin && a.fault("stray-stdin-mixed"):
		if r := c.busy(); r != nil {
			h.RequestID = r.id
			return true, c.handle(h, content)
		}
	case h.RequestID == 0 && h.Type <= wire.TypeStdin && a.fault("serves-request-0"):
		return true, c.handleRequest(h, content)
	case r != nil && slug != "" && stops[slug] == h.Type:
		r.deaf = true
		return true, nil
	case h.Type == wire.TypeGetValuesResult && a.fault("answers-results-twice"),
		h.Type == wire.TypeUnknownType && a.fault("answers-unknown-type-twice"):
		c.manage(h.Type, content)
		return false, nil
	case inactive && len(content) == 0 && a.fault("stops-after-empty-records"):
		if c.idle++; c.idle > 10_000 {
			<-a.ctx.Done()
		}
	case inactive && a.fault("keeps-what-it-ignores"):
		c.kept = append(c.kept, bytes.Clone(content))
	case r != nil:
		c.loseBody(h, r)
	}
	return false, nil
}

// busy returns an active request, or nil.
func (c *fcgiConn) busy() *fcgiRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		return r
	}
	return nil
}

// loseBody are the faults that cost a request its body.
func (c *fcgiConn) loseBody(h wire.Header, r *fcgiRequest) {
	eos, body := h.ContentLength == 0, r.echo.body
	switch {
	case r.answered:
	case h.Type == wire.TypeStdin && eos && body != nil && body.size == 0 && r.get("CONTENT_LENGTH") == "" &&
		c.app.fault("empty-stdin-is-a-line"):
		body.add([]byte("\n"))
	case h.Type == wire.TypeParams && eos && h.PaddingLength > 0 && c.app.fault("padded-params-end-loses-body"),
		c.paddedBegin && c.app.fault("padded-begin-loses-body"),
		h.Type == wire.TypeStdin && h.ContentLength == 3 && c.records.Load() == 4 && !c.padded && c.coalesced() &&
			c.app.fault("one-segment-loses-body"):
		r.bodyless = true
	case h.Type == wire.TypeStdin && eos && h.PaddingLength > 0 && c.app.fault("padded-stdin-end-loses-body"):
		r.echo.body = newDigest(-1)
	}
}

// coalesced says whether the rest of a small request has been received with its beginning.
func (c *fcgiConn) coalesced() bool {
	return c.first == int(c.total.Load())+c.br.Buffered() && c.br.Buffered() == wire.HeaderLen
}
