package app

import (
	"bytes"
	"os/exec"
	"strings"
	"time"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// fcgi22 are the cases about the state in which the program begins, FastCGI 1.0 sections 2.2 and 2.3.
var fcgi22 = []conformance.Case{{
	Name:  "fcgi/2.2/listensock-fd0",
	Quote: "FCGI_LISTENSOCK_FILENO equals STDIN_FILENO.",
	Level: conformance.Must, Needs: []string{needExec},
	Sends:  "a plain request to a program that it starts with a listening TCP socket as descriptor 0",
	Passes: "serves the request",
	Run:    test(func(t *T) { t.Start("tcp").Serves() }),
}, {
	Name: "fcgi/2.2/listensock-unix",
	Quote: "The Web server's choice of reliable transport, Unix stream pipes (AF_UNIX) or TCP/IP (AF_INET), is " +
		"implicit in the internal state of the FCGI_LISTENSOCK_FILENO socket.",
	Level: conformance.Must, Needs: []string{needExec},
	Sends:  "a plain request to a program that it starts with a listening Unix socket as descriptor 0",
	Passes: "serves the request",
	Run:    test(func(t *T) { t.Start("unix").Serves() }),
}, {
	Name: "fcgi/2.2/not-a-socket-cgi-fallback",
	Quote: "A reliable method for an application to determine whether it was invoked using CGI or FastCGI is to call " +
		"getpeername(FCGI_LISTENSOCK_FILENO), which returns -1 with errno set to ENOTCONN for a FastCGI application.",
	Level: conformance.Should, Needs: []string{needExec},
	Sends:  "a CGI request: it starts the program with a pipe as descriptor 0 and meta-variables in the environment",
	Passes: "writes one CGI response and ends, or ends with a status that is not 0",
	Run:    test((*T).cgiFallback),
}, {
	Name:  "fcgi/2.2/stdout-stderr-closed-safe",
	Quote: "The standard descriptors STDOUT_FILENO and STDERR_FILENO are closed when the application begins execution.",
	Level: conformance.Robustness, Needs: []string{needExec},
	Sends: "requests that make the echo application write errors to a program that it starts with descriptors 1 and " +
		"2 closed",
	Passes: "sends records and no stray bytes on the connections, which may have got those descriptors",
	Run: test(func(t *T) {
		own := t.Start("tcp")
		for range 3 {
			c := own.Connect()
			c.Ask(own.Get("stderr=1000"))
			c.Closes()
			t.Check(len(c.buf) == 0, "bytes that are no record: %.80q", c.buf)
			for _, r := range c.got {
				t.Check(r.Version == wire.Version1, "a record of version %d: %v", r.Version, r)
			}
			c.Close()
		}
	}),
}, {
	Name:  "fcgi/2.2/nonblocking-listensock",
	Quote: "This descriptor refers to a listening socket created by the Web server.",
	Level: conformance.Robustness, Needs: []string{needExec},
	Sends: "requests to a program that it starts with a non-blocking listening socket, as event driven servers " +
		"create it",
	Passes: "serves them, and uses no processor time while it waits",
	Run: test(func(t *T) {
		own := t.startWith(&Target{network: "tcp", launch: startNonblocking})
		own.Serves()
		if before := own.CPU(); canMeasure(own.target.pid()) {
			t.Sleep(time.Second)
			used := own.CPU() - before
			t.Check(used < 500*time.Millisecond, "it used %v of processor time in an idle second", used)
		}
		own.Serves()
	}),
}, {
	Name: "fcgi/2.3/no-environment",
	Quote: "The Web server may use environment variables to pass parameters to the application. " +
		"This specification defines one such variable, FCGI_WEB_SERVER_ADDRS",
	Level: conformance.Robustness, Needs: []string{needExec},
	Sends:  "a plain request to a program that it starts with PATH as its only environment variable",
	Passes: "serves the request",
	Run: test(func(t *T) {
		own := &Target{network: "tcp", launch: startProgram, bare: true}
		t.startWith(own).Serves()
	}),
}}

// cgiFallback starts the program as a CGI program and waits for its end.
func (t *T) cgiFallback() {
	cmd := exec.Command("sh", "-c", t.target.command)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(""), &stdout, &stderr
	cmd.WaitDelay = time.Second
	cmd.Env = cmd.Environ()
	for _, v := range t.variables("GET", "") {
		cmd.Env = append(cmd.Env, v.name+"="+v.value)
	}
	p, err := launch(cmd)
	if err != nil {
		t.Broken(err)
	}
	t.Cleanup(p.stop)
	if !p.ended(slowStart) {
		t.Hang("it neither ends nor says why within %v", slowStart)
	}
	status := cmd.ProcessState.ExitCode()
	t.Info("started as a CGI program it ends with status %d and %.200q", status, stderr.String())
	t.Check(status != 0 || wellFormed(stdout.Bytes()), "it ended with status 0 and %.80q", stdout.Bytes())
}
