package fastcgi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi"
)

// A recorder notes what its client writes.
type recorder struct {
	mu     sync.Mutex
	writes []string
}

func (r *recorder) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return &recordedConn{conn, r}, err
}

type recordedConn struct {
	net.Conn
	r *recorder
}

func (c *recordedConn) Write(b []byte) (int, error) {
	c.r.mu.Lock()
	c.r.writes = append(c.r.writes, string(b))
	c.r.mu.Unlock()
	return c.Conn.Write(b)
}

// The meta-variables that always exist, as name-value pairs written by hand, and their record around them.
const usualParams = "\x11\x07GATEWAY_INTERFACECGI/1.1" + "\x0f\x07SERVER_SOFTWAREgangway" +
	"\x0f\x08SERVER_PROTOCOLHTTP/1.1" + "\x0e\x03REQUEST_METHODGET" + "\x0c\x00QUERY_STRING" +
	"\x0b\x02SCRIPT_NAME/x" + "\x0b\x00REMOTE_ADDR" + "\x0b\x00SERVER_PORT" + "\x0b\x00SERVER_NAME"

func TestClientSendsRequestAtOnce(t *testing.T) {
	c, a := listen(t, answering(hello))
	var r recorder
	c.Dial = r.dial
	for range 2 {
		wantHello(t, c, get())
	}
	want := func(id string) string {
		return "\x01\x01\x00" + id + "\x00\x08\x00\x00" + "\x00\x01\x01\x00\x00\x00\x00\x00" + // Responder, keep
			"\x01\x04\x00" + id + "\x00\xa2\x00\x00" + usualParams + "\x01\x04\x00" + id + "\x00\x00\x00\x00" +
			"\x01\x05\x00" + id + "\x00\x00\x00\x00"
	}
	assert.Equal(t, []string{want("\x01"), want("\x02")}, r.writes)
	assert.Equal(t, 1, a.connections())
}

func TestClientKeepsNoConnection(t *testing.T) {
	flags := make(chan byte, 2)
	c, a := listen(t, func(p *peer) {
		r, _ := p.request()
		flags <- r.flags
		p.say(response(r.id, hello))
		p.next() // until the client closes
	})
	c.KeepConn = -1
	for range 2 {
		wantHello(t, c, get())
		assert.Zero(t, <-flags)
	}
	assert.Equal(t, 2, a.connections())
}

// TestClientTrustsSteadyApplications: one that has kept its connections for long is sent a POST over them, until it
// ends one.
func TestClientTrustsSteadyApplications(t *testing.T) {
	var ends atomic.Bool
	c, a := listen(t, func(p *peer) {
		for {
			r, ok := p.request()
			if !ok {
				return
			}
			p.say(response(r.id, hello))
			if ends.Load() {
				return
			}
		}
	})
	c.KeepConn, c.MaxConns = time.Minute, 1
	fastcgi.NearlySteady(c)
	wantHello(t, c, get())
	for range 3 {
		wantHello(t, c, post(strings.NewReader("body"), 4))
	}
	assert.Equal(t, 1, a.connections())
	ends.Store(true)
	wantHello(t, c, get())
	ends.Store(false)
	wantHello(t, c, get()) // whether the end was seen before it was sent or not
	assert.Equal(t, 2, a.connections())
	wantHello(t, c, post(strings.NewReader("body"), 4))
	assert.Equal(t, 3, a.connections())
}

// TestClientSendsOnceOnANewConnection: what cannot be sent twice does not meet the end of a kept connection.
func TestClientSendsOnceOnANewConnection(t *testing.T) {
	flags := make(chan byte, 1)
	c, a := listen(t, func(p *peer) {
		for {
			r, ok := p.request()
			if !ok {
				return
			}
			flags <- r.flags
			p.say(response(r.id, hello))
		}
	})
	c.KeepConn, c.MaxConns = time.Minute, 1
	put := func(body io.Reader) *adapters.Request {
		req := post(body, 4)
		req.Method = "PUT"
		return req
	}
	for i, tt := range []struct {
		req  *adapters.Request
		keep byte
		conn int
	}{
		{get(), 1, 1},
		{get(), 1, 1},
		{post(strings.NewReader("body"), 4), 0, 2},
		{put(strings.NewReader("body")), 1, 3},
		{put(io.MultiReader(strings.NewReader("body"))), 0, 4},
		{get(), 1, 5},
	} {
		wantHello(t, c, tt.req)
		assert.Equal(t, tt.keep, <-flags, i)
		assert.Equal(t, tt.conn, a.connections(), i)
	}
}

