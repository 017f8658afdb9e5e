package sockio_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/leak"
	"github.com/gangway-go/gangway/internal/sockio"
)

func TestMain(m *testing.M) { leak.Main(m) }

// eachKind runs the test over TCP, a Unix socket, and a connection without a descriptor.
func eachKind(t *testing.T, test func(t *testing.T, c *sockio.Conn, far net.Conn)) {
	for _, network := range []string{"tcp", "unix", "pipe"} {
		t.Run(network, func(t *testing.T) {
			near, far := connect(t, network)
			test(t, sockio.New(near), far)
		})
	}
}

// connect returns both ends of a connection, which are closed at the end of the test.
func connect(t *testing.T, network string) (near, far net.Conn) {
	if network == "pipe" {
		near, far = net.Pipe()
	} else {
		near, far = dial(t, network)
	}
	t.Cleanup(func() {
		near.Close()
		far.Close()
	})
	return near, far
}

func dial(t *testing.T, network string) (near, far net.Conn) {
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "socket")
	}
	ln, err := net.Listen(network, address)
	require.NoError(t, err)
	defer ln.Close()
	near, err = net.Dial(network, ln.Addr().String())
	require.NoError(t, err)
	far, err = ln.Accept()
	require.NoError(t, err)
	return near, far
}

func TestRead(t *testing.T) {
	eachKind(t, func(t *testing.T, c *sockio.Conn, far net.Conn) {
		go func() {
			time.Sleep(10 * time.Millisecond) // so that Read waits
			far.Write([]byte("hello"))
			far.Close()
		}()
		b := make([]byte, 3)
		n, err := c.Read(b)
		require.NoError(t, err)
		assert.Equal(t, "hel", string(b[:n]))
		rest, err := io.ReadAll(c)
		require.NoError(t, err)
		assert.Equal(t, "lo", string(rest))
		n, err = c.Read(b)
		assert.Zero(t, n)
		assert.Equal(t, io.EOF, err)
	})
}

func TestReadNothing(t *testing.T) {
	c, _ := connect(t, "unix")
	n, err := sockio.New(c).Read(nil)
	assert.NoError(t, err)
	assert.Zero(t, n)
}

// More than what fits into the socket is written as the other side reads, while something is read too.
func TestWriteMuch(t *testing.T) {
	eachKind(t, func(t *testing.T, c *sockio.Conn, far net.Conn) {
		sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
		go far.Write([]byte("back"))
		go func() {
			b := make([]byte, 4)
			io.ReadFull(c, b)
			n, err := c.Write(sent)
			assert.NoError(t, err)
			assert.Equal(t, len(sent), n)
			c.Close()
		}()
		time.Sleep(10 * time.Millisecond) // so that Write waits
		got, err := io.ReadAll(far)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(sent, got))
	})
}

func TestDeadlines(t *testing.T) {
	eachKind(t, func(t *testing.T, c *sockio.Conn, _ net.Conn) {
		c.SetDeadline(time.Now().Add(10 * time.Millisecond))
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		much := make([]byte, 16<<20)
		c.SetDeadline(time.Now().Add(500 * time.Millisecond))
		n, err := c.Write(much)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Less(t, n, len(much))
		if c.LocalAddr().Network() != "pipe" {
			assert.Positive(t, n)
		}
		c.SetDeadline(time.Time{})
	})
}

func TestCloseEndsRead(t *testing.T) {
	eachKind(t, func(t *testing.T, c *sockio.Conn, _ net.Conn) {
		time.AfterFunc(10*time.Millisecond, func() { c.Close() })
		_, err := c.Read(make([]byte, 1))
		assert.True(t, errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe), err)
	})
}

// The error names the system call, as package net's does.
func TestWriteToNobody(t *testing.T) {
	eachKind(t, func(t *testing.T, c *sockio.Conn, far net.Conn) {
		far.Close()
		var err error
		for deadline := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(deadline); {
			_, err = c.Write([]byte("x"))
		}
		require.Error(t, err)
		assert.Regexp(t, "broken pipe|reset by peer|closed", err.Error())
	})
}

