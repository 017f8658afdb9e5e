package adapters

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// HTTP returns the net/http frontend of h: HTTP/1.1, HTTP/2 and h2c, as the http.Server is configured.
func HTTP(h Handler) http.Handler { return &HTTPFrontend{Handler: h} }

// An HTTPFrontend lets a [Handler] answer the requests of a net/http server. It is safe for concurrent use.
//
// A response that its application cuts short never looks complete: HTTP/1.1 gets no last chunk, HTTP/1.0 a reset
// connection, HTTP/2 RST_STREAM. Responses are flushed when the backend has nothing more to give at the moment.
type HTTPFrontend struct {
	Handler Handler
	// Log takes failures and the diagnostics of applications; nil is slog.Default.
	Log *slog.Logger
	// MaxStderr is the Limit of a [StderrLog].
	MaxStderr int64
	// Reporter tells clients about failures; nil tells the status alone.
	Reporter *Reporter
	// ServerNames are the names of this server, for SERVER_NAME: see [Request.NameServer].
	ServerNames []string
}

// ServeHTTP carries one request to the Handler and its response back.
func (f *HTTPFrontend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{f: f, w: w, r: r, rc: *http.NewResponseController(w)}
	x.diag.Log, x.diag.Limit = cmp.Or(f.Log, slog.Default()), f.MaxStderr
	defer x.end(true)
	if err := x.start(); err != nil {
		x.fail(err)
		return
	}
	resp, err := x.ask()
	if err != nil {
		x.fail(err)
		return
	}
	x.answer(resp)
}

func (x *exchange) ask() (resp *Response, err error) {
	defer Recovered(&err)
	return x.f.Handler.Serve(x.r.Context(), &x.req)
}

// An exchange is one request and its response over net/http.
type exchange struct {
	f    *HTTPFrontend
	w    http.ResponseWriter
	r    *http.Request
	rc   http.ResponseController
	req  Request
	body requestBody
	diag StderrLog
	sent bool // the response header, 1xx apart
}

func (x *exchange) start() error {
	if x.r.Method == http.MethodConnect {
		return fmt.Errorf("%w: CONNECT", ErrUpgrade)
	}
	if err := fromHTTP(&x.req, x.r, x.f.ServerNames); err != nil {
		return err
	}
	x.rc.EnableFullDuplex() // else an early answer waits for the upload; HTTP/2 is full duplex as it is
	x.req.ID = NewRequestID()
	x.diag.ID = x.req.ID
	x.req.Stderr = &x.diag
	if x.r.ProtoAtLeast(1, 1) {
		x.req.Informational = x.informational
	}
	if x.req.Body != nil {
		x.body.init(x.r, &x.rc)
		x.req.Body = &x.body
		x.req.Trailer = func() Header {
			return slices.DeleteFunc(HeaderFrom(x.r.Trailer), func(f Field) bool { return !TrailerAllowed(f.Name) })
		}
	}
	return nil
}

// end comes after everything else: nobody reads the request's body any more. Without a response nothing is drained,
// since before that net/http would have to make a header up.
func (x *exchange) end(drain bool) {
	if x.body.body != nil {
		x.body.shut(drain && x.sent)
	}
	x.diag.Close()
}

func (x *exchange) informational(status int, h Header) error {
	if status == http.StatusSwitchingProtocols {
		return fmt.Errorf("%w: 101 as an interim response", ErrBadResponse)
	}
	header, client := x.w.Header(), x.r.Context()
	if client.Err() != nil {
		return ErrAborted
	}
	outer := maps.Clone(header) // of handlers in front
	clear(header)
	addHeader(header, StripHopByHop(h))
	x.w.WriteHeader(status)
	if client.Err() != nil { // HTTP/2 may not have sent the header yet, and is still reading it
		return ErrAborted
	}
	clear(header)
	maps.Copy(header, outer)
	return nil
}

// fail answers with the status of err, as text.
func (x *exchange) fail(err error) {
	err = x.f.Reporter.Report(&x.req, err)
	x.logError(err)
	if StatusOf(err) == StatusClientGone {
		panic(http.ErrAbortHandler)
	}
	resp := Failure(err)
	header := x.w.Header()
	for _, f := range resp.Header {
		header.Set(f.Name, f.Value)
	}
	x.writeHeader(resp.Status)
	if x.r.Method != http.MethodHead {
		Copy(x.w, resp.Body)
	}
}

// ErrorText returns the body of an error that gangway itself answers: the status, and nothing about its inside.
func ErrorText(status int) string { return strconv.Itoa(status) + " " + http.StatusText(status) + "\n" }

func (x *exchange) logError(err error) {
	LogFailure(x.r.Context(), x.diag.Logger().With("method", x.r.Method, "uri", LoggedURI(x.r.RequestURI)), err)
}

