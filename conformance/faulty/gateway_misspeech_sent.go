package faulty

import (
	"bytes"
	"strings"

	"github.com/gangway-go/gangway/fastcgi/wire"
	"github.com/gangway-go/gangway/scgi/uwsgi"
)

// posts says whether the request is a POST with a body of so many bytes.
func posts(vars []Var, length string) bool {
	return value(vars, "REQUEST_METHOD") == "POST" && value(vars, "CONTENT_LENGTH") == length
}

// misspeechSent are the faults in what the application gets.
var misspeechSent = []misspeech{
	{
		slug: "body-version-0", does: "It sends records of FCGI_STDIN that are not full with version 0.",
		breaks: "fcgi-client/3.3/records-wellformed",
		sent: func(_ []Var, b []byte) []byte {
			if len(b) > 30000 {
				b[0] = 0
			}
			return b
		},
	},
	{
		slug: "body-id-0", does: "It sends FCGI_STDIN with request id 0 if the body has 3 bytes.",
		breaks: "fcgi-client/3.3/app-records-nonzero-id",
		sent: func(_ []Var, b []byte) []byte {
			if len(b) == wire.HeaderLen+3 {
				b[3] = 0
			}
			return b
		},
	},
	{
		slug: "large-ids", does: "It uses request ids from 4097 on.", breaks: "fcgi-client/3.3/request-id-small",
		head: renumbered, sent: renumbered,
		record: func(_ *fcgiExchange, h *wire.Header, content []byte) []byte {
			h.RequestID -= 0x1000
			return content
		},
	},
	{
		slug: "answers-itself", does: "It sends FCGI_GET_VALUES_RESULT behind the variables of a POST.",
		breaks: "fcgi-client/A/record-direction",
		head: func(vars []Var, head []byte) []byte {
			if posts(vars, "3") {
				head = wire.AppendRecord(head, wire.TypeGetValuesResult, requestID, nil)
			}
			return head
		},
	},
	{
		slug:   "long-begin",
		does:   "It sends FCGI_BEGIN_REQUEST with 16 bytes of content.",
		breaks: "fcgi-client/3.3/begin-body-8",
		head: func(_ []Var, head []byte) []byte {
			long := append(bytes.Clone(head[:16]), 0, 0, 0, 0, 0, 0, 0, 0)
			long[5] = 16
			return append(long, head[16:]...)
		},
	},
	{
		slug:   "fills-begin",
		does:   "It sends FCGI_BEGIN_REQUEST with 0xFF in the last reserved byte if the body has 3 bytes.",
		breaks: "fcgi-client/3.3/sent-reserved-zero",
		head: func(vars []Var, head []byte) []byte {
			if posts(vars, "3") {
				head[15] = 0xFF
			}
			return head
		},
	},
	{
		slug:   "all-flags",
		does:   "It sets a bit of the flags that has no meaning.",
		breaks: "fcgi-client/5.1/unknown-flags-zero",
		head: func(_ []Var, head []byte) []byte {
			head[10] |= 0x80
			return head
		},
	},
	{
		slug: "denies-keeping", does: "It says that the application is to close the connection, and uses it again.",
		breaks: "fcgi-client/5.1/keepconn-flag-matches",
		head: func(_ []Var, head []byte) []byte {
			head[10] = 0
			return head
		},
	},
	{
		slug:   "long-lengths",
		does:   "It encodes all lengths of values in four bytes.",
		breaks: "fcgi-client/3.4/length-encoding-minimal",
		head: func(vars []Var, head []byte) []byte {
			var pairs []byte
			for _, v := range vars {
				pairs = append(pairs, byte(len(v.Name)), 0x80, byte(len(v.Value)>>16), byte(len(v.Value)>>8), byte(len(v.Value)))
				pairs = append(append(pairs, v.Name...), v.Value...)
			}
			head = wire.AppendStream(head[:16:16], wire.TypeParams, requestID, pairs)
			return wire.AppendEnd(head, wire.TypeParams, requestID)
		},
	},
	{
		slug: "names-of-127", does: "It cuts names at 127 bytes.", breaks: "fcgi-client/3.4/long-name",
		vars: func(vars []Var) []Var {
			for i := range vars {
				vars[i].Name = vars[i].Name[:min(len(vars[i].Name), 127)]
			}
			return vars
		},
	},
	{
		slug: "splits-pairs", does: "It fills records of FCGI_PARAMS to 8 192 bytes and divides pairs between them.",
		breaks: "fcgi-client/3.4/no-pair-straddling",
		head: func(vars []Var, head []byte) []byte {
			out := bytes.Clone(head[:16])
			for pairs := paired(vars); len(pairs) > 0; pairs = pairs[min(8192, len(pairs)):] {
				out = wire.AppendRecord(out, wire.TypeParams, requestID, pairs[:min(8192, len(pairs))])
			}
			return wire.AppendEnd(out, wire.TypeParams, requestID)
		},
	},
	{
		slug:   "one-params-record",
		does:   "It sends the first record of FCGI_PARAMS only.",
		breaks: "fcgi-client/5.2/params-over-65535",
		head: func(vars []Var, head []byte) []byte {
			pairs := paired(vars)
			pairs = pairs[:min(len(pairs), wire.MaxContent)]
			head = wire.AppendRecord(head[:16:16], wire.TypeParams, requestID, pairs)
			return wire.AppendEnd(head, wire.TypeParams, requestID)
		},
	},
	{
		slug: "two-ends-of-params", does: "It ends FCGI_PARAMS twice.",
		breaks: "fcgi-client/5.2/params-then-empty",
		head:   func(_ []Var, head []byte) []byte { return wire.AppendEnd(head, wire.TypeParams, requestID) },
	},
	{
		slug:   "params-within-body",
		does:   "It ends FCGI_PARAMS again after a large piece of the body.",
		breaks: "fcgi-client/6.1/params-before-stdin",
		sent: func(_ []Var, b []byte) []byte {
			if len(b) > 30000 {
				b = wire.AppendEnd(b, wire.TypeParams, requestID)
			}
			return b
		},
	},
	{
		slug:   "no-input-for-delete",
		does:   "It sends no FCGI_STDIN with DELETE.",
		breaks: "fcgi-client/5.2/stdin-empty-on-get",
		sent: func(vars []Var, b []byte) []byte {
			if value(vars, "REQUEST_METHOD") == "DELETE" {
				return nil
			}
			return b
		},
	},
	{
		slug: "repeats-variables", does: "It sends a variable again that was made of two fields.",
		breaks: "fcgi-client/5.2/no-duplicate-names scgi-client/3/no-duplicate-names uwsgi-client/packet/no-duplicate-names",
		vars: func(vars []Var) []Var {
			if dup := value(vars, "HTTP_X_DUP"); dup != "" {
				vars = append(vars, Var{"HTTP_X_DUP", dup})
			}
			return vars
		},
	},
	{
		slug: "empty-record-in-body", does: "It sends an empty FCGI_STDIN after each piece of a body of 1 MiB.",
		breaks: "fcgi-client/5.3/stdin-record-max",
		sent: func(vars []Var, b []byte) []byte {
			if posts(vars, "1048576") {
				return wire.AppendEnd(b, wire.TypeStdin, requestID)
			}
			return b
		},
	},
	{
		slug: "line-end-after-body", does: "It sends CR LF after a body of 5 bytes.",
		breaks: "fcgi-client/5.3/stdin-not-more-than-content-length scgi-client/3/body-not-more " +
			"uwsgi-client/packet/body-not-more",
		body: func(vars []Var, b []byte, last bool) []byte {
			if last && posts(vars, "5") {
				return append(b, "\r\n"...)
			}
			return b
		},
	},
	{
		slug: "eight-million-bytes", does: "It sends no more than the first bytes of a body of 10 MiB.",
		breaks: "fcgi-client/6.2/post-10mb scgi-client/3/body-length-exact cgi/4.2/body-10mb",
		body: func(vars []Var, b []byte, last bool) []byte {
			if value(vars, "CONTENT_LENGTH") == "10485760" && len(b) > 32000 {
				return b[:32000]
			}
			return b
		},
	},
	{
		slug:   "odd-end-of-body",
		does:   "It loses the last byte of a body of 100 000 bytes.",
		breaks: "uwsgi-client/packet/body-follows",
		body: func(vars []Var, b []byte, last bool) []byte {
			if posts(vars, "100000") && len(b) > 0 && len(b) < 32<<10 {
				return b[:len(b)-1]
			}
			return b
		},
	},
	{
		slug:   "length-last",
		does:   "It sends CONTENT_LENGTH as the last header.",
		breaks: "scgi-client/3/content-length-first",
		vars:   func(vars []Var) []Var { return append(vars[1:len(vars):len(vars)], vars[0]) },
	},
	{
		slug: "no-length-without-body", does: "It sends no CONTENT_LENGTH without a body.",
		breaks: "scgi-client/3/content-length-always scgi-client/3/content-length-first",
		vars: func(vars []Var) []Var {
			if vars[0] == (Var{"CONTENT_LENGTH", "0"}) {
				return vars[1:]
			}
			return vars
		},
	},
	{
		slug:   "minus-one",
		does:   "It sends CONTENT_LENGTH -1 for a body of 11 bytes, as for one whose length it does not know.",
		breaks: "scgi-client/3/chunked-request uwsgi-client/packet/chunked-request",
		vars: func(vars []Var) []Var {
			if posts(vars, "11") {
				return replaced(vars, "CONTENT_LENGTH", "-1")
			}
			return vars
		},
	},
	{
		slug: "nul-from-query", does: "It decodes a NUL in QUERY_STRING.",
		breaks: "fcgi-client/3.4/no-nul-in-values scgi-client/3/no-nul-in-values",
		vars: func(vars []Var) []Var {
			for i, v := range vars {
				if v.Name == "QUERY_STRING" {
					vars[i].Value = strings.ReplaceAll(v.Value, "%00", "\x00")
				}
			}
			return vars
		},
	},
	{
		slug: "scgi-2", does: "It sends SCGI with the value 2.", breaks: "scgi-client/3/scgi-1",
		vars: func(vars []Var) []Var { return replaced(vars, "SCGI", "2") },
	},
	{
		slug:   "field-sets-scgi",
		does:   "It takes the value of SCGI from the client's field.",
		breaks: "scgi-client/3/scgi-not-from-client",
		vars: func(vars []Var) []Var {
			if value(vars, "HTTP_SCGI") != "" {
				return replaced(vars, "SCGI", value(vars, "HTTP_SCGI"))
			}
			return vars
		},
	},
	{
		slug:   "nameless-headers",
		does:   "It sends a header without name for a field without value.",
		breaks: "scgi-client/3/empty-value",
		vars: func(vars []Var) []Var {
			for i, v := range vars {
				if v.Value == "" && strings.HasPrefix(v.Name, "HTTP_") {
					vars[i].Name = ""
				}
			}
			return vars
		},
	},
	{
		slug: "no-interface", does: "It does not send GATEWAY_INTERFACE.", breaks: "scgi-client/3/cgi-variables",
		vars: func(vars []Var) []Var { return replaced(vars, "GATEWAY_INTERFACE", "") },
	},
	{
		slug: "six-digits", does: "It writes the length of the headers in six digits if there is a body of 3 bytes.",
		breaks: "scgi-client/4/netstring-canonical",
		head: func(vars []Var, head []byte) []byte {
			if posts(vars, "3") && head[0] >= '0' {
				return append([]byte("000"), head...)
			}
			return head
		},
	},
	{
		slug: "headers-of-64k", does: "It cuts headers at 65 536 bytes.", breaks: "scgi-client/4/header-block-100k",
		head: func(_ []Var, head []byte) []byte {
			if len(head) > 1<<16 {
				_, content, _ := bytes.Cut(head, []byte(":"))
				return append(append([]byte("65536:"), content[:1<<16]...), ',')
			}
			return head
		},
	},
	{
		slug: "modifier-5", does: "It sends modifier1 5.", breaks: "uwsgi-client/packet/header",
		head: func(_ []Var, head []byte) []byte {
			if h, err := uwsgi.ParseHeader(head); err == nil && h.Modifier1 == uwsgi.Modifier {
				h.Modifier1 = 5
				copy(head, h.Append(nil))
			}
			return head
		},
	},
	{
		slug:   "values-of-255",
		does:   "It cuts values at 255 bytes if they have less than 512.",
		breaks: "uwsgi-client/packet/vars-encoding",
		vars: func(vars []Var) []Var {
			for i, v := range vars {
				if len(v.Value) > 255 && len(v.Value) < 512 {
					vars[i].Value = v.Value[:255]
				}
			}
			return vars
		},
	},
	{
		slug:   "half-a-block",
		does:   "It sends what fits into 32 767 bytes of variables.",
		breaks: "uwsgi-client/packet/vars-60000",
		vars: func(vars []Var) []Var {
			size := 0
			for i, v := range vars {
				if size += 4 + len(v.Name) + len(v.Value); size > 1<<15-1 && size < 1<<16 {
					return vars[:i]
				}
			}
			return vars
		},
	},
	{
		slug:   "field-names-file",
		does:   "It makes UWSGI_FILE of the field Uwsgi-File.",
		breaks: "uwsgi-client/packet/client-uwsgi-var-spoof",
		vars: func(vars []Var) []Var {
			if file := value(vars, "HTTP_UWSGI_FILE"); file != "" {
				vars = append(vars, Var{"UWSGI_FILE", file})
			}
			return vars
		},
	},
}

// renumbered adds 0x1000 to the request ids of records.
func renumbered(_ []Var, b []byte) []byte {
	for rest := b; len(rest) > 0; {
		rest[2] += 0x10
		_, _, next, err := wire.ParseRecord(rest)
		if err != nil {
			break
		}
		rest = next
	}
	return b
}

// paired encodes variables.
func paired(vars []Var) (pairs []byte) {
	for _, v := range vars {
		pairs = wire.AppendPair(pairs, v.Name, v.Value)
	}
	return pairs
}

// replaced gives a variable another value, and takes it away if that is "".
func replaced(vars []Var, name, text string) (changed []Var) {
	for _, v := range vars {
		if v.Name == name {
			v.Value = text
		}
		if v.Name != name || text != "" {
			changed = append(changed, v)
		}
	}
	return changed
}
