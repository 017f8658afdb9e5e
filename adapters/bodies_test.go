package adapters_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// bodyDir is a new TMPDIR, in which nothing may be left.
func bodyDir(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir) // Windows
	t.Cleanup(func() {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, entries, "left behind")
	})
}

// A slowBody is a request body that comes in parts of that size, each after a pause.
type slowBody struct {
	content string
	part    int
	pause   time.Duration
	err     error // at its end
	asked   int
}

func (b *slowBody) Read(p []byte) (int, error) {
	b.asked++
	time.Sleep(b.pause)
	if b.content == "" {
		return 0, b.err
	}
	n := copy(p, b.content[:min(b.part, len(b.content))])
	b.content = b.content[n:]
	return n, nil
}

// A readable is a body that is there at once.
type readable struct{ *slowBody }

func (r readable) Len() int { return len(r.content) }

// upload is a request with a body of known length.
func upload(body *slowBody) *adapters.Request {
	return &adapters.Request{Method: "POST", Body: body, ContentLength: int64(len(body.content))}
}

func TestBodiesOfRequests(t *testing.T) {
	bodyDir(t)
	const large = 1 << 20
	for _, test := range []*uploadTest{
		{name: "slow and small", size: 100, part: 1, pause: time.Second,
			notBefore: 100 * time.Second, atOnce: 102 * time.Second},
		{name: "slow and large", size: large, part: 1000, pause: time.Second,
			notBefore: 1048 * time.Second, atOnce: 1100 * time.Second},
		{name: "fast", size: large, part: 8 << 10, pause: time.Millisecond, atOnce: 10 * time.Millisecond},
		{name: "not quite fast", size: 200000, part: 8 << 10, pause: 10 * time.Millisecond,
			notBefore: 240 * time.Millisecond, atOnce: time.Second},
		{name: "slow to an application that talks", mode: adapters.BodyStream, size: 100, part: 1, pause: time.Second},
		{name: "fast but to be spooled", mode: adapters.BodySpool, size: large, part: 8 << 10, pause: time.Millisecond,
			notBefore: 128 * time.Millisecond, atOnce: 140 * time.Millisecond},
		{name: "unknown length", unknown: true, size: large, part: 8 << 10, pause: time.Millisecond,
			notBefore: 128 * time.Millisecond, atOnce: time.Second},
		{name: "unknown length to an application that talks", mode: adapters.BodyStream, unknown: true,
			size: 100, part: 1, pause: time.Second, notBefore: 100 * time.Second, atOnce: 103 * time.Second},
		{name: "larger than what is kept", bodies: adapters.Bodies{Limit: 100000}, size: large, part: 1000,
			pause: time.Second, atOnce: 70 * time.Second, notBefore: 64 * time.Second, status: 408, limit: "body-rate"},
		{name: "larger than the little that is kept", bodies: adapters.Bodies{Limit: 1000}, size: 80000, part: 1000,
			pause: time.Millisecond, atOnce: 5 * time.Millisecond},
		{name: "unknown, and larger than what is kept", bodies: adapters.Bodies{Limit: 100000}, unknown: true,
			size: large, part: 1000, pause: time.Second, status: 413, limit: "spool"},
		{name: "to be spooled, and larger than what is kept", mode: adapters.BodySpool,
			bodies: adapters.Bodies{Limit: 100000}, size: large, part: 1000, pause: time.Second, status: 413, limit: "spool"},
		{name: "no memory", bodies: adapters.Bodies{Memory: 1}, size: 100, part: 10, pause: time.Second},
		{name: "no disk", bodies: adapters.Bodies{Disk: 1}, size: 80000, part: 1000, pause: 10 * time.Millisecond,
			notBefore: 650 * time.Millisecond, atOnce: time.Second},
		{name: "no disk for a body of unknown length", bodies: adapters.Bodies{Disk: 1}, unknown: true,
			size: 80000, part: 1000, pause: 10 * time.Millisecond, status: 503, limit: "spool-disk"},
		{name: "no memory for a body of unknown length", bodies: adapters.Bodies{Memory: 1}, unknown: true,
			size: 100, part: 10, pause: time.Second, status: 503, limit: "spool-memory"},
		{name: "slow after a fast beginning", size: large, part: 64 << 10, tail: 200, status: 408, limit: "body-rate"},
		{name: "never too slow", bodies: adapters.Bodies{Rate: -1}, size: large, part: 64 << 10, tail: 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test.run(t) })
		})
	}
}