func TestCloseWrite(t *testing.T) {
	eachKind(t, func(t *testing.T, c *sockio.Conn, far net.Conn) {
		if _, ok := far.(interface{ CloseWrite() error }); !ok {
			assert.ErrorIs(t, c.CloseWrite(), errors.ErrUnsupported)
			return
		}
		require.NoError(t, c.CloseWrite())
		got, err := io.ReadAll(far)
		require.NoError(t, err)
		assert.Empty(t, got)
		far.Write([]byte("x"))
		n, err := c.Read(make([]byte, 2))
		require.NoError(t, err)
		assert.Equal(t, 1, n)
	})
}

func TestQuiet(t *testing.T) {
	for _, end := range []struct {
		name string
		act  func(c *sockio.Conn, far net.Conn)
	}{
		{"something came", func(_ *sockio.Conn, far net.Conn) { far.Write([]byte("x")) }},
		{"ended", func(_ *sockio.Conn, far net.Conn) { far.Close() }},
		{"closed", func(c *sockio.Conn, _ net.Conn) { c.Close() }},
	} {
		t.Run(end.name, func(t *testing.T) {
			near, far := connect(t, "tcp")
			c := sockio.New(near)
			assert.True(t, c.Quiet())
			end.act(c, far)
			assert.Eventually(t, func() bool { return !c.Quiet() }, 10*time.Second, time.Millisecond)
		})
	}
	c, _ := connect(t, "pipe")
	assert.True(t, sockio.New(c).Quiet(), "nobody knows")
}

// A wrapped is a connection whose own Read is the one to use.
type wrapped struct{ *net.UnixConn }

func (wrapped) Read([]byte) (int, error) { return 0, io.ErrNoProgress }

func TestWrapped(t *testing.T) {
	near, _ := connect(t, "unix")
	_, err := sockio.New(wrapped{near.(*net.UnixConn)}).Read(make([]byte, 1))
	assert.Equal(t, io.ErrNoProgress, err)
}

// A lender counts what it lends.
type lender struct {
	b              []byte
	lent, returned int
	onReturn       func()
}

func (l *lender) Lend() []byte {
	l.lent++
	return l.b
}

func (l *lender) Return() {
	l.returned++
	l.onReturn()
}

func TestReadLent(t *testing.T) {
	eachKind(t, func(t *testing.T, c *sockio.Conn, far net.Conn) {
		say := sync.OnceFunc(func() {
			go func() {
				far.Write([]byte("hello"))
				far.Close()
			}()
		})
		if c.LocalAddr().Network() == "pipe" { // for which it is lent while there is nothing
			say()
		}
		l := &lender{b: make([]byte, 10), onReturn: say}
		n, err := c.ReadLent(l)
		require.NoError(t, err)
		assert.Equal(t, "hello", string(l.b[:n]))
		assert.Equal(t, l.lent-1, l.returned)
		if runtime.GOOS == "linux" && c.LocalAddr().Network() != "pipe" {
			assert.Positive(t, l.returned, "kept while there was nothing to read")
		}
		_, err = c.ReadLent(l)
		assert.Equal(t, io.EOF, err)
		assert.Equal(t, l.lent-1, l.returned)
	})
}

func TestNoAllocations(t *testing.T) {
	near, far := connect(t, "unix")
	c, d := sockio.New(near), sockio.New(far)
	b := make([]byte, 10)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		c.Write(b)
		d.Read(b)
	}))
}

func TestNetwork(t *testing.T) {
	for _, tt := range [][3]string{
		{"tcp", "/x", "tcp"}, {"", "/x.sock", "unix"}, {"", "@x", "unix"}, {"", "localhost:1", "tcp"}, {"", "[::1]:1", "tcp"},
	} {
		assert.Equal(t, tt[2], sockio.Network(tt[0], tt[1]), tt)
	}
}

// What accept(2) counts among the errors that pass does not end a server.
func TestPassing(t *testing.T) {
	for _, err := range []error{syscall.EMFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.EPROTO, syscall.ECONNABORTED} {
		assert.True(t, sockio.Passing(&net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", err)}), err.Error())
	}
	for _, err := range []error{net.ErrClosed, io.EOF, syscall.EBADF, syscall.EINVAL} {
		assert.False(t, sockio.Passing(&net.OpError{Op: "accept", Err: err}), err.Error())
	}
}
