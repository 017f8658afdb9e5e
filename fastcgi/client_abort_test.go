package fastcgi_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi"
)

var errLeft = errors.New("the client pressed stop")

// patient returns a script that begins to answer, says so, and then notes what comes until the connection ends.
func patient(answer string, began, rest chan string) script {
	return func(p *peer) {
		p.request()
		p.say(answer)
		began <- ""
		b, _ := io.ReadAll(p)
		rest <- string(b)
	}
}

const abortRequest = "\x01\x02\x00\x01\x00\x00\x00\x00"

// TestClientAborts: whoever gives up a request, the application is told and the caller need not wait for it.
func TestClientAborts(t *testing.T) {
	body := func(t *testing.T, c adapters.Handler, ctx context.Context) io.ReadCloser {
		resp, err := c.Serve(ctx, get())
		require.NoError(t, err)
		return resp.Body
	}
	tests := []struct {
		name   string
		answer string
		run    func(t *testing.T, c adapters.Handler, began chan string)
	}{
		{"cancelled before the header", "", func(t *testing.T, c adapters.Handler, began chan string) {
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				<-began
				cancel(errLeft)
			}()
			_, err := c.Serve(ctx, get())
			assert.ErrorIs(t, err, errLeft)
		}},
		{"deadline before the header", "", func(t *testing.T, c adapters.Handler, began chan string) {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			go func() { <-began }()
			_, err := c.Serve(ctx, get())
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, 504, adapters.StatusOf(err))
		}},
		{"cancelled while Read waits", stdout(hello), func(t *testing.T, c adapters.Handler, began chan string) {
			ctx, cancel := context.WithCancelCause(t.Context())
			b := body(t, c, ctx)
			<-began
			time.AfterFunc(20*time.Millisecond, func() { cancel(errLeft) })
			got, err := io.ReadAll(b)
			assert.Equal(t, "hello", string(got))
			assert.ErrorIs(t, err, errLeft)
			assert.NoError(t, b.Close())
		}},
		{"closed while Read waits", stdout(hello), func(t *testing.T, c adapters.Handler, began chan string) {
			b := body(t, c, t.Context())
			<-began
			time.AfterFunc(20*time.Millisecond, func() { b.Close() })
			got, err := io.ReadAll(b)
			assert.Equal(t, "hello", string(got))
			assert.ErrorIs(t, err, adapters.ErrAborted)
			assert.Equal(t, adapters.StatusClientGone, adapters.StatusOf(err))
		}},
		{"closed while WriteTo waits", stdout(hello), func(t *testing.T, c adapters.Handler, began chan string) {
			b := body(t, c, t.Context())
			<-began
			time.AfterFunc(20*time.Millisecond, func() { b.Close() })
			_, err := b.(io.WriterTo).WriteTo(new(writer))
			assert.ErrorIs(t, err, adapters.ErrAborted)
		}},
		{"closed while WriteTo writes", stdout(hello), func(t *testing.T, c adapters.Handler, began chan string) {
			b := body(t, c, t.Context())
			<-began
			w := &writer{wrote: make(chan struct{})}
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, err := b.(io.WriterTo).WriteTo(w)
				assert.ErrorIs(t, err, adapters.ErrAborted)
			}()
			for len(w.noted()) == 0 {
				time.Sleep(time.Millisecond)
			}
			assert.NoError(t, b.Close(), "which does not wait for the writer")
			<-w.wrote
			select {
			case <-w.wrote: // a flush
			case <-done:
			}
			soon(t, done, "WriteTo")
		}},
		{"closed before it is read", stdout(hello), func(t *testing.T, c adapters.Handler, began chan string) {
			b := body(t, c, t.Context())
			<-began
			assert.NoError(t, b.Close())
			assert.NoError(t, b.Close())
			_, err := b.Read(make([]byte, 9))
			assert.ErrorIs(t, err, adapters.ErrAborted)
		}},
		{"no time for the application", "", func(t *testing.T, c adapters.Handler, began chan string) {
			go func() { <-began }()
			_, err := c.Serve(t.Context(), get())
			assert.ErrorIs(t, err, adapters.ErrTimeout)
			assert.Equal(t, 504, adapters.StatusOf(err))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			began, rest := make(chan string), make(chan string, 1)
			c, _ := listen(t, patient(tt.answer, began, rest))
			c.AbortGrace = time.Minute
			if strings.HasPrefix(tt.name, "no time") {
				c.Timeout = 500 * time.Millisecond
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				tt.run(t, c, began)
			}()
			soon(t, done, "the caller")
			assert.Equal(t, abortRequest, <-rest, "then our direction is closed")
		})
	}
}

