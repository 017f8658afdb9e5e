package faulty

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// errMisread is why some faults give up.
var errMisread = errors.New("what the application sent is not understood")

// lost makes nothing of a record.
func lost(h *wire.Header) []byte {
	h.Type = 0
	return nil
}

// output makes FCGI_STDOUT of this request of a record.
func output(h *wire.Header, content []byte) []byte {
	h.Type, h.RequestID = wire.TypeStdout, requestID
	return content
}

// gaveUp ends the request at a record.
func gaveUp(x *fcgiExchange, h *wire.Header) []byte {
	x.misread = errMisread
	return lost(h)
}

// misspeechRecords are the faults in how the gateway takes records from the application.
var misspeechRecords = []misspeech{
	{
		slug: "padding-of-errors", does: "It does not skip the padding of FCGI_STDERR.", breaks: "fcgi-client/3.3/padding-every-record",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeStderr {
				x.conn.in = append(bytes.Repeat([]byte("P"), int(h.PaddingLength)), x.conn.in...)
			}
			return content
		},
	},
	{
		slug: "padding-of-ends", does: "It does not skip the padding of an empty FCGI_STDOUT.", breaks: "fcgi-client/3.3/padding-on-empty-stdout",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeStdout && len(content) == 0 {
				x.conn.in = append(bytes.Repeat([]byte("P"), int(h.PaddingLength)), x.conn.in...)
			}
			return content
		},
	},
	{
		slug: "largest-record", does: "It loses the last byte of a record of 65 535 bytes.",
		breaks: "fcgi-client/5.3/stdout-record-65535-padding-255",
		record: func(_ *fcgiExchange, h *wire.Header, content []byte) []byte {
			return content[:min(len(content), wire.MaxContent-1)]
		},
	},
	{
		slug: "reserved-ends", does: "It does not understand FCGI_END_REQUEST with a reserved byte that is not 0.",
		breaks: "fcgi-client/3.3/reserved-nonzero fcgi-client/5.5/end-reserved-nonzero",
		record: func(_ *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeEndRequest && (h.Reserved != 0 || len(content) == 8 && content[7] != 0) {
				return lost(h)
			}
			return content
		},
	},
	{
		slug: "lines-per-record", does: "It ends a line of the header where the first record of a response ends.",
		breaks: "fcgi-client/3.3/header-split-over-records fcgi-client/5.3/stdout-one-byte-records",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeStdout && x.count == 0 && len(content) > 0 {
				x.count++
				if bytes.Count(content, []byte("\n")) < 2 && content[len(content)-1] != '\n' {
					return append(bytes.Clone(content), '\n')
				}
			}
			return content
		},
	},
	{
		slug: "delivers-next-id", does: "It delivers the FCGI_STDOUT of the next request id.", breaks: "fcgi-client/3.3/wrong-request-id",
		record: func(_ *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeStdout && h.RequestID == requestID+1 {
				return output(h, content)
			}
			return content
		},
	},
	{
		slug: "delivers-id-0", does: "It delivers FCGI_STDOUT with request id 0.", breaks: "fcgi-client/3.3/id-zero-stdout",
		record: func(_ *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeStdout && h.RequestID == 0 {
				return output(h, content)
			}
			return content
		},
	},
	{
		slug: "delivers-input", does: "It delivers FCGI_STDIN, FCGI_DATA and FCGI_PARAMS as if they were FCGI_STDOUT.",
		breaks: "fcgi-client/A/input-types-not-output",
		record: func(_ *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeStdin || h.Type == wire.TypeData || h.Type == wire.TypeParams {
				return output(h, content)
			}
			return content
		},
	},
	{
		slug: "delivers-management", does: "It delivers FCGI_GET_VALUES_RESULT and FCGI_UNKNOWN_TYPE within a body as if they were FCGI_STDOUT.",
		breaks: "fcgi-client/4.1/management-during-body",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeStdout {
				x.count++
			}
			if x.count > 0 && (h.Type == wire.TypeGetValuesResult || h.Type == wire.TypeUnknownType) {
				return output(h, content)
			}
			return content
		},
	},
	{
		slug: "delivers-unknown", does: "It delivers records of unknown types as if they were FCGI_STDOUT.",
		breaks: "fcgi-client/3.3/unknown-record-type",
		record: func(_ *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type > wire.TypeUnknownType {
				return output(h, content)
			}
			return content
		},
	},
	{
		slug: "ends-for-others", does: "It takes FCGI_END_REQUEST for the next request id for its own.",
		breaks: "fcgi-client/3.3/end-for-wrong-id",
		record: func(_ *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeEndRequest && h.RequestID == requestID+1 {
				h.RequestID = requestID
			}
			return content
		},
	},
	{
		slug: "begin-is-end", does: "It takes FCGI_BEGIN_REQUEST for the end of the request.", breaks: "fcgi-client/3.3/wrong-direction-begin",
		record: func(_ *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeBeginRequest {
				h.Type = wire.TypeEndRequest
				return make([]byte, 8)
			}
			return content
		},
	},
	{
		slug: "no-values", does: "It gives up at FCGI_GET_VALUES_RESULT.", breaks: "fcgi-client/4.1/unsolicited-get-values-result",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeGetValuesResult {
				return gaveUp(x, h)
			}
			return content
		},
	},
	{
		slug: "no-unknown-type", does: "It gives up at FCGI_UNKNOWN_TYPE.", breaks: "fcgi-client/4.2/unknown-type-reply",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeUnknownType {
				return gaveUp(x, h)
			}
			return content
		},
	},
	{
		slug: "delivers-errors", does: "It delivers FCGI_STDERR.",
		breaks: "fcgi-client/6.1/stderr-to-log fcgi-client/6.1/stdout-stderr-interleaved fcgi-client/6.1/stderr-between-headers " +
			"fcgi-client/6.1/stderr-300k-before-stdout",
		record: func(_ *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeStderr && len(content) > 0 {
				return output(h, content)
			}
			return content
		},
	},
	{
		slug: "errors-break-headers", does: "It gives up if FCGI_STDERR comes within the header of a response.",
		breaks: "fcgi-client/6.1/stderr-between-headers",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			switch h.Type {
			case wire.TypeStdout:
				x.count += bytes.Count(content, []byte("\n"))
				x.begun = true
			case wire.TypeStderr:
				if x.begun && x.count < 2 {
					return gaveUp(x, h)
				}
			}
			return content
		},
	},
	{
		slug: "errors-eat-output", does: "It loses the FCGI_STDOUT that follows FCGI_STDERR of 2 bytes.",
		breaks: "fcgi-client/6.1/stdout-stderr-interleaved",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			eats := x.begun && h.Type == wire.TypeStdout
			x.begun = h.Type == wire.TypeStderr && len(content) == 2
			if eats {
				return lost(h)
			}
			return content
		},
	},
	{
		slug: "empty-error-is-end", does: "It takes an empty FCGI_STDERR for the end of the request.",
		breaks: "fcgi-client/6.1/stderr-empty-first",
		record: func(_ *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeStderr && len(content) == 0 {
				h.Type = wire.TypeEndRequest
				return make([]byte, 8)
			}
			return content
		},
	},
	{
		slug: "no-late-errors", does: "It gives up if FCGI_STDERR comes after the end of FCGI_STDOUT.",
		breaks: "fcgi-client/6.1/stderr-after-stdout-eos",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeStderr && x.stdout {
				return gaveUp(x, h)
			}
			return content
		},
	},
	{
		slug: "few-errors", does: "It gives up after 100 000 bytes of FCGI_STDERR.", breaks: "fcgi-client/6.1/stderr-300k-before-stdout",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeStderr {
				if x.count += len(content); x.count > 100000 {
					return gaveUp(x, h)
				}
			}
			return content
		},
	},
	{
		slug: "ten-million-bytes", does: "It ends responses at 10 000 000 bytes.", breaks: "fcgi-client/6.2/response-10mb",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			if x.count += len(content); x.count > 10_000_000 && h.Type == wire.TypeStdout {
				return lost(h)
			}
			return content
		},
	},
	{
		slug: "end-must-follow", does: "It gives up if FCGI_END_REQUEST does not come with the empty FCGI_STDOUT.",
		breaks: "fcgi-client/5.5/end-waits",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeStdout && len(content) == 0 && len(x.conn.in) == 0 {
				return gaveUp(x, h)
			}
			return content
		},
	},
	{
		slug: "output-must-end", does: "It gives up if FCGI_END_REQUEST comes without an empty FCGI_STDOUT.",
		breaks: "fcgi-client/5.5/end-without-stdout-eos",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeEndRequest && !x.stdout && h.RequestID == requestID {
				return gaveUp(x, h)
			}
			return content
		},
	},
	{
		slug: "status-must-be-0", does: "It gives up if appStatus is a positive number.", breaks: "fcgi-client/5.5/appstatus-nonzero",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			if end, err := wire.ParseEndRequest(content); err == nil && h.Type == wire.TypeEndRequest && int32(end.AppStatus) > 0 {
				return gaveUp(x, h)
			}
			return content
		},
	},
	{
		slug: "status-has-a-sign", does: "It gives up if appStatus is a negative number.", breaks: "fcgi-client/5.5/appstatus-all-ones",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			if end, err := wire.ParseEndRequest(content); err == nil && h.Type == wire.TypeEndRequest && int32(end.AppStatus) < 0 {
				return gaveUp(x, h)
			}
			return content
		},
	},
	{
		slug: "ends-of-8-bytes", does: "It does not understand FCGI_END_REQUEST that has not 8 bytes, and waits.",
		breaks: "fcgi-client/5.5/short-end-body fcgi-client/5.5/long-end-body",
		record: func(_ *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeEndRequest && len(content) != 8 {
				return lost(h)
			}
			return content
		},
	},
}

