package server

import (
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// Var is a meta-variable.
type Var struct{ Name, Value string }

// Exchange is a request that has arrived at the application, and the way to answer it.
type Exchange struct {
	// Vars are the meta-variables in the order in which the server sent them, with duplicates.
	Vars []Var
	// Args are the arguments of a CGI program's command line, and Process is what else it says of itself; nil behind a
	// socket.
	Args    []string
	Process *Process
	// Conn is the connection from the server. What is written to it directly is sent as it is.
	Conn *conformance.Conn

	// Of FastCGI: what the server sent in FCGI_BEGIN_REQUEST, and all records so far.
	ID       uint16
	Role     wire.Role
	KeepConn bool
	Records  []Record

	t       *T
	dialect dialect
	lease   *lease
	in      []byte // read and not understood yet
	head    string // of SCGI and uwsgi: the netstring or packet with the meta-variables
	body    []byte
	until   time.Time // when fill gives up, if not when the patience ends
}

const (
	roleAuthorizer = wire.RoleAuthorizer
	roleFilter     = wire.RoleFilter
)

// Get is the value of the first variable with that name, or "".
func (x *Exchange) Get(name string) string {
	if values := x.Values(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// Has says whether there is a variable with that name.
func (x *Exchange) Has(name string) bool { return len(x.Values(name)) > 0 }

// Values are the values of all variables with that name.
func (x *Exchange) Values(name string) (values []string) {
	for _, v := range x.Vars {
		if v.Name == name {
			values = append(values, v.Value)
		}
	}
	return values
}

// Want makes sure that the variable is there once, with one of the values.
func (x *Exchange) Want(name string, values ...string) {
	got := x.Values(name)
	x.t.Check(len(got) > 0, "%s is not set", name)
	x.t.Check(len(got) == 1, "%s is there %d times: %q", name, len(got), got)
	x.t.Check(slices.Contains(values, got[0]), "%s is %s", name, excerpt(got[0]))
}

// WantUnset makes sure that the variable is not there, or empty.
func (x *Exchange) WantUnset(name string) {
	x.t.Check(x.Get(name) == "", "%s is %s", name, excerpt(x.Get(name)))
}

// begin reads the meta-variables.
func (x *Exchange) begin() {
	if x.Vars == nil {
		x.dialect.begin(x)
	}
}

var (
	errSilent  = errors.New("nothing more came, and the connection is open")
	errAborted = errors.New("FCGI_ABORT_REQUEST came")
)

// Body reads the message-body to its end. A body that does not end gives a verdict.
func (x *Exchange) Body() string {
	body, err := x.ReadBody(-1)
	switch {
	case errors.Is(err, errSilent):
		x.t.Hang("the body stops after %d bytes of %s", len(body), x.Get("CONTENT_LENGTH"))
	case err != nil:
		x.t.Fail("the body ends after %d bytes of %s: %v", len(body), x.Get("CONTENT_LENGTH"), err)
	}
	return body
}

// ReadBody reads the message-body until there are n bytes of it, to its end if n is negative. It returns what there is:
// with an error if the server ended the connection or the request before, and also if nothing more comes. The body of a
// request whose n bytes end it has been read; io.EOF means that there were fewer than n.
func (x *Exchange) ReadBody(n int) (string, error) {
	x.t.touch()
	for n < 0 || len(x.body) < n {
		more, err := x.dialect.more(x)
		if err == nil && !more && n >= 0 && len(x.body) < n {
			err = io.EOF
		}
		if err != nil || !more {
			return string(x.body), err
		}
	}
	return string(x.body), nil
}

// fill reads more bytes into x.in. It returns errSilent if none come.
func (x *Exchange) fill() error {
	buf := make([]byte, writeSize)
	for {
		end := time.Now().Add(max(x.t.patience()-x.t.quiet(), time.Millisecond))
		if !x.until.IsZero() {
			end = x.until
		}
		x.Conn.SetReadDeadline(end)
		n, err := x.Conn.Read(buf)
		x.in = append(x.in, buf[:n]...)
		if n > 0 {
			x.t.touch()
			return nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if x.t.quiet() >= x.t.patience() || !x.until.IsZero() {
			return errSilent
		}
	}
}

// over waits at most d for the server to end the request, and says whether it did.
func (x *Exchange) over(d time.Duration) bool {
	x.until = time.Now().Add(d)
	defer func() { x.until = time.Time{} }()
	for {
		more, err := x.dialect.more(x)
		if err == nil && !more { // nothing more belongs to the request, but for its end
			err = x.fill()
		}
		switch {
		case errors.Is(err, errSilent):
			return false
		case err != nil:
			return true
		}
	}
}

// Send sends bytes as they are. A server that does not read them hangs; one that has closed the connection is no
// verdict.
func (x *Exchange) Send(b []byte) error {
	for len(b) > 0 {
		x.Conn.SetWriteDeadline(time.Now().Add(x.t.patience()))
		n, err := x.Conn.Write(b[:min(len(b), writeSize)])
		b = b[n:]
		if n > 0 {
			x.t.touch()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && n == 0 {
			x.t.Hang("the server does not read the response; %d bytes of a piece are left", len(b))
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return nil
}

// Write sends a piece of the CGI response.
func (x *Exchange) Write(piece string) error { return x.Send(x.dialect.stdout(x, []byte(piece))) }

// Stderr writes to the error stream, if the protocol has one.
func (x *Exchange) Stderr(text string) error { return x.Send(x.dialect.stderr(x, []byte(text))) }

// End ends the response as it should.
func (x *Exchange) End() { x.EndBy(x.dialect.end(x)) }

// EndBy ends the response with these bytes, and then closes the connection or, if the server wants it, leaves it open.
func (x *Exchange) EndBy(b []byte) {
	err := x.Send(b)
	switch {
	case !x.KeepConn || err != nil:
		x.Conn.Close()
	default:
		x.lease.release(x.in)
	}
}

// Close closes the connection to the server, whatever has been sent.
func (x *Exchange) Close() { x.Conn.Close() }

// Reset breaks the connection to the server (TCP RST).
func (x *Exchange) Reset() { x.lease.Reset() }

// OK reads the body and answers with the token of the case.
func OK(x *Exchange) {
	response := "Content-Type: text/plain\r\n\r\n" + x.t.token
	if _, ok := x.dialect.(microWSGI); ok { // as uWSGI answers: some servers understand nothing else from it
		response = "HTTP/1.0 200 OK\r\n" + response
	}
	CGI(response)(x)
}

// CGI reads the body, as far as it comes, and answers with the CGI response.
func CGI(response string) Reply {
	return func(x *Exchange) {
		x.ReadBody(-1)
		x.Write(response)
		x.End()
	}
}

// Early answers with the CGI response before it reads the body, which it leaves where it is.
func Early(response string) Reply {
	return func(x *Exchange) {
		x.Write(response)
		x.End()
	}
}

// Partial sends the beginning of a CGI response and closes the connection as a program does that dies.
func Partial(response string) Reply {
	return func(x *Exchange) {
		x.ReadBody(-1)
		x.Write(response)
		x.Close()
	}
}
