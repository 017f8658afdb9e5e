package app

import (
	"net"
	"syscall"
	"time"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// exitTime is how long an application may take to end.
const exitTime = 5 * time.Second

// Terminate asks the instance to end.
func (t *T) Terminate() { t.target.program.cmd.Process.Signal(syscall.SIGTERM) }

// Exit waits for the end of the instance and says how it ended.
func (t *T) Exit() (code int, how string) {
	p := t.target.program
	t.Check(p.ended(exitTime), "it still runs after %v", exitTime)
	return p.cmd.ProcessState.ExitCode(), p.cmd.ProcessState.String()
}

// over says whether the instance has ended.
func (t *T) over() bool {
	select {
	case <-t.target.program.done:
		return true
	default:
		return false
	}
}

// fcgi7 has the cases of FastCGI 1.0 section 7, Errors.
func fcgi7() []conformance.Case {
	return append(fcgi7Term(), fcgi7Exit()...)
}

const quoteExit = "A FastCGI application exits with zero status to indicate that it terminated on purpose, e.g. in " +
	"order to perform a crude form of garbage collection."

func fcgi7Term() []conformance.Case {
	const quote = "A Web server can request that a FastCGI application exit by sending it SIGTERM."
	return []conformance.Case{{
		Name: "fcgi/7/sigterm-idle", Quote: quote + " " + quoteExit, Level: conformance.Should,
		Needs:  []string{needExec},
		Sends:  "SIGTERM to an instance that has nothing to do",
		Passes: "ends within 5 s, with exit status 0",
		Run: test(func(t *T) {
			own := t.Start("tcp")
			own.Serves()
			own.Terminate()
			code, how := own.Exit()
			t.Check(code == 0, "it ended with %s", how)
		}),
	}, {
		Name: "fcgi/7/sigterm-open-connection", Quote: quote, Level: conformance.Should, Needs: []string{needExec},
		Sends:  "SIGTERM to an instance with an open connection on which no request is active",
		Passes: "ends within 5 s, although the connection is not closed",
		Run: test(func(t *T) {
			own := t.Start("tcp")
			own.Connect().Ask(own.Get("").Keep())
			own.Terminate()
			own.Exit()
		}),
	}, {
		Name: "fcgi/7/sigterm-graceful", Quote: quote + " " + quoteExit, Level: conformance.Should,
		Needs:  []string{needExec},
		Sends:  "SIGTERM to an instance in the middle of the body of a request, and the rest a moment later",
		Passes: "serves the request and ends with exit status 0",
		Run: test(func(t *T) {
			own := t.Start("tcp")
			own.Serves()
			c := own.Connect()
			c.beginBody(own.Post("", []byte("abcdef")))
			t.Sleep(t.Patience() / 4)
			own.Terminate()
			t.Sleep(t.Patience() / 4)
			c.Send(rec(wire.TypeStdin, 1, "def"), end(wire.TypeStdin, 1))
			c.Served(1)
			c.Close()
			code, how := own.Exit()
			t.Check(code == 0, "it ended with %s", how)
		}),
	}}
}

func fcgi7Exit() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/7/exit-zero-on-purpose", Quote: quoteExit, Level: conformance.Must, Needs: []string{needExec},
		Sends: "ten requests to an instance with PHP_FCGI_MAX_REQUESTS=5 in its environment, which makes php-cgi " +
			"and others end after so many",
		Passes: "ends with exit status 0, if it ends, and loses no request",
		Run: test(func(t *T) {
			own := t.startHeld("PHP_FCGI_MAX_REQUESTS=5")
			for i := range 10 {
				c := own.Connect()
				c.Send(own.Get("").Bytes())
				if own.over() {
					break
				}
				r := c.Collect(1)[0]
				if r.silent && own.over() {
					break // the request waits for the next instance
				}
				t.Check(r.served(), "request %d was lost", i+1)
				c.Close()
				if own.target.program.ended(t.T.Patience() / 5) {
					break
				}
			}
			if !own.over() {
				t.Skip("it does not end after so many requests")
			}
			code, how := own.Exit()
			t.Check(code == 0, "it ended with %s", how)
		}),
	}, {
		Name: "fcgi/7/crash-exit-nonzero", Level: conformance.Must, Echo: true, Needs: []string{needExec},
		Quote:  "A FastCGI application that exits with nonzero status is assumed to have crashed.",
		Sends:  "a request whose handler dies to an instance",
		Passes: "does not end with exit status 0",
		Run: test(func(t *T) {
			own := t.Start("tcp")
			c := own.Connect()
			c.Send(own.Get("crash").Bytes())
			c.Settled(1)
			if own.target.program.ended(t.T.Patience()) {
				code, _ := own.Exit()
				t.Check(code != 0, "it ended with exit status 0, as if on purpose")
			}
		}),
	}}
}

// startHeld is Start for an instance whose listening socket outlives it, as that of a web server does.
func (t *T) startHeld(env ...string) *T {
	return t.startWith(&Target{network: "tcp", env: env, launch: func(command string, ln net.Listener,
		env []string) (*program, error) {
		held, err := ln.(*net.TCPListener).File()
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { held.Close() })
		return startProgram(command, ln, env)
	}})
}
