// Package cgi lets requests come and go over CGI/1.1 (RFC 3875, https://www.rfc-editor.org/rfc/rfc3875): a [Script]
// runs a program for each request, [Serve] makes this process the script of a web server.
//
// A script gets as its environment the meta-variables (section 4.1), PATH and what it is configured to get, nothing
// else of ours; as its standard input the message-body, exactly CONTENT_LENGTH bytes. Nothing of the request ever
// becomes an argument: the search-string of section 4.4 is not passed. A response may begin with a status line instead
// of a Status field, as that of a script with a non-parsed header (section 5) does.
//
// Whom a script runs as, what it takes and what it is kept from are User, [Limits] and [Sandbox] of a Script.
//
// What CGI cannot say: a response without Content-Length looks complete when its script ends too early by itself. There
// are no trailers and no upgrades.
package cgi

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// DefaultGrace is the Grace of a [Script] that sets none.
const DefaultGrace = 5 * time.Second

// A Script is a [adapters.Handler] that runs a program for each request. The zero value runs what the request names.
// The fields must not be changed once it is in use. Close it when it is no longer needed.
//
// A script is aborted when ctx is cancelled, when Response.Body is closed before io.EOF or Request.Body fails, and when
// it still runs a second after the end of its response. Then it gets SIGTERM, and when Grace is over SIGKILL; on Linux
// what it has started and left in its process group gets them too.
//
// A response goes out when the script has read its body, has ended, or has written more than 16 KiB; or when nothing of
// the body has moved for 2 s, as with a script that talks with its client.
//
// Once a script has ended, processes that it leaves behind hold up its response for a quarter of a second at most. They
// are not killed, unless the script was aborted.
//
// The end of Response.Body waits for the exit status, for a second at most. AppStatus returns it, or -1 if there is
// none. A script that is killed by a signal has a truncated response, unless all of its Content-Length has come; any
// other exit status is logged and changes nothing.
type Script struct {
	// Path is the program; empty is Request.Script.Filename, for which whoever resolved it answers.
	Path string
	// Args are arguments for the program.
	Args []string
	// Dir is the working directory; empty is the folder of the program, for Owner without symbolic links.
	Dir string
	// Env are further variables, as "NAME=value". They win over those of the request, of which a script that runs as
	// another user gets none that steers loaders or interpreters, as LD_PRELOAD, PERL5LIB and PATH do.
	Env []string
	// Interpreters names the program for scripts with an extension, ".pl": "/usr/bin/perl"; they need not be executable.
	// php-cgi gets REDIRECT_STATUS too, without which it refuses to serve.
	Interpreters map[string]string
	// Grace is how long an aborted script may take to end after SIGTERM.
	Grace time.Duration
	// HeaderLimit bounds the response header, in bytes; 0 is adapters.DefaultHeaderLimit.
	HeaderLimit int
	// SpoolLimit bounds a request body of unknown length, in bytes; 0 is adapters.DefaultSpoolLimit. It is read to its end
	// before the script starts, since the script needs CONTENT_LENGTH.
	SpoolLimit int64
	// User is who scripts run as: "USER" or "USER:GROUP", names or numbers, [Self], [Owner] or [OwnerOrRoot]. Empty is
	// Self, also for root: gangway itself takes Owner then. Another user needs Unix, and that this process is root.
	User string
	// Sandbox keeps scripts from more; Limits bound what they take.
	Sandbox Sandbox
	Limits  Limits
	// Log takes exit statuses other than 0; nil is slog.Default.
	Log *slog.Logger

	confinement confinement

	mu      sync.Mutex
	closed  bool
	running map[*process]struct{}
	reaped  sync.WaitGroup
}

// Serve implements [adapters.Handler].
func (s *Script) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	c, err := s.command(req.Script.Filename)
	req.Trace.Attempt("cgi " + c.script)
	if err != nil {
		return nil, failed(ctx, "run", c.script, err)
	}
	if err := s.prepare(); err != nil {
		return nil, failed(ctx, "run", c.script, err)
	}
	req, release, err := adapters.Spool(ctx, req, s.SpoolLimit)
	if err != nil {
		return nil, failed(ctx, "spool", c.script, err)
	}
	slots := &s.confinement.slots
	if err := slots.take(ctx, &s.confinement.limits); err != nil {
		release()
		return nil, failed(ctx, "run", c.script, err)
	}
	x := &exchange{script: s, command: c, req: req, release: release}
	if err := x.start(ctx); err != nil {
		slots.give()
		return nil, failed(ctx, "run", c.script, err)
	}
	return x.response()
}

// Check reports whether the program at Path, if there is one, can be run, and the system do what User, Sandbox and
// Limits say, as far as that can be seen without running it.
func (s *Script) Check() error {
	var c command
	err := s.prepare()
	if err == nil && s.Path != "" {
		if c, err = s.command(""); err == nil {
			_, err = s.userFor(&c)
		}
	}
	if err != nil {
		return failed(context.Background(), "run", c.script, err)
	}
	return nil
}

// Close kills the scripts that still run, and returns when they have ended. Serve fails from then on.
func (s *Script) Close() error {
	s.mu.Lock()
	s.closed = true
	for p := range s.running {
		p.abort(0)
	}
	s.mu.Unlock()
	s.reaped.Wait()
	s.confinement.once.Do(func() { s.confinement.err = errClosed }) // nothing is prepared any more
	if spawner := s.confinement.spawner; spawner != nil {
		spawner.Close()
	}
	return nil
}

var errClosed = fmt.Errorf("%w: closed", adapters.ErrUnreachable)

func failed(ctx context.Context, op, script string, err error) error {
	return adapters.Failed(ctx, "cgi: "+op, script, adapters.ErrUnreachable, err)
}