// An uploadTest is a body that comes in parts, each after a pause, and when the application is asked.
type uploadTest struct {
	name              string
	mode              adapters.BodyMode
	bodies            adapters.Bodies
	size, part        int
	pause             time.Duration
	unknown           bool
	tail              int // so many bytes come slowly once the application is asked, and the rest is left out
	notBefore, atOnce time.Duration
	status            int
	limit             string
}

func (test *uploadTest) run(t *testing.T) {
	want := strings.Repeat("0123456789abcdef", test.size/16+1)[:test.size]
	body := &slowBody{content: want, part: test.part, pause: test.pause, err: io.EOF}
	req := upload(body)
	if test.unknown {
		req.ContentLength = -1
	}
	began, asked := time.Now(), time.Duration(-1)
	app := adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		asked = time.Since(began)
		if test.tail > 0 {
			body.content, body.part, body.pause = body.content[len(body.content)-test.tail:], 2, time.Second
		}
		assert.Equal(t, int64(test.size), req.ContentLength)
		got, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		assert.True(t, test.tail > 0 || want == string(got))
		return adapters.Reply(200, "text/plain", "done"), nil
	})
	resp, err := test.bodies.Wrap(cmp.Or(test.mode, adapters.BodyAuto))(app).Serve(t.Context(), req)
	if test.status != 0 {
		var e *adapters.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, test.status, adapters.StatusOf(err), err)
		assert.Equal(t, test.limit, e.Limit)
	} else {
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
	if test.status == 0 || test.status == 408 {
		assert.LessOrEqual(t, asked, test.atOnce)
		assert.GreaterOrEqual(t, asked, test.notBefore)
	} else {
		assert.Equal(t, time.Duration(-1), asked, "the application was asked")
	}
	assert.Equal(t, [2]int64{}, used(&test.bodies))
}

func used(b *adapters.Bodies) [2]int64 {
	memory, disk := b.Used()
	return [2]int64{memory, disk}
}

// What is there at once goes on at once, as it is.
func TestBodiesReadableAtOnce(t *testing.T) {
	body := readable{&slowBody{content: "hello", part: 5}}
	req := &adapters.Request{Method: "POST", Body: body, ContentLength: 5}
	app := adapters.HandlerFunc(func(_ context.Context, got *adapters.Request) (*adapters.Response, error) {
		assert.Same(t, req, got)
		return adapters.Reply(200, "text/plain", "done"), nil
	})
	resp, err := new(adapters.Bodies).Wrap(adapters.BodyAuto)(app).Serve(t.Context(), req)
	require.NoError(t, err)
	assert.Zero(t, body.asked)
	require.NoError(t, resp.Body.Close())
}

// An authorizer's request has somebody else's body.
func TestBodiesLeaveAuthorizersAlone(t *testing.T) {
	body := &slowBody{content: "hello", part: 5}
	req := upload(body)
	req.Role = adapters.Authorizer
	app := adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
		return adapters.Reply(200, "text/plain", "done"), nil
	})
	resp, err := new(adapters.Bodies).Wrap(adapters.BodyAuto)(app).Serve(t.Context(), req)
	require.NoError(t, err)
	assert.Zero(t, body.asked)
	require.NoError(t, resp.Body.Close())
}

func TestBodiesBroken(t *testing.T) {
	gone := fmt.Errorf("%w: client gone", adapters.ErrAborted)
	for name, err := range map[string]error{"too short": io.EOF, "client gone": gone} {
		synctest.Test(t, func(t *testing.T) {
			body := &slowBody{content: "hello", part: 1, pause: time.Second, err: err}
			req := upload(body)
			req.ContentLength = 10
			bodies := new(adapters.Bodies)
			_, err := bodies.Wrap(adapters.BodyAuto)(nil).Serve(t.Context(), req)
			require.ErrorIs(t, err, adapters.ErrAborted, name)
			assert.Equal(t, adapters.StatusClientGone, adapters.StatusOf(err))
			assert.Equal(t, [2]int64{}, used(bodies))
		})
	}
}

