package cli

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/peer"
)

// send sends a file, with CRLF at the end of each line, and prints what comes back until the connection ends:
// send URL FILE
func send(ts *testscript.TestScript, _ bool, args []string) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(args[0], "http://"))
	ts.Check(err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	_, err = io.WriteString(conn, strings.ReplaceAll(ts.ReadFile(args[1]), "\n", "\r\n"))
	ts.Check(err)
	text, err := io.ReadAll(conn)
	ts.Check(err)
	_, err = io.WriteString(ts.Stdout(), strings.ReplaceAll(string(text), "\r\n", "\n"))
	ts.Check(err)
}

// balanced is a header of the PROXY protocol, version 2, with a TLV: 192.0.2.7:4711 asks 192.0.2.1:443.
const balanced = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x11\xc0\x00\x02\x07\xc0\x00\x02\x01\x12\x67\x01\xbb\x01\x00\x02h2"

// TestProxyProtocol: whoever reads HTTP learns who the client is, also behind TLS and over HTTP/2, and a balancer that
// is slow with its header keeps nobody waiting.
func TestProxyProtocol(t *testing.T) {
	cert, key := peer.Certificate(t)
	for _, tt := range []struct {
		name string
		args []string
		http *http.Protocols
	}{
		{"own", []string{"--from", "http://127.0.0.1:0"}, nil},
		{"net", []string{"--from", "http://127.0.0.1:0", "--http", "net"}, nil},
		{"h2c", []string{"--from", "http://127.0.0.1:0"}, http2Only(false)},
		{"https", []string{"--from", "https://127.0.0.1:0", "--cert", cert, "--key", key}, nil},
		{"h2", []string{"--from", "https://127.0.0.1:0", "--cert", cert, "--key", key}, http2Only(true)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"bridge", "--to", "egi:echo", "--trust-proxy", "127.0.0.1", "--proxy-protocol"}, tt.args...)
			for _, address := range gangway(t, 1, []*os.File{}, args...) {
				slow, err := net.Dial("tcp", address[strings.Index(address, "//")+2:])
				require.NoError(t, err)
				defer slow.Close()
				_, err = io.WriteString(slow, balanced[:20])
				require.NoError(t, err)
				answer := askBalanced(t, address, tt.http)
				for _, want := range []string{
					"REMOTE_ADDR=192.0.2.7", "REMOTE_PORT=4711", "SERVER_ADDR=192.0.2.1", "SERVER_PORT=443",
					"REALIP_REMOTE_ADDR=127.0.0.1", "SERVER_NAME=192.0.2.1",
				} {
					assert.Contains(t, "\n"+answer, "\n"+want+"\n")
				}
			}
		})
	}
}

func http2Only(encrypted bool) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP2(encrypted)
	p.SetUnencryptedHTTP2(!encrypted)
	return p
}

// askBalanced asks as a balancer does.
func askBalanced(t *testing.T, address string, protocols *http.Protocols) string {
	t.Helper()
	transport := &http.Transport{
		Protocols: protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err == nil {
				_, err = io.WriteString(conn, balanced)
			}
			return conn, err
		},
	}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: patience}
	resp, err := client.Get(address)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}
