package http1

import (
	"os"
	"sync"
	"syscall"
)

// A watcher waits for clients to go away. It sees that also while bytes of the client lie unread before its FIN, for
// which reading would not do. A half-close counts: whoever closes its end gets no answer.
type watcher struct {
	epoll *os.File
	raw   syscall.RawConn

	mu    sync.Mutex
	conns map[int32]*conn
	next  int32
}

func newWatcher() *watcher {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	syscall.SetNonblock(fd, true) // so that Go's poller waits for it
	w := &watcher{epoll: os.NewFile(uintptr(fd), "epoll"), conns: map[int32]*conn{}}
	w.raw, err = w.epoll.SyscallConn()
	if err != nil {
		w.epoll.Close()
		return nil
	}
	go w.run()
	return w
}

func (w *watcher) close() { w.epoll.Close() }

// add begins to watch c, whose mu the caller holds.
func (w *watcher) add(c *conn) (key int32, ok bool) {
	w.mu.Lock()
	w.next++
	key = w.next
	w.conns[key] = c
	w.mu.Unlock()
	return key, w.control(c, syscall.EPOLL_CTL_ADD, key)
}

// remove ends what add began, under the same lock.
func (w *watcher) remove(c *conn, key int32) {
	w.control(c, syscall.EPOLL_CTL_DEL, key)
	w.mu.Lock()
	delete(w.conns, key)
	w.mu.Unlock()
}

func (w *watcher) control(c *conn, op int, key int32) (ok bool) {
	w.raw.Control(func(epoll uintptr) {
		c.nc.Control(func(fd uintptr) {
			event := syscall.EpollEvent{Events: syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: key}
			ok = syscall.EpollCtl(int(epoll), op, int(fd), &event) == nil
		})
	})
	return ok
}

// run waits until close.
func (w *watcher) run() {
	var events [64]syscall.EpollEvent
	n := 0
	wait := func(fd uintptr) bool {
		n, _ = syscall.EpollWait(int(fd), events[:], 0)
		return n > 0
	}
	for w.raw.Read(wait) == nil {
		for _, e := range events[:n] {
			w.mu.Lock()
			c := w.conns[e.Fd]
			w.mu.Unlock()
			if c != nil {
				c.gone(e.Fd)
			}
		}
	}
}
