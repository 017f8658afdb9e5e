package adapters_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// A streamed is a Stream whose end and abort are seen.
type streamed struct {
	*adapters.Stream
	ends   []error
	aborts atomic.Int32
}

func stream(src io.Reader, abort func()) *streamed {
	s := new(streamed)
	s.Stream = adapters.NewStream(src, func(err error) error {
		s.ends = append(s.ends, err)
		if err == nil {
			return io.EOF
		}
		return err
	}, func() {
		s.aborts.Add(1)
		abort()
	})
	return s
}

func nothing() {}

func TestStream(t *testing.T) {
	broken := errors.New("broken")
	const head = "Content-Type: text/plain\r\n"
	get := &adapters.Request{Method: "GET"}
	tests := []struct {
		name string
		req  *adapters.Request
		in   string
		body string
		end  error // what end is told
		err  error // what Read returns; nil is io.EOF
	}{
		{"to the end", get, head + "\r\nhello", "hello", io.EOF, nil},
		{"empty", get, head + "\r\n", "", io.EOF, nil},
		{"length", get, head + "Content-Length: 5\r\n\r\nhello", "hello", nil, nil},
		{"longer than its length", get, head + "Content-Length: 4\r\n\r\nhello", "hell", nil, nil},
		{"shorter than its length", get, head + "Content-Length: 6\r\n\r\nhello", "hello",
			adapters.ErrTruncated, adapters.ErrTruncated},
		{"length 0", get, head + "Content-Length: 0\r\n\r\nhello", "", nil, nil},
		{"HEAD", &adapters.Request{Method: "HEAD"}, head + "Content-Length: 6\r\n\r\n", "", io.EOF, nil},
		{"304", get, "Status: 304\r\nContent-Length: 6\r\n\r\n", "", io.EOF, nil},
		{"broken", get, head + "\r\nhe!", "he", broken, broken},
		{"chunked", get, head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello", io.EOF, nil},
		{"chunked and cut", get, head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", "hel", io.EOF,
			adapters.ErrTruncated},
	}
	sources := map[string]func(io.Reader) io.Reader{
		"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader,
		"with its end": iotest.DataErrReader,
	}
	for _, tt := range tests {
		for pieces, source := range sources {
			for _, way := range []string{"Read", "WriteTo"} {
				t.Run(tt.name+", "+pieces+", "+way, func(t *testing.T) {
					in, fails := strings.CutSuffix(tt.in, "!")
					src := source(strings.NewReader(in))
					if fails {
						src = io.MultiReader(src, iotest.ErrReader(broken))
					}
					s := stream(src, nothing)
					resp, err := s.ReadHeader(tt.req, 0)
					require.NoError(t, err)
					var body strings.Builder
					if way == "Read" {
						_, err = io.Copy(&body, struct{ io.Reader }{resp.Body})
					} else {
						_, err = adapters.Copy(&body, resp.Body)
					}
					assert.ErrorIs(t, err, tt.err)
					assert.Equal(t, tt.body, body.String())
					_, err = resp.Body.Read(make([]byte, 1))
					if tt.err == nil {
						assert.Equal(t, io.EOF, err)
					} else {
						assert.ErrorIs(t, err, tt.err)
					}
					require.Len(t, s.ends, 1)
					assert.ErrorIs(t, s.ends[0], tt.end)
					assert.Zero(t, s.aborts.Load())
					require.NoError(t, resp.Body.Close())
					require.NoError(t, resp.Body.Close())
					assert.Equal(t, int32(1), s.aborts.Load())
				})
			}
		}
	}
}

func TestStreamHeaderFails(t *testing.T) {
	tests := []struct {
		name, in string
		limit    int
		err      error
	}{
		{"no byte", "", 0, adapters.ErrUnreachable},
		{"half a header", "Content-Type: text/pl", 0, adapters.ErrTruncated},
		{"no header", "hello\n\n", 0, adapters.ErrBadResponse},
		{"too long", "X: aaaaaaaaaaaaa\n\n", 10, adapters.ErrBadResponse},
		{"101", "Status: 101\n\n", 0, adapters.ErrBadResponse},
		{"gzip as transfer coding", "Transfer-Encoding: gzip\n\n", 0, adapters.ErrBadResponse},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := stream(strings.NewReader(tt.in), nothing)
			resp, err := s.ReadHeader(&adapters.Request{}, tt.limit)
			assert.ErrorIs(t, err, tt.err)
			assert.Nil(t, resp)
			assert.Empty(t, s.ends)
			require.NoError(t, s.Close())
			assert.Equal(t, int32(1), s.aborts.Load())
		})
	}
}

