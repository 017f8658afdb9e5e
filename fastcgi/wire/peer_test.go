package wire_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// A foreign application reads what wire writes, and wire reads what it answers, padding included.
func TestNetHTTPFcgi(t *testing.T) {
	vars := map[string]string{
		"EMPTY": "", "ONE_BYTE_LENGTH": strings.Repeat("a", 127), "FOUR_BYTE_LENGTH": strings.Repeat("b", 128),
		"LONGER_THAN_A_RECORD": strings.Repeat("c", 70000), strings.Repeat("N", 300): "long name",
		"BINARY": "\x00\xff\n", "JUST_A_RECORD": strings.Repeat("d", wire.MaxContent-1-4-13),
	}
	body := bytes.Repeat([]byte("0123456789"), 20000)
	answer := exchange(t, func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.True(t, bytes.Equal(body, got))
		assert.Equal(t, vars, fcgi.ProcessEnv(r))
		w.Header().Set("Date", "today")
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write(body)
	}, func() []byte {
		request := wire.AppendRecord(nil, wire.TypeGetValues, wire.NullRequestID, wire.AppendPair(nil, wire.MpxsConns, ""))
		request = wire.BeginRequest{Role: wire.RoleResponder}.Append(request, 1)
		p := wire.BeginParams(request, 1)
		p.Add("REQUEST_METHOD", "POST")
		p.Add("SERVER_PROTOCOL", "HTTP/1.1")
		p.Add("REQUEST_URI", "/")
		for name, value := range vars {
			p.Add(name, value)
		}
		return wire.AppendEnd(wire.AppendStream(p.End(), wire.TypeStdin, 1, body), wire.TypeStdin, 1)
	}())

	all := records(answer)
	require.Empty(t, remainder(answer, all))
	var stdout []byte
	for _, r := range all {
		if r.Type == wire.TypeStdout {
			stdout = append(stdout, r.content...)
		}
	}
	head := "Status: 202 Accepted\r\nContent-Type: text/plain; charset=utf-8\r\nDate: today\r\n\r\n"
	assert.Equal(t, head, string(stdout[:len(head)]))
	assert.True(t, bytes.Equal(body, stdout[len(head):]))
	assert.Equal(t, `FCGI_GET_VALUES_RESULT 0 "\x0f\x01FCGI_MPXS_CONNS1" padding 6`, describe(all[0]))
	assert.Equal(t, `FCGI_STDOUT 1 ""`, describe(all[len(all)-2]))
	assert.Equal(t, "FCGI_END_REQUEST 1 {0, FCGI_REQUEST_COMPLETE}", describe(all[len(all)-1]))
}

// exchange sends request to an application of net/http/fcgi and returns all that it answers on that connection.
func exchange(t *testing.T, app http.HandlerFunc, request []byte) []byte {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- fcgi.Serve(ln, app) }()
	defer func() {
		require.NoError(t, ln.Close())
		require.ErrorIs(t, <-served, net.ErrClosed)
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	go func() { _, _ = conn.Write(request) }()
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	return answer
}