// writeHeader writes the response header. It tells an HTTP/1.1 client that the connection ends with an answer that
// comes before the end of the body: what is late would be the next request.
func (x *exchange) writeHeader(status int) {
	if x.r.ProtoMajor == 1 && x.body.body != nil && x.body.outlasts() {
		x.w.Header().Set("Connection", "close")
	}
	x.w.WriteHeader(status)
	x.sent = true
}

func (x *exchange) answer(resp *Response) {
	defer resp.Body.Close()
	defer x.end(true) // before Body.Close, which then finds no reader at the request's body
	switch {
	case resp.Status == http.StatusSwitchingProtocols:
		x.upgrade(resp)
		return
	case resp.Status < 200 || resp.Status > 999:
		x.fail(fmt.Errorf("%w: status %d", ErrBadResponse, resp.Status))
		return
	}
	header := x.w.Header()
	addHeader(header, resp.Header)
	if !resp.Header.Has("Content-Type") {
		header["Content-Type"] = nil // net/http would guess one
	}
	x.writeHeader(resp.Status)
	if !BodyAllowed(x.r.Method, resp.Status) {
		x.rc.Flush()
		Drain(resp.Body, math.MaxInt64)
		return
	}
	if resp.Trailer != nil {
		x.rc.Flush() // else net/http may send a short body with its length, and no trailer
	}
	n, err := x.copy(resp.Body)
	if err == nil {
		err = missing(resp.Header, n)
	}
	if err != nil {
		x.cut(resp, err)
		return
	}
	if resp.Trailer != nil {
		for _, f := range resp.Trailer() {
			if f.sendable() && TrailerAllowed(f.Name) {
				header.Add(http.TrailerPrefix+f.Name, f.Value)
			}
		}
	}
}

// copy is Copy; err is also what panics, for net/http would let that look like the end of a response of HTTP/1.0.
func (x *exchange) copy(body io.Reader) (n int64, err error) {
	defer Recovered(&err)
	return Copy(x.w, body)
}

// addHeader is header.Add for each field of h, with one allocation for the values of all. It leaves out what may not be
// sent, of which net/http would send NUL.
func addHeader(header http.Header, h Header) {
	values := make([]string, len(h))
	for i, f := range h {
		if !f.sendable() {
			continue
		}
		name := http.CanonicalHeaderKey(f.Name)
		if header[name] != nil {
			header[name] = append(header[name], f.Value)
			continue
		}
		values[i] = f.Value
		header[name] = values[i : i+1 : i+1]
	}
}

// cut ends a response that cannot be completed, so that the client sees it.
func (x *exchange) cut(resp *Response, err error) {
	if x.r.Context().Err() != nil {
		err = fmt.Errorf("%w: %w", ErrAborted, err)
	}
	x.logError(err)
	x.end(false)
	resp.Body.Close()
	x.rc.Flush()
	if x.r.ProtoMajor == 1 && x.r.ProtoMinor == 0 {
		if conn, _, err := x.rc.Hijack(); err == nil {
			ResetConn(conn)
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// upgrade joins the client's connection with the application's, RFC 9110 7.8.
func (x *exchange) upgrade(resp *Response) {
	app, ok := resp.Body.(interface {
		Read([]byte) (int, error)
		Write([]byte) (int, error)
	})
	if !ok || x.r.ProtoMajor != 1 || x.r.ProtoMinor == 0 || !x.req.Header.Has("Upgrade") {
		x.fail(ErrUpgrade)
		return
	}
	conn, buffered, err := x.rc.Hijack()
	if err != nil {
		x.fail(fmt.Errorf("%w: %v", ErrUpgrade, err))
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Time{})
	KeepAlive(conn) // both ends may be silent for ever
	head := []byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n")
	for _, f := range resp.Header {
		if f.sendable() && !EqualName(f.Name, "Connection") {
			head = append(append(append(append(head, f.Name...), ": "...), f.Value...), "\r\n"...)
		}
	}
	if _, err := conn.Write(append(head, "\r\n"...)); err != nil {
		return
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		Copy(app, buffered)
		resp.Body.Close()
	}()
	Copy(conn, app)
	conn.Close()
	<-sent
}

// NewRequestID returns a name for a request that is unique among running gateways.
func NewRequestID() string { return requestIDs.next() }

// FromHTTP returns the Request for r: Script.PathInfo is the canonical path, or what is left of it if a handler before
// (http.StripPrefix) took a prefix off, which then is Script.Name. r.Body is passed as it is. The error wraps
// [ErrBadRequest].
func FromHTTP(r *http.Request) (*Request, error) {
	req := new(Request)
	if err := fromHTTP(req, r, nil); err != nil {
		return nil, err
	}
	return req, nil
}