// TestClientAbortGrace: an application that minds no FCGI_ABORT_REQUEST loses its connection when the grace is over,
// and until then it counts as busy.
func TestClientAbortGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := make(chan time.Duration, 1)
		c, a, stop := pipes(t, func(p *peer) {
			p.request()
			began := time.Now()
			p.say(stdout(hello))
			go io.Copy(io.Discard, p)
			for p.SetReadDeadline(time.Now().Add(time.Hour)) == nil { // minds nothing and goes on
				if _, err := io.WriteString(p, stdout("more")); err != nil {
					break
				}
				time.Sleep(time.Second)
			}
			lost <- time.Since(began)
		}, answering(hello))
		defer stop()
		c.AbortGrace, c.MaxConns = 7*time.Second, 1
		resp, err := c.Serve(t.Context(), get())
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		began := time.Now()
		wantHello(t, c, get())
		assert.Equal(t, 7*time.Second, time.Since(began), "the slot is busy")
		assert.InDelta(t, 7, (<-lost).Seconds(), 1.1)
		assert.Equal(t, 2, a.connections())
	})
}

// TestClientAbortIsHeeded: an application that ends the request, or the connection, frees its slot at once.
func TestClientAbortIsHeeded(t *testing.T) {
	c, _ := listen(t, func(p *peer) {
		p.request()
		p.say(stdout(hello))
		typ, id, _, _ := p.next()
		assert.Equal(t, []int{tAbort, 1}, []int{int(typ), id})
		p.say(end(1, 0, 0))
		_, _, _, ok := p.next()
		assert.False(t, ok)
	}, answering(hello))
	c.AbortGrace, c.MaxConns = time.Hour, 1
	resp, err := c.Serve(t.Context(), get())
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	wantHello(t, c, get())
}

// TestClientAbortDuringUpload: the sender may wait for the body, or for the application.
func TestClientAbortDuringUpload(t *testing.T) {
	for _, name := range []string{"body waits", "application waits"} {
		t.Run(name, func(t *testing.T) {
			var body io.Reader = strings.NewReader(strings.Repeat("x", 10<<20))
			if name == "body waits" {
				slow := newSlowBody()
				defer slow.close()
				body = slow
			}
			heads := make(chan struct{})
			c, _ := listen(t, func(p *peer) {
				p.head()
				heads <- struct{}{}
				time.Sleep(100 * time.Millisecond)
				io.Copy(io.Discard, p)
			})
			c.AbortGrace = time.Minute
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				<-heads
				cancel(errLeft)
			}()
			_, err := c.Serve(ctx, post(body, 10<<20))
			assert.ErrorIs(t, err, errLeft)
		})
	}
}

// TestClientAbortsDeaf: whoever reads nothing can be told by the end of the connection alone, which needs no grace.
func TestClientAbortsDeaf(t *testing.T) {
	c, _ := listen(t, func(p *peer) {
		p.head()
		io.Copy(io.Discard, p)
	})
	c.AbortGrace = time.Minute
	ctx, cancel := context.WithCancelCause(t.Context())
	c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return &fullConn{conn, func() { cancel(errLeft) }}, err
	}
	_, err := c.Serve(ctx, post(strings.NewReader(strings.Repeat("x", 1<<20)), 1<<20))
	assert.ErrorIs(t, err, errLeft)
	assert.Eventually(t, func() bool { return fastcgi.Open(c) == 0 }, 20*time.Second, time.Millisecond)
}

