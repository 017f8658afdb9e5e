package faulty

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// misspeechEnds are the faults in how the gateway takes the end of a request.
var misspeechEnds = []misspeech{
	{
		slug: "close-is-end", does: "It takes the end of the connection for the end of the response.",
		breaks: "fcgi-client/5.5/close-without-end-visible fcgi-client/5.5/close-without-end-http10 " +
			"fcgi-client/5.5/close-without-end-h2",
		end: func(x *fcgiExchange, err error) error {
			if errors.Is(err, io.ErrUnexpectedEOF) && len(x.conn.in) == 0 && x.heard.Load() {
				return io.EOF
			}
			return err
		},
	},
	{
		slug: "cut-record-is-end", does: "It takes a record that is cut for the end of the response.",
		breaks: "fcgi-client/3.3/record-cut-in-header fcgi-client/3.3/record-cut-in-content " +
			"fcgi-client/3.3/record-cut-in-padding",
		end: func(x *fcgiExchange, err error) error {
			if errors.Is(err, io.ErrUnexpectedEOF) && len(x.conn.in) > 0 {
				return io.EOF
			}
			return err
		},
	},
	{
		slug:   "reset-is-end",
		does:   "It takes a connection that is broken for the end of the response.",
		breaks: "fcgi-client/5.5/reset-mid-body",
		end: func(x *fcgiExchange, err error) error {
			if errors.Is(err, syscall.ECONNRESET) && x.heard.Load() {
				return io.EOF
			}
			return err
		},
	},
	{
		slug: "completes-headers", does: "It completes a header that is cut.", breaks: "fcgi-client/5.5/close-mid-headers",
		end: func(x *fcgiExchange, err error) error {
			if errors.Is(err, io.ErrUnexpectedEOF) && x.heard.Load() {
				x.out = append(x.out, "\r\n\r\n"...)
				return io.EOF
			}
			return err
		},
	},
	{
		slug: "nothing-is-a-page", does: "It makes an empty page of a connection that is closed without a response.",
		breaks: "fcgi-client/5.5/close-immediately",
		end: func(x *fcgiExchange, err error) error {
			if errors.Is(err, io.ErrUnexpectedEOF) && !x.heard.Load() {
				return emptyPage(x)
			}
			return err
		},
	},
	{
		slug: "silence-is-end", does: "It takes an application that falls silent for one that is done.",
		breaks: "fcgi-client/5.5/read-timeout-mid-body",
		end: func(x *fcgiExchange, err error) error {
			if errors.Is(err, os.ErrDeadlineExceeded) && x.heard.Load() {
				return io.EOF
			}
			return err
		},
	},
	{
		slug: "rejection-is-a-page", does: "It makes an empty page of a request that the application rejects.",
		breaks: "fcgi-client/5.5/overloaded-503 fcgi-client/5.5/overloaded-not-success fcgi-client/5.5/cant-mpx " +
			"fcgi-client/5.5/unknown-role fcgi-client/5.5/unknown-protocol-status",
		end: func(x *fcgiExchange, err error) error {
			var refused *Refusal
			if errors.As(err, &refused) && !x.begun {
				return emptyPage(x)
			}
			return err
		},
		record: noteOutput,
	},
	{
		slug: "late-rejection-is-end", does: "It takes a rejection after output for a normal end.",
		breaks: "fcgi-client/5.5/overloaded-after-output",
		end: func(x *fcgiExchange, err error) error {
			var refused *Refusal
			if errors.As(err, &refused) && x.begun {
				return io.EOF
			}
			return err
		},
		record: noteOutput,
	},
	{
		slug: "errors-are-a-page", does: "It makes an empty page of a response that consists of FCGI_STDERR.",
		breaks: "fcgi-client/6.1/stderr-only-then-end",
		end: func(x *fcgiExchange, err error) error {
			if errors.Is(err, io.EOF) && !x.begun && x.count > 0 {
				return emptyPage(x)
			}
			return err
		},
		record: noteOutput,
	},
}

// noteOutput notes in an exchange whether there was output, and how much there was on the error stream.
func noteOutput(x *fcgiExchange, h *wire.Header, content []byte) []byte {
	switch h.Type {
	case wire.TypeStdout:
		x.begun = x.begun || len(content) > 0
	case wire.TypeStderr:
		x.count += len(content)
	}
	return content
}

// emptyPage is a response without body.
func emptyPage(x *fcgiExchange) error {
	x.out = []byte("Content-Type: text/plain\r\n\r\n")
	return io.EOF
}

