package cli

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/internal/execfile"
	"github.com/gangway-go/gangway/internal/peer"
)

// script answers as egi:echo does, as far as it matters here.
const script = `#!/bin/sh
printf 'Content-Type: text/plain\n\n'
env
echo BODY_LENGTH=$(wc -c)
`

// gangway starts a gangway and returns the addresses of its listeners, in their order. It must end well when the test does.
func gangway(t *testing.T, listeners int, files []*os.File, args ...string) (addresses []string) {
	t.Helper()
	cmd := exec.Command("gangway", args...)
	cmd.ExtraFiles = files
	diag, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(diag)
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		rest, _ := io.ReadAll(diag)
		assert.NoError(t, cmd.Wait(), "%s", rest)
	})
	printed := ""
	for len(addresses) < listeners && lines.Scan() {
		printed += lines.Text() + "\n"
		if address, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
			addresses = append(addresses, address)
		}
	}
	require.Len(t, addresses, listeners, printed)
	return addresses
}

// TestMatrix asks each kind of application through each kind of listener.
func TestMatrix(t *testing.T) {
	dir := peer.Dir(t)
	require.NoError(t, execfile.WriteFile(dir+"/run", []byte(script), 0o755))
	peers := gangway(t, 6, nil, "bridge", "--to", "egi:echo", "--from", "fcgi://127.0.0.1:0",
		"--from", "fcgi+unix://"+dir+"/f", "--from", "scgi://127.0.0.1:0", "--from", "scgi+unix://"+dir+"/s",
		"--from", "http://127.0.0.1:0", "--from", "http+unix://"+dir+"/h")
	apps := []string{
		"egi:echo", "cgi:" + dir + "/run", "cgi:" + dir + "/", "static:" + dir,
		"fcgi+exec:exec gangway bridge --from fcgi+fd:0 --to egi:echo",
		"scgi+exec:exec gangway bridge --from scgi+fd:0 --to egi:echo",
		strings.Replace(peers[0], "fcgi", "fcgi+gofast", 1),
		strings.Replace(peers[1], "fcgi+unix", "fcgi+gofast+unix", 1),
	}
	for _, app := range append(apps, peers...) {
		t.Run(strings.NewReplacer("/", "_", dir, "DIR").Replace(app), func(t *testing.T) { testListeners(t, app, dir) })
	}
}

// testListeners asks one application through each kind of listener.
func testListeners(t *testing.T, app, scripts string) {
	dir := t.TempDir()
	cert, key := peer.Certificate(t)
	addresses := gangway(t, 9, []*os.File{listeningFile(t), listeningFile(t)}, "bridge", "--to", app, "--user", "self",
		"--from", "http://127.0.0.1:0",
		"--from", "https://127.0.0.1:0", "--cert", cert, "--key", key, "--from", "http+unix://"+dir+"/h",
		"--from", "fcgi://127.0.0.1:0", "--from", "fcgi+unix://"+dir+"/f", "--from", "scgi://127.0.0.1:0",
		"--from", "scgi+unix://"+dir+"/s", "--from", "fcgi+fd:3", "--from", "scgi+fd:4")
	for i, address := range addresses {
		scheme, _, _ := strings.Cut(address, ":")
		t.Run(fmt.Sprint(i, scheme), func(t *testing.T) {
			var answer string
			if strings.HasPrefix(scheme, "http") {
				answer = askHTTP(t, address, app)
			} else {
				answer = askGateway(t, address, app, scripts)
			}
			checkAnswer(t, app, answer)
		})
	}
	t.Run("cgi", func(t *testing.T) { checkAnswer(t, app, askScript(t, app, scripts)) })
}

func checkAnswer(t *testing.T, app, answer string) {
	t.Helper()
	if strings.HasPrefix(app, "static:") {
		assert.Equal(t, script, answer)
		return
	}
	assert.Contains(t, "\n"+answer, "\nREQUEST_URI=/run?q\n")
	assert.Contains(t, answer, "QUERY_STRING=q\n")
	assert.Contains(t, answer, "BODY_LENGTH=5\n")
}

// method is what an application is asked with: files are only for reading.
func method(app string) string {
	if strings.HasPrefix(app, "static:") {
		return "GET"
	}
	return "POST"
}

func askHTTP(t *testing.T, address, app string) string {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	if path, ok := strings.CutPrefix(address, "http+unix://"); ok {
		address = "http://localhost"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), method(app), address+"/run?q", strings.NewReader("hello"))
	require.NoError(t, err)
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	return string(body)
}

// askGateway asks as a web server does that has found the script.
func askGateway(t *testing.T, address, app, dir string) string {
	t.Helper()
	to, err := open.Open(address, open.AppOptions{})
	require.NoError(t, err)
	defer to.Close(t.Context())
	req, err := newRequest(method(app), "/run?q")
	require.NoError(t, err)
	req.Script = adapters.Script{Name: "/run", Filename: filepath.Join(dir, "run"), Root: dir}
	req.Body, req.ContentLength = strings.NewReader("hello"), 5
	resp, err := to.Given().Serve(t.Context(), req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, resp.Status)
	return string(body)
}

// askScript runs gangway as a CGI program.
func askScript(t *testing.T, app, dir string) string {
	t.Helper()
	cmd := exec.Command("gangway", "bridge", "--from", "cgi:", "--to", app, "--user", "self")
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "GATEWAY_INTERFACE=CGI/1.1", "REQUEST_METHOD=" + method(app), "REQUEST_URI=/run?q",
		"QUERY_STRING=q", "CONTENT_LENGTH=5", "SCRIPT_NAME=/run", "SCRIPT_FILENAME=" + dir + "/run", "DOCUMENT_ROOT=" + dir,
		"SERVER_PROTOCOL=HTTP/1.1", raceOptions + "=" + os.Getenv(raceOptions),
	}
	cmd.Stdin = strings.NewReader("hello")
	var diag bytes.Buffer
	cmd.Stderr = &diag
	out, err := cmd.Output()
	require.NoError(t, err, diag.String())
	header, body, ok := strings.Cut(string(out), "\r\n\r\n")
	require.True(t, ok, "%s", out)
	assert.Contains(t, header, "Status: 200")
	return body
}

// listeningFile returns a listening socket for another process.
func listeningFile(t *testing.T) *os.File {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	f, err := ln.(*net.TCPListener).File()
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}
