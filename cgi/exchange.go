package cgi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// exitWait is how long the end of a response waits for the exit status and the last diagnostics.
const exitWait = time.Second

// An exchange is one request and the script that answers it.
type exchange struct {
	script  *Script
	command command
	req     *adapters.Request
	release func() // gives a spooled body back

	ctx     context.Context
	cancel  context.CancelCauseFunc
	unwatch func() bool // ends the watching of ctx
	process *process
	stdin   *os.File // nil if nothing is to be written
	feed    *feed    // what is written to stdin
	stdout  output
	stderr  output // without a file if nobody wants it
	diag    diagnostics
	late    *time.Timer // of Limits.Time

	whole  atomic.Bool // the response is complete
	status int
}

// start runs the script with its standard files.
func (x *exchange) start(ctx context.Context) error {
	files, err := x.open()
	if err == nil {
		x.process, err = x.script.run(&x.command, x.req, files[:])
	}
	for _, f := range files {
		if io.Reader(f) != x.req.Body {
			f.Close()
		}
	}
	if err != nil {
		x.closeFiles()
		x.stderr.file.Close() // also nil
		x.release()
		return err
	}
	x.req.Trace.Mark(adapters.Assigned)
	x.req.Trace.Mark(adapters.Sent)
	x.diag.w, x.diag.read = x.req.Stderr, make(chan struct{})
	x.ctx, x.cancel = context.WithCancelCause(ctx)
	x.unwatch = context.AfterFunc(x.ctx, x.abort)
	x.late = x.startTimer()
	go x.awaitEnd()
	if x.stdin != nil {
		x.feed = &feed{body: x.req.Body, done: make(chan struct{})}
		go x.sendBody()
	} else {
		x.release()
	}
	go x.copyStderr()
	return nil
}

// startTimer aborts the script when it has run for too long.
func (x *exchange) startTimer() *time.Timer {
	limit := x.script.confinement.limits.Time
	if limit == 0 {
		return nil
	}
	return time.AfterFunc(limit, func() {
		x.cancel(&adapters.Error{
			Op: "stopped", Limit: "cgi-time", Err: fmt.Errorf("%w: still running after %v", adapters.ErrTimeout, limit),
		})
	})
}

// open returns the script's standard input, output and error, and keeps our ends of them.
func (x *exchange) open() (files [3]*os.File, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	pipe := func() (r, w *os.File) {
		if err == nil {
			r, w, err = os.Pipe()
		}
		return r, w
	}
	files = [3]*os.File{null, nil, null}
	if file := bodyFile(x.req); file != nil && !x.script.confined() {
		files[0] = file
	} else if x.req.HasBody() {
		files[0], x.stdin = pipe()
	}
	x.stdout.file, files[1] = pipe()
	x.stdout.limit = x.script.confinement.limits.Output
	if x.req.Stderr != nil {
		x.stderr.file, files[2] = pipe()
	}
	if files[0] != null && files[2] != null {
		null.Close()
	}
	return files, startError(err)
}

// bodyFile returns the request's body if it is a file that ends with it: then the script reads it itself.
func bodyFile(req *adapters.Request) *os.File {
	file, ok := req.Body.(*os.File)
	if !ok {
		return nil
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if at, err := file.Seek(0, io.SeekCurrent); err != nil || info.Size()-at != req.ContentLength {
		return nil
	}
	return file
}

// awaitEnd lives as long as the process.
func (x *exchange) awaitEnd() {
	x.process.wait()
	if x.late != nil {
		x.late.Stop()
	}
	x.script.confinement.slots.give()
	x.stdout.end()
	x.stderr.end()
	x.script.forget(x.process)
}

// sendBody writes the message-body. A script need not read it, so errors of writing say nothing.
func (x *exchange) sendBody() {
	defer x.release()
	defer close(x.feed.done)
	defer x.stdin.Close() // the script must not see a broken body end before it is aborted
	body := &adapters.ExactBody{R: x.feed, N: x.req.ContentLength}
	if adapters.Copy(x.stdin, body); body.Err != nil {
		x.cancel(body.Err)
		x.process.abort(x.grace())
	}
}

// copyStderr passes the diagnostics on. It reads on when nobody wants them any more: a script that says something when
// it is told to end must not be killed by that (SIGPIPE).
func (x *exchange) copyStderr() {
	defer close(x.diag.read)
	defer x.stderr.file.Close() // also nil
	if x.stderr.file != nil {
		adapters.Copy(&x.diag, &x.stderr)
	}
}

// diagnostics is where standard error goes, until nobody wants it any more.
type diagnostics struct {
	read chan struct{} // closed when all is read

	mu sync.Mutex
	w  io.Writer // nil: to nobody
}

// Write never fails: the script must not stop at a full pipe.
func (d *diagnostics) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.w != nil {
		d.w.Write(b)
	}
	return len(b), nil
}

