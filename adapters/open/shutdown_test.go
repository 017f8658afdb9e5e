//go:build unix

package open_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/egi"
)

// A halted connection sends no more than the first few bytes before it may go on.
type halted struct {
	net.Conn
	begun chan struct{} // closed when they were sent
	goOn  chan struct{}
	few   int // how many there are left
}

func (c *halted) Write(p []byte) (int, error) {
	n := 0
	if c.few > 0 {
		n, c.few = c.few, 0
		if _, err := c.Conn.Write(p[:n]); err != nil {
			return 0, err
		}
		close(c.begun)
		<-c.goOn
	}
	m, err := c.Conn.Write(p[n:])
	return n + m, err
}

// Shutdown loses no request that comes on an open connection: neither of HTTP/1.1 nor of HTTP/2, on a connection that
// has had one and on one that has not told yet what it is.
func TestShutdownServesOpenConnections(t *testing.T) {
	l, err := open.Listen("http://127.0.0.1:0", egi.Echo, open.ListenOptions{})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- l.Serve() }()
	address := strings.TrimPrefix(l.String(), "http://")

	old, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer old.Close()
	old.SetDeadline(time.Now().Add(patience))
	_, err = io.WriteString(old, "GET /1 HT")
	require.NoError(t, err)

	used := clientOf(t, true)
	ask := func(client *http.Client, path string) (string, error) {
		resp, err := client.Get(l.String() + path)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return string(body), err
	}
	answer, err := ask(used, "/2")
	require.NoError(t, err)
	require.Contains(t, answer, "SERVER_PROTOCOL=HTTP/2")

	fresh, conn := clientOf(t, true), &halted{begun: make(chan struct{}), goOn: make(chan struct{}), few: 10}
	fresh.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (_ net.Conn, err error) {
		conn.Conn, err = new(net.Dialer).DialContext(ctx, "tcp", address)
		return conn, err
	}
	answers := make(chan string, 1)
	go func() {
		answer, err := ask(fresh, "/3")
		assert.NoError(t, err)
		answers <- answer
	}()
	<-conn.begun
	require.Eventually(t, func() bool { return l.Conns()["header"] == 2 }, patience, time.Millisecond)

	ended := make(chan error, 1)
	go func() { ended <- l.Shutdown(t.Context()) }()
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err != nil
	}, patience, time.Millisecond)
	close(conn.goOn)
	assert.Contains(t, <-answers, "PATH_INFO=/3\n")
	answer, err = ask(used, "/4")
	assert.NoError(t, err)
	assert.Contains(t, answer, "PATH_INFO=/4\n")
	_, err = io.WriteString(old, "TP/1.1\r\nHost: h\r\n\r\n")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(old), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Contains(t, string(body), "PATH_INFO=/1\n")
	assert.NoError(t, <-ended)
	assert.NoError(t, <-served)
}