func TestClientVariables(t *testing.T) {
	tests := []struct {
		name    string
		value   string
		records int
	}{
		{"127 bytes", strings.Repeat("v", 127), 1},
		{"128 bytes", strings.Repeat("v", 128), 1},
		{"a whole record", strings.Repeat("v", 65000), 1},
		{"70 KB", strings.Repeat("v", 70000), 2},
		{"1 MB", strings.Repeat("0123456789abcdef", 1<<16), 17},
		{"no UTF-8", "\xff\xfe\x80\n\r=", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan *received, 1)
			c, _ := listen(t, func(p *peer) {
				r, _ := p.request()
				got <- r
				p.say(response(r.id, hello))
			})
			req := get()
			req.Vars = []adapters.Var{
				{Name: "BEFORE", Value: "1"}, {Name: "BIG", Value: tt.value}, {Name: "AFTER", Value: "2"},
			}
			wantHello(t, c, req)
			r := <-got
			assert.True(t, tt.value == r.vars["BIG"])
			assert.Equal(t, "1", r.vars["BEFORE"])
			assert.Equal(t, "2", r.vars["AFTER"])
			n := len(slices.DeleteFunc(r.records, func(t byte) bool { return t != tParams }))
			assert.InDelta(t, tt.records+1, n, 2, "records")
		})
	}
}

func TestClientRefusesRequest(t *testing.T) {
	tests := []struct {
		name string
		edit func(*adapters.Request)
	}{
		{"NUL in a value", func(r *adapters.Request) { r.Query = "a\x00b" }},
		{"NUL in a name", func(r *adapters.Request) { r.Vars = []adapters.Var{{Name: "A\x00", Value: "b"}} }},
		{"unknown role", func(r *adapters.Request) { r.Role = 3 }},
		{"filter without data", func(r *adapters.Request) { r.Role = adapters.Filter }},
		{"filter with half a Data", func(r *adapters.Request) {
			r.Role, r.Data = adapters.Filter, &adapters.Data{Length: 5}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := listen(t, func(p *peer) {
				b, _ := io.ReadAll(p)
				assert.Empty(t, b)
			})
			req := get()
			tt.edit(req)
			_, _, err := do(c, req)
			require.ErrorIs(t, err, adapters.ErrBadRequest)
			assert.Equal(t, 400, adapters.StatusOf(err))
		})
	}
}

func TestClientRoles(t *testing.T) {
	got := make(chan *received, 1)
	once := func(p *peer) {
		r, _ := p.request()
		got <- r
		p.say(response(r.id, hello))
	}
	t.Run("authorizer", func(t *testing.T) {
		c, _ := listen(t, once)
		body := strings.NewReader("body")
		req := post(body, 4)
		req.Role = adapters.Authorizer
		req.Script = adapters.Script{Name: "/a", PathInfo: "/b", Root: "/srv", Filename: "/srv/a"}
		req.Vars = []adapters.Var{{Name: "CONTENT_LENGTH", Value: "4"}}
		wantHello(t, c, req)
		r := <-got
		assert.Equal(t, byte(2), r.role)
		assert.Equal(t, "/srv/a", r.vars["SCRIPT_FILENAME"])
		for _, name := range []string{"CONTENT_LENGTH", "PATH_INFO", "PATH_TRANSLATED", "SCRIPT_NAME"} {
			assert.NotContains(t, r.vars, name)
		}
		assert.Empty(t, r.stdin)
		assert.Equal(t, 4, body.Len(), "an authorizer's request leaves the body alone")
		assert.Equal(t, int64(4), req.ContentLength)
	})
	filter := func(body io.Reader, length int64, data string) func(t *testing.T) {
		return func(t *testing.T) {
			c, _ := listen(t, once)
			req := post(body, length)
			req.Role = adapters.Filter
			req.Data = &adapters.Data{
				Body: strings.NewReader(data + "more"), Length: int64(len(data)), LastMod: time.Unix(812345678, 5),
			}
			wantHello(t, c, req)
			r := <-got
			assert.Equal(t, byte(3), r.role)
			assert.Equal(t, "812345678", r.vars["FCGI_DATA_LAST_MOD"])
			assert.True(t, data == r.data)
			if body != nil {
				assert.Equal(t, "form", r.stdin)
			}
			assert.Less(t, slices.Index(r.records, tStdin), slices.Index(r.records, tData), "STDIN ends before DATA")
		}
	}
	t.Run("filter", filter(strings.NewReader("form"), 4, "data"))
	t.Run("filter with a streamed body", filter(io.MultiReader(strings.NewReader("form")), 4, "data"))
	t.Run("filter without a body", filter(nil, 0, strings.Repeat("data", 100000)))
	t.Run("filter of an empty file", filter(nil, 0, ""))
}

