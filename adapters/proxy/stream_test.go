package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/proxy"
)

// serve starts h as an application on a real socket.
func serve(t *testing.T, h http.HandlerFunc) *proxy.Handler {
	t.Helper()
	app := httptest.NewServer(h)
	t.Cleanup(app.Close)
	target, err := url.Parse(app.URL)
	require.NoError(t, err)
	transport := proxy.NewTransport(nil)
	t.Cleanup(transport.CloseIdleConnections)
	return &proxy.Handler{Target: target, Transport: transport}
}

func TestUpload(t *testing.T) {
	const size = 1<<20 + 3
	tests := []struct {
		name   string
		length int64
	}{
		{"known length", size},
		{"unknown length", -1},
	}
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err, r.ContentLength, r.TransferEncoding, r.Trailer)
	})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := newRequest("PUT", "/")
			req.Body, req.ContentLength = bytes.NewReader(make([]byte, size)), tt.length
			req.Trailer = func() adapters.Header { return fields("X-Sum", "42") }
			_, body, err := ask(t, h, req)
			require.NoError(t, err)
			want := fmt.Sprint(size, nil, tt.length, []string(nil), http.Header(nil))
			if tt.length < 0 {
				want = fmt.Sprint(size, nil, -1, []string{"chunked"}, http.Header{"X-Sum": {"42"}})
			}
			assert.Equal(t, want, body)
		})
	}
}

// TestBothWays has each piece answered before the next one is sent.
func TestBothWays(t *testing.T) {
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		w.(http.Flusher).Flush()
		br := bufio.NewReader(r.Body)
		for {
			line, err := br.ReadString('\n')
			if err != nil {
				return
			}
			fmt.Fprint(w, "got ", line)
			w.(http.Flusher).Flush()
		}
	})
	r, w := io.Pipe()
	req := newRequest("POST", "/")
	req.Body, req.ContentLength = r, -1
	resp, err := h.Serve(t.Context(), req)
	require.NoError(t, err)
	br := bufio.NewReader(resp.Body)
	for i := range 5 {
		fmt.Fprintln(w, i)
		line, err := br.ReadString('\n')
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprintf("got %d\n", i), line)
	}
	w.Close()
	_, err = br.ReadByte()
	assert.Equal(t, io.EOF, err)
	assert.NoError(t, resp.Body.Close())
}

// TestStalledUpload has a client that does not send: the response, or the end of the application, must not wait for it.
func TestStalledUpload(t *testing.T) {
	tests := []struct {
		name   string
		app    func(net.Conn)
		ctx    time.Duration
		status int
	}{
		{"answer", answering(nil, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), time.Hour, 403},
		{"close", answering(nil, ""), time.Hour, 502},
		{"cut header", answering(nil, "HTTP/1.1 200"), time.Hour, 502},
		{"silence", func(c net.Conn) { io.Copy(io.Discard, c) }, time.Second, 504},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.ctx)
				defer cancel()
				r, w := io.Pipe()
				defer w.Close()
				req := newRequest("POST", "/")
				req.Body, req.ContentLength = r, -1
				h := newProxy(t, "http://app", tt.app)
				start := time.Now()
				resp, err := h.Serve(ctx, req)
				if tt.status == 403 {
					require.NoError(t, err)
					assert.Equal(t, tt.status, resp.Status)
					assert.NoError(t, resp.Body.Close())
				} else {
					assert.Equal(t, tt.status, adapters.StatusOf(err), err)
				}
				assert.LessOrEqual(t, time.Since(start), time.Second)
			})
		})
	}
}

// TestForeignTransport has a request that is aborted not wait for the client either if the connections are not ours.
func TestForeignTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		h := &proxy.Handler{Target: &url.URL{Scheme: "http", Host: "app"}, Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go io.Copy(io.Discard, theirs)
				return ours, nil
			},
		}}
		r, w := io.Pipe()
		defer w.Close()
		req := newRequest("POST", "/")
		req.Body, req.ContentLength = r, -1
		_, err := h.Serve(ctx, req)
		assert.Equal(t, 504, adapters.StatusOf(err))
	})
}

