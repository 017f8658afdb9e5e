package faulty

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// fcgiMaxParams is how many bytes of FCGI_PARAMS a request may have.
const fcgiMaxParams = 1 << 20

// fcgiRequest is an active request. The goroutine that reads the connection owns what the web server sends, until it
// starts the answer.
type fcgiRequest struct {
	conn *fcgiConn
	id   uint16
	role wire.Role
	keep bool

	ctx    context.Context
	cancel context.CancelFunc

	pairs      []byte // what is left of FCGI_PARAMS: the beginning of a pair
	paramBytes int
	vars       []variable
	names      map[string]int // where each name is in vars
	bad        string         // why the request is not served

	paramsEnded, stdinEnded, dataEnded bool

	echo     echo
	answered bool // the answer has begun

	fcgiMutantRequest
	fcgiRequestBreaksB
}

// params takes a record FCGI_PARAMS, FastCGI 1.0 section 5.2: pairs may begin in one record and end in another.
func (r *fcgiRequest) params(content []byte) {
	if r.paramsEnded && !r.fault("late-params-count") || r.misses(content) || r.misparse(content) {
		return
	}
	if len(content) == 0 {
		r.endParams()
		return
	}
	if r.paramBytes += len(content); r.paramBytes > r.mostParams() {
		if !r.overflows() {
			r.bad = "too many parameters"
		}
		r.pairs = nil
		return
	}
	r.pairs = append(r.sharedPairs(), content...)
	b := r.pairs
	for len(b) > 0 {
		name, value, rest, err := r.parse(b)
		if err != nil {
			break
		}
		r.take(string(name), string(value))
		b = rest
	}
	if len(b) < len(r.pairs) { // else a long value that comes byte by byte would be moved each time
		r.pairs = append(r.pairs[:0], b...)
	}
	r.parsed()
}

// set adds a variable. The last of several with one name counts. HTTP_PROXY, which comes from the client's field Proxy,
// would be taken for the address of a proxy by libraries that the application uses.
func (r *fcgiRequest) set(name, value string) {
	if name == "HTTP_PROXY" && !r.fault("passes-proxy") {
		return
	}
	if name == "CONTENT_LENGTH" && r.get("REQUEST_METHOD") == "" && r.fault("order-matters") {
		value = "0"
	}
	if i, ok := r.names[name]; ok {
		r.vars[i].value = value
		return
	}
	r.names[name] = len(r.vars)
	r.vars = append(r.vars, variable{name, value})
}

func (r *fcgiRequest) get(name string) string {
	if i, ok := r.names[name]; ok {
		return r.vars[i].value
	}
	return ""
}

// endParams makes ready for the streams that follow.
func (r *fcgiRequest) endParams() {
	r.paramsEnded = true
	r.addVariables()
	if len(r.pairs) > 0 && !r.overlooks() {
		r.bad = "FCGI_PARAMS ends within a pair"
	}
	r.echo = echo{vars: r.vars, variants: modes(r.get("QUERY_STRING")), filter: r.role == wire.RoleFilter}
	if _, unread := r.echo.variants["noread"]; !unread && r.role != wire.RoleAuthorizer {
		r.echo.body = newDigest(r.length("CONTENT_LENGTH"))
	}
	if r.role == wire.RoleFilter {
		r.echo.data = newDigest(r.length("FCGI_DATA_LENGTH"))
	}
	r.mislimit()
	r.proceed()
}

