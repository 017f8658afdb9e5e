package pool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// A Command is a [Spawner] that runs a program which serves on a Unix socket. Each process has a socket of its own, in
// a private folder that goes when the process does, and leads a process group: what it started ends with it. On Linux
// it gets SIGTERM when this program dies.
type Command struct {
	// Cmd makes the command of a process. The process is to listen on socket, a path in the private folder, where Cmd may
	// write files for it. Its standard input is a pipe that ends when this program does; what it writes to its standard
	// output and error goes to Log. With a Credential in SysProcAttr the folder is that user's.
	Cmd func(socket string) (*exec.Cmd, error)
	// Inherit gives the process the listening socket as its standard input (FastCGI 1.0 section 2.2).
	Inherit bool
	// Backend returns what speaks to the process. See [Process].
	Backend func(socket string) adapters.Handler
	// BootTimeout (boot-timeout) is how long a process may take until it accepts its first connection; 0 means DefaultBoot.
	BootTimeout time.Duration
	// Grace is how long a process may take to end after SIGTERM, before SIGKILL; 0 means 5 s.
	Grace time.Duration
	// Log takes what the processes write, by line; nil is slog.Default.
	Log *slog.Logger
	// MaxLines (stderr-lines) is how many lines of a process are logged in a second; 0 means DefaultMaxLines.
	MaxLines int
}

// The limits of a [Command] that sets none.
const (
	DefaultBoot     = 60 * time.Second
	DefaultMaxLines = 1000
)

const defaultGrace = 5 * time.Second

// Spawn starts a process and returns when it has taken a first connection. If it ends before, the error tells the last
// line that it wrote.
func (c *Command) Spawn(ctx context.Context) (*Process, error) {
	private, err := newFolder()
	if err != nil {
		return nil, err
	}
	r := newRunning(private, cmp.Or(c.Grace, defaultGrace), cmp.Or(c.Log, slog.Default()))
	r.output.limit = cmp.Or(c.MaxLines, DefaultMaxLines)
	socket := filepath.Join(private.path, "app.sock")
	listener, err := c.start(r, socket)
	if err != nil {
		private.remove()
		return nil, err
	}
	if listener != nil {
		// Until the process has taken a connection: if it died before, closing would look like taking it.
		defer listener.Close()
	}
	if err := r.boot(ctx, socket, cmp.Or(c.BootTimeout, DefaultBoot)); err != nil {
		return nil, err
	}
	if !c.Inherit {
		if err := r.takeBack(socket); err != nil {
			r.stop(ctx)
			return nil, err
		}
	}
	idle := func() { taken(r.life, socket) } // which a process does that serves one connection after the other
	return &Process{Handler: c.Backend(socket), Idle: idle, ID: r.cmd.Process.Pid, Wait: r.wait, Stop: r.stop}, nil
}

// start starts r; with Inherit it returns the listener.
func (c *Command) start(r *running, socket string) (*net.UnixListener, error) {
	var err error
	if r.cmd, err = c.Cmd(socket); err != nil {
		return nil, err
	}
	r.prepare()
	if !c.Inherit {
		if err := r.lend(); err != nil {
			return nil, err
		}
		if _, err := r.cmd.StdinPipe(); err != nil { // Wait closes it
			return nil, err
		}
		return nil, r.start()
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	stdin, err := listener.File()
	if err == nil {
		defer stdin.Close()
		r.cmd.Stdin = stdin
		err = r.start()
	}
	if err != nil {
		listener.Close()
	}
	return listener, err
}

// boot waits until the process has taken a connection. Else it is stopped.
func (r *running) boot(ctx context.Context, socket string, limit time.Duration) error {
	late := fmt.Errorf("app took no connection within %v", limit)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &adapters.Error{Op: "boot", Limit: "boot-timeout", Err: late})
	defer cancel()
	alive, died := context.WithCancelCause(ctx)
	defer context.AfterFunc(r.life, func() { died(errDied) })()
	for pause := time.Millisecond; alive.Err() == nil; pause = min(2*pause, 50*time.Millisecond) {
		if taken(alive, socket) {
			return nil
		}
		select {
		case <-alive.Done():
		case <-time.After(pause):
		}
	}
	r.stop(ctx)
	err := context.Cause(alive)
	if err == errDied {
		err = fmt.Errorf("%w: %w", errDied, r.err)
	}
	if last := r.output.last; last != "" {
		err = fmt.Errorf("%w: %s", err, last)
	}
	return err
}

var errDied = errors.New("app died at start")

// taken reports whether somebody takes a connection to socket: says something, or closes it after we did.
func taken(ctx context.Context, socket string) bool {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return false
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	conn.(*net.UnixConn).CloseWrite()
	_, err = conn.Read(make([]byte, 1))
	return err == nil || err == io.EOF
}
