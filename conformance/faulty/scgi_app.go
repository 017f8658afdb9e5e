package faulty

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gangway-go/gangway/scgi/wire"
)

// errOnceRequest is what the peers say of a request that they reject: they close the connection.
var errOnceRequest = errors.New("faulty: not a request")

// SCGIApp is the echo application over SCGI (23 June 2008). It rejects what is not a request by closing the connection.
// Serve may be called once, Close at any time.
type SCGIApp struct {
	Fault string // the name of the one fault, or "" for none

	onceServer
	alone sync.Mutex // of a mutant
}

func (a *SCGIApp) fault(slug string) bool { return a.Fault == scgiPeer+"/"+slug }

// Serve serves the connections of ln, which it closes, until Close; then it returns nil.
func (a *SCGIApp) Serve(ln net.Listener) error { return a.serve(ln, a.handle) }

func (a *SCGIApp) handle(c net.Conn) {
	if a.fault("one-at-a-time") {
		a.alone.Lock()
		defer a.alone.Unlock()
	}
	r := &scgiRequest{app: a, conn: c, br: bufio.NewReaderSize(c, 64<<10)}
	err := r.read()
	if err == nil {
		err = r.answer()
	}
	switch {
	case a.fault("ends-with-connection") && err != nil && !errors.Is(err, errOnceRequest):
		a.stop()
	case a.fault("waits-after-rejection") && errors.Is(err, io.ErrUnexpectedEOF),
		a.fault("keeps-connection") && r.get("HTTP_CONNECTION") == "keep-alive":
		<-a.ctx.Done()
	case a.fault("answers-all") && err == nil && r.br.Buffered() > 0:
		(&scgiRequest{app: a, conn: c, br: r.br}).again()
	}
	hangUp(c)
}

// scgiRequest is a request as it is read.
type scgiRequest struct {
	app  *SCGIApp
	conn net.Conn
	br   *bufio.Reader
	vars []variable
	body *digest
}

// again answers another request of the connection.
func (r *scgiRequest) again() {
	if r.read() == nil {
		r.answer()
	}
}

func (r *scgiRequest) get(name string) string {
	for _, v := range r.vars {
		if v.name == name {
			return v.value
		}
	}
	return ""
}

// read reads the request, SCGI section 3.
func (r *scgiRequest) read() error {
	size, err := r.size()
	if err != nil {
		return err
	}
	block, err := r.block(size)
	if err != nil {
		return err
	}
	if err := r.headers(string(block)); err != nil {
		return err
	}
	length, err := r.length()
	if err != nil {
		return err
	}
	return r.readBody(length)
}

// size reads the length of the netstring and its colon, section 4.
func (r *scgiRequest) size() (int, error) {
	text, err := r.sizeText()
	if err != nil {
		return 0, err
	}
	text = r.tolerate(text)
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || n < 0 || strconv.FormatInt(n, 10) != text:
		return 0, errOnceRequest
	case n > onceMaxHeader && r.app.fault("believes-size"):
		_, err := io.CopyN(io.Discard, r.br, n)
		return 0, err
	case n > onceMaxHeader:
		return 0, errOnceRequest
	}
	return int(n), nil
}

// sizeText reads to the first colon. More than the digits of the limit are no length.
func (r *scgiRequest) sizeText() (string, error) {
	most := len(strconv.Itoa(onceMaxHeader)) + 4
	if r.app.fault("checks-after-colon") {
		text, err := r.br.ReadString(':')
		return strings.TrimSuffix(text, ":"), err
	}
	for i := 0; ; i++ {
		b, err := r.br.Peek(i + 1)
		switch {
		case err != nil:
			return "", err
		case b[i] == ':':
			text := string(b[:i])
			r.br.Discard(i + 1)
			return text, nil
		case i == most, strings.IndexByte(" \n+-0123456789abcdefx", b[i]) < 0:
			return "", errOnceRequest
		}
	}
}

// tolerate makes a length of what mutants take for one.
func (r *scgiRequest) tolerate(text string) string {
	switch {
	case r.app.fault("takes-leading-zero") && text != "0":
		return strings.TrimLeft(text, "0")
	case r.app.fault("takes-hexadecimal") && strings.HasPrefix(text, "0x"):
		n, _ := strconv.ParseInt(text[2:], 16, 32)
		return strconv.FormatInt(n, 10)
	case r.app.fault("takes-negative-size"):
		return strings.TrimPrefix(text, "-")
	case r.app.fault("takes-plus-size"):
		return strings.TrimPrefix(text, "+")
	case r.app.fault("trims-size"):
		return strings.TrimSpace(text)
	case r.app.fault("takes-no-size") && text == "":
		b, _ := r.br.Peek(r.br.Buffered())
		return strconv.Itoa(max(0, bytes.LastIndexByte(b, ',')))
	}
	return text
}

// block reads what the netstring encloses, and its comma.
func (r *scgiRequest) block(size int) ([]byte, error) {
	if r.app.fault("searches-comma") {
		block, err := r.br.ReadBytes(',')
		return block[:max(0, len(block)-1)], err
	}
	block := make([]byte, size+1)
	if _, err := io.ReadFull(r.br, block); err != nil {
		return nil, err
	}
	if block[size] != ',' && !r.app.fault("ignores-comma") {
		return nil, errOnceRequest
	}
	return block[:size], nil
}

