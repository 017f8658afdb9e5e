package scgi_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/leak"
	"github.com/gangway-go/gangway/scgi"
)

func TestMain(m *testing.M) { leak.Main(m) }

// patience is how long a test waits for what must happen at once.
const patience = 20 * time.Second

var networks = []string{"tcp", "unix"}

func listen(t testing.TB, network string) net.Listener {
	address := "127.0.0.1:0"
	if network == "unix" {
		dir, err := os.MkdirTemp("", "scgi") // t.TempDir is too long for some systems
		require.NoError(t, err)
		t.Cleanup(func() { os.RemoveAll(dir) })
		address = filepath.Join(dir, "s")
	}
	ln, err := net.Listen(network, address)
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	return ln
}

// app starts an application that serve is: it gets each connection, which is closed behind it.
func app(t testing.TB, network string, serve func(conn net.Conn)) *scgi.Client {
	ln := listen(t, network)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("the application does not end")
		}
	})
	return &scgi.Client{Network: network, Address: ln.Addr().String()}
}

// readRequest reads a whole request as naively as possible.
func readRequest(t testing.TB, conn net.Conn) (vars map[string]string, names []string, body string) {
	read := func(n int) string {
		b := make([]byte, n)
		_, err := io.ReadFull(conn, b)
		assert.NoError(t, err)
		return string(b)
	}
	size := 0
	for c := read(1); c != ":"; c = read(1) {
		size = size*10 + int(c[0]-'0')
	}
	fields := strings.Split(read(size), "\x00")
	assert.Equal(t, ",", read(1))
	vars = map[string]string{}
	for i := 0; i+1 < len(fields); i += 2 {
		names = append(names, fields[i])
		vars[fields[i]] = fields[i+1]
	}
	length := 0
	for _, c := range vars["CONTENT_LENGTH"] {
		length = length*10 + int(c-'0')
	}
	return vars, names, read(length)
}

// ask returns the status and the body of h's answer.
func ask(t testing.TB, h adapters.Handler, req *adapters.Request) (*adapters.Response, string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	resp, err := h.Serve(ctx, req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	var body strings.Builder
	_, err = adapters.Copy(&body, resp.Body)
	return resp, body.String(), err
}

func within[T any](t testing.TB, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		require.Fail(t, "nothing happens: "+what)
	}
	return v
}
