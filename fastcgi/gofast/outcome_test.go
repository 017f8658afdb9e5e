package gofast_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing/synctest"

	upstream "github.com/yookoala/gofast"

	"github.com/gangway-go/gangway/adapters"
)

// An outcome is what became of a request.
type outcome struct {
	hangs  bool // until it was cancelled
	stuck  bool // until the connection was closed too
	status int
	header http.Header
	body   string
	early  string // what of body was flushed when nothing went on any more
	err    error
	got    received // by the application
}

// A scene is an application that serves one connection, and what it may use for that.
type scene func(c net.Conn, got *received, hold <-chan struct{})

// answers is an application that reads the request and then answers.
func answers(text string) scene {
	return func(c net.Conn, got *received, _ <-chan struct{}) {
		*got = receive(c)
		io.WriteString(c, text)
	}
}

// pauses is an application that answers and then has nothing to say until the end of the test.
func pauses(text string) scene {
	return func(c net.Conn, got *received, hold <-chan struct{}) {
		*got = receive(c)
		io.WriteString(c, text)
		<-hold
	}
}

// deaf is an application that reads FCGI_BEGIN_REQUEST, FCGI_PARAMS of one record and their end, and answers.
func deaf(text string) scene {
	return func(c net.Conn, _ *received, hold <-chan struct{}) {
		for range 3 {
			c.Read(make([]byte, 1<<16)) // a record, because gofast writes each by itself
		}
		io.WriteString(c, text)
		<-hold
	}
}

// A asker answers r by asking the application.
type asker func(w *recorder, r *http.Request, dial func() (net.Conn, error)) error

// guarded asks as an Engine.
func guarded(w *recorder, r *http.Request, dial func() (net.Conn, error)) error {
	req, err := adapters.FromHTTP(r)
	if err != nil {
		return err
	}
	e := app(nil).engine()
	e.Dial = func(context.Context, string, string) (net.Conn, error) { return dial() }
	resp, err := e.Serve(r.Context(), req)
	if err != nil {
		w.WriteHeader(adapters.StatusOf(err))
		return err
	}
	defer resp.Body.Close()
	w.header = resp.Header.HTTP()
	w.WriteHeader(resp.Status)
	_, err = adapters.Copy(w, resp.Body)
	return err
}

// plain asks as gofast is meant to be used.
func plain(w *recorder, r *http.Request, dial func() (net.Conn, error)) error {
	session := upstream.Chain(upstream.BasicParamsMap, upstream.MapHeader)(upstream.BasicSession)
	upstream.NewHandler(session, upstream.SimpleClientFactory(dial)).ServeHTTP(w, r)
	return nil
}

// try asks the application, and then lets go of whatever hangs. It is for a synctest bubble.
func (ask asker) try(s scene, r *http.Request) (o outcome) {
	var near net.Conn
	hold := make(chan struct{})
	dial := func() (c net.Conn, err error) {
		near, err = app(func(far net.Conn) { s(far, &o.got, hold) }).dial()
		return near, err
	}
	ctx, cancel := context.WithCancel(r.Context())
	w, done := &recorder{header: http.Header{}}, make(chan struct{})
	go func() {
		defer close(done)
		o.err = ask(w, r.WithContext(ctx), dial)
	}()
	o.hangs = waits(done)
	o.early = string(w.body[:w.flushed])
	cancel()
	o.stuck = waits(done)
	r.Body.Close()
	near.Close()
	<-done
	close(hold)
	synctest.Wait()
	o.status, o.header, o.body = w.status, w.header, string(w.body)
	return o
}

func waits(done chan struct{}) bool {
	synctest.Wait()
	select {
	case <-done:
		return false
	default:
		return true
	}
}

// A recorder is an http.ResponseWriter that takes every status.
type recorder struct {
	mu      sync.Mutex
	header  http.Header
	status  int
	body    []byte
	flushed int // bytes of the body
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.body = append(r.body, p...)
	return len(p), nil
}

func (r *recorder) Flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flushed = len(r.body)
}