func TestStreamMarksAndInforms(t *testing.T) {
	var hints []int
	req := &adapters.Request{Trace: new(adapters.Trace), Informational: func(status int, h adapters.Header) error {
		hints = append(hints, status)
		return nil
	}}
	s := stream(strings.NewReader("Status: 103\nLink: a\n\nStatus: 201\n\n"), nothing)
	resp, err := s.ReadHeader(req, 0)
	require.NoError(t, err)
	assert.Equal(t, 201, resp.Status)
	assert.Equal(t, []int{103}, hints)
	assert.False(t, req.Trace.At(adapters.FirstByte).IsZero())
}

// A flushes notes what is written between two flushes.
type flushes struct {
	parts []string
	fresh bool
	some  chan struct{}
}

func (f *flushes) Write(b []byte) (int, error) {
	if len(f.parts) == 0 || f.fresh {
		f.parts = append(f.parts, "")
	}
	f.fresh = false
	f.parts[len(f.parts)-1] += string(b)
	return len(b), nil
}

func (f *flushes) Flush() {
	f.fresh = true
	f.some <- struct{}{}
}

// What has come is flushed before WriteTo waits, and the end right behind the last bytes needs no flush.
func TestStreamFlushesBeforeItWaits(t *testing.T) {
	for _, deadlines := range []bool{true, false} {
		t.Run(fmt.Sprintf("deadlines %t", deadlines), func(t *testing.T) {
			app, conn := net.Pipe()
			defer app.Close()
			defer conn.Close()
			var src io.Reader = conn
			if !deadlines {
				src = struct{ io.Reader }{conn}
			}
			s := stream(src, nothing)
			go io.WriteString(app, "Content-Type: text/plain\r\n\r\n")
			resp, err := s.ReadHeader(&adapters.Request{}, 0)
			require.NoError(t, err)
			f := &flushes{some: make(chan struct{})}
			done := make(chan error)
			go func() {
				_, err := adapters.Copy(f, resp.Body)
				done <- err
			}()
			<-f.some // The header goes out although there is no body yet.
			io.WriteString(app, "one")
			<-f.some
			io.WriteString(app, "two")
			if deadlines {
				app.Close()
				require.NoError(t, <-done)
			} else {
				<-f.some
				app.Close()
				require.NoError(t, <-done)
			}
			assert.Equal(t, []string{"one", "two"}, f.parts)
		})
	}
}

// Close makes a Read and a WriteTo return that wait.
func TestStreamCloseWhileWaiting(t *testing.T) {
	for _, way := range []string{"Read", "WriteTo"} {
		t.Run(way, func(t *testing.T) {
			app, conn := net.Pipe()
			defer app.Close()
			s := stream(conn, func() { conn.Close() })
			go io.WriteString(app, "Content-Type: text/plain\r\n\r\na")
			resp, err := s.ReadHeader(&adapters.Request{}, 0)
			require.NoError(t, err)
			got := make(chan error)
			began := make(chan struct{})
			go func() {
				if way == "Read" {
					resp.Body.Read(make([]byte, 1))
					close(began)
					_, err := resp.Body.Read(make([]byte, 1))
					got <- err
				} else {
					_, err := adapters.Copy(writerFunc(func() { close(began) }), resp.Body)
					got <- err
				}
			}()
			<-began
			require.NoError(t, resp.Body.Close())
			assert.ErrorIs(t, <-got, adapters.ErrAborted)
			_, err = resp.Body.Read(make([]byte, 1))
			assert.ErrorIs(t, err, adapters.ErrAborted)
			assert.Empty(t, s.ends)
		})
	}
}

type writerFunc func()

func (f writerFunc) Write(b []byte) (int, error) {
	f()
	return len(b), nil
}

// A writer that fails or blocks keeps nobody: Close does not wait for it.
func TestStreamCloseWhileWriting(t *testing.T) {
	app, conn := net.Pipe()
	defer app.Close()
	s := stream(conn, func() { conn.Close() })
	go io.WriteString(app, "Content-Type: text/plain\r\n\r\na")
	resp, err := s.ReadHeader(&adapters.Request{}, 0)
	require.NoError(t, err)
	writing, closed := make(chan struct{}), make(chan struct{})
	got := make(chan error)
	go func() {
		_, err := adapters.Copy(writerFunc(func() {
			close(writing)
			<-closed
		}), resp.Body)
		got <- err
	}()
	<-writing
	require.NoError(t, resp.Body.Close())
	close(closed)
	assert.ErrorIs(t, <-got, adapters.ErrAborted)
}