// misspeechEnds are the faults in how the gateway takes the end of a request.
var misspeechEnds = []misspeech{
	{
		slug: "close-is-end", does: "It takes the end of the connection for the end of the response.",
		breaks: "fcgi-client/5.5/close-without-end-visible fcgi-client/5.5/close-without-end-http10 fcgi-client/5.5/close-without-end-h2",
		end: func(x *fcgiExchange, err error) error {
			if errors.Is(err, io.ErrUnexpectedEOF) && len(x.conn.in) == 0 && x.heard.Load() {
				return io.EOF
			}
			return err
		},
	},
	{
		slug: "cut-record-is-end", does: "It takes a record that is cut for the end of the response.",
		breaks: "fcgi-client/3.3/record-cut-in-header fcgi-client/3.3/record-cut-in-content fcgi-client/3.3/record-cut-in-padding",
		end: func(x *fcgiExchange, err error) error {
			if errors.Is(err, io.ErrUnexpectedEOF) && len(x.conn.in) > 0 {
				return io.EOF
			}
			return err
		},
	},
	{
		slug: "reset-is-end", does: "It takes a connection that is broken for the end of the response.", breaks: "fcgi-client/5.5/reset-mid-body",
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
		slug: "header-in-one-read", does: "It gives up if the first byte of a response comes alone.",
		breaks: "scgi-client/2/one-byte-segments uwsgi-client/packet/response-one-byte-segments",
		heard: func(x *streamExchange, _ []byte, n int, err error) (int, error) {
			if x.total == 0 && n == 1 {
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
		slug: "keeps-scgi-connections", does: "It keeps the connection of a request for /again, and waits there for the next response.",
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
