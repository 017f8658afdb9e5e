package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// records are FCGI_BEGIN_REQUEST, FCGI_PARAMS in two pieces that divide a pair, their end, FCGI_STDOUT with padding,
// FCGI_END_REQUEST and a record of no known type.
const records = "\x01\x01\x00\x01\x00\x08\x00\x00\x00\x02\x01\x00\x00\x00\x00\x00" +
	"\x01\x04\x00\x01\x00\x04\x00\x00\x01\x02Ab" +
	"\x01\x04\x00\x01\x00\x01\x00\x00c" +
	"\x01\x04\x00\x01\x00\x00\x00\x00" +
	"\x01\x06\x00\x01\x00\x02\x01\x00hi\x00" +
	"\x01\x03\x00\x01\x00\x08\x00\x00\x00\x00\x00\x07\x02\x00\x00\x00" +
	"\x01\x63\x00\x00\x00\x00\x00\x00"

const traceOfRecords = `> FCGI_BEGIN_REQUEST id=1 role=FCGI_AUTHORIZER flags=1
> FCGI_PARAMS id=1 4 bytes
> FCGI_PARAMS id=1 1 bytes
> FCGI_PARAMS id=1 0 bytes
>   A=bc
> FCGI_STDOUT id=1 2 bytes
> FCGI_END_REQUEST id=1 appStatus=7 protocolStatus=FCGI_OVERLOADED
> 99 id=0 0 bytes
`

func TestTracer(t *testing.T) {
	for size := 1; size <= len(records); size++ {
		var text bytes.Buffer
		tr := tracer{mark: ">"}
		for rest := records; rest != ""; {
			n := min(size, len(rest))
			tr.trace(&text, []byte(rest[:n]))
			rest = rest[n:]
		}
		assert.Equal(t, traceOfRecords, text.String(), "pieces of %d bytes", size)
	}
}

func TestTracerOfPieces(t *testing.T) {
	var text bytes.Buffer
	tr := tracer{mark: "<"}
	tr.trace(&text, []byte("HTTP/1.1 400 Bad Request\r\n"))
	tr.trace(&text, []byte(strings.Repeat("x", 2000)))
	assert.Equal(t, "< not FastCGI\n< 26 bytes: \"HTTP/1.1 400 Bad Request\\r\\n\"\n< 2000 bytes: \""+
		strings.Repeat("x", maxPiece)+"\"\n", text.String())
}

func FuzzTracer(f *testing.F) {
	f.Add([]byte(records), 7)
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\n"), 3)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		var whole, pieces bytes.Buffer
		(&tracer{mark: ">"}).trace(&whole, b)
		if n = max(n, 0); n < len(b) {
			tr := tracer{mark: ">"}
			tr.trace(&pieces, b[:n])
			tr.trace(&pieces, b[n:])
			if !strings.Contains(whole.String(), "bytes: ") {
				assert.Equal(t, whole.String(), pieces.String())
			}
		}
	})
}