// Who waits for a body that does not come can be cancelled.
func TestBodiesCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		ctx, cancel := context.WithCancelCause(t.Context())
		late := errors.New("too late")
		time.AfterFunc(time.Minute, func() { cancel(late) })
		bodies := new(adapters.Bodies)
		_, err := bodies.Wrap(adapters.BodyAuto)(nil).Serve(ctx, &adapters.Request{Body: r, ContentLength: 5})
		require.ErrorIs(t, err, late)
		w.Close() // as the frontend does
		synctest.Wait()
		assert.Equal(t, [2]int64{}, used(bodies))
	})
}

// A source is an application's body of size bytes, which ends with err.
type source struct {
	r      io.Reader
	err    error
	read   int64
	ended  time.Time
	closed chan struct{}
}

func newSource(size int, err error) *source {
	return &source{r: bytes.NewReader(bytes.Repeat([]byte("x"), size)), err: err, closed: make(chan struct{})}
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p[:min(len(p), 30000)])
	s.read += int64(n)
	if err == io.EOF {
		err = s.err
	}
	return n, err
}

func (s *source) Close() error {
	select {
	case <-s.closed:
	default:
		s.ended = time.Now()
		close(s.closed)
	}
	return nil
}

// answer serves the source through bodies.
func answer(t *testing.T, bodies *adapters.Bodies, s *source) *adapters.Response {
	app := adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
		return &adapters.Response{Status: http.StatusOK, Body: s}, nil
	})
	resp, err := bodies.Wrap(adapters.BodyAuto)(app).Serve(t.Context(), &adapters.Request{Method: "GET"})
	require.NoError(t, err)
	return resp
}

// A client takes so much at once, each time after a pause.
type client struct {
	pause   time.Duration
	room    int
	got     int
	err     error // after so much
	after   int
	flushes int
}

func (c *client) Write(p []byte) (int, error) {
	for i := 0; i < len(p); i += c.room {
		time.Sleep(c.pause)
		if c.err != nil && c.got >= c.after {
			return i, c.err
		}
		c.got += min(c.room, len(p)-i)
	}
	return len(p), nil
}

func (c *client) Flush() { c.flushes++ }

func TestBodiesOfResponses(t *testing.T) {
	bodyDir(t)
	cut, gone := fmt.Errorf("%w: app died", adapters.ErrTruncated), errors.New("client gone")
	for _, test := range []struct {
		name   string
		size   int
		err    error
		client client
		bodies *adapters.Bodies
		held   bool // the application is not free before the client has most
		want   error
		got    int // -1 is all
	}{
		{name: "empty", client: client{room: 1}, got: -1},
		{name: "small", size: 100, client: client{room: 1, pause: time.Second}, got: -1},
		{name: "as large as what is held", size: 32 << 10, client: client{room: 1 << 10, pause: time.Second}, got: -1},
		{name: "large", size: 3 << 20, client: client{room: 5 << 10, pause: time.Second}, got: -1},
		{name: "large, to a fast client", size: 3 << 20, client: client{room: 1 << 20}, got: -1},
		{name: "no budget", size: 3 << 20, client: client{room: 5 << 10, pause: time.Second},
			bodies: &adapters.Bodies{Memory: 1, Disk: 1}, got: -1, held: true},
		{name: "larger than what is kept", size: 3 << 20, client: client{room: 5 << 10, pause: time.Second},
			bodies: &adapters.Bodies{Limit: 1 << 20}, got: -1, held: true},
		{name: "small and cut short", size: 100, err: cut, client: client{room: 1}, want: cut, got: -1},
		{name: "cut short", size: 3 << 20, err: cut, client: client{room: 5 << 10, pause: time.Second}, want: cut, got: -1},
		{name: "to a client that leaves", size: 3 << 20, want: gone, got: 1 << 20,
			client: client{room: 5 << 10, pause: time.Second, err: gone, after: 1 << 20}},
		{name: "to a client that leaves at once", size: 100, client: client{room: 1, err: gone}, want: gone},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := test.err
				if end == nil {
					end = io.EOF
				}
				s, c, bodies := newSource(test.size, end), test.client, test.bodies
				if bodies == nil {
					bodies = new(adapters.Bodies)
				}
				resp := answer(t, bodies, s)
				began := time.Now()
				n, err := adapters.Copy(&c, resp.Body)
				if test.want == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, test.want)
				}
				if test.got < 0 {
					test.got = test.size
				}
				assert.InDelta(t, test.got, c.got, float64(test.client.room), "or a piece more")
				assert.Equal(t, int64(c.got), n)
				if test.err == nil && test.want == nil {
					quick := s.ended.Sub(began) <= time.Second
					assert.Equal(t, test.held, !quick)
				}
				require.NoError(t, resp.Body.Close())
				<-s.closed
				assert.Equal(t, [2]int64{}, used(bodies))
			})
		})
	}
}

