package listenfd_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/leak"
	"github.com/gangway-go/gangway/internal/listenfd"
)

// childVar is set in a process that a test starts with a listening socket on descriptor 0.
const childVar = "LISTENFD_TEST"

func TestMain(m *testing.M) {
	switch os.Getenv(childVar) {
	case "1":
		serveOne()
		return
	case "2":
		serveNamed()
		return
	}
	leak.Main(m)
}

// serveOne answers one connection on descriptor 0.
func serveOne() {
	ln, err := listenfd.Listen(0)
	if err == nil {
		var nc net.Conn
		if nc, err = ln.Accept(); err == nil {
			_, err = io.WriteString(nc, "served at "+ln.Addr().String())
			nc.Close()
		}
		ln.Close()
	}
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}

// serveNamed answers one connection on the socket called b, of LISTEN_FDS, and says what it can find of the others.
func serveNamed() {
	os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid())) // which whoever starts a process cannot know
	var found []string
	for _, name := range []string{"a", "b", "c", "twice", "4", "99", "0"} {
		fd, err := listenfd.Find(name)
		found = append(found, fmt.Sprintf("%s=%d %v", name, fd, err))
	}
	fd, err := listenfd.Find("b")
	if err != nil {
		panic(err)
	}
	ln, err := listenfd.Listen(fd)
	if err != nil {
		panic(err)
	}
	nc, err := ln.Accept()
	if err != nil {
		panic(err)
	}
	found = append(found, listenfd.Forget()...)
	found = append(found, os.Getenv("LISTEN_PID")+os.Getenv("LISTEN_FDS")+os.Getenv("LISTEN_FDNAMES")+".")
	if _, err := os.Stdin.Stat(); err != nil {
		panic(err)
	}
	_, err = listenfd.Listen(3)
	fmt.Fprintf(nc, "%s\n%v", strings.Join(found, "\n"), err)
	nc.Close()
	ln.Close()
}

// A process that was given a socket and has not taken it over must not make its owner's Accept block.
func TestFile(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	f, err := listenfd.File(ln)
	if runtime.GOOS == "windows" {
		require.ErrorIs(t, err, errors.ErrUnsupported)
		return
	}
	require.NoError(t, err)
	defer f.Close()
	f.Fd()
	require.NoError(t, ln.(*net.TCPListener).SetDeadline(time.Now().Add(50*time.Millisecond)))
	accepted := make(chan error, 1)
	go func() {
		_, err := ln.Accept()
		accepted <- err
	}()
	select {
	case err := <-accepted:
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	case <-time.After(20 * time.Second):
		t.Fatal("Accept blocks")
	}
	_, err = listenfd.File(struct{ net.Listener }{ln})
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

func TestListen(t *testing.T) {
	if runtime.GOOS == "windows" {
		_, err := listenfd.Listen(0)
		require.ErrorContains(t, err, "unsupported")
		return
	}
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			address := "127.0.0.1:0"
			if network == "unix" {
				address = filepath.Join(t.TempDir(), "socket")
			}
			ln, err := net.Listen(network, address)
			require.NoError(t, err)
			defer ln.Close()
			f, err := listenfd.File(ln)
			require.NoError(t, err)
			defer f.Close()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childVar+"=1")
			cmd.Stdin, cmd.Stderr = f, os.Stderr
			require.NoError(t, cmd.Start())
			nc, err := net.Dial(network, ln.Addr().String())
			require.NoError(t, err)
			got, err := io.ReadAll(nc)
			require.NoError(t, err)
			assert.Equal(t, "served at "+ln.Addr().String(), string(got))
			require.NoError(t, nc.Close())
			require.NoError(t, cmd.Wait())
			if network == "unix" {
				assert.FileExists(t, address, "the socket is not the child's to remove")
			}
		})
	}
}

func TestHandedOver(t *testing.T) {
	if runtime.GOOS == "windows" {
		return
	}
	cmd := exec.Command(os.Args[0])
	cmd.Stderr = os.Stderr
	var asked net.Addr
	for i := range 4 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer ln.Close()
		f, err := listenfd.File(ln)
		require.NoError(t, err)
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		if i == 1 {
			asked = ln.Addr()
		}
	}
	cmd.Env = append(os.Environ(), childVar+"=2", "LISTEN_FDS=4", "LISTEN_FDNAMES=a:b:twice:twice")
	require.NoError(t, cmd.Start())
	nc, err := net.Dial("tcp", asked.String())
	require.NoError(t, err)
	defer nc.Close()
	got, err := io.ReadAll(nc)
	require.NoError(t, err)
	require.NoError(t, cmd.Wait())
	assert.Equal(t, `a=3 <nil>
b=4 <nil>
c=0 no such socket was handed over: they are called a, b, twice, twice (LISTEN_FDNAMES)
twice=0 several sockets are called twice: take them by number, from 3 on, or name each (FileDescriptorName=)
4=4 <nil>
99=0 no such socket was handed over: LISTEN_FDS are descriptors 3 to 6
0=0 <nil>
a (descriptor 3)
twice (descriptor 5)
twice (descriptor 6)
.
descriptor 3: not a listening socket: bad file descriptor`, string(got))
}

// What was handed to another process, or not at all, is not ours to close.
func TestNotHandedOver(t *testing.T) {
	for name, env := range map[string][3]string{
		"nothing":             {},
		"another's":           {"1", "2", "a:b"},
		"no number":           {strconv.Itoa(os.Getpid()), "x", "a"},
		"none":                {strconv.Itoa(os.Getpid()), "0", ""},
		"no process":          {"", "1", "a"},
		"less than no socket": {strconv.Itoa(os.Getpid()), "-1", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			for i, variable := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
				t.Setenv(variable, env[i])
			}
			_, err := listenfd.Find("a")
			require.ErrorIs(t, err, listenfd.ErrNotHandedOver)
			fd, err := listenfd.Find("7")
			require.NoError(t, err)
			assert.Equal(t, uintptr(7), fd)
			assert.Empty(t, listenfd.Forget())
			_, there := os.LookupEnv("LISTEN_FDS")
			assert.False(t, there)
		})
	}
}

func TestNotListening(t *testing.T) {
	if runtime.GOOS == "windows" {
		return
	}
	file, err := os.Open(os.Args[0])
	require.NoError(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nc, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	connected, err := nc.(*net.TCPConn).File()
	require.NoError(t, err)
	packets, err := udp.(*net.UDPConn).File()
	require.NoError(t, err)
	pr, pw, err := os.Pipe()
	require.NoError(t, err)
	for name, f := range map[string]*os.File{"file": file, "connection": connected, "UDP": packets, "pipe": pr} {
		_, err := listenfd.Listen(f.Fd())
		require.ErrorIs(t, err, listenfd.ErrNotListening, name)
		require.NoError(t, f.Close(), name)
	}
	_, err = listenfd.Listen(1 << 20)
	require.ErrorIs(t, err, listenfd.ErrNotListening)
	require.ErrorContains(t, err, "descriptor 1048576")
	for _, c := range []io.Closer{ln, nc, udp, pw} {
		require.NoError(t, c.Close())
	}
}
