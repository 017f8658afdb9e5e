package fastcgi_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi"
	programs "github.com/gangway-go/gangway/internal/peer"
)

// goApp starts an application on net/http/fcgi.
func goApp(t *testing.T, h http.HandlerFunc) *fastcgi.Client {
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "app.sock"))
	require.NoError(t, err)
	served := make(chan struct{})
	go func() {
		defer close(served)
		fcgi.Serve(ln, h)
	}()
	c := &fastcgi.Client{Address: ln.Addr().String()}
	t.Cleanup(func() {
		c.Close()
		ln.Close()
		<-served
	})
	return c
}

func TestClientWithNetHTTPFCGI(t *testing.T) {
	events := make(chan string)
	c := goApp(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/echo":
			w.Header().Set("X-Method", r.Method)
			w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
			io.Copy(w, r.Body)
		case "/big":
			for range 100 {
				io.WriteString(w, strings.Repeat("0123456789", 5000))
			}
		case "/events":
			for event := range events {
				io.WriteString(w, event)
				w.(http.Flusher).Flush()
			}
		case "/early":
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		}
	})
	ask := func(method, path string, body io.Reader, length int64) *adapters.Request {
		return &adapters.Request{
			Method: method, URI: path, Proto: "HTTP/1.1", Host: "localhost", Scheme: "http",
			Body: body, ContentLength: length,
		}
	}
	t.Run("GET", func(t *testing.T) {
		resp, body, err := do(c, ask("GET", "/echo", nil, 0))
		require.NoError(t, err)
		assert.Equal(t, "GET", resp.Header.Get("X-Method"))
		assert.Empty(t, body)
	})
	t.Run("bodies", func(t *testing.T) {
		for _, size := range []int{1, 65536, 5 << 20} {
			whole := strings.Repeat("x", size)
			for _, length := range []int64{int64(size), -1} {
				resp, got, err := do(c, ask("PUT", "/echo", io.MultiReader(strings.NewReader(whole)), length))
				require.NoError(t, err)
				assert.Equal(t, fmt.Sprint(size), resp.Header.Get("X-Length"))
				assert.True(t, whole == got)
			}
		}
	})
	t.Run("large response", func(t *testing.T) {
		_, body, err := do(c, ask("GET", "/big", nil, 0))
		require.NoError(t, err)
		assert.Len(t, body, 5_000_000)
	})
	t.Run("events", func(t *testing.T) {
		go func() { events <- "one" }()
		resp, err := c.Serve(t.Context(), ask("GET", "/events", nil, 0))
		require.NoError(t, err)
		w := &writer{wrote: make(chan struct{}, 10)}
		heard := func() []string { // net/http/fcgi writes the header apart: it may come so much earlier
			calls := w.noted()
			if len(calls) > 0 && calls[0] == "flush" {
				return calls[1:]
			}
			return calls
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			resp.Body.(io.WriterTo).WriteTo(w)
		}()
		for n := 2; n <= 4; n += 2 {
			require.Eventually(t, func() bool { return len(heard()) == n }, 20*time.Second, time.Millisecond)
			if n == 2 {
				events <- "two"
			}
		}
		close(events)
		soon(t, done, "the response")
		assert.Equal(t, []string{`"one"`, "flush", `"two"`, "flush"}, heard())
		assert.NoError(t, resp.Body.Close())
	})
	t.Run("early answer", func(t *testing.T) {
		body := newSlowBody()
		defer body.close()
		go func() { body.parts <- "x" }() // net/http/fcgi does nothing before
		resp, text, err := do(c, ask("POST", "/early", body, 1<<20))
		require.NoError(t, err)
		assert.Equal(t, 413, resp.Status)
		assert.Equal(t, "too large\n", text)
	})
}

