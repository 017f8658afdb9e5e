package adapters_test

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
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	. "github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/testlog"
)

// serveHTTP starts h as HTTP/1.1 and h2c server, and returns its address and its log.
func serveHTTP(t *testing.T, h Handler) (string, *testlog.Buffer) {
	t.Helper()
	log := new(testlog.Buffer)
	f := &HTTPFrontend{Handler: h, Log: log.Logger()}
	srv := httptest.NewUnstartedServer(f)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String(), log
}

// clients are an HTTP/1.1 and an HTTP/2 client.
func clients(t *testing.T) map[string]*http.Client {
	h2 := new(http.Protocols)
	h2.SetUnencryptedHTTP2(true)
	c1, c2 := &http.Transport{}, &http.Transport{Protocols: h2}
	t.Cleanup(c1.CloseIdleConnections)
	t.Cleanup(c2.CloseIdleConnections)
	return map[string]*http.Client{"HTTP/1.1": {Transport: c1}, "HTTP/2.0": {Transport: c2}}
}

// raw sends a request as bytes and returns all that comes back, and how it ended.
func raw(t *testing.T, addr, request string) (string, error) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	_, err = io.WriteString(c, request)
	require.NoError(t, err)
	answer, err := io.ReadAll(c)
	return string(answer), err
}

// failing is a body that ends with an error.
type failing struct {
	io.Reader
	err error
}

func (f failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err == io.EOF {
		err = f.err
	}
	return n, err
}

func (failing) Close() error { return nil }

func TestHTTPCarriesRequestAndResponse(t *testing.T) {
	addr, log := serveHTTP(t, HandlerFunc(func(_ context.Context, req *Request) (*Response, error) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(req.Stderr, "one line\npartial")
		text := fmt.Sprintf("%s %s %s %s %d %s %s", req.Method, req.URI, req.Path(), req.Proto, req.ContentLength,
			body, req.Trailer().Get("X-After"))
		resp := Reply(207, "text/x", text)
		resp.Header.Add("Set-Cookie", "a")
		resp.Header.Add("Set-Cookie", "b")
		return resp, nil
	}))
	for proto, c := range clients(t) {
		r, _ := http.NewRequest("PUT", "http://"+addr+"/a%20b/../c?q", io.MultiReader(strings.NewReader("body")))
		r.Trailer = http.Header{"X-After": {"trailer"}}
		resp, err := c.Do(r)
		require.NoError(t, err)
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		assert.Equal(t, "PUT /a%20b/../c?q /c "+proto+" -1 body trailer", string(body))
		assert.Equal(t, 207, resp.StatusCode)
		assert.Equal(t, []string{"a", "b"}, resp.Header["Set-Cookie"])
	}
	assert.Contains(t, log.String(), `line="one line"`)
	assert.Contains(t, log.String(), "line=partial")
	assert.Contains(t, log.String(), "request=")
}

func TestHTTPStreams(t *testing.T) {
	var next chan string
	addr, _ := serveHTTP(t, HandlerFunc(func(context.Context, *Request) (*Response, error) {
		pr, pw := io.Pipe()
		go func() {
			for s := range next {
				io.WriteString(pw, s)
			}
			pw.Close()
		}()
		return &Response{Status: 200, Header: Header{{"Content-Type", "text/event-stream"}}, Body: pr}, nil
	}))
	for proto, c := range clients(t) {
		next = make(chan string)
		resp, err := c.Get("http://" + addr + "/")
		require.NoError(t, err, proto)
		br := bufio.NewReader(resp.Body)
		for _, event := range []string{"one\n", "two\n"} {
			next <- event
			got, err := br.ReadString('\n') // the next event is not sent before this one has arrived
			require.NoError(t, err)
			assert.Equal(t, event, got)
		}
		close(next)
		_, err = br.ReadByte()
		assert.Equal(t, io.EOF, err)
		resp.Body.Close()
	}
}

