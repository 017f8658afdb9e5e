package faulty

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/gangway-go/gangway/scgi/uwsgi"
)

// UWSGIApp is the echo application over the uwsgi protocol, that of web servers: it knows requests and pings, and rejects
// everything else by closing the connection. Serve may be called once, Close at any time.
type UWSGIApp struct {
	Fault string // the name of the one fault, or "" for none

	onceServer
}

func (a *UWSGIApp) fault(slug string) bool { return a.Fault == uwsgiPeer+"/"+slug }

// Serve serves the connections of ln, which it closes, until Close; then it returns nil.
func (a *UWSGIApp) Serve(ln net.Listener) error { return a.serve(ln, a.handle) }

const uwsgiPing = 100

func (a *UWSGIApp) handle(c net.Conn) {
	defer hangUp(c)
	br := bufio.NewReaderSize(c, 64<<10)
	err := a.exchange(c, br)
	switch {
	case a.fault("answers-all") && err == nil && br.Buffered() > 0:
		a.exchange(c, br)
	case a.fault("ends-with-connection") && err != nil && !errors.Is(err, errOnceRequest):
		a.stop()
	case a.fault("waits-after-rejection") && errors.Is(err, io.ErrUnexpectedEOF),
		a.fault("keeps-http-waiting") && errors.Is(err, io.ErrUnexpectedEOF):
		<-a.ctx.Done()
	}
}

// exchange reads a packet and answers it.
func (a *UWSGIApp) exchange(c net.Conn, br *bufio.Reader) error {
	head := make([]byte, uwsgi.HeaderLen)
	if a.fault("one-read-header") {
		if n, _ := br.Read(head); n < len(head) {
			return errOnceRequest
		}
	} else if _, err := io.ReadFull(br, head); err != nil {
		return err
	}
	h, _ := uwsgi.ParseHeader(head)
	switch {
	case h.Modifier1 == uwsgiPing && h.DataSize == 0 && !a.fault("knows-no-ping"):
		_, err := c.Write(uwsgi.Header{Modifier1: uwsgiPing, Modifier2: 1}.Append(nil))
		return err
	case h.Modifier1 == 'G' && a.fault("keeps-http-waiting"):
		return io.ErrUnexpectedEOF
	case h.Modifier1 == 77 && a.fault("keeps-unknown-waiting"), h.DataSize == 0 && a.fault("keeps-empty-waiting"):
		<-a.ctx.Done()
	case a.obeys(h):
		_, err := fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nobeyed\n")
		return err
	case h.Modifier1 != uwsgi.Modifier, h.DataSize == 0,
		a.fault("small-block") && h.DataSize > 32<<10, a.fault("takes-ff-for-end") && h.DataSize&0xFF == 0xFF:
		return errOnceRequest
	}
	return a.request(c, br, int(h.DataSize))
}

// obeys says whether a mutant does what a packet orders.
func (a *UWSGIApp) obeys(h uwsgi.Header) bool {
	slug, known := uwsgiOrders[h.Modifier1]
	return known && a.fault("obeys-"+slug)
}

// uwsgiOrders are the packets that are no requests, by modifier1.
var uwsgiOrders = map[uint8]string{
	10: "management", 17: "spooler", 18: "symbols", 22: "code", 27: "fastfuncs", 97: "brutal-reload", 98: "reload",
	99: "configuration", 110: "signal", 111: "cache", 173: "rpc", 224: "subscription",
}

// request reads the rest of a request and answers it.
func (a *UWSGIApp) request(c net.Conn, br *bufio.Reader, size int) error {
	block := make([]byte, size)
	n, err := io.ReadFull(br, block)
	if err == io.ErrUnexpectedEOF && a.fault("serves-short-block") {
		block, err = block[:n], nil
	}
	if err != nil {
		return err
	}
	vars, err := a.vars(block)
	if err != nil {
		return err
	}
	body, err := a.body(br, lookup(vars, "CONTENT_LENGTH"))
	if err != nil {
		return err
	}
	return a.answer(c, br, vars, body)
}

func lookup(vars []variable, name string) string {
	for _, v := range vars {
		if v.name == name {
			return v.value
		}
	}
	return ""
}

// vars takes block vars apart. A name may be there once.
func (a *UWSGIApp) vars(block []byte) (vars []variable, err error) {
	seen := map[string]bool{}
	for rest := block; len(rest) > 0; {
		var name, value []byte
		if name, value, rest, err = uwsgi.ParsePair(rest); err != nil {
			if name, value, err = a.lastPair(block); err != nil {
				return nil, errOnceRequest
			}
			if rest = nil; name == nil {
				break
			}
		}
		v := variable{string(name), string(value)}
		if seen[v.name] && !a.fault("keeps-duplicates") {
			return nil, errOnceRequest
		}
		seen[v.name] = true
		vars = append(vars, v)
	}
	if seen[""] && a.fault("keeps-empty-name-waiting") {
		<-a.ctx.Done()
	}
	return a.changed(vars), nil
}

// body reads the message-body.
func (a *UWSGIApp) body(br *bufio.Reader, text string) (*digest, error) {
	d := newDigest(-1)
	if text = a.mistake(text); text == "" {
		return d, nil
	}
	length, err := strconv.ParseUint(text, 10, 63)
	if err != nil || length > onceMaxBody || a.fault("small-body") && length > 1<<20 {
		return nil, errOnceRequest
	}
	limit := int64(length)
	if a.fault("reads-beyond-body") && length > 0 {
		limit += int64(max(0, br.Buffered()-int(length)))
	}
	in := io.Reader(br)
	if a.fault("text-body") {
		in = crToLF{in}
	}
	_, err = io.CopyN(digestWriter{d}, in, limit)
	switch {
	case err == io.EOF && a.fault("serves-short-body"):
		err = nil
	case err == nil && a.fault("waits-for-end") && length == 3:
		_, err = io.Copy(io.Discard, br)
	}
	return d, err
}

// mistake makes a number of what mutants take for one.
func (a *UWSGIApp) mistake(text string) string {
	switch {
	case a.fault("takes-signs"):
		return strings.TrimLeft(text, "+-")
	case a.fault("takes-number-prefix"):
		return strings.TrimSuffix(text, "x")
	case a.fault("wraps-length") && len(text) > 20:
		n, _ := new(big.Int).SetString(text, 10)
		return n.Mod(n, big.NewInt(1000)).String()
	}
	return text
}

// answer writes the response of the echo contract as one of HTTP.
func (a *UWSGIApp) answer(c net.Conn, br *bufio.Reader, vars []variable, body *digest) error {
	e := echo{vars: vars, body: body, variants: modes(lookup(vars, "QUERY_STRING"))}
	if _, unread := e.variants["noread"]; unread {
		e.body = nil
	}
	w := io.Writer(c)
	switch {
	case a.fault("cuts-response"):
		w = &cutWriter{w, 1 << 20}
	case a.fault("silent-when-half-closed") && halfClosed(c, br):
		return nil
	}
	status := "HTTP/1.1 200 OK\r\n"
	switch {
	case a.fault("loads-files") && lookup(vars, "UWSGI_FILE") != "":
		status = "HTTP/1.1 500 Internal Server Error\r\n"
		_, err := io.WriteString(w, status+"Content-Type: text/plain\r\n\r\nThe file cannot be loaded.\n")
		return err
	case a.fault("responds-as-cgi"):
		status = "Status: 200 OK\r\n"
	}
	if _, err := io.WriteString(w, status); err != nil {
		return err
	}
	_, err := e.respond(a.ctx, w, os.Stderr)
	return err
}
