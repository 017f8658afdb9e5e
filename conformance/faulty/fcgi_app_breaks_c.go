package faulty

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// What the mutants of FastCGI 1.0 sections 5.2 to 6.4 do where the clean application calls these methods: the clean one
// does nothing in them, or what their names say.

// fcgiRequestBreaksB is what mutants remember of a request.
type fcgiRequestBreaksB struct {
	before, done chan struct{} // closed when the request before this one, or this one, has ended
	ended        time.Time     // when FCGI_PARAMS did
	records      int           // FCGI_STDIN
	wrote        int           // bytes to FCGI_STDOUT
	errors       int           // bytes to FCGI_STDERR
	buffer       []byte        // what was not sent yet, or is not needed any more
	sending      bool          // of the buffer
}

// misparse mishandles FCGI_PARAMS. It says whether the record is to be ignored.
func (r *fcgiRequest) misparse(content []byte) bool {
	switch {
	case r.paramsEnded && len(content) == 0, len(content) == 1 && r.fault("drops-single-bytes"):
		return true
	case len(content) > 65528 && r.fault("params-to-65528"):
		r.bad = "too large a record"
		return true
	case r.paramBytes == 0 && len(content) > 0 && r.fault("reports-its-start"):
		r.conn.write(appendFCGI(nil, wire.TypeStderr, r.id, []byte("starting\n")))
	}
	return false
}

func (r *fcgiRequest) mostParams() int {
	if r.fault("params-to-100k") {
		return 100_000
	}
	return fcgiMaxParams
}

// sharedPairs is the beginning of a pair of this request, or of any.
func (r *fcgiRequest) sharedPairs() []byte {
	if r.fault("half-pairs-are-shared") {
		return r.conn.pairs
	}
	return r.pairs
}

// parsed is called after each record FCGI_PARAMS.
func (r *fcgiRequest) parsed() {
	r.conn.pairs = r.pairs
	if r.paramsEnded {
		r.echo.vars = r.vars
	}
	switch {
	case len(r.pairs) > 0 && r.fault("pairs-end-with-records"):
		r.conn.nc.Close()
	case len(r.pairs) > 0 && len(r.pairs) < 4 && r.pairs[0] >= 0x80 && r.fault("lengths-end-with-records"):
		r.pairs = nil
	}
}

// addVariables adds variables that are not the request's.
func (r *fcgiRequest) addVariables() {
	if r.fault("remembers-variables") {
		for _, v := range r.conn.vars {
			if _, ok := r.names[v.name]; !ok && strings.HasPrefix(v.name, "HTTP_X_") {
				r.set(v.name, v.value)
			}
		}
		r.conn.vars = slices.Clone(r.vars)
	}
	if r.fault("shows-environment") {
		for _, e := range os.Environ() {
			name, value, _ := strings.Cut(e, "=")
			if _, ok := r.names[name]; !ok {
				r.set(name, value)
			}
		}
	}
	if r.fault("ids-of-all-connections") {
		a := r.conn.app
		a.shared.Lock()
		a.byID = map[uint16][]variable{r.id: r.vars}
		a.shared.Unlock()
	}
}

// mislimit changes how much is read.
func (r *fcgiRequest) mislimit() {
	r.ended = time.Now()
	length, hasLength := r.get("CONTENT_LENGTH"), false
	_, hasLength = r.names["CONTENT_LENGTH"]
	switch {
	case hasLength && length == "" && r.fault("empty-length-is-bad"),
		len(length) > 1 && length[0] == '0' && r.fault("zeros-before-length-are-bad"):
		r.bad = "bad CONTENT_LENGTH"
	case r.role == wire.RoleResponder && !hasLength && r.fault("needs-end-of-stdin-soon"):
		r.conn.nc.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	}
	if body := r.echo.body; body != nil {
		switch {
		case hasLength && r.get("CONTENT_TYPE") == "" && r.fault("needs-content-type"):
			body.limit = 0
		case body.limit > 0 && r.fault("length-has-16-bits"):
			body.limit &= 0xFFFF
		case r.fault("reads-beyond-length"):
			body.limit = -1
		}
	}
	if data := r.echo.data; data != nil {
		switch {
		case r.fault("data-to-64k"):
			data.limit = min(data.limit, 65536)
		case r.fault("reads-beyond-data-length"):
			data.limit = -1
		}
	}
}

