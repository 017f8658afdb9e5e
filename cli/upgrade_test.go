package cli

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// echo is an HTTP application that changes to a protocol in which it repeats what it hears.
func echo(w http.ResponseWriter, _ *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	io.Copy(conn, rw)
}

// An upgraded connection is a request under way.
func TestUpgradedConnectionAtTheEnd(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(echo))
	defer app.Close()
	for _, tt := range []struct {
		name, grace string
		code        int
	}{
		{"it ends in time", "1m", 0},
		{"it is cut", "200ms", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command("gangway", "bridge", "--from", "http://127.0.0.1:0", "--to", app.URL, "--grace", tt.grace)
			diag, err := cmd.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			lines := bufio.NewScanner(diag)
			require.True(t, lines.Scan())
			conn, err := net.Dial("tcp", strings.TrimPrefix(lines.Text(), "listening on http://"))
			require.NoError(t, err)
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			require.NoError(t, err)
			br := bufio.NewReader(conn)
			resp, err := http.ReadResponse(br, nil)
			require.NoError(t, err)
			require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)

			require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
			require.True(t, lines.Scan())
			require.Contains(t, lines.Text(), "msg=stopping")
			if tt.code == 0 {
				_, err = io.WriteString(conn, "hello\n")
				require.NoError(t, err)
				line, err := br.ReadString('\n')
				require.NoError(t, err)
				assert.Equal(t, "hello\n", line)
				conn.Close()
			}
			rest, _ := io.ReadAll(diag)
			cmd.Wait()
			assert.Equal(t, tt.code, cmd.ProcessState.ExitCode(), "%s", rest)
		})
	}
}