// misspeechStreams are the faults in how the gateway takes responses over SCGI and uwsgi.
var misspeechStreams = []misspeech{
	{
		slug: "reset-is-close", does: "It takes a connection that is broken for one that is closed.",
		breaks: "scgi-client/2/reset-mid-body uwsgi-client/packet/response-reset",
		heard: func(_ *streamExchange, _ []byte, n int, err error) (int, error) {
			if errors.Is(err, syscall.ECONNRESET) {
				err = io.EOF
			}
			return n, err
		},
	},
	{
		slug: "silent-close-is-a-page", does: "It makes an empty page of no response.",
		breaks: "scgi-client/2/no-response uwsgi-client/packet/response-none",
		heard: func(x *streamExchange, p []byte, n int, err error) (int, error) {
			if x.total == 0 && errors.Is(err, io.EOF) {
				n, err = copy(p, "Content-Type: text/plain\r\n\r\n"), nil
			}
			return n, err
		},
	},
	{
		slug: "sixteen-kilobytes", does: "It ends a response without Content-Length after about 16 KB.",
		breaks: "scgi-client/2/close-delimited-no-length",
		heard: func(x *streamExchange, p []byte, n int, err error) (int, error) {
			x.sized = x.sized || strings.Contains(string(p[:n]), "Content-Length")
			if x.total > 16<<10 && !x.sized {
				return 0, io.EOF
			}
			return n, err
		},
	},
	{
		slug: "header-in-one-read", does: "It gives up if a response begins with a few bytes that come alone.",
		breaks: "scgi-client/2/one-byte-segments uwsgi-client/packet/response-one-byte-segments",
		heard: func(x *streamExchange, _ []byte, n int, err error) (int, error) {
			if x.total == 0 && n < 16 {
				return 0, errMisread
			}
			return n, err
		},
	},
	{
		slug: "unread-is-lost", does: "It gives up if the application does not read the body.",
		breaks: "scgi-client/2/early-response-unread-body uwsgi-client/packet/response-early",
		heard: func(x *streamExchange, _ []byte, n int, err error) (int, error) {
			<-x.sent
			if x.failed.Load() {
				return 0, errMisread
			}
			return n, err
		},
	},
	{
		slug: "status-line-is-200", does: "It takes an HTTP status line for one with status 200.",
		breaks: "uwsgi-client/packet/response-http-status-line",
		first: func(b []byte) []byte {
			if line, rest, ok := strings.Cut(string(b), "\n"); ok && strings.HasPrefix(line, "HTTP/1.") {
				return []byte("Status: 200 OK\n" + rest)
			}
			return b
		},
	},
	{
		slug: "redirects-are-302", does: "It sends local redirects to the client.", breaks: "scgi-client/2/local-redirect",
		first: func(b []byte) []byte {
			if strings.HasPrefix(string(b), "Location: /") {
				return append([]byte("Status: 302 Found\n"), b...)
			}
			return b
		},
	},
	{
		slug: "no-cgi-status", does: "It does not know the field Status.", breaks: "uwsgi-client/packet/response-cgi-status",
		first: func(b []byte) []byte {
			if strings.HasPrefix(string(b), "Status:") {
				return append([]byte("X-"), b...)
			}
			return b
		},
	},
	{
		slug: "fills-responses-up", does: "It fills a response up to a Content-Length of 100.",
		breaks: "scgi-client/2/close-without-body uwsgi-client/packet/response-truncated",
		heard: func(x *streamExchange, p []byte, n int, err error) (int, error) {
			x.sized = x.sized || strings.Contains(string(p[:n]), "Content-Length: 100\r\n")
			if x.sized && errors.Is(err, io.EOF) {
				x.sized = false
				return copy(p, strings.Repeat(" ", 100)), nil
			}
			return n, err
		},
	},
	{
		slug:   "keeps-scgi-connections",
		does:   "It keeps the connection of a request for /again, and waits there for the next response.",
		breaks: "scgi-client/2/one-request-per-connection",
		heard: func(x *streamExchange, _ []byte, n int, err error) (int, error) {
			if value(x.vars, "PATH_INFO") == "/again" && x.dialer.again.Add(1) > 3 {
				return 0, errMisread
			}
			return n, err
		},
	},
}

// misheard does to what is read from the application what the fault of this gateway wants.
func (x *streamExchange) misheard(p []byte, n int, err error) (int, error) {
	mis := x.dialer.mis
	if x.total == 0 && n > 0 && mis.first != nil {
		n = copy(p, mis.first(append([]byte(nil), p[:n]...)))
	}
	if mis.heard != nil {
		n, err = mis.heard(x, p, n, err)
	}
	x.total += n
	return n, err
}

// missent notes how the sending of the body ended.
func (x *streamExchange) missent(err error) {
	x.failed.Store(err != nil)
	if err == nil && x.dialer.fault.is("half-closes") && value(x.vars, "CONTENT_LENGTH") == "3" {
		x.Conn.(interface{ CloseWrite() error }).CloseWrite()
	}
}
