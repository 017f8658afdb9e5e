package cgi

import (
	"io"
	"sync/atomic"
	"time"
)

const (
	// heldOutput is how many bytes of output a script must have written for its response to go out at once.
	heldOutput = 16 << 10
	// feedStall is how long nothing of a body need move for the response to go out.
	feedStall = 2 * time.Second
	// feedCheck is how often that is looked at.
	feedCheck = 10 * time.Millisecond
)

// A feed is a message-body on its way to the script.
type feed struct {
	body  io.Reader
	reads atomic.Int64
	done  chan struct{} // closed when no more of it will come
}

// Read implements io.Reader.
func (f *feed) Read(p []byte) (int, error) {
	n, err := f.body.Read(p)
	f.reads.Add(1)
	return n, err
}

// awaitBody holds the response header back while the script still reads its body. Scripts that send the header first
// and then read, as git-http-backend does, count on that: other web servers read nothing from a script that they have
// not fed, and nginx stops sending a body to us as soon as the response header has come. A script that has much to say,
// has ended, or does not get on without its client's seeing the response is not held.
func (x *exchange) awaitBody() {
	if x.feed == nil {
		return
	}
	check := time.NewTicker(feedCheck)
	defer check.Stop()
	reads, moved := x.feed.reads.Load(), time.Now()
	for x.stdout.pending() < heldOutput && time.Since(moved) < feedStall {
		select {
		case <-x.feed.done:
			return
		case <-x.process.ended:
			return
		case <-x.ctx.Done():
			return
		case <-check.C:
		}
		if now := x.feed.reads.Load(); now != reads {
			reads, moved = now, time.Now()
		}
	}
}
