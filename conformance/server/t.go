package server

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/conformance"
)

// T is one run of a case against a server. All its methods are for the goroutine of the case.
type T struct {
	*conformance.T
	target *Target
	token  string // of the field X-Conform
	extra  time.Duration

	arrivals chan *Exchange // what the application got with this token
	wake     chan struct{}  // something happened
	active   atomic.Int64   // when something was sent or received last

	// Exchanges are what has arrived at the application so far.
	Exchanges []*Exchange
}

// test makes a case of run.
func test(run func(*T)) func(*conformance.T) {
	return func(ct *conformance.T) {
		t := &T{
			T: ct, target: ct.Target.(*Target), token: rand.Text(),
			arrivals: make(chan *Exchange, 4096), wake: make(chan struct{}, 1),
		}
		t.touch()
		t.target.register(t.token, t)
		ct.Cleanup(func() { t.target.unregister(t.token) })
		run(t)
	}
}

// touch notes that something was sent or received.
func (t *T) touch() {
	t.active.Store(time.Now().UnixNano())
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// quiet says for how long nothing has been sent or received.
func (t *T) quiet() time.Duration { return time.Since(time.Unix(0, t.active.Load())) }

// patience is how long nothing may happen.
func (t *T) patience() time.Duration { return t.Patience() + t.extra }

// Grace makes all waits of the case longer by d, for a server that may wait itself.
func (t *T) Grace(d time.Duration) { t.extra += d }

// wait waits until done, and at most until nothing has happened for as long as patience. It says whether done.
func (t *T) wait(done func() bool) bool {
	for !done() {
		left := t.patience() - t.quiet()
		if left <= 0 || t.Context().Err() != nil {
			return done()
		}
		select {
		case <-t.wake:
		case <-time.After(left):
		case <-t.Context().Done():
		}
	}
	return true
}

// A Reply is what the application does with a request.
type Reply func(*Exchange)

// Do sends the request on a new connection and has the application answer what arrives there: the first exchange by the
// first reply and so on, the last one again and again. Without replies it is OK. It returns the first exchange, nil if
// the server answered by itself, and the response. A server that does not answer hangs.
func (t *T) Do(request Request, replies ...Reply) (*Exchange, *Response) {
	return t.answer(t.Send(request), replies)
}

// try is Do, but the response may be one that never came.
func (t *T) try(request Request, replies ...Reply) (*Exchange, *Response) {
	t.touch()
	return t.follow(t.Send(request), replies)
}

// pending is an HTTP request on its way.
type pending interface {
	// response is nil if nothing final can be said yet. With last it is what there is.
	response(last bool) *Response
	close()
}

func (t *T) answer(p pending, replies []Reply) (*Exchange, *Response) {
	x, r := t.follow(p, replies)
	if r.End == Silent {
		t.Valid(r)
		t.Hang("no complete response within %v: %v", t.patience(), r)
	}
	return x, r
}

func (t *T) follow(p pending, replies []Reply) (x *Exchange, r *Response) {
	if len(replies) == 0 {
		replies = []Reply{OK}
	}
	defer p.close()
	for i := 0; ; i++ {
		next := t.either(p, &r)
		if next == nil {
			return x, r
		}
		if x == nil {
			x = next
		}
		next.begin()
		replies[min(i, len(replies)-1)](next)
	}
}

// either waits for the next exchange or the response.
func (t *T) either(p pending, r **Response) (x *Exchange) {
	t.wait(func() bool {
		select {
		case x = <-t.arrivals:
			t.Exchanges = append(t.Exchanges, x)
			return true
		default:
			*r = p.response(false)
			return *r != nil
		}
	})
	if x == nil && *r == nil {
		*r = p.response(true)
	}
	return x
}

// Accept waits for a request at the application and reads its meta-variables. If none comes, the server hangs.
func (t *T) Accept() *Exchange {
	x := t.Arrival(0)
	if x == nil {
		t.Hang("no request at the application within %v", t.patience())
	}
	return x
}

// Arrival is Accept, but returns nil if no request comes before nothing has happened for d; with 0 for patience.
func (t *T) Arrival(d time.Duration) (x *Exchange) {
	if d == 0 {
		d = t.patience()
	}
	t.touch()
	end := time.After(d)
	for x == nil {
		select {
		case x = <-t.arrivals:
		case <-end:
			if t.quiet() >= d || t.Context().Err() != nil {
				return nil
			}
			end = time.After(d - t.quiet())
		case <-t.Context().Done():
			return nil
		}
	}
	t.Exchanges = append(t.Exchanges, x)
	x.begin()
	return x
}

// Get sends a GET request, which must reach the application and be served.
func (t *T) Get(target string, fields ...string) *Exchange {
	return t.Served(t.Request("GET", target, "", fields...))
}

// Post sends a POST request with a body, which must reach the application and be served.
func (t *T) Post(target, body string, fields ...string) *Exchange {
	return t.Served(t.Request("POST", target, body, fields...))
}

// Served sends a request that must reach the application and be served. The application reads the body and answers OK.
func (t *T) Served(request Request) *Exchange {
	x, r := t.Do(request, OK)
	t.Check(x != nil, "the application got no request; the server answered %v", r)
	t.Intact(r, 200, t.token)
	return x
}

// Reply has the application answer GET /app/reply with the CGI response.
func (t *T) Reply(response string) *Response {
	x, r := t.Do(t.Request("GET", "/app/reply", ""), CGI(response))
	t.Check(x != nil, "the application got no request; the server answered %v", r)
	return r
}

// Want makes sure that the response is valid, complete and has one of the statuses; one below 10 is a class of
// statuses.
func (t *T) Want(r *Response, statuses ...int) {
	ok := slices.ContainsFunc(statuses, func(s int) bool { return r.Status == s || r.Status/100 == s })
	t.Check(ok, "%v", r)
	t.Valid(r)
	t.Check(r.End == Complete, "%v", r)
}

// Valid makes sure that what there is of the response is HTTP.
func (t *T) Valid(r *Response) {
	t.Check(len(r.Faults) == 0, "%v, which is not HTTP: %s", r, strings.Join(r.Faults, "; "))
}

// Intact makes sure that the response is valid, complete and has this status and body.
func (t *T) Intact(r *Response, status int, body string) {
	t.Want(r, status)
	t.Check(string(r.Body) == body, "%v with the body %s instead of %s", r, excerpt(string(r.Body)), excerpt(body))
}

// Cut is Do for responses that the application does not complete, for Visible: the server may leave the client waiting.
func (t *T) Cut(request Request, replies ...Reply) (*Exchange, *Response) {
	return t.follow(t.Send(request), replies)
}

// Visible makes sure that nobody takes the response for complete and good.
func (t *T) Visible(r *Response) {
	if r.End == Silent {
		t.Info("the client still waits for the rest after %v", t.patience())
	}
	t.Check(r.End != Complete || r.Status >= 500, "what looks like a complete response: %v", r)
}

// recovered makes sure that the server serves again, after a while at most, when the application can be reached again.
func (t *T) recovered() {
	start := time.Now()
	for {
		x, r := t.try(t.Request("GET", "/app/again", ""))
		if x != nil {
			t.Intact(r, 200, t.token)
			t.Info("served again after %v", time.Since(start).Round(time.Millisecond))
			return
		}
		t.Check(time.Since(start) < revival, "after %v still %v", revival, r)
		t.Sleep(revival / 50)
	}
}

// revival is how long the server may take to see that the application is there again.
const revival = 5 * time.Second

// Gone makes sure that the server tells the application within d that the request is over: by the end of the connection
// or, for FastCGI, FCGI_ABORT_REQUEST.
func (t *T) Gone(x *Exchange, d time.Duration) {
	t.Check(x.over(d), "after %v the connection to the application is still open", d)
}

// host is the value of the field Host.
func (t *T) host() string {
	u, err := url.Parse(t.target.URL)
	if err != nil {
		t.Broken(err)
	}
	return u.Host
}

// dials says whether somebody listens at the address.
func (t *T) dials(network, address string) bool {
	conn, err := net.DialTimeout(network, address, t.Patience())
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// excerpt quotes text, shortened if it is long.
func excerpt(text string) string {
	if len(text) > 100 {
		return fmt.Sprintf("%q… (%d bytes)", text[:80], len(text))
	}
	return fmt.Sprintf("%q", text)
}