// A fullConn takes no more than the beginning of a large record, and then does something.
type fullConn struct {
	net.Conn
	do func()
}

func (c *fullConn) Write(b []byte) (int, error) {
	if len(b) < 8<<10 {
		return c.Conn.Write(b)
	}
	n, err := c.Conn.Write(b[:100])
	for c.do(); err == nil; _, err = c.Conn.Write(nil) { // until the deadline
		time.Sleep(time.Millisecond)
	}
	return n, err
}

// TestClientCancelledWithinHead: FCGI_ABORT_REQUEST has no place within another record.
func TestClientCancelledWithinHead(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	rest := make(chan string, 1)
	c, _, stop := pipes(t, func(p *peer) {
		io.ReadFull(p, make([]byte, 100))
		cancel(errLeft)
		time.Sleep(50 * time.Millisecond)
		b, _ := io.ReadAll(p)
		rest <- string(b)
	})
	defer stop()
	req := get()
	req.Vars = []adapters.Var{{Name: "BIG", Value: strings.Repeat("x", 20_000)}}
	_, err := c.Serve(ctx, req)
	assert.ErrorIs(t, err, errLeft)
	assert.Empty(t, <-rest)
}

// TestClientCancelledBehindHead: the application has the whole head, but the client does not know it yet.
func TestClientCancelledBehindHead(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	rest := make(chan string, 1)
	c, _ := listen(t, func(p *peer) {
		p.request()
		b, _ := io.ReadAll(p)
		rest <- string(b)
	})
	c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return &lateConn{conn.(*net.UnixConn), func() { cancel(errLeft) }}, err
	}
	req := get()
	req.Vars = []adapters.Var{{Name: "BIG", Value: strings.Repeat("x", 20_000)}}
	_, err := c.Serve(ctx, req)
	assert.ErrorIs(t, err, errLeft)
	assert.Equal(t, abortRequest, <-rest)
}

// A lateConn does something behind each Write.
type lateConn struct {
	*net.UnixConn
	do func()
}

func (c *lateConn) Write(b []byte) (int, error) {
	n, err := c.UnixConn.Write(b)
	c.do()
	time.Sleep(50 * time.Millisecond)
	return n, err
}

func TestClientCancelledEarly(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	c, a := listen(t, answering(hello))
	dialling := make(chan struct{})
	c.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		close(dialling)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	go func() {
		<-dialling
		cancel(errLeft)
	}()
	_, err := c.Serve(ctx, get())
	assert.ErrorIs(t, err, errLeft)
	_, err = c.Serve(ctx, get())
	assert.ErrorIs(t, err, errLeft)
	assert.Zero(t, a.connections())
}