// libfcgi starts the application testdata/roles.c and returns a client for it.
func libfcgi(t *testing.T) *fastcgi.Client {
	dir := t.TempDir()
	program := filepath.Join(dir, "roles")
	cc := programs.Need(t, "cc")
	if out, err := exec.Command(cc, "-o", program, "testdata/roles.c", "-lfcgi").CombinedOutput(); err != nil {
		if strings.Contains(string(out), "fcgiapp.h") && os.Getenv("CI") == "" {
			t.Skip("libfcgi-dev is not installed")
		}
		require.NoError(t, err, "%s", out)
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "app.sock")})
	require.NoError(t, err)
	defer ln.Close()
	ln.SetUnlinkOnClose(false)
	socket, err := ln.File()
	require.NoError(t, err)
	defer socket.Close()
	cmd := exec.Command(program)
	cmd.Stdin, cmd.Stderr = socket, os.Stderr // FastCGI 1.0 section 2.2
	require.NoError(t, cmd.Start())
	c := &fastcgi.Client{Address: ln.Addr().String()}
	t.Cleanup(func() {
		c.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return c
}

func TestClientWithLibfcgi(t *testing.T) {
	c := libfcgi(t)
	t.Run("variables", func(t *testing.T) {
		req := get()
		req.Query = "vars"
		big := strings.Repeat("0123456789", 7000)
		req.Vars = []adapters.Var{{Name: "BIG", Value: big}, {Name: "BYTES", Value: "\xff=\xfe"}}
		resp, body, err := do(c, req)
		require.NoError(t, err)
		assert.Equal(t, "RESPONDER", resp.Header.Get("X-Role"))
		assert.Contains(t, body, "\nBYTES=\xff=\xfe\n")
		assert.True(t, strings.Contains(body, "\nBIG="+big+"\n"), "a pair in several records")
	})
	t.Run("body and exit status", func(t *testing.T) {
		for _, size := range []int{0, 1, 65536, 3 << 20} {
			whole := strings.Repeat("x", size)
			req := post(io.MultiReader(strings.NewReader(whole)), int64(size))
			req.Query = "938"
			resp, body, err := do(c, req)
			require.NoError(t, err)
			assert.True(t, whole == body)
			assert.Equal(t, 938, resp.AppStatus())
		}
	})
	t.Run("stderr", func(t *testing.T) {
		req := get()
		req.Query = "stderr"
		var stderr strings.Builder
		req.Stderr = &stderr
		_, _, err := do(c, req)
		require.NoError(t, err)
		assert.Equal(t, "to stderr", stderr.String())
	})
	t.Run("authorizer", func(t *testing.T) {
		for range 3 {
			req := post(strings.NewReader("form"), 4)
			req.Role = adapters.Authorizer
			resp, body, err := do(c, req)
			require.NoError(t, err)
			assert.Equal(t, "AUTHORIZER", resp.Header.Get("X-Role"))
			assert.Equal(t, "somebody", resp.Header.Get("Variable-USER"))
			assert.Empty(t, body)
		}
	})
	t.Run("filter", func(t *testing.T) {
		data := strings.Repeat("data", 50_000)
		for _, form := range []string{"form", ""} {
			req := post(strings.NewReader(form), int64(len(form)))
			req.Role = adapters.Filter
			req.Data = &adapters.Data{Body: strings.NewReader(data), Length: int64(len(data)), LastMod: time.Now()}
			resp, body, err := do(c, req)
			require.NoError(t, err)
			assert.Equal(t, "FILTER", resp.Header.Get("X-Role"))
			assert.True(t, form+"|"+data == body)
		}
	})
	t.Run("aborted", func(t *testing.T) {
		body := newSlowBody()
		defer body.close()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := c.Serve(ctx, post(body, 1<<20)) // libfcgi sends no header before its buffer is full
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		_, _, err = do(c, get())
		assert.NoError(t, err, "the only process is free again")
	})
	t.Run("shared", func(t *testing.T) { // one process, which serves one connection at a time
		other := &fastcgi.Client{Address: c.Address}
		defer other.Close()
		var wg sync.WaitGroup
		for _, c := range []*fastcgi.Client{c, other} {
			for range 4 {
				wg.Go(func() {
					for range 20 {
						_, _, err := do(c, get())
						assert.NoError(t, err)
					}
				})
			}
		}
		wg.Wait()
	})
}