// mishear mishandles FCGI_STDIN. It says whether the record is to be ignored.
func (r *fcgiRequest) mishear(content []byte) bool {
	r.records++
	if r.fault("needs-end-of-stdin-soon") {
		r.conn.nc.SetReadDeadline(time.Time{})
	}
	body := r.echo.body
	switch {
	case len(content) == 7 && r.fault("drops-seven-bytes"),
		r.records > 50_000 && len(content) > 0 && r.fault("counts-stdin-records"),
		r.paramsEnded && len(content) > 0 && time.Since(r.ended) > 100*time.Millisecond && r.fault("drops-late-stdin"):
		return true
	case body == nil:
	case len(content) == 0 && body.size < body.limit && r.fault("waits-for-whole-body"):
		return true
	case body.limit > 50<<20 && r.fault("keeps-bodies"):
		r.buffer = append(r.buffer, content...)
	case bytes.IndexByte(content, 0) >= 0 && r.fault("stdin-is-text"):
		body.add(content[:bytes.IndexByte(content, 0)])
		return true
	case body.limit >= 0 && body.size+int64(len(content)) > body.limit && r.fault("excess-is-records"):
		excess := content[body.limit-body.size:]
		body.add(content)
		r.conn.handleAll(slices.Clone(excess))
		return true
	}
	return false
}

// misfile puts FCGI_DATA into the body. It says whether it did.
func (r *fcgiRequest) misfile(content []byte) bool {
	if len(content) == 0 || r.echo.body == nil {
		return false
	}
	if r.role == wire.RoleResponder && r.fault("data-is-stdin") || r.role == wire.RoleFilter &&
		r.fault("data-joins-stdin") {
		r.echo.body.limit = -1
		r.echo.body.add(content)
		return true
	}
	return false
}

// misjudge changes whether a request is ready to be answered, and what it is then.
func (r *fcgiRequest) misjudge(ready *bool) {
	post := r.get("REQUEST_METHOD") == "POST"
	length := r.get("CONTENT_LENGTH")
	switch {
	case len(r.vars) == 0 && r.fault("needs-params"),
		post && r.conn.count() > 0 && r.fault("second-post-unanswered"),
		r.role == wire.RoleAuthorizer && !r.stdinEnded && r.fault("authorizer-waits-for-stdin"),
		r.role == wire.RoleFilter && r.fault("filter-is-silent"),
		length == "0" && r.fault("length-0-waits"),
		post && length == "" && r.fault("needs-length"),
		strings.Trim(length, "0123456789") != "" && r.fault("no-number-is-silent"):
		*ready = false
	case r.role == wire.RoleFilter && r.paramsEnded && r.fault("filter-hurries"):
		*ready = true
	}
	if !*ready {
		return
	}
	if !r.stdinEnded && r.fault("unread-body-closes") {
		r.keep = false
	}
	if data := r.echo.data; data != nil && data.size < data.limit && r.fault("fills-data") {
		data.add(make([]byte, data.limit-data.size))
	}
	if r.fault("ids-of-all-connections") {
		a := r.conn.app
		a.shared.Lock()
		r.echo.vars = a.byID[r.id]
		a.shared.Unlock()
	}
}