// TestClientTimeout: the application may take its time as long as bytes move, and nobody blames it for a slow client.
func TestClientTimeout(t *testing.T) {
	const timeout = 60 * time.Second // the default
	tests := []struct {
		name string
		app  script
		body func() io.Reader
		took time.Duration
		err  error
	}{
		{name: "silent", app: func(p *peer) { p.request(); p.next() }, took: timeout, err: adapters.ErrTimeout},
		{name: "reads nothing", app: func(*peer) { time.Sleep(time.Hour) }, took: timeout, err: adapters.ErrTimeout},
		{name: "silent after the header", took: timeout, err: adapters.ErrTimeout,
			app: func(p *peer) { p.request(); p.say(stdout(hello)); p.next() }},
		{name: "slow but not silent", took: 4 * 50 * time.Second,
			app: func(p *peer) {
				p.request()
				p.say(stdout(hello))
				for range 4 {
					time.Sleep(50 * time.Second)
					p.say(stderr("."))
				}
				p.say(end(1, 0, 0))
			}},
		{name: "slow client", took: 5 * 40 * time.Second,
			body: func() io.Reader { return sleepyBody(5, 40*time.Second) },
			app:  func(p *peer) { r, _ := p.request(); p.say(response(r.id, hello)) }},
		{name: "very slow client", took: 2 * 200 * time.Second,
			body: func() io.Reader { return sleepyBody(2, 200*time.Second) },
			app:  func(p *peer) { r, _ := p.request(); p.say(response(r.id, hello)) }},
		{name: "silent after an upload", took: 40*time.Second + timeout, err: adapters.ErrTimeout,
			body: func() io.Reader { return sleepyBody(1, 40*time.Second) },
			app:  func(p *peer) { p.request(); p.next() }},
		{name: "takes the body slowly", took: 3 * 50 * time.Second,
			body: func() io.Reader { return sleepyBody(3, 0) },
			app: func(p *peer) {
				p.head()
				for range 3 {
					time.Sleep(50 * time.Second)
					p.next()
				}
				p.next()
				p.say(response(1, hello))
			}},
		{name: "stops taking the body", took: timeout, err: adapters.ErrTimeout,
			body: func() io.Reader { return sleepyBody(3, 0) },
			app:  func(p *peer) { p.head(); time.Sleep(time.Hour) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _, stop := pipes(t, tt.app)
				defer stop()
				req := get()
				if tt.body != nil {
					body := tt.body()
					req = post(body, body.(*sleepy).n)
				}
				began := time.Now()
				_, _, err := do(c, req)
				assert.InDelta(t, tt.took.Seconds(), time.Since(began).Seconds(), 1)
				if tt.err == nil {
					assert.NoError(t, err)
				} else {
					assert.ErrorIs(t, err, tt.err)
					assert.ErrorContains(t, err, "1m0s (limit Timeout)")
				}
			})
		})
	}
}

// sleepy is a body of n bytes, each of which comes after a pause.
type sleepy struct {
	n     int64
	left  int64
	pause time.Duration
}

func sleepyBody(n int64, pause time.Duration) io.Reader { return &sleepy{n, n, pause} }

func (b *sleepy) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	time.Sleep(b.pause)
	b.left--
	p[0] = 'x'
	return 1, nil
}

func TestClientConnectTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, stop := pipes(t, answering(hello))
		defer stop()
		c.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, &net.OpError{Op: "dial", Err: ctx.Err()}
		}
		began := time.Now()
		_, _, err := do(c, get())
		assert.Equal(t, 5*time.Second, time.Since(began))
		assert.ErrorIs(t, err, adapters.ErrTimeout)
		assert.Equal(t, 504, adapters.StatusOf(err))
		assert.EqualError(t, err,
			"fastcgi: dial tcp pipe: application timed out: no connection within 5s (limit connect-timeout)")
	})
}

// A lateContext is over by its deadline and does not know it yet.
type lateContext struct{ context.Context }

func (lateContext) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

// TestClientLateContext: the deadline of the caller is not the limit of the Client, whoever notices it first.
func TestClientLateContext(t *testing.T) {
	c := &fastcgi.Client{Network: "tcp", Address: "pipe", Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
	}}
	_, err := c.Serve(lateContext{t.Context()}, get())
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Empty(t, adapters.LimitOf(err))
}

// TestClientStderrEndsWithClose: nobody writes to Stderr once Close has returned.
func TestClientStderrEndsWithClose(t *testing.T) {
	for range 50 {
		c, _ := listen(t, func(p *peer) {
			p.request()
			p.say(stdout(hello))
			for {
				if _, err := io.WriteString(p, stderr("oh")); err != nil {
					return
				}
			}
		})
		var stderr strings.Builder // not safe for concurrent use: the race detector watches
		req := get()
		req.Stderr = &stderr
		resp, err := c.Serve(t.Context(), req)
		require.NoError(t, err)
		reads := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, resp.Body)
			reads <- err
		}()
		time.Sleep(time.Millisecond)
		require.NoError(t, resp.Body.Close())
		stderr.WriteString("ours again")
		require.ErrorIs(t, <-reads, adapters.ErrAborted)
	}
}
