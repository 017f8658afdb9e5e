package faulty

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// said is an application that answers with text and keeps what it was asked.
type said struct {
	text string
	vars chan []Var
	body chan string
}

func (s *said) RoundTrip(_ context.Context, vars []Var, body io.Reader) (io.ReadCloser, error) {
	content, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	s.vars <- vars
	s.body <- string(content)
	return io.NopCloser(strings.NewReader(s.text)), nil
}

func (s *said) Close() {}

// startGateway starts a clean gateway before an application that answers with text.
func startGateway(t *testing.T, text string) (*said, string) {
	app := &said{text: text, vars: make(chan []Var, 100), body: make(chan string, 100)}
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "static.txt"), []byte("static\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(root, "a.php"), nil, 0o644))
	g := &Gateway{App: "fcgi://127.0.0.1:1", Root: root}
	require.NoError(t, g.open())
	g.backend = app
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go g.Serve(ln)
	t.Cleanup(g.Close)
	return app, ln.Addr().String()
}

// ask sends text and returns all that comes before the gateway closes, or is silent for a moment.
func ask(t *testing.T, address, text string) string {
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	conn.SetReadDeadline(time.Now().Add(patience + 300*time.Millisecond))
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

func TestGatewayRequest(t *testing.T) {
	const h = "Host: h\r\n"
	for _, test := range []struct {
		name, request string
		status        string
		vars, body    string // some of them, as NAME=VALUE separated by spaces
	}{
		{"plain", "GET /app/x?q HTTP/1.1\r\n" + h + "\r\n", "200", "SCRIPT_NAME=/app PATH_INFO=/x QUERY_STRING=q", ""},
		{"absolute", "GET http://a:1/app HTTP/1.1\r\n" + h + "\r\n", "200", "SERVER_NAME=a REQUEST_URI=/app", ""},
		{"1.0", "GET /app HTTP/1.0\r\n\r\n", "200", "SERVER_NAME=127.0.0.1 SERVER_PROTOCOL=HTTP/1.0", ""},
		{"no host", "GET /app HTTP/1.1\r\n\r\n", "400", "", ""},
		{"two hosts", "GET /app HTTP/1.1\r\n" + h + h + "\r\n", "400", "", ""},
		{"asterisk", "OPTIONS * HTTP/1.1\r\n" + h + "\r\n", "501", "", ""},
		{"bare LF", "GET /app HTTP/1.1\n" + h + "\r\n", "400", "", ""},
		{"folded", "GET /app HTTP/1.1\r\n" + h + "X: a\r\n b\r\n\r\n", "400", "", ""},
		{"two lengths", "POST /app HTTP/1.1\r\n" + h + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", "400", "", ""},
		{"chunked", "POST /app HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: 1\r\n\r\n", "200",
			"CONTENT_LENGTH=3", "abc"},
		{"length", "POST /app HTTP/1.1\r\n" + h + "Content-Length: 03\r\n\r\nabc", "200", "CONTENT_LENGTH=3", "abc"},
		{"php", "GET /a.php/b HTTP/1.1\r\n" + h + "\r\n", "200", "SCRIPT_NAME=/a.php PATH_INFO=/b", ""},
		{"not there", "GET /b.php HTTP/1.1\r\n" + h + "\r\n", "404", "", ""},
		{"auth", "GET /auth HTTP/1.1\r\n" + h + "\r\n", "401", "", ""},
		{"dots", "GET /x/%2e%2e/app/%61 HTTP/1.1\r\n" + h + "\r\n", "200", "SCRIPT_NAME=/app PATH_INFO=/a", ""},
		{"above", "GET /app/../../x HTTP/1.1\r\n" + h + "\r\n", "400", "", ""},
		{"expect", "POST /app HTTP/1.1\r\n" + h + "Expect: 100-continue\r\nContent-Length: 1\r\n\r\na", "100", "", "a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			app, address := startGateway(t, "Content-Type: text/plain\n\nhello")
			answer := ask(t, address, test.request)
			require.Regexp(t, "^HTTP/1.1 "+test.status+" ", answer)
			if test.status != "200" && test.status != "100" {
				assert.Empty(t, app.vars)
				return
			}
			vars := <-app.vars
			for want := range strings.FieldsSeq(test.vars) {
				name, value, _ := strings.Cut(want, "=")
				assert.Contains(t, vars, Var{name, value})
			}
			assert.Equal(t, test.body, <-app.body)
			assert.Contains(t, answer, "hello")
		})
	}
}

func TestGatewayResponse(t *testing.T) {
	for _, test := range []struct{ name, text, status, has string }{
		{"document", "Content-Type: a/b\n\nbody", "200", "4\r\nbody\r\n0\r\n\r\n"},
		{"status", "Status: 404 Nope\r\nContent-Type: a/b\r\n\r\n", "404 Nope", "a/b"},
		{"local", "Location: /static.txt\n\n", "200", "static\n"},
		{"loop", "Location: /app\n\n", "500", ""},
		{"client", "Location: http://e/x#f\n\n", "302", "Location: http://e/x#f\r\n"},
		{"early hints", "Status: 103\nLink: x\n\nContent-Type: a/b\n\nbody", "103", "HTTP/1.1 200 OK\r\n"},
		{"nothing", "", "502", ""},
		{"no end", "Content-Type: a/b\n", "502", ""},
		{"status 1000", "Status: 1000\n\n", "502", ""},
		{"length", "Content-Type: a/b\nContent-Length: 2\n\nbody", "200", "\r\n\r\nbo"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, address := startGateway(t, test.text)
			answer := ask(t, address, "GET /app HTTP/1.1\r\nHost: h\r\n\r\n")
			require.Regexp(t, "^HTTP/1.1 "+test.status, answer)
			assert.Contains(t, answer, test.has)
		})
	}
}

// TestGatewayPrefixes: no request that is cut off reaches the application, and all end cleanly.
func TestGatewayPrefixes(t *testing.T) {
	app, address := startGateway(t, "Content-Type: a/b\n\nbody")
	for _, request := range []string{
		"POST /app HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
		"POST /app HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	} {
		for n := range len(request) {
			conn, err := net.Dial("tcp", address)
			require.NoError(t, err)
			_, err = io.WriteString(conn, request[:n])
			require.NoError(t, err)
			require.NoError(t, conn.(*net.TCPConn).CloseWrite())
			conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			answer, err := io.ReadAll(conn)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "%q: %q", request[:n], answer)
			assert.NotContains(t, string(answer), "200 OK", "%q", request[:n])
			conn.Close()
		}
	}
	assert.Empty(t, app.vars)
}

func TestGatewayKeepsTheConnection(t *testing.T) {
	_, address := startGateway(t, "Content-Type: a/b\n\nbody")
	one := "POST /app HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
	answer := ask(t, address, strings.Repeat(one, 3))
	assert.Equal(t, 3, strings.Count(answer, "HTTP/1.1 200 OK\r\n"))
}

func TestGatewaySpeaksHTTP2(t *testing.T) {
	app, address := startGateway(t, "Content-Type: a/b\n\nbody")
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequest("POST", "http://"+address+"/app/x", strings.NewReader("abc"))
	require.NoError(t, err)
	response, err := transport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := bufio.NewReader(response.Body).ReadString('y')
	require.NoError(t, err)
	assert.Equal(t, "body", body)
	assert.Contains(t, <-app.vars, Var{"SERVER_PROTOCOL", "HTTP/2.0"})
	assert.Equal(t, "abc", <-app.body)
}
