package faulty

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// lingering is how long the response of a process that has ended stays open if a child of it has the other end of the
// pipe.
const lingering = 100 * time.Millisecond

// cgiRun is a process and its response.
type cgiRun struct {
	process *os.Process
	stdout  *os.File
	backend *cgiBackend
	stop    func() bool // the end of the request no longer kills the process
	first   []byte      // what was read already

	fed   chan struct{} // closed when nobody writes to standard input any more
	ended chan struct{} // closed when the process has ended
	mu    sync.Mutex    // for the deadline of stdout
	state *os.ProcessState
}

// feed sends body. If it cannot be had whole the client is gone, and the program must not take what came for all.
func (r *cgiRun) feed(stdin *os.File, body io.Reader) {
	defer close(r.fed)
	defer stdin.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			if _, failed := stdin.Write(buf[:n]); failed != nil {
				return // the program does not want it
			}
			r.expect() // a program that reads is not silent
		}
		switch {
		case err == io.EOF && r.backend.fault.is("stdin-stays-open"):
			<-r.ended
			return
		case err == io.EOF:
			r.feedOn(stdin, body)
			return
		case err != nil:
			r.kill()
			return
		}
	}
}

// feedOn sends the next request of the client too, if this is the mutant that does.
func (r *cgiRun) feedOn(stdin *os.File, body io.Reader) {
	if b, ok := body.(*gatewayBody); ok && r.backend.fault.is("feeds-next-request") {
		stdin.Write(b.next)
	}
}

// wait reaps the process. From then on its response is over when nothing comes for a moment.
func (r *cgiRun) wait(stderr *os.File) {
	if r.backend.fault.is("leaves-zombies") {
		r.backend.mu.Lock()
		defer r.backend.mu.Unlock()
		r.backend.zombies = append(r.backend.zombies, r.process)
	} else {
		r.state, _ = r.process.Wait()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.ended)
	stderr.SetReadDeadline(time.Now().Add(lingering))
	r.expire(lingering)
}

func (r *cgiRun) expire(d time.Duration) {
	if r.backend.fault.in("waits-for-grandchildren", "leaves-zombies") { // the latter do not know when a program ends
		return
	}
	r.stdout.SetReadDeadline(time.Now().Add(d))
}

// Read returns io.EOF if the response is over and the process was not killed.
func (r *cgiRun) Read(b []byte) (int, error) {
	if len(r.first) > 0 {
		n := copy(b, r.first)
		r.first = r.first[n:]
		return n, nil
	}
	r.expect()
	n, err := r.stdout.Read(b)
	if n > 0 || err == nil {
		return n, nil
	}
	return 0, r.end(err)
}

// expect gives the process time for its next bytes.
func (r *cgiRun) expect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.ended:
		r.expire(lingering)
	default:
		r.expire(r.backend.timeout)
	}
}

// end says what the end of standard output means.
func (r *cgiRun) end(err error) error {
	if err == io.EOF {
		select {
		case <-r.ended:
		case <-r.impatience():
			r.kill()
			return io.ErrUnexpectedEOF
		case <-time.After(r.backend.timeout):
			return os.ErrDeadlineExceeded
		}
	}
	select {
	case <-r.ended:
	default:
		return err
	}
	if r.state != nil && !r.state.Exited() && !r.backend.fault.in("killed-is-complete", "cut-header-is-complete") {
		return fmt.Errorf("%w: %v", io.ErrUnexpectedEOF, r.state)
	}
	return io.EOF
}

// impatience is when a mutant kills a program that has closed standard output.
func (r *cgiRun) impatience() <-chan time.Time {
	if !r.backend.fault.is("closed-is-killed") {
		return nil
	}
	return time.After(100 * time.Millisecond)
}

func (r *cgiRun) kill() { killGroup(r.process) }

// Close kills what still runs.
func (r *cgiRun) Close() error {
	if r.stop != nil {
		r.stop()
	}
	select {
	case <-r.ended:
	default:
		r.kill()
		<-r.ended
	}
	return r.stdout.Close()
}
