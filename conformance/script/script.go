// Package script has the conformance cases for CGI programs: the suite is the web server that runs the program, as
// CGI/1.1 (RFC 3875, October 2004) has it, on Unix. The program gets an environment of meta-variables and PATH only,
// limits (Linux), and no time to waste; what it leaves behind is killed. Begin with New, or with Cases to see what is
// checked.
//
// Any program will do. Some cases need to know how the program is brought to something, such as a redirect
// (Target.Triggers), or that it is the echo application of package echo; without that they are skipped.
package script

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gangway-go/gangway/conformance"
)

// Target is a CGI program under test. Set the fields before the run. It implements conformance.Target.
type Target struct {
	// Path is the program's file.
	Path string
	// Args are arguments that the program gets before those that a case gives it.
	Args []string
	// Env are entries "NAME=VALUE" of the environment, with every request. They win over the suite's own.
	Env []string
	// Dir is the working directory; that of the program if empty, RFC 3875 section 7.2.
	Dir string
	// URL is what follows the program's name in the URL of a plain request: PATH_INFO?QUERY. Often empty.
	URL string
	// Triggers are URLs like URL that bring the program to something: see the constants.
	Triggers map[string]string
	// NPH is set if the program writes HTTP responses, section 5. New sets it if the file's name begins with "nph-".
	NPH bool

	echo  bool
	plain *response // what the plain request got
}

var _ conformance.Target = (*Target)(nil)

// The keys of Target.Triggers: what the program does when it is asked for the URL.
const (
	LocalRedirect  = "local-redirect"  // a Location that is a path, section 6.2.2
	ClientRedirect = "client-redirect" // a Location that is a URI, section 6.2.3
	RedirectWith   = "redirect-with"   // a Location that is a URI, and a document, section 6.2.4
	Failure        = "failure"         // an error of its own
	Fetch          = "fetch"           // a request of its own to http://gangway.invalid/
)

// Words for Case.Needs, beside the triggers.
const (
	needParsed   = "parsed" // the program is no NPH script
	needNPH      = "nph"    // it is one
	needOwnPaths = "no-url" // the plain request has no PATH_INFO, so that the program may know none
)

// New returns the program at path.
func New(path string) *Target {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	return &Target{Path: path, NPH: strings.HasPrefix(filepath.Base(path), "nph-")}
}

// Subject describes the program.
func (t *Target) Subject() conformance.Subject {
	s := conformance.Subject{Name: filepath.Base(t.Path), Role: "script", Protocol: "cgi", Address: t.Path}
	s.Facts = map[string]string{"echo application": fmt.Sprint(t.echo), "NPH": fmt.Sprint(t.NPH)}
	if t.plain != nil {
		s.Facts["plain request"] = fmt.Sprintf("status %d, %s", t.plain.status(), t.plain.value("Content-Type"))
	}
	if len(t.Triggers) > 0 {
		s.Facts["triggers"] = strings.Join(slices.Sorted(maps.Keys(t.Triggers)), ", ")
	}
	return s
}

// Preflight makes the plain request.
func (t *Target) Preflight(ct *conformance.T) {
	if runtime.GOOS == "windows" {
		ct.Broken(errors.New("script: CGI programs are tested on Unix only"))
	}
	t.plain = nil
	tt := &T{T: ct, target: t}
	start := time.Now()
	r := tt.send(tt.request("GET"))
	ct.Pace(time.Since(start))
	ct.Check(len(r.stdout) > 0, "no output and %s; standard error: %.200q", r.end, r.stderr)
	ct.Check(r.complete, "no response: %.80q", r.stdout)
	mediaType, _, _ := strings.Cut(r.value("Content-Type"), ";")
	t.echo = mediaType == "text/x-gangway-echo"
	t.plain = r
}

// Lacks says why a case cannot be run with this program.
func (t *Target) Lacks(c *conformance.Case) string {
	if c.Protocol() != "script" {
		return "the target is a CGI program"
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
	switch need {
	case needParsed:
		if t.NPH {
			return "the program is an NPH script"
		}
	case needNPH:
		if !t.NPH {
			return "the program is no NPH script"
		}
	case needOwnPaths:
		if strings.HasPrefix(t.URL, "/") {
			return "the plain request has a PATH_INFO, so the program means to use it"
		}
	default:
		if _, known := t.Triggers[need]; !known {
			return "no URL is known that brings about a " + need
		}
	}
	return ""
}

// Jobs is how many copies of the program run at once.
func (t *Target) Jobs() int { return min(4, runtime.NumCPU()) }

// Alive makes the plain request.
func (t *Target) Alive(ct *conformance.T) {
	tt := &T{T: ct, target: t}
	r := tt.send(tt.request("GET"))
	ct.Check(len(r.stdout) > 0, "no output and %s", r.end)
}

// Restart has nothing to bring back: the program runs anew for each request.
func (t *Target) Restart(context.Context) error { return errors.ErrUnsupported }