func TestBrokenUpload(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		status int
	}{
		{"too large", adapters.ErrTooLarge, 413},
		{"gone", adapters.ErrAborted, adapters.StatusClientGone},
		{"cut", io.ErrUnexpectedEOF, adapters.StatusClientGone},
		{"time-out", timeout{}, adapters.StatusClientGone},
	}
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		assert.Error(t, err, "the upload must not look complete")
		panic(http.ErrAbortHandler)
	})
	for _, tt := range tests {
		for _, length := range []int64{-1, 100} {
			t.Run(tt.name, func(t *testing.T) {
				req := newRequest("POST", "/")
				req.Body, req.ContentLength = io.MultiReader(strings.NewReader("some"), failing{tt.err}), length
				_, _, err := ask(t, h, req)
				require.Error(t, err)
				assert.Equal(t, tt.status, adapters.StatusOf(err), err)
				assert.ErrorIs(t, err, tt.err)
			})
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestInformational(t *testing.T) {
	const early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nConnection: X\r\nX: 1\r\n\r\n"
	t.Run("passed on", func(t *testing.T) {
		var got []string
		req := newRequest("GET", "/")
		req.Informational = func(status int, h adapters.Header) error {
			got = append(got, fmt.Sprint(status, h))
			return nil
		}
		_, _, err := ask(t, newProxy(t, "http://app",
			answering(nil, "HTTP/1.1 100 Continue\r\n\r\n"+early+early+noContent)), req)
		require.NoError(t, err)
		assert.Equal(t, []string{"103 [{Link </x>}]", "103 [{Link </x>}]"}, got)
	})
	t.Run("refused", func(t *testing.T) {
		gone := errors.New("gone")
		req := newRequest("GET", "/")
		req.Informational = func(int, adapters.Header) error { return gone }
		_, _, err := ask(t, newProxy(t, "http://app", answering(nil, early+noContent)), req)
		assert.ErrorIs(t, err, gone)
	})
	t.Run("not after Serve", func(t *testing.T) {
		req := newRequest("GET", "/")
		req.Informational = func(int, adapters.Header) error {
			t.Error("called")
			return nil
		}
		var late func(int, textproto.MIMEHeader) error
		h := &proxy.Handler{Target: &url.URL{Scheme: "http", Host: "app"}, Transport: roundTrip(
			func(r *http.Request) (*http.Response, error) {
				late = httptrace.ContextClientTrace(r.Context()).Got1xxResponse
				return nil, errors.New("no")
			})}
		_, _, err := ask(t, h, req)
		assert.Error(t, err)
		assert.ErrorIs(t, late(103, nil), adapters.ErrAborted)
	})
}

const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: Chat\r\nConnection: Upgrade\r\nX-A: 1\r\n\r\n"

// chat switches the protocol and sends everything back.
func chat(c net.Conn) {
	_, br := readHead(c)
	io.WriteString(c, switching)
	io.Copy(c, br)
}

func TestUpgrade(t *testing.T) {
	h := newProxy(t, "http://app", chat)
	req := newRequest("GET", "/", "Connection", "Upgrade", "Upgrade", "chat")
	resp, err := h.Serve(t.Context(), req)
	require.NoError(t, err)
	assert.Equal(t, 101, resp.Status)
	assert.Equal(t, fields("X-A", "1", "Connection", "Upgrade", "Upgrade", "Chat"), resp.Header)
	conn, ok := resp.Body.(io.ReadWriteCloser)
	require.True(t, ok)
	for _, word := range []string{"hello", "again"} {
		_, err = io.WriteString(conn, word)
		require.NoError(t, err)
		got := make([]byte, 5)
		_, err = io.ReadFull(conn, got)
		require.NoError(t, err)
		assert.Equal(t, word, string(got))
	}
	require.NoError(t, conn.Close())
	_, err = conn.Read(make([]byte, 1))
	assert.Error(t, err)
}

func TestUpgradeCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := newProxy(t, "http://app", chat).Serve(ctx,
		newRequest("GET", "/", "Connection", "Upgrade", "Upgrade", "chat"))
	require.NoError(t, err)
	cancel()
	_, err = io.ReadAll(resp.Body)
	assert.Error(t, err)
	assert.NoError(t, resp.Body.Close())
}

func TestUpgradeToAnother(t *testing.T) {
	_, _, err := ask(t, newProxy(t, "http://app", chat),
		newRequest("GET", "/", "Connection", "Upgrade", "Upgrade", "websocket"))
	assert.ErrorIs(t, err, adapters.ErrBadResponse)
}

func TestCancel(t *testing.T) {
	const begun = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
	tests := []struct {
		name, wire string
		cancel     func(context.Context) (context.Context, context.CancelFunc)
		status     int
	}{
		{"before the answer", "", context.WithCancel, adapters.StatusClientGone},
		{"deadline before the answer", "", withDeadline, 504},
		{"in the body", begun, context.WithCancel, adapters.StatusClientGone},
		{"deadline in the body", begun, withDeadline, 504},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := tt.cancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				closed := make(chan error, 1)
				h := newProxy(t, "http://app", func(c net.Conn) {
					_, br := readHead(c)
					go io.WriteString(c, tt.wire)
					_, err := io.Copy(io.Discard, br)
					closed <- err
				})
				resp, err := h.Serve(ctx, newRequest("GET", "/"))
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					assert.NoError(t, resp.Body.Close())
				}
				assert.ErrorIs(t, err, context.Cause(ctx))
				assert.Equal(t, tt.status, adapters.StatusOf(err))
				<-closed // the application has learned of it
			})
		})
	}
}