// ignoresAbort says whether FCGI_ABORT_REQUEST is ignored.
func (r *fcgiRequest) ignoresAbort() bool {
	switch {
	case r.fault("abort-closes"):
		r.keep = false
	case r.fault("abort-keeps-open"):
		r.keep = true
	case r.fault("aborted-handler-goes-on") && r.paramsEnded && !r.answered:
		r.conn.answers.Go(func() {
			time.Sleep(20 * time.Millisecond)
			r.conn.write(appendFCGI(nil, wire.TypeStdout, r.id, []byte("too late\n")))
		})
	case r.fault("keeps-half-pair"):
		r.conn.half = r.pairs
	case !r.paramsEnded:
		return r.fault("no-abort-in-params")
	case !r.answered:
		return r.fault("no-abort-in-stdin")
	}
	_, sleeps := r.echo.number("sleep")
	_, large := r.echo.number("large")
	return sleeps && r.fault("no-abort-of-handler") || large && r.fault("no-abort-of-output")
}

// answering is called before the answer.
func (r *fcgiRequest) answering() {
	if r.before != nil {
		<-r.before
	}
}

// authorizer changes the response of an Authorizer.
func (r *fcgiRequest) authorizer(response string) string {
	if r.fault("authorizer-has-no-variables") {
		return strings.Replace(response, "Variable-", "X-", 1)
	}
	return response
}

// misreport changes the status of the request.
func (r *fcgiRequest) misreport(status int, err error, stdout io.Writer) int {
	a := r.conn.app
	if len(r.buffer) > 0 && r.fault("sends-output-at-end") {
		r.sending = true
		stdout.Write(r.buffer)
	}
	crashed := errors.Is(err, errCrash)
	a.shared.Lock()
	defer a.shared.Unlock()
	if status != 0 {
		a.status = status
	}
	switch {
	case crashed && r.fault("crash-looks-well"), !crashed && r.fault("no-app-status"):
		return 0
	case crashed && a.exit != nil && r.fault("crash-exits-with-0"):
		a.exit(0)
	case r.fault("status-has-sign"):
		return int(int8(status))
	case r.fault("status-stays"):
		return a.status
	case status == 0 && r.fault("status-is-200"):
		return 200
	}
	return status
}

// misclose changes how the streams and the request end.
func (r *fcgiRequest) misclose(records, end []byte, stderr bool) []byte {
	empty := appendFCGI(nil, wire.TypeStderr, r.id, nil)
	switch {
	case r.fault("no-stdout-end"), r.wrote == 0 && r.fault("no-end-of-empty-stdout"):
		return records[wire.HeaderLen:]
	case r.fault("no-stderr-end"):
		return records[:wire.HeaderLen]
	case !stderr && r.fault("ends-unused-stderr-twice"):
		return slices.Concat(records, empty, empty)
	case r.fault("ends-stdout-twice"):
		return append(records, records...)
	case r.fault("fills-end-request"):
		end[len(end)-1] = 0xFF
	case r.fault("short-end-request") && strings.HasPrefix(r.get("QUERY_STRING"), "&&"):
		end[5], end[6] = 7, 1
	case !r.keep && r.fault("ends-twice"):
		return append(records, end...)
	}
	return records
}

// distort changes what is written. It says whether nothing is to be written.
func (s *fcgiStream) distort(p *[]byte) bool {
	r := s.r
	if s.t == wire.TypeStderr {
		r.errors += len(*p)
		return r.errors > 40<<10 && r.fault("loses-long-stderr")
	}
	r.wrote += len(*p)
	switch {
	case r.fault("sends-status-line") && r.wrote == len(*p):
		*p = append([]byte("HTTP/1.1 200 OK\r\n"), *p...)
	case r.fault("output-is-ascii"):
		*p = bytes.Map(func(c rune) rune { return min(c, 0x7F) }, *p)
	case r.wrote > 4<<20 && r.fault("loses-long-stdout"):
		return true
	case r.fault("sends-output-at-end") && !r.sending:
		r.buffer = append(r.buffer, *p...)
		return true
	}
	return false
}