func TestHTTPCutResponses(t *testing.T) {
	addr, log := serveHTTP(t, HandlerFunc(func(_ context.Context, req *Request) (*Response, error) {
		resp := &Response{Status: 200, Body: failing{strings.NewReader("part"), ErrTruncated}}
		switch req.Path() {
		case "/length":
			resp.Header.Add("Content-Length", "10")
		case "/long":
			resp.Header.Add("Content-Length", "3")
		case "/short":
			resp.Header.Add("Content-Length", "10")
			resp.Body = io.NopCloser(strings.NewReader("part"))
		}
		return resp, nil
	}))
	for proto, c := range clients(t) {
		for _, path := range []string{"/", "/length", "/short", "/long"} {
			resp, err := c.Get("http://" + addr + path)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			assert.Error(t, err, "%s %s looks complete", proto, path)
		}
	}
	got, err := raw(t, addr, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	assert.NoError(t, err)
	assert.Contains(t, got, "4\r\npart\r\n")
	assert.NotContains(t, got, "\r\n0\r\n")
	_, err = raw(t, addr, "GET / HTTP/1.0\r\n\r\n")
	assert.ErrorContains(t, err, "reset", "a close-delimited response ends by a reset")
	assert.Contains(t, log.String(), "cut short")
}

func TestHTTPErrors(t *testing.T) {
	var fail error
	addr, log := serveHTTP(t, HandlerFunc(func(context.Context, *Request) (*Response, error) { return nil, fail }))
	for _, tt := range []struct {
		err    error
		status int
	}{
		{&Error{Op: "fastcgi: dial", Addr: "unix /x", Err: ErrUnreachable}, 502},
		{&Error{Op: "pool", Err: ErrBusy, RetryAfter: 1500 * time.Millisecond}, 503},
		{context.DeadlineExceeded, 504},
		{ErrDeclined, 404},
		{errors.New("odd"), 500},
	} {
		fail = tt.err
		resp, err := http.Get("http://" + addr + "/x")
		require.NoError(t, err)
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		assert.Equal(t, tt.status, resp.StatusCode)
		assert.Equal(t, ErrorText(tt.status), string(body))
		assert.Contains(t, log.String(), tt.err.Error())
		if errors.Is(tt.err, ErrBusy) {
			assert.Equal(t, "2", resp.Header.Get("Retry-After"))
		}
	}
	resp, err := http.Head("http://" + addr + "/x")
	require.NoError(t, err)
	assert.Equal(t, 500, resp.StatusCode)
	fail = ErrAborted
	_, err = http.Get("http://" + addr + "/x")
	assert.Error(t, err)
	http.DefaultClient.CloseIdleConnections()
}

func TestHTTPRefusesOddTargets(t *testing.T) {
	addr, _ := serveHTTP(t, says("app"))
	for target, status := range map[string]string{
		"/../x": "400", "/%00": "400", "/%2e%2e/x": "400", "/a/../b": "200", "http://other/x": "200",
	} {
		got, err := raw(t, addr, "GET "+target+" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		require.NoError(t, err)
		assert.Equal(t, status, strings.Fields(got)[1], target)
	}
	got, _ := raw(t, addr, "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	assert.NotContains(t, got, "400")
	got, _ = raw(t, addr, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n")
	assert.Contains(t, got, " 501 ")
}

func TestHTTPInformational(t *testing.T) {
	addr, _ := serveHTTP(t, HandlerFunc(func(_ context.Context, req *Request) (*Response, error) {
		if req.Informational == nil {
			return Reply(200, "text/plain", "none"), nil
		}
		if err := req.Informational(103, Header{{"Link", "</a>"}}); err != nil {
			return nil, err
		}
		return Reply(200, "text/plain", "x"), nil
	}))
	got, err := raw(t, addr, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	assert.Regexp(t, "^HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n", got)
	assert.Equal(t, 1, strings.Count(got, "Link:"))
	got, _ = raw(t, addr, "GET / HTTP/1.0\r\n\r\n")
	assert.Contains(t, got, "none")
}

func TestHTTPWithoutBody(t *testing.T) {
	closed := make(chan bool, 1)
	addr, _ := serveHTTP(t, HandlerFunc(func(_ context.Context, req *Request) (*Response, error) {
		assert.Nil(t, req.Body)
		body := OnClose(io.NopCloser(strings.NewReader("hidden")), func() { closed <- true })
		status := 200
		if req.Method == "GET" {
			status = 304
		}
		return &Response{Status: status, Header: Header{{"Content-Length", "6"}, {"ETag", `"x"`}}, Body: body}, nil
	}))
	for _, method := range []string{"HEAD", "GET"} {
		got, err := raw(t, addr, method+" / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		require.NoError(t, err)
		assert.Contains(t, got, `"x"`)
		assert.NotContains(t, got, "hidden")
		assert.True(t, <-closed)
	}
}

func TestHTTPTrailers(t *testing.T) {
	addr, _ := serveHTTP(t, HandlerFunc(func(context.Context, *Request) (*Response, error) {
		return &Response{Status: 200, Body: io.NopCloser(strings.NewReader("x")),
			Trailer: func() Header { return Header{{"X-Sum", "1"}} }}, nil
	}))
	for proto, c := range clients(t) {
		resp, err := c.Get("http://" + addr + "/")
		require.NoError(t, err, proto)
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		assert.Equal(t, "1", resp.Trailer.Get("X-Sum"), proto)
	}
}

func TestHTTPUpgrade(t *testing.T) {
	addr, _ := serveHTTP(t, HandlerFunc(func(_ context.Context, req *Request) (*Response, error) {
		assert.Equal(t, "echo", req.Header.Get("Upgrade"))
		near, far := net.Pipe()
		go func() { io.Copy(far, far); far.Close() }()
		return &Response{Status: 101, Header: Header{{"Connection", "Upgrade"}, {"Upgrade", "echo"}}, Body: near}, nil
	}))
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly")
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	assert.Equal(t, 101, resp.StatusCode)
	got := make([]byte, 9)
	io.WriteString(c, "late")
	_, err = io.ReadFull(br, got)
	require.NoError(t, err)
	assert.Equal(t, "earlylate", string(got))

	answer, err := raw(t, addr, "GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	require.NoError(t, err)
	assert.Contains(t, answer, " 501 ")
}

// An answer that comes before the upload is over reaches the client, and the upload's reader gets ErrAborted.
func TestHTTPEarlyAnswer(t *testing.T) {
	readErr := make(chan error, 1)
	addr, _ := serveHTTP(t, HandlerFunc(func(_ context.Context, req *Request) (*Response, error) {
		go func() {
			_, err := io.Copy(io.Discard, req.Body)
			readErr <- err
		}()
		return Reply(413, "text/plain", "no"), nil
	}))
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\npart")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	assert.Equal(t, 413, resp.StatusCode)
	assert.ErrorIs(t, <-readErr, ErrAborted)
}

// After an answer that came before the body was read the connection goes on, or says that it will not.
func TestHTTPConnectionAfterEarlyAnswer(t *testing.T) {
	addr, _ := serveHTTP(t, HandlerFunc(func(_ context.Context, req *Request) (*Response, error) {
		go io.Copy(io.Discard, req.Body)
		return Reply(200, "text/plain", "early"), nil
	}))
	c := clients(t)["HTTP/1.1"]
	for _, size := range []int{1, 5000, 200_000, 1 << 20} {
		for range 30 {
			resp, err := c.Post("http://"+addr+"/", "a/b", struct{ io.Reader }{bytes.NewReader(make([]byte, size))})
			require.NoError(t, err, "%d bytes", size)
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			require.NoError(t, err)
			assert.Equal(t, "early", string(body))
			r, err := http.NewRequest("POST", "http://"+addr+"/", bytes.NewReader(make([]byte, size)))
			require.NoError(t, err)
			resp, err = c.Do(r)
			require.NoError(t, err, "%d bytes", size)
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
}

func TestHTTPClientGone(t *testing.T) {
	started, cause := make(chan bool), make(chan error, 1)
	addr, _ := serveHTTP(t, HandlerFunc(func(ctx context.Context, _ *Request) (*Response, error) {
		close(started)
		<-ctx.Done()
		cause <- context.Cause(ctx)
		return nil, context.Cause(ctx)
	}))
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-started
	c.Close()
	assert.Equal(t, StatusClientGone, StatusOf(<-cause))
}

func TestHTTPOverTLS(t *testing.T) {
	f := &HTTPFrontend{ServerNames: []string{"configured"}, Handler: HandlerFunc(func(_ context.Context, req *Request) (*Response, error) {
		return Reply(200, "text/plain", req.Scheme+" "+req.Local.Name), nil
	})}
	srv := httptest.NewTLSServer(f)
	defer srv.Close()
	srv.Client().Transport.(*http.Transport).TLSClientConfig.MinVersion = tls.VersionTLS13
	resp, err := srv.Client().Get(srv.URL)
	require.NoError(t, err)
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	assert.Equal(t, "https configured", string(body))
}

// A Handler that panics has failed, and only that.
func TestHTTPPanic(t *testing.T) {
	addr, log := serveHTTP(t, HandlerFunc(func(context.Context, *Request) (*Response, error) { panic("odd") }))
	for name, c := range clients(t) {
		resp, err := c.Get("http://" + addr)
		require.NoError(t, err, name)
		resp.Body.Close()
		assert.Equal(t, 500, resp.StatusCode, name)
	}
	assert.Contains(t, log.String(), "application panics: odd")
}