func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 100*time.Millisecond)
}

// TestClose closes a body that is not read to its end while it is read.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newProxy(t, "http://app", func(c net.Conn) {
			_, br := readHead(c)
			go io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
			io.Copy(io.Discard, br)
		})
		resp, err := h.Serve(t.Context(), newRequest("GET", "/"))
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() {
			_, err := io.ReadAll(resp.Body)
			done <- err
		}()
		synctest.Wait()
		assert.NoError(t, resp.Body.Close())
		assert.ErrorIs(t, <-done, adapters.ErrAborted)
		_, err = resp.Body.Read(make([]byte, 1))
		assert.ErrorIs(t, err, adapters.ErrAborted)
	})
}

// flushed records writes and flushes.
type flushed struct{ bytes.Buffer }

func (f *flushed) Flush() { f.WriteByte('|') }

// TestFlush has events reach the client when they come, and a short body together with the header.
func TestFlush(t *testing.T) {
	tests := []struct {
		name, head, want string
		pieces           []string
	}{
		{"known length", "Content-Length: 5\r\n\r\n", "hello", []string{"hello"}},
		{"known length, slow", "Content-Length: 5\r\n\r\n", "hel|lo", []string{"hel", "lo"}},
		{"events", "Connection: close\r\n\r\n", "|one|two|", []string{"one", "two"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newProxy(t, "http://app", func(c net.Conn) {
					_, br := readHead(c)
					go io.Copy(io.Discard, br)
					io.WriteString(c, "HTTP/1.1 200 OK\r\n"+tt.head)
					for _, piece := range tt.pieces {
						time.Sleep(time.Second)
						io.WriteString(c, piece)
					}
					time.Sleep(time.Second)
				})
				resp, err := h.Serve(t.Context(), newRequest("GET", "/"))
				require.NoError(t, err)
				var w flushed
				_, err = adapters.Copy(&w, resp.Body)
				assert.NoError(t, err)
				assert.Equal(t, tt.want, w.String())
				assert.NoError(t, resp.Body.Close())
				time.Sleep(time.Minute) // until the application has ended
			})
		})
	}
}

// TestKeptConnection has many requests use one connection.
func TestKeptConnection(t *testing.T) {
	remotes := map[string]bool{}
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		remotes[r.RemoteAddr] = true
		io.Copy(w, r.Body)
	})
	for range 10 {
		req := newRequest("POST", "/")
		req.Body, req.ContentLength = strings.NewReader("body"), 4
		_, body, err := ask(t, h, req)
		require.NoError(t, err)
		assert.Equal(t, "body", body)
	}
	assert.Len(t, remotes, 1)
}

