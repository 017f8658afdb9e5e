// Package app has the conformance cases for applications: the suite is the web server. The application speaks FastCGI
// 1.0 (29 April 1996), SCGI (23 June 2008) or the uwsgi protocol over TCP or a Unix socket, or is a program that the
// suite starts with a listening socket as descriptor 0. Begin with New, or with Cases to see what is checked.
//
// Any application will do. Cases that have to see what the application got need the echo application of package echo,
// and are skipped with others.
package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gangway-go/gangway/conformance"
)

// Target is an application under test. Set the fields before the run. It implements conformance.Target.
type Target struct {
	// Script is sent as SCRIPT_FILENAME. php-fpm and php-cgi, for example, serve nothing without one.
	Script string
	// Vars are meta-variables "NAME=VALUE" to send with every request. They win over the suite's own.
	Vars []string
	// RestartCommand is what a shell runs to bring a dead application back. A program that the suite has started is
	// started anew without one.
	RestartCommand string
	// PID is the application's process, for the cases that look at its memory and descriptors; 0 if it is not known.
	PID int

	url      string
	err      error
	scheme   string // fcgi, scgi or uwsgi
	network  string // tcp or unix
	address  string
	command  string   // of a program that the suite starts
	env      []string // for the program
	bare     bool     // it gets nothing of the suite's environment but PATH
	launch   func(command string, ln net.Listener, env []string) (*program, error)
	protocol protocol

	mu      sync.Mutex
	program *program

	echo    bool
	keeps   bool // keeps a connection open if asked to
	atOnce  int  // how many connections it serves at once, as far as was tried
	version string
	plain   string // what a plain request gets
}

var _ conformance.Target = (*Target)(nil)

// Words for Case.Needs.
const (
	needExec       = "exec"       // the suite starts the program
	needTCP        = "tcp"        // the connection is a TCP connection
	needUnix       = "unix"       // the connection is one over a Unix socket
	needPID        = "pid"        // the process is known and can be looked at
	needConcurrent = "concurrent" // two connections at once are served
	needKeep       = "keep"       // a connection is kept open if asked for
	needRestart    = "restart"    // somebody brings the target back when it has died
)

// New returns the application at url: fcgi://HOST:PORT, fcgi+unix://PATH, or fcgi+exec:COMMAND for a program to be
// started by a shell with a listening socket as descriptor 0; the same with scgi and uwsgi instead of fcgi. If the URL
// is wrong, Err says so, and the run fails at once.
func New(url string) *Target {
	t := &Target{url: url, launch: startProgram}
	t.err = t.parse()
	t.protocol = protocolOf(t.scheme)
	return t
}

// ErrURL is wrapped by the errors about an address that is none.
var ErrURL = errors.New("conformance: not the URL of an application")

// Err says what is wrong with the URL, or returns nil. The error wraps ErrURL.
func (t *Target) Err() error { return t.err }

func (t *Target) parse() error {
	kind, rest, _ := strings.Cut(t.url, ":")
	scheme, way, _ := strings.Cut(kind, "+")
	if !slices.Contains([]string{"fcgi", "scgi", "uwsgi"}, scheme) {
		return fmt.Errorf("%w: %q begins with none of fcgi, scgi, uwsgi", ErrURL, t.url)
	}
	t.scheme = scheme
	path, slashes := strings.CutPrefix(rest, "//")
	switch {
	case way == "exec" && rest != "":
		t.network, t.command = "tcp", rest
	case way == "unix" && slashes && path != "":
		t.network, t.address = "unix", path
	case way == "":
		u, err := url.Parse(t.url)
		if err != nil || u.Hostname() == "" || u.Port() == "" || strings.TrimSuffix(path, "/") != u.Host {
			return fmt.Errorf("%w: %q is not %s://HOST:PORT", ErrURL, t.url, scheme)
		}
		t.network, t.address = "tcp", u.Host
	default:
		return fmt.Errorf("%w: %q is none of %[3]s://HOST:PORT, %[3]s+unix://PATH, %[3]s+exec:COMMAND", ErrURL, t.url, scheme)
	}
	return nil
}

// Cases returns the cases for the protocol that the target speaks.
func (t *Target) Cases() []conformance.Case {
	if t.err != nil {
		return nil
	}
	return t.protocol.cases()
}

// Lacks says why a case cannot be run with this application.
func (t *Target) Lacks(c *conformance.Case) string {
	if c.Protocol() != t.scheme {
		return "the application speaks " + t.protocol.name
	}
	if c.Echo && !t.echo {
		return "not the echo application"
	}
	for _, need := range c.Needs {
		if reason := t.lacks(need); reason != "" {
			return reason
		}
	}
	return ""
}

func (t *Target) lacks(need string) string {
	switch {
	case need == needExec && t.command == "":
		return "the suite did not start the program"
	case (need == needTCP || need == needUnix) && need != t.network:
		return "the connection is not " + need
	case need == needPID && !canMeasure(t.pid()):
		return "the process is not known"
	case need == needRestart && t.command == "" && t.RestartCommand == "":
		return "nobody is told to bring the application back when it has died"
	case need == needConcurrent && t.atOnce < 2:
		return "one connection at a time is served"
	case need == needKeep && !t.keeps:
		return "connections are not kept open"
	}
	return ""
}

// Jobs is at most half of the connections that are served at once, so that a case may use two.
func (t *Target) Jobs() int { return min(max(1, t.atOnce/2), 8) }

// Subject describes the application as far as the preflight got to know it.
func (t *Target) Subject() conformance.Subject {
	s := conformance.Subject{Name: t.url, Version: t.version, Role: "app", Protocol: t.protocol.name, Address: t.url}
	s.Facts = map[string]string{
		"echo application":     fmt.Sprint(t.echo),
		"plain request":        t.plain,
		"connections are kept": fmt.Sprint(t.keeps),
		"connections at once":  fmt.Sprint(t.atOnce),
	}
	if t.atOnce == mostAtOnce {
		s.Facts["connections at once"] += " or more"
	}
	return s
}

// Alive makes one plain request.
func (t *Target) Alive(ct *conformance.T) { test((*T).Serves)(ct) }

// Restart starts the suite's own program anew, or runs RestartCommand.
func (t *Target) Restart(ctx context.Context) error {
	switch {
	case t.command != "":
		t.Close()
		return t.start()
	case t.RestartCommand != "":
		return exec.CommandContext(ctx, "sh", "-c", t.RestartCommand).Run()
	}
	return errors.ErrUnsupported
}

// Dead says whether the program that the suite has started has ended.
func (t *Target) Dead() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.program != nil && t.program.ended(time.Millisecond)
}

// Close ends the program if the suite has started it.
func (t *Target) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.program != nil {
		t.program.stop()
		t.program = nil
	}
	return nil
}

// start starts the program of the target, unless it runs, with a socket at the address that it had before.
func (t *Target) start() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.command == "" || t.program != nil {
		return nil
	}
	if t.address == "" {
		t.address = "127.0.0.1:0"
	}
	if t.network == "unix" {
		os.Remove(t.address)
	}
	ln, err := net.Listen(t.network, t.address)
	if err != nil {
		return err
	}
	t.address = ln.Addr().String()
	env := os.Environ()
	if t.bare {
		env = []string{"PATH=" + os.Getenv("PATH")}
	}
	t.program, err = t.launch(t.command, ln, append(env, t.env...))
	return err
}

func (t *Target) pid() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.program != nil {
		return t.program.cmd.Process.Pid
	}
	return t.PID
}
