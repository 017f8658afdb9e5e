package adapters

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func fromHTTP(req *Request, r *http.Request, names []string) error {
	if r.Method == "PRI" { // the beginning of HTTP/2's preface without the rest, RFC 9113 3.4 and 11.6
		return fmt.Errorf("%w: method PRI", ErrBadRequest)
	}
	*req = Request{
		Method:        r.Method,
		URI:           r.RequestURI,
		Proto:         r.Proto,
		Host:          r.Host,
		Query:         r.URL.RawQuery,
		Scheme:        "http",
		Header:        requestHeader(r.Header),
		ContentLength: r.ContentLength,
		TLS:           r.TLS,
	}
	if r.TLS != nil {
		req.Scheme = "https"
	}
	if req.URI == "" || req.URI[0] != '/' && req.URI != "*" {
		req.URI = r.URL.RequestURI() // absolute form, or a request made by a program
	}
	empty := r.Body == nil || r.Body == http.NoBody || r.ProtoMajor == 2 && r.ContentLength == 0
	if !empty || len(r.Header["Content-Length"]) > 0 {
		req.Body = r.Body
	}
	httpEndpoints(req, r, names)
	return httpScript(&req.Script, r)
}

// httpScript finds SCRIPT_NAME and PATH_INFO of a request that no resolver has seen.
func httpScript(s *Script, r *http.Request) error {
	raw, _, _ := strings.Cut(r.RequestURI, "?")
	rest := r.URL.EscapedPath()
	switch {
	case r.URL.Path == "" && r.URL.Host != "":
		s.PathInfo = "/" // of a target in absolute form, RFC 9110 4.2.3
		return nil
	case r.URL.Path == "*" || r.URL.Path == "" && (raw == "" || raw[0] != '/'):
		return nil // OPTIONS *
	case rest == "" && raw[len(raw)-1] != '/': // http.StripPrefix has taken all
		var err error
		s.Name, err = CanonicalPath(raw)
		return err
	case rest == "" || rest[0] != '/': // or has taken the slash, too
		rest = "/" + rest
	}
	path, err := CanonicalPath(rest)
	if err != nil {
		return err
	}
	s.PathInfo = path
	if raw == path || raw == "" {
		return nil
	}
	if whole, err := CanonicalPath(raw); err == nil {
		s.Name, _ = strings.CutSuffix(whole, path)
		if s.Name == whole {
			s.Name = ""
		}
	}
	return nil
}

// requestHeader converts the fields that reach the application. Those that concern the client's connection stay, but
// for the two that would ask the application to change the protocol, in a request that really asks for it.
func requestHeader(m http.Header) Header {
	h := HeaderFrom(m)
	upgrade := ""
	if h.HasToken("Connection", "Upgrade") {
		upgrade = h.Get("Upgrade")
	}
	h = StripHopByHop(h)
	h.Del("Content-Length")
	if upgrade != "" {
		h = append(h, Field{"Connection", "Upgrade"}, Field{"Upgrade", upgrade})
	}
	return h
}

func httpEndpoints(req *Request, r *http.Request, names []string) {
	req.Remote.Addr, req.Remote.Port = splitAddr(r.RemoteAddr)
	req.Vars = peerVars(r)
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		req.Local = EndpointOf(local)
	}
	req.NameServer(names)
}

// NameServer completes Local: a frontend calls it when Host, Scheme and the address of Local are set. SERVER_NAME is
// the one of names that the client asked for, else the first of them, else the local address: what only the client says
// counts if there is nothing else. On a Unix socket, which has no port, SERVER_PORT is the one that the client asked
// for.
func (r *Request) NameServer(names []string) {
	host, port := "", ""
	if wanted := len(names) > 0 || r.Local.Addr == "" || r.Local.Port == ""; wanted && ValidHost(r.Host) {
		host, port = splitAddr(r.Host)
		host = strings.TrimSuffix(host, ".")
	}
	if r.Local.Port == "" {
		r.Local.Port = cmp.Or(port, map[string]string{"http": "80", "https": "443"}[r.Scheme])
	}
	r.Local.Name = cmp.Or(r.Local.Addr, host)
	for i, name := range names {
		if known := EqualName(strings.Trim(name, "[]"), host); known || i == 0 {
			r.Local.Name = name
			if known {
				break
			}
		}
	}
	if strings.Contains(r.Local.Name, ":") && r.Local.Name[0] != '[' {
		r.Local.Name = "[" + r.Local.Name + "]" // RFC 3875 4.1.14
	}
}

