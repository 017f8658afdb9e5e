package faulty

import (
	"bytes"
	"errors"

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
		slug:   "padding-of-errors",
		does:   "It does not skip the padding of FCGI_STDERR.",
		breaks: "fcgi-client/3.3/padding-every-record",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeStderr {
				x.conn.in = append(bytes.Repeat([]byte("P"), int(h.PaddingLength)), x.conn.in...)
			}
			return content
		},
	},
	{
		slug:   "padding-of-ends",
		does:   "It does not skip the padding of an empty FCGI_STDOUT.",
		breaks: "fcgi-client/3.3/padding-on-empty-stdout",
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
		slug:   "delivers-next-id",
		does:   "It delivers the FCGI_STDOUT of the next request id.",
		breaks: "fcgi-client/3.3/wrong-request-id",
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
		slug:   "delivers-management",
		does:   "It delivers FCGI_GET_VALUES_RESULT and FCGI_UNKNOWN_TYPE within a body as if they were FCGI_STDOUT.",
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
		slug:   "begin-is-end",
		does:   "It takes FCGI_BEGIN_REQUEST for the end of the request.",
		breaks: "fcgi-client/3.3/wrong-direction-begin",
		record: func(_ *fcgiExchange, h *wire.Header, content []byte) []byte {
			if h.Type == wire.TypeBeginRequest {
				h.Type = wire.TypeEndRequest
				return make([]byte, 8)
			}
			return content
		},
	},
	{
		slug:   "no-values",
		does:   "It gives up at FCGI_GET_VALUES_RESULT.",
		breaks: "fcgi-client/4.1/unsolicited-get-values-result",
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
		breaks: "fcgi-client/6.1/stderr-to-log fcgi-client/6.1/stdout-stderr-interleaved " +
			"fcgi-client/6.1/stderr-between-headers " +
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
		slug:   "few-errors",
		does:   "It gives up after 100 000 bytes of FCGI_STDERR.",
		breaks: "fcgi-client/6.1/stderr-300k-before-stdout",
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
		slug:   "status-must-be-0",
		does:   "It gives up if appStatus is a positive number.",
		breaks: "fcgi-client/5.5/appstatus-nonzero",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			if end, err := wire.ParseEndRequest(content); err == nil &&
				h.Type == wire.TypeEndRequest && int32(end.AppStatus) > 0 {
				return gaveUp(x, h)
			}
			return content
		},
	},
	{
		slug:   "status-has-a-sign",
		does:   "It gives up if appStatus is a negative number.",
		breaks: "fcgi-client/5.5/appstatus-all-ones",
		record: func(x *fcgiExchange, h *wire.Header, content []byte) []byte {
			if end, err := wire.ParseEndRequest(content); err == nil &&
				h.Type == wire.TypeEndRequest && int32(end.AppStatus) < 0 {
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