func TestUnixSocket(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir) // the path of a socket is short
	l, err := net.Listen("unix", "app.sock")
	require.NoError(t, err)
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Host)
	}))
	app.Listener.Close()
	app.Listener = l
	app.Start()
	defer app.Close()
	transport := proxy.NewTransport(func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "app.sock"))
	})
	defer transport.CloseIdleConnections()
	h := &proxy.Handler{Target: &url.URL{Scheme: "http", Host: "localhost"}, Transport: transport}
	_, body, err := ask(t, h, newRequest("GET", "/"))
	require.NoError(t, err)
	assert.Equal(t, "example.org", body)
}

// TestTLS also has a stalled upload notice beneath TLS that the connection is closed.
func TestTLS(t *testing.T) {
	app := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto)
	}))
	defer app.Close()
	transport := proxy.NewTransport(nil)
	transport.TLSClientConfig = app.Client().Transport.(*http.Transport).TLSClientConfig
	defer transport.CloseIdleConnections()
	target, err := url.Parse(app.URL)
	require.NoError(t, err)
	h := &proxy.Handler{Target: target, Transport: transport}
	_, body, err := ask(t, h, newRequest("GET", "/"))
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1", body)

	h = newProxy(t, "https://example.com", func(c net.Conn) {
		readHead(tls.Server(c, app.TLS))
	})
	h.Transport.(*http.Transport).TLSClientConfig = transport.TLSClientConfig
	r, w := io.Pipe()
	defer w.Close()
	req := newRequest("POST", "/")
	req.Body, req.ContentLength = r, -1
	_, _, err = ask(t, h, req)
	assert.ErrorIs(t, err, adapters.ErrUnreachable)
}

// TestFrontend goes through net/http on both sides: interim responses, trailers, a change of the protocol.
func TestFrontend(t *testing.T) {
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			w.Header().Set("Upgrade", "chat")
			w.Header().Set("Connection", "Upgrade")
			w.WriteHeader(101)
			c, buffered, err := http.NewResponseController(w).Hijack()
			if !assert.NoError(t, err) {
				return
			}
			defer c.Close()
			io.Copy(c, buffered)
			return
		}
		w.Header().Set("Link", "</x>")
		w.WriteHeader(103)
		w.Header().Set("Trailer", "X-Sum")
		io.Copy(w, r.Body)
		w.Header().Set("X-Sum", r.Trailer.Get("X-In"))
	})
	front := httptest.NewServer(adapters.HTTP(h))
	defer front.Close()

	req, err := http.NewRequest("PUT", front.URL+"/", io.MultiReader(strings.NewReader("some body")))
	require.NoError(t, err)
	req.Trailer = http.Header{"X-In": {"trailed"}}
	var interim []int
	req = req.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, _ textproto.MIMEHeader) error { interim = append(interim, code); return nil },
	}))
	resp, err := front.Client().Do(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, "some body", string(body))
	assert.Equal(t, http.Header{"X-Sum": {"trailed"}}, resp.Trailer)
	assert.Contains(t, interim, 103)

	req, err = http.NewRequest("GET", front.URL+"/", nil)
	require.NoError(t, err)
	req.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"chat"}}
	resp, err = front.Client().Do(req)
	require.NoError(t, err)
	require.Equal(t, 101, resp.StatusCode)
	conn := resp.Body.(io.ReadWriteCloser)
	_, err = io.WriteString(conn, "ping")
	require.NoError(t, err)
	got := make([]byte, 4)
	_, err = io.ReadFull(conn, got)
	assert.NoError(t, err)
	assert.Equal(t, "ping", string(got))
	conn.Close()
}

func BenchmarkServe(b *testing.B) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	}))
	defer app.Close()
	target, _ := url.Parse(app.URL)
	transport := proxy.NewTransport(nil)
	defer transport.CloseIdleConnections()
	h := &proxy.Handler{Target: target, Transport: transport}
	for name, size := range map[string]int{"GET": 0, "POST 1K": 1 << 10, "POST 1M": 1 << 20} {
		content := make([]byte, size)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				req := newRequest("POST", "/", "User-Agent", "x", "Accept", "*/*")
				if size > 0 {
					req.Body, req.ContentLength = bytes.NewReader(content), int64(size)
				}
				resp, err := h.Serve(b.Context(), req)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := adapters.Copy(io.Discard, resp.Body); err != nil {
					b.Fatal(err)
				}
				resp.Body.Close()
			}
		})
	}
}
