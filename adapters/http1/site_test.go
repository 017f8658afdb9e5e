//go:build unix

package http1_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/adaptertest"
	"github.com/gangway-go/gangway/adapters/http1"
	"github.com/gangway-go/gangway/fastcgi"
	"github.com/gangway-go/gangway/internal/peer"
)

// sizes are the lengths of bodies.
var sizes = []int{0, 1, 64 << 10, 10 << 20}

// payload is what bodies are made of.
var payload = func() []byte {
	b := make([]byte, 10<<20)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}()

// digest is what /upload answers to n bytes.
func digest(n int) string { return fmt.Sprintf("%d %x", n, sha256.Sum256(payload[:n])) }

// reference is adaptertest's application with more that it can do: /give sends ?n bytes of payload, and /sum answers
// with the trailer field X-Sum of the request, as its body and in such a field of its own.
func reference(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	switch req.Path() {
	case "/give":
		return give(req)
	case "/sum":
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return nil, err
		}
		sum := req.Trailer().Get("X-Sum")
		resp := adapters.Reply(200, "text/plain", sum)
		resp.Trailer = func() adapters.Header { return adapters.Header{{Name: "X-Sum", Value: sum}} }
		return resp, nil
	}
	return adaptertest.App().Serve(ctx, req)
}

func give(req *adapters.Request) (*adapters.Response, error) {
	query, err := url.ParseQuery(req.Query)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", adapters.ErrBadRequest, err)
	}
	n, err := strconv.Atoi(query.Get("n"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", adapters.ErrBadRequest, err)
	}
	resp := &adapters.Response{Status: 200, Body: io.NopCloser(bytes.NewReader(payload[:n]))}
	if query.Has("length") {
		resp.Header.Add("Content-Length", query.Get("n"))
	}
	return resp, nil
}

// A site is an application behind a Server, which counts.
type site struct {
	*http1.Server
	address  string
	accepted atomic.Int64 // connections
	begun    atomic.Int64 // requests that the application saw
	answered atomic.Int64 // requests that it answered
}

// newSite serves h until the test ends.
func newSite(t *testing.T, h adapters.Handler) *site {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := serve(t, h, ln)
	s.address = ln.Addr().String()
	return s
}

func serve(t *testing.T, h adapters.Handler, ln net.Listener) *site {
	s := &site{}
	s.Server = &http1.Server{Log: slog.New(slog.DiscardHandler)}
	s.Handler = adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		s.begun.Add(1)
		resp, err := h.Serve(ctx, req)
		if err == nil {
			resp.Body = adapters.OnClose(resp.Body, func() { s.answered.Add(1) })
		}
		return resp, err
	})
	served := make(chan error, 1)
	go func() { served <- s.Serve(&countingListener{ln, &s.accepted}) }()
	t.Cleanup(func() {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		s.Shutdown(over)
		if err := <-served; !errors.Is(err, net.ErrClosed) { // by a test
			assert.ErrorIs(t, err, http.ErrServerClosed)
		}
	})
	return s
}

// answersAll asserts that no request stays without an answer.
func (s *site) answersAll(t *testing.T) {
	t.Helper()
	assert.Eventually(t, func() bool { return s.begun.Load() == s.answered.Load() }, 20*time.Second, time.Millisecond)
}

type countingListener struct {
	net.Listener
	accepted *atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.accepted.Add(1)
	}
	return c, err
}

// applications are the reference application in this process and behind FastCGI.
var applications = map[string]func(*testing.T) adapters.Handler{
	"EGI": func(*testing.T) adapters.Handler { return adapters.HandlerFunc(reference) },
	"FastCGI": func(t *testing.T) adapters.Handler {
		socket := filepath.Join(peer.Dir(t), "s")
		ln, err := net.Listen("unix", socket)
		require.NoError(t, err)
		s := &fastcgi.Server{Handler: adapters.HandlerFunc(reference), Log: slog.New(slog.DiscardHandler)}
		go s.Serve(ln)
		c := &fastcgi.Client{Network: "unix", Address: socket}
		t.Cleanup(func() {
			assert.NoError(t, c.Close())
			assert.NoError(t, s.Shutdown(context.Background()))
		})
		return c
	},
}
