package conformance

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Event is something that happened between the suite and its target.
type Event struct {
	At   time.Duration `json:"at"`             // since the case began, in nanoseconds
	Conn int           `json:"conn"`           // the connection, counted from 1; 0 for a note
	Kind Kind          `json:"kind"`           // what happened
	Data []byte        `json:"data,omitempty"` // the bytes; of a note, of an address and of an error the text
	Size int           `json:"size,omitempty"` // how many bytes there were, if Data has not all of them
}

// Kind is what happened in an Event.
type Kind string

// The kinds of events.
const (
	Opened   Kind = "open"   // by the suite, or by the target if the suite listens
	Sent     Kind = "send"   // by the suite
	Received Kind = "recv"   // from the target
	Closed   Kind = "close"  // by the suite
	Ended    Kind = "eof"    // the target sends no more
	Broken   Kind = "broken" // the connection failed
	Noted    Kind = "note"   // a remark of the case
)

// wireLimit is how many bytes the log of a case keeps in each direction.
const wireLimit = 256 << 10

// wireLog collects the events of one case. It is safe for concurrent use.
type wireLog struct {
	mu     sync.Mutex
	start  time.Time
	conns  int
	events []Event
	bytes  map[Kind]int
}

func newWireLog() *wireLog { return &wireLog{start: time.Now(), bytes: map[Kind]int{}} }

func (l *wireLog) add(conn int, kind Kind, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	event := Event{At: time.Since(l.start), Conn: conn, Kind: kind}
	keep := min(len(data), max(0, wireLimit-l.bytes[kind]))
	l.bytes[kind] += len(data)
	if keep < len(data) {
		event.Size = len(data)
	}
	event.Data = append([]byte(nil), data[:keep]...)
	l.events = append(l.events, event)
}

func (l *wireLog) connection() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns++
	return l.conns
}

func (l *wireLog) all() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Event(nil), l.events...)
}

// Conn is a connection whose bytes are in the wire log of a case. It is closed when the case ends.
type Conn struct {
	net.Conn
	log  *wireLog
	id   int
	once sync.Once
}

// Wrap logs what goes over conn from now on and closes it when the case ends. Peer names the other end.
func (t *T) Wrap(conn net.Conn, peer string) *Conn {
	c := &Conn{Conn: conn, log: t.log, id: t.log.connection()}
	t.log.add(c.id, Opened, []byte(peer))
	t.Cleanup(func() { c.Close() })
	return c
}

// Read is that of net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.log.add(c.id, Received, b[:n])
	}
	c.failed(err)
	return n, err
}

// Write is that of net.Conn.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if n > 0 {
		c.log.add(c.id, Sent, b[:n])
	}
	c.failed(err)
	return n, err
}

func (c *Conn) failed(err error) {
	switch {
	case err == nil, errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
	case errors.Is(err, io.EOF):
		c.log.add(c.id, Ended, nil)
	default:
		c.log.add(c.id, Broken, []byte(err.Error()))
	}
}

// Close is that of net.Conn. Only the first call does something.
func (c *Conn) Close() (err error) {
	c.once.Do(func() {
		c.log.add(c.id, Closed, nil)
		err = c.Conn.Close()
	})
	return err
}

// CloseWrite ends the direction to the target and leaves the other open.
func (c *Conn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	c.log.add(c.id, Closed, []byte("for writing"))
	return half.CloseWrite()
}

// Reset closes the connection so that the target sees it broken (a TCP RST); over a Unix socket it is a close.
func (c *Conn) Reset() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	return c.Close()
}