func TestClientBodyInMemory(t *testing.T) {
	c, a := listen(t, func(p *peer) {
		for {
			r, ok := p.request()
			if !ok {
				return
			}
			p.say(response(r.id, "Content-Type: text/plain\r\n\r\n"+r.vars["CONTENT_LENGTH"]+" "+r.stdin))
		}
	})
	var r recorder
	c.Dial = r.dial
	bodies := []io.Reader{strings.NewReader("abcdef"), bytes.NewReader([]byte("abcdef")), bytes.NewBufferString("abcdef")}
	for _, body := range bodies {
		_, got, err := do(c, post(body, 4))
		require.NoError(t, err)
		assert.Equal(t, "4 abcd", got)
	}
	assert.Len(t, r.writes, len(bodies), "the body rides in the first write")
	assert.Equal(t, len(bodies), a.connections())
}

func TestClientSpoolsBodyOfUnknownLength(t *testing.T) {
	c, _ := listen(t, func(p *peer) {
		r, _ := p.request()
		p.say(response(r.id, "X-Length: "+r.vars["CONTENT_LENGTH"]+"\r\n\r\n"+r.stdin))
	})
	c.SpoolLimit = 1 << 20
	body := strings.Repeat("0123456789", 80_000)
	resp, got, err := do(c, post(io.MultiReader(strings.NewReader(body)), -1))
	require.NoError(t, err)
	assert.Equal(t, "800000", resp.Header.Get("X-Length"))
	assert.True(t, body == got)

	_, _, err = do(c, post(io.MultiReader(strings.NewReader(body), strings.NewReader(body)), -1))
	assert.ErrorIs(t, err, adapters.ErrTooLarge)
	assert.Equal(t, 413, adapters.StatusOf(err))
	_, _, err = do(c, post(io.MultiReader(strings.NewReader("a"), failing{errors.New("reset")}), -1))
	assert.ErrorIs(t, err, adapters.ErrAborted)
}

// failing is a body whose client has gone.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestClientAddress(t *testing.T) {
	tests := []struct{ network, address, want string }{
		{"", "/run/app.sock", "unix /run/app.sock"},
		{"", "@app", "unix @app"},
		{"", "127.0.0.1:9000", "tcp 127.0.0.1:9000"},
		{"tcp4", "localhost:9000", "tcp4 localhost:9000"},
		{"unix", "app.sock", "unix app.sock"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			var dialled string
			c := &fastcgi.Client{Network: tt.network, Address: tt.address}
			c.Dial = func(_ context.Context, network, address string) (net.Conn, error) {
				dialled = network + " " + address
				return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
			}
			req := get()
			req.Trace = new(adapters.Trace)
			_, _, err := do(c, req)
			assert.Equal(t, tt.want, dialled)
			assert.EqualError(t, err, "fastcgi: dial "+tt.want+": application not reachable: connection refused")
			assert.Equal(t, 502, adapters.StatusOf(err))
			backend, attempts := req.Trace.Backend()
			assert.Equal(t, tt.want, backend)
			assert.Equal(t, 1, attempts)
		})
	}
}

func TestClientTrace(t *testing.T) {
	c, _ := listen(t, answering(hello))
	req := get()
	req.Trace = new(adapters.Trace)
	before := time.Now()
	wantHello(t, c, req)
	at := []time.Time{before}
	for phase := adapters.Assigned; phase <= adapters.FirstByte; phase++ {
		at = append(at, req.Trace.At(phase))
	}
	assert.True(t, slices.IsSortedFunc(at, time.Time.Compare), "%v", at)
}