// Events reach the client when they come; the next ones do not wait for a client that takes none.
func TestBodiesOfStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		s := &source{r: r, err: io.EOF, closed: make(chan struct{})}
		resp := answer(t, new(adapters.Bodies), s)
		to, events := io.Pipe()
		copied := make(chan error)
		go func() {
			_, err := adapters.Copy(events, resp.Body)
			events.CloseWithError(io.EOF)
			copied <- err
		}()
		p := make([]byte, 100)
		for range 3 {
			w.Write([]byte("event"))
			n, err := to.Read(p)
			require.NoError(t, err)
			assert.Equal(t, "event", string(p[:n]))
		}
		for range 10 {
			w.Write([]byte("event")) // which nobody takes
		}
		w.Close()
		<-s.closed
		rest, err := io.ReadAll(to)
		require.NoError(t, err)
		assert.Equal(t, strings.Repeat("event", 10), string(rest))
		require.NoError(t, <-copied)
		require.NoError(t, resp.Body.Close())
	})
}

// Close aborts, also while the client takes nothing.
func TestBodiesClose(t *testing.T) {
	bodyDir(t)
	synctest.Test(t, func(t *testing.T) {
		bodies := &adapters.Bodies{Disk: 1 << 20}
		s := newSource(3<<20, io.EOF)
		resp := answer(t, bodies, s)
		to, stuck := io.Pipe()
		copied := make(chan error)
		go func() {
			_, err := adapters.Copy(stuck, resp.Body)
			copied <- err
		}()
		synctest.Wait()
		time.Sleep(time.Minute)
		assert.NotEqual(t, [2]int64{}, used(bodies))
		require.NoError(t, resp.Body.Close())
		<-s.closed
		to.Close() // as the frontend does with its connection
		require.Error(t, <-copied)
		assert.Equal(t, [2]int64{}, used(bodies))
	})
}

func TestBodiesOfUpgrades(t *testing.T) {
	upgraded := &adapters.Response{Status: http.StatusSwitchingProtocols, Body: struct {
		io.ReadCloser
		io.Writer
	}{adapters.NoBody, io.Discard}}
	app := adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
		return upgraded, nil
	})
	resp, err := new(adapters.Bodies).Wrap(adapters.BodyAuto)(app).Serve(t.Context(), &adapters.Request{Method: "GET"})
	require.NoError(t, err)
	assert.Implements(t, (*io.Writer)(nil), resp.Body)
	require.NoError(t, resp.Body.Close())
}

// A Handler that panics gives back what its request's body took.
func TestBodiesOfPanics(t *testing.T) {
	bodyDir(t)
	b := new(adapters.Bodies)
	h := b.Wrap(adapters.BodySpool)(adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
		panic("oops")
	}))
	req := upload(&slowBody{content: strings.Repeat("x", 100000), part: 8 << 10})
	assert.Panics(t, func() { h.Serve(t.Context(), req) })
	memory, disk := b.Used()
	assert.Zero(t, memory)
	assert.Zero(t, disk)
}