func (d *diagnostics) mute() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.w = nil
}

// response reads the response's header.
func (x *exchange) response() (*adapters.Response, error) {
	stream := adapters.NewStream(&x.stdout, x.end, x.close)
	resp, err := stream.ReadHeader(x.req, x.script.HeaderLimit)
	if err != nil {
		if errors.Is(err, adapters.ErrUnreachable) || errors.Is(err, adapters.ErrTruncated) {
			err = endedBadly(x.await(), "%w: %s before the response header was complete")
		}
		err = failed(x.ctx, "read", x.command.script, err)
		stream.Close()
		return nil, err
	}
	resp.AppStatus = func() int { return x.status }
	x.awaitBody()
	return resp, nil
}

// end decides whether the response is complete, now that it has ended.
func (x *exchange) end(err error) error {
	if err == nil {
		go io.Copy(io.Discard, &x.stdout) // what is beyond Content-Length
	} else if err != io.EOF {
		return adapters.Failed(x.ctx, "cgi: read", x.command.script, adapters.ErrTruncated, err)
	}
	state := x.await()
	x.status = state.ExitCode()
	killed := state != nil && x.status < 0
	if x.ctx.Err() != nil || killed && err == io.EOF {
		return failed(x.ctx, "read", x.command.script, endedBadly(state, "%w: %s"))
	}
	if state == nil {
		x.process.abort(x.grace())
	}
	if x.status != 0 {
		log := cmp.Or(x.script.Log, slog.Default())
		log.Warn("script ended badly", "script", x.command.script, "uri", adapters.LoggedURI(x.req.URI), "how", look(state))
	}
	x.whole.Store(true)
	return io.EOF
}

// await returns how the script ended, and nil if it does not. Then the diagnostics are read, too.
func (x *exchange) await() *os.ProcessState {
	late, cancel := context.WithTimeout(x.ctx, exitWait)
	defer cancel()
	for _, end := range []<-chan struct{}{x.process.ended, x.diag.read} {
		select {
		case <-end:
		case <-late.Done():
		}
	}
	select {
	case <-x.process.ended:
		return x.process.state
	default:
		return nil
	}
}

// endedBadly returns the error for a response that ends with its script; the format takes a sentinel and how that
// ended.
func endedBadly(state *os.ProcessState, format string) error {
	err := fmt.Errorf(format, adapters.ErrTruncated, look(state))
	if limit := limitOf(state); limit != "" {
		return &adapters.Error{Op: "stopped", Limit: limit, Err: err}
	}
	return err
}

func look(state *os.ProcessState) string {
	if state == nil {
		return "still running"
	}
	return state.String()
}

// close ends the exchange. If it comes before the end of the response, that is its abortion.
func (x *exchange) close() {
	x.unwatch()
	x.cancel(adapters.ErrAborted)
	if x.whole.Load() {
		x.closeFiles()
	} else {
		x.abort()
	}
	x.diag.mute()
}

// abort makes the script end, and everybody who waits for it return.
func (x *exchange) abort() {
	x.process.abort(x.grace())
	x.closeFiles()
}

func (x *exchange) closeFiles() {
	x.stdin.Close() // also nil
	x.stdout.file.Close()
}

func (x *exchange) grace() time.Duration { return cmp.Or(x.script.Grace, DefaultGrace) }
