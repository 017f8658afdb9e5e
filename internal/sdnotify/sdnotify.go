// Package sdnotify tells a service manager how the service is: the client's side of sd_notify(3) and
// sd_watchdog_enabled(3), as of systemd 252. Begin with [Take].
package sdnotify

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// What [Notifier.Send] can say, beside what [Reloading], [Status] and [MainPID] return.
const (
	Ready    = "READY=1"    // the start, or the reload that Reloading announced, is over
	Stopping = "STOPPING=1" // the end has begun
	Alive    = "WATCHDOG=1" // what Watch says
)

// Reloading says that the service is being replaced or reads its configuration again, until the next Ready.
func Reloading() string {
	return "RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(monotonic().Microseconds(), 10)
}

// Status returns what people are to see of the service, in one line.
func Status(text string) string {
	return "STATUS=" + strings.ReplaceAll(text, "\n", " ")
}

// MainPID says which process is the service from now on.
func MainPID(pid int) string { return "MAINPID=" + strconv.Itoa(pid) }

const (
	socketVar      = "NOTIFY_SOCKET"
	watchdogVar    = "WATCHDOG_USEC"
	watchdogPIDVar = "WATCHDOG_PID"
)

// A Notifier talks to the service manager that started this process; nil is one that nobody listens to. Its methods may
// be called by several goroutines.
type Notifier struct {
	socket string
	// watchdog is how long the manager waits for a sign of life; 0 is for ever.
	watchdog time.Duration
}

// Take returns the Notifier that the environment describes, and nil if it describes none. It removes the variables from
// the environment: programs that are started must not speak for this one.
func Take() *Notifier {
	socket, usec, pid := os.Getenv(socketVar), os.Getenv(watchdogVar), os.Getenv(watchdogPIDVar)
	for _, name := range []string{socketVar, watchdogVar, watchdogPIDVar} {
		os.Unsetenv(name)
	}
	if socket == "" {
		return nil
	}
	n := &Notifier{socket: socket}
	if µs, err := strconv.ParseInt(usec, 10, 64); err == nil && µs > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.watchdog = time.Duration(µs) * time.Microsecond
	}
	return n
}

// Env returns the variables with which a process that is to replace this one gets the same Notifier.
func (n *Notifier) Env() []string {
	if n == nil {
		return nil
	}
	env := []string{socketVar + "=" + n.socket}
	if n.watchdog > 0 {
		env = append(env, watchdogVar+"="+strconv.FormatInt(n.watchdog.Microseconds(), 10))
	}
	return env
}

// sendTime bounds a notification: a manager that does not read must not stop us.
const sendTime = time.Second

// Send sends lines of the form NAME=VALUE as one notification.
func (n *Notifier) Send(lines ...string) error {
	if n == nil {
		return nil
	}
	conn, err := net.DialTimeout("unixgram", n.socket, sendTime) // a leading @ is that of an abstract socket
	if err == nil {
		defer conn.Close()
		conn.SetWriteDeadline(time.Now().Add(sendTime))
		_, err = conn.Write([]byte(strings.Join(lines, "\n")))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", socketVar, err)
	}
	return nil
}

// Watch sends signs of life, two in the time in which the manager wants one, until ctx is done: as long as alive
// returns true. If alive hangs there are none either. Watch returns at once if the manager wants none.
func (n *Notifier) Watch(ctx context.Context, alive func() bool) {
	if n == nil || n.watchdog == 0 {
		return
	}
	ticker := time.NewTicker(n.watchdog / 2)
	defer ticker.Stop()
	for {
		if alive() {
			n.Send(Alive) // if it does not arrive, the manager does what is to be done
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