// headers takes the headers apart, section 3.
func (r *scgiRequest) headers(block string) error {
	seen := map[string]bool{}
	for rest := r.misread(block); rest != ""; {
		name, value, after, err := r.pair(rest)
		if err != nil {
			return errOnceRequest
		}
		rest = after
		if seen[name] && !r.takesAgain(name) {
			return errOnceRequest
		}
		seen[name] = true
		r.add(name, value)
	}
	r.dawdle(block, seen)
	first := len(r.vars) > 0 && r.vars[0].name == "CONTENT_LENGTH"
	if block == "" && r.app.fault("serves-nothing") {
		r.vars = []variable{{"CONTENT_LENGTH", "0"}, {"SCGI", "1"}}
		return nil
	}
	if !first || r.get("SCGI") != "1" && !r.app.fault("takes-any-version") {
		return errOnceRequest
	}
	return r.missing(seen)
}

// missing rejects requests that lack what mutants need.
func (r *scgiRequest) missing(seen map[string]bool) error {
	if r.app.fault("needs-method") && !seen["REQUEST_METHOD"] || r.app.fault("needs-query") && !seen["QUERY_STRING"] &&
		seen["REQUEST_METHOD"] {
		return errOnceRequest
	}
	return nil
}

func (r *scgiRequest) pair(block string) (name, value, rest string, err error) {
	name, value, rest, err = wire.ParsePair(block)
	if err != nil && r.app.fault("takes-empty-name") && block[0] == 0 {
		name, value, rest, err = wire.ParsePair("x" + block)
	}
	return name, value, rest, err
}

// takesAgain says whether a mutant takes the name a second time.
func (r *scgiRequest) takesAgain(name string) bool {
	return r.app.fault("keeps-duplicates") && name != "CONTENT_LENGTH" || r.app.fault("last-length-wins")
}

// add adds a variable.
func (r *scgiRequest) add(name, value string) {
	switch {
	case r.app.fault("drops-empty-values") && value == "" && strings.HasPrefix(name, "HTTP_"):
		return
	case r.app.fault("utf8-values"):
		value = strings.ToValidUTF8(value, "?")
	case r.app.fault("last-length-wins") && name == "CONTENT_LENGTH" && len(r.vars) > 0:
		r.vars[0].value = value
		return
	case r.app.fault("names-become-entries"):
		name, value, _ = strings.Cut(name+"="+value, "=")
	}
	r.vars = append(r.vars, variable{name, value})
}

// length is CONTENT_LENGTH, section 3.
func (r *scgiRequest) length() (int64, error) {
	text := r.mistake(r.get("CONTENT_LENGTH"))
	base := 10
	if r.app.fault("octal-length") {
		base = 0
	}
	n, err := strconv.ParseUint(text, base, 63)
	if err != nil || n > onceMaxBody || r.app.fault("small-body") && n > 1<<20 {
		return 0, errOnceRequest
	}
	return int64(n), nil
}

// readBody reads the message-body.
func (r *scgiRequest) readBody(length int64) error {
	limit := length
	if r.app.fault("reads-beyond-body") && length > 0 {
		limit += int64(max(0, r.br.Buffered()-int(length)))
	}
	r.body = newDigest(-1)
	if r.app.fault("one-read-body") && r.br.Buffered() < int(min(length, 64)) {
		return errOnceRequest
	}
	body := io.Reader(r.br)
	if r.app.fault("text-body") {
		body = crToLF{body}
	}
	_, err := io.CopyN(digestWriter{r.body}, body, limit)
	switch {
	case err == io.EOF && r.app.fault("serves-short-body"):
		err = nil
	case err == nil && r.app.fault("waits-for-end") && length == 27:
		_, err = io.Copy(io.Discard, r.br)
	}
	return err
}

// answer writes the response of the echo contract.
func (r *scgiRequest) answer() error {
	e := echo{vars: r.vars, body: r.body, variants: modes(r.get("QUERY_STRING"))}
	if _, unread := e.variants["noread"]; unread {
		e.body = nil
	}
	w := io.Writer(r.conn)
	switch {
	case r.app.fault("responds-as-http"):
		io.WriteString(w, "HTTP/1.1 200 OK\r\n")
	case r.app.fault("cuts-response"):
		w = &cutWriter{w, 1 << 20}
	case r.app.fault("silent-when-half-closed") && halfClosed(r.conn, r.br):
		return nil
	}
	_, err := e.respond(r.app.ctx, w, os.Stderr)
	return err
}

// halfClosed says whether the peer has ended its direction, as far as is known at once.
func halfClosed(c net.Conn, br *bufio.Reader) bool {
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, err := br.Peek(1)
	c.SetReadDeadline(time.Time{})
	return err == io.EOF
}

// cutWriter writes so many bytes, and pretends to write the others.
type cutWriter struct {
	io.Writer
	left int
}

func (w *cutWriter) Write(b []byte) (int, error) {
	n := min(w.left, len(b))
	w.left -= n
	if _, err := w.Writer.Write(b[:n]); err != nil {
		return 0, err
	}
	return len(b), nil
}