// EndpointOf returns the address and the port of a connection's end.
func EndpointOf(a net.Addr) (e Endpoint) {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return Endpoint{Addr: tcp.IP.String(), Port: strconv.Itoa(tcp.Port)}
	}
	e.Addr, e.Port = splitAddr(a.String())
	return e
}

// splitAddr divides HOST:PORT; a client on a Unix socket, which has no address, is local.
func splitAddr(s string) (addr, port string) {
	if s == "" || s[0] == '@' || s[0] == '/' {
		return loopback, ""
	}
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") {
		return strings.Trim(s, "[]"), ""
	}
	return strings.Trim(s[:i], "[]"), s[i+1:]
}

const loopback = "127.0.0.1"

// A requestBody is the one gate between a net/http request body and a backend. After shut, no Read is under way and
// each further one returns ErrAborted.
type requestBody struct {
	body io.ReadCloser
	rc   *http.ResponseController

	mu      sync.Mutex
	idle    sync.Cond // reading became false
	reading bool
	over    bool
	http1   bool
	ended   bool  // io.EOF was seen
	left    int64 // bytes to come; below 0 is unknown
}

func (b *requestBody) init(r *http.Request, rc *http.ResponseController) {
	b.body, b.rc, b.left, b.idle.L = r.Body, rc, r.ContentLength, &b.mu
	b.http1 = r.ProtoMajor == 1
}

// outlasts reports whether more of the body is to come.
func (b *requestBody) outlasts() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.ended && b.left != 0
}

// Read reads the body. There is one reader at a time.
func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return 0, ErrAborted
	}
	b.reading = true
	b.mu.Unlock()
	n, err := b.body.Read(p)
	b.mu.Lock()
	b.reading = false
	b.idle.Broadcast()
	b.took(n, err)
	if b.over {
		return 0, ErrAborted
	}
	return n, b.failure(err)
}

// failure says what an error of net/http means, which has names for few of them: HTTP/1 that is not what it should be,
// or a client that has gone.
func (b *requestBody) failure(err error) error {
	tooLarge, network := (*http.MaxBytesError)(nil), net.Error(nil)
	switch {
	case err == nil, err == io.EOF:
		return err
	case errors.As(err, &tooLarge):
		return ErrTooLarge
	case errors.As(err, &network) && network.Timeout():
		return err
	case !b.http1, errors.Is(err, io.ErrUnexpectedEOF), network != nil:
		return fmt.Errorf("%w: the client closed the connection within the request body (%w)", ErrAborted, err)
	}
	return fmt.Errorf("%w: request body: %w", ErrBadRequest, err)
}

func (b *requestBody) took(n int, err error) {
	b.ended = b.ended || err == io.EOF
	if b.left > 0 {
		b.left -= int64(n)
	}
}

// shut ends the reading of the body. With drain it reads on for a moment: a client that is still sending would not see
// the answer if the connection were reset. Net/http must not do that: with EnableFullDuplex it then reads from the
// connection twice at once, and panics. Behind a ResponseWriter that hides net/http's, by which alone a Read can be
// ended, there is neither a full duplex nor a waiting.
func (b *requestBody) shut(drain bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over || b.ended {
		b.over = true
		return
	}
	b.over = true
	deadline := time.Unix(1, 0)
	if drain {
		b.rc.Flush()
		deadline = time.Now().Add(drainTime)
	}
	if b.rc.SetReadDeadline(deadline) != nil { // net/http sets it anew for the next request
		return
	}
	for b.reading {
		b.idle.Wait()
	}
	if !drain {
		return
	}
	buf := copyBuffers.Get().(*[copyBufferSize]byte)
	defer copyBuffers.Put(buf)
	for err := error(nil); err == nil && !b.ended; {
		var n int
		n, err = b.body.Read(buf[:])
		b.took(n, err)
	}
}

type idSource struct {
	prefix string
	count  atomic.Uint64
}

var requestIDs = func() *idSource {
	b := make([]byte, 5)
	rand.Read(b)
	return &idSource{prefix: hex.EncodeToString(b)}
}()

func (s *idSource) next() string {
	b := make([]byte, 0, 24)
	b = append(b, s.prefix...)
	return string(strconv.AppendUint(append(b, '-'), s.count.Add(1), 36))
}