// length is a variable that is a number of bytes, or -1 if it is missing.
func (r *fcgiRequest) length(name string) int64 {
	value := r.get(name)
	if value == "" {
		return -1
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 || strings.HasPrefix(value, "+") {
		r.bad = "bad " + name
		return 0
	}
	return n
}

// stdin takes a record FCGI_STDIN.
func (r *fcgiRequest) stdin(content []byte) {
	switch {
	case r.stdinEnded || r.mishear(content):
	case len(content) == 0:
		r.stdinEnded = true
		r.proceed()
	case !r.paramsEnded && r.fault("loses-early-stdin"):
	case !r.paramsEnded:
		r.bad = "FCGI_STDIN before the end of FCGI_PARAMS"
	case r.echo.body != nil && !r.bodyless:
		r.echo.body.add(r.kept(content))
	}
}

// data takes a record FCGI_DATA, FastCGI 1.0 section 6.4.
func (r *fcgiRequest) data(content []byte) {
	switch {
	case r.misfile(content):
	case r.role != wire.RoleFilter || r.dataEnded:
	case len(content) == 0:
		r.dataEnded = true
		r.proceed()
	case !r.stdinEnded:
		r.bad = "FCGI_DATA before the end of FCGI_STDIN"
	case r.echo.data != nil:
		r.echo.data.add(content)
	}
}

// proceed starts the answer as soon as all is there that the role and the mode need, FastCGI 1.0 sections 6.2 to 6.4.
func (r *fcgiRequest) proceed() {
	_, unread := r.echo.variants["noread"]
	unread = unread && !r.fault("reads-all-first")
	ready := r.paramsEnded && !r.deaf
	switch r.role {
	case wire.RoleResponder:
		ready = ready && (r.stdinEnded || unread)
	case wire.RoleFilter:
		ready = ready && r.stdinEnded && (r.dataEnded || unread)
	}
	if r.misjudge(&ready); ready {
		r.answered = true
		r.conn.answers.Go(r.answer)
	}
}

// abort obeys FCGI_ABORT_REQUEST, FastCGI 1.0 section 5.4.
func (r *fcgiRequest) abort() {
	if r.ignoresAbort() {
		return
	}
	if r.answered {
		r.cancel()
		return
	}
	r.end(1, false)
}

// answer runs the application proper.
func (r *fcgiRequest) answer() {
	stdout, stderr := &fcgiStream{r: r, t: wire.TypeStdout}, &fcgiStream{r: r, t: wire.TypeStderr}
	r.dawdle()
	r.answering()
	status, err := 0, error(nil)
	switch {
	case r.bad != "":
		_, err = io.WriteString(stdout, "Status: 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n"+r.bad+"\n")
	case r.role == wire.RoleAuthorizer:
		_, err = io.WriteString(stdout, r.authorizer("Status: 200 OK\r\nVariable-ECHO: 1\r\n\r\n"))
	default:
		status, err = r.echo.respond(r.ctx, stdout, stderr)
	}
	switch {
	case errors.Is(err, errCrash):
		status = 134 // as a shell says it of a program that aborted
	case err != nil:
		status = 1
	}
	r.end(r.misreport(status, err, stdout), stderr.used)
}

// end closes the streams and the request, FastCGI 1.0 section 5.5.
func (r *fcgiRequest) end(status int, stderr bool) {
	records := appendFCGI(nil, wire.TypeStdout, r.id, nil)
	if stderr {
		records = appendFCGI(records, wire.TypeStderr, r.id, nil)
	}
	end := wire.EndRequest{AppStatus: uint32(status)}.Append(nil, r.id)
	r.conn.end(r, append(r.misclose(records, end, stderr), end...))
}

// fcgiStream writes a stream of a request. What is written is on its way when Write returns.
type fcgiStream struct {
	r    *fcgiRequest
	t    wire.Type
	used bool
}

// Write writes p as records, until the request is aborted.
func (s *fcgiStream) Write(p []byte) (int, error) {
	if skip := s.distort(&p); skip {
		return len(p), nil
	}
	for written := 0; written < len(p); {
		if s.r.ctx.Err() != nil {
			return written, context.Cause(s.r.ctx)
		}
		piece := p[written:min(len(p), written+wire.MaxContent)]
		if err := s.r.conn.write(appendFCGI(nil, s.t, s.r.id, piece)); err != nil {
			return written, err
		}
		s.used = true
		written += len(piece)
	}
	return len(p), nil
}
