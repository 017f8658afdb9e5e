package middleware

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// AccessLog writes one line to w for each request when its response body is closed, or its error is known: the combined
// format of Apache and nginx, and what a gateway has to add.
//
//	192.0.2.7 - bob [22/Nov/2026:05:14:00 +0000] "GET /a?b HTTP/1.1" 200 512 "https://example.org/" "curl/8.5.0"
//	id=0f3a-1 time=0.001874 backend="unix:/run/php.sock" attempts=1 end=complete
//
// (which is one line). The status is what the client got: for an error [adapters.StatusOf] it, 499 if the client had
// gone; then the size is "-". time is in seconds, backend and attempts are the [adapters.Trace]'s. The last field says
// how the response ended: complete, truncated by the application, aborted by the client or the end of gangway, or
// error. The user is the one who was authenticated, here or by the web server before.
//
// Quotes, backslashes, control bytes and bytes beyond ASCII are written as \xHH, as nginx does, and so are blanks
// outside of quotes: a client cannot forge a line or a field. Each line is one Write; there is only one at a time. When
// writing fails, that is logged once, until it succeeds again.
func AccessLog(w io.Writer) adapters.Middleware {
	l := &accessLog{w: w}
	return func(next adapters.Handler) adapters.Handler {
		return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
			return l.serve(ctx, req, next)
		})
	}
}

type accessLog struct {
	mu      sync.Mutex
	w       io.Writer
	line    []byte
	failing bool
}

func (l *accessLog) serve(ctx context.Context, req *adapters.Request, next adapters.Handler) (
	*adapters.Response, error,
) {
	v := &visit{log: l, ctx: ctx, req: *req, start: time.Now()}
	if v.req.Trace == nil {
		v.req.Trace = &v.trace
	}
	resp, err := next.Serve(ctx, &v.req)
	if err != nil {
		v.status, v.size, v.ending = adapters.StatusOf(err), -1, "error"
		if v.status == adapters.StatusClientGone {
			v.ending = "aborted"
		}
		l.write(v)
		return nil, err
	}
	v.status, v.length = resp.Status, resp.Header.Get("Content-Length")
	resp.Body = adapters.OnEnd(resp.Body, v.end)
	return resp, nil
}

// A visit is one request to be logged.
type visit struct {
	log    *accessLog
	ctx    context.Context
	req    adapters.Request
	trace  adapters.Trace
	start  time.Time
	status int
	length string
	size   int64 // -1 if unknown
	ending string
}

func (v *visit) end(n int64, err error) {
	switch {
	case v.status == http.StatusSwitchingProtocols:
		v.size, v.ending = n, "complete" // somebody has to close it
	case !adapters.BodyAllowed(v.req.Method, v.status):
		v.size, v.ending = 0, "complete" // what was read was not sent
	default:
		v.size, v.ending = n, v.endOf(n, err)
	}
	v.log.write(v)
}

func (v *visit) endOf(n int64, err error) string {
	switch {
	case err == io.EOF && (v.length == "" || v.length == strconv.FormatInt(n, 10)):
		return "complete"
	case err == io.EOF:
		return "truncated"
	case err != nil && v.ctx.Err() == nil && applicationFault(err):
		return "truncated"
	}
	return "aborted"
}

// applicationFault reports whether the error of a body is the application's and not that of writing to the client.
func applicationFault(err error) bool {
	for _, fault := range []error{adapters.ErrTruncated, adapters.ErrBadResponse, adapters.ErrTimeout, adapters.ErrBusy} {
		if errors.Is(err, fault) {
			return true
		}
	}
	return false
}

func (l *accessLog) write(v *visit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line = v.appendLine(l.line[:0])
	_, err := l.w.Write(l.line)
	if err != nil && !l.failing {
		slog.Error("access log cannot be written", "error", err)
	}
	l.failing = err != nil
	if cap(l.line) > maxKeptLine {
		l.line = nil
	}
}

// maxKeptLine is the size up to which the buffer for lines is kept.
const maxKeptLine = 64 << 10

func (v *visit) appendLine(b []byte) []byte {
	r := &v.req
	b = append(appendBare(b, r.Remote.Addr), " - "...)
	b = appendBare(b, cmp.Or(r.Trace.User(), r.User))
	b = append(v.start.AppendFormat(append(b, " ["...), "02/Jan/2006:15:04:05 -0700"), `] "`...)
	b = append(appendEscaped(b, r.Method), ' ')
	b = append(appendEscaped(b, r.URI), ' ')
	b = append(appendEscaped(b, r.Proto), `" `...)
	b = append(strconv.AppendInt(b, int64(v.status), 10), ' ')
	if v.size < 0 {
		b = append(b, '-')
	} else {
		b = strconv.AppendInt(b, v.size, 10)
	}
	b = appendQuoted(append(b, ' '), r.Header.Get("Referer"))
	b = appendQuoted(append(b, ' '), r.Header.Get("User-Agent"))
	return v.appendGateway(b)
}

// appendGateway appends the fields that the combined format does not have.
func (v *visit) appendGateway(b []byte) []byte {
	backend, attempts := v.req.Trace.Backend()
	b = appendBare(append(b, " id="...), v.req.ID)
	b = appendSeconds(append(b, " time="...), time.Since(v.start))
	b = appendQuoted(append(b, " backend="...), backend)
	b = strconv.AppendInt(append(b, " attempts="...), int64(attempts), 10)
	b = append(append(b, " end="...), v.ending...)
	return append(b, '\n')
}

// appendSeconds appends d in seconds with six decimals.
func appendSeconds(b []byte, d time.Duration) []byte {
	us := d.Microseconds()
	b = append(strconv.AppendInt(b, us/1e6, 10), '.')
	for unit := int64(1e5); unit > 0; unit /= 10 {
		b = append(b, byte('0'+us/unit%10))
	}
	return b
}

// appendBare appends a field that stands without quotes.
func appendBare(b []byte, s string) []byte {
	if s == "" {
		return append(b, '-')
	}
	return appendBytes(b, s, ' ')
}

func appendQuoted(b []byte, s string) []byte {
	if s == "" {
		return append(b, `"-"`...)
	}
	return append(appendEscaped(append(b, '"'), s), '"')
}

func appendEscaped(b []byte, s string) []byte { return appendBytes(b, s, ' '-1) }

// appendBytes appends s and escapes what nginx escapes, and everything up to the byte last.
func appendBytes(b []byte, s string, last byte) []byte {
	const digits = "0123456789ABCDEF"
	done := 0
	for i := range len(s) {
		c := s[i]
		if c > last && c < 0x7f && c != '"' && c != '\\' {
			continue
		}
		b = append(append(b, s[done:i]...), '\\', 'x', digits[c>>4], digits[c&15])
		done = i + 1
	}
	return append(b, s[done:]...)
}
