// Package server has the cases for web servers and gateways that hand requests to an application behind FastCGI 1.0,
// SCGI, uwsgi or CGI/1.1 (RFC 3875). The suite is both ends: the HTTP client before the server and the application
// behind it. Begin with New and Cases:
//
//	target := server.New("http://127.0.0.1:8080", "fcgi://127.0.0.1:9000")
//	defer target.Close()
//	report, err := conformance.Run(ctx, target, server.Cases(), conformance.Options{})
//
// # Layout
//
// The server that is tested offers these paths; Setup.Configure writes configurations of well-known servers that do:
//
//	/app, /app2     and what is beneath: the application, SCRIPT_NAME is /app or /app2 and PATH_INFO the rest
//	/auth           the same behind Basic authentication: user bob, password gangway; user josé (UTF-8), password gangway
//	/static.txt     a file in the document root that contains StaticText
//	*.php           in the document root: the application by the file's extension; a.php exists, and img.jpg
//	/authorized     a FastCGI Authorizer, which is the suite too, and then the application
//
// It gives an application that is silent the time Target.Timeout. Each request of a case has a field X-Conform with a
// token that the server passes on as HTTP_X_CONFORM, and by which the suite knows the case that a request belongs to.
//
// # CGI programs
//
// With the address cgi:DIR the suite is the CGI programs in the directory DIR, which the server executes for the paths
// beneath /cgi-bin/, or beneath the path of Target.URL if that has one. The suite writes its programs there before the
// run and removes them afterwards: files whose interpreter is the program that runs the suite, which therefore calls
// Probe first of all. The processes report at a Unix socket and do what the cases say. In this layout /app is
// probe.cgi, /app2 probe2.cgi, and /auth auth/probe.cgi, so that /cgi-bin/auth/ is what wants a password; /static.txt
// stays where it is.
//
// # Needs
//
// What a server does not offer it need not: the cases that need it are skipped. These are the words for it
// (Case.Needs); the preflight finds out which ones hold, and the user may say otherwise with Target.Has and
// Target.Lack.
//
//	app2, static, basic, php, authorizer   the paths above
//	filter      /filtered is the FastCGI role Filter for a file with the content StaticText
//	keepconn    connections to the application are kept (FCGI_KEEP_CONN)
//	exec        the server executes CGI programs, or starts FastCGI applications, itself
//	cgi         the application is a CGI program;  nph  one whose name begins with nph- is not parsed;
//	            signals  a shell script can say what signals are ignored (/proc)
//	stderr      the application has an error stream: FastCGI and CGI
//	tls         Target.Secure is given;  h2  HTTP/2 over TLS, or without by prior knowledge
//	ipv6        the server listens on ::1 too;  unix  it listens on Target.Socket
//	log, pid    Target.ErrorLog, Target.PID are given
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gangway-go/gangway/conformance"
)

// StaticText is the content of /static.txt.
const StaticText = "static file of the conformance suite\n"

// Target is a web server under test, and the application behind it, which is the suite. New makes one; the fields may
// be set before the run and not during it.
type Target struct {
	// URL is where the server listens, http://HOST:PORT.
	URL string
	// App is where the suite listens for the server: fcgi://HOST:PORT, fcgi+unix:///PATH, likewise scgi and uwsgi; or
	// cgi:DIR.
	App string
	// Secure is the https:// URL of the same server with the same layout, or "".
	Secure string
	// Socket is the path of a Unix socket on which the server takes HTTP too, or "".
	Socket string
	// Timeout is how long the server waits for an application that is silent; New sets 3 s.
	Timeout time.Duration
	// ErrorLog is the path of the server's error log, or "".
	ErrorLog string
	// PID is the server's main process, or 0.
	PID int
	// Name, Version and Config are for reports.
	Name, Version, Config string
	// Has and Lack are abilities that the server has and lacks, whatever the preflight finds.
	Has, Lack []string
	// RestartFunc brings the server back after its death, if not nil.
	RestartFunc func(context.Context) error

	application

	mu    sync.Mutex
	found map[string]bool
}

// New returns a target for a server at url whose application is at app. Its errors come with the preflight.
func New(url, app string) *Target {
	return &Target{URL: strings.TrimSuffix(url, "/"), App: app, Timeout: 3 * time.Second}
}

// Cases returns all cases of the role server, in the order of the specifications' sections. Those that cannot be run
// with a target's protocol are skipped.
func Cases() []conformance.Case {
	return slices.Concat(requestCases(), responseCases(), execCases(), fcgiCases(), scgiCases(), uwsgiCases())
}

// Listen begins to listen at App. The preflight does it too; whoever starts the server wants it earlier.
func (target *Target) Listen() error { return target.application.listen(target.App) }

// Close ends listening and all connections of the application.
func (target *Target) Close() error { return target.application.close() }

// Subject is that of conformance.Target.
func (target *Target) Subject() conformance.Subject {
	return conformance.Subject{
		Name: target.Name, Version: target.Version, Role: "server", Protocol: target.protocol(), Address: target.URL,
		Config: target.Config, Facts: target.facts(),
	}
}

// protocol is fastcgi, scgi, uwsgi or cgi.
func (target *Target) protocol() string {
	scheme, _, _ := strings.Cut(target.App, ":")
	scheme, _, _ = strings.Cut(scheme, "+")
	if scheme == "fcgi" {
		return "fastcgi"
	}
	return scheme
}

func (target *Target) facts() map[string]string {
	facts := map[string]string{"requests without a case": fmt.Sprint(target.strays())}
	target.mu.Lock()
	defer target.mu.Unlock()
	for need, has := range target.found {
		facts[need] = map[bool]string{true: "yes", false: "no"}[has]
	}
	return facts
}

// Lacks is that of conformance.Target.
func (target *Target) Lacks(c *conformance.Case) string {
	protocols := map[string]string{"fcgi-client": "fastcgi", "scgi-client": "scgi", "uwsgi-client": "uwsgi"}
	if p := protocols[c.Protocol()]; p != "" && p != target.protocol() {
		return "the application is behind " + target.protocol()
	}
	for _, need := range c.Needs {
		if !target.has(need) {
			return "the server, or its configuration, has no " + need
		}
	}
	return ""
}

func (target *Target) has(need string) bool {
	target.mu.Lock()
	defer target.mu.Unlock()
	switch {
	case slices.Contains(target.Lack, need):
		return false
	case slices.Contains(target.Has, need):
		return true
	}
	return target.found[need]
}

// Jobs is that of conformance.Target.
func (target *Target) Jobs() int { return 8 }

// Alive is that of conformance.Target.
func (target *Target) Alive(t *conformance.T) { test((*T).lives)(t) }

// Restart is that of conformance.Target.
func (target *Target) Restart(ctx context.Context) error {
	if target.RestartFunc == nil {
		return errors.ErrUnsupported
	}
	return target.RestartFunc(ctx)
}

// slowAnswer is how long any server may take for the first plain request beyond patience, which is set by it.
const slowAnswer = 2500 * time.Millisecond

// Preflight is that of conformance.Target.
func (target *Target) Preflight(t *conformance.T) {
	if _, err := url.Parse(target.URL); err != nil {
		t.Broken(err)
	}
	if err := target.Listen(); err != nil {
		t.Broken(err)
	}
	test(func(t *T) {
		t.Grace(slowAnswer)
		t.plain()
	})(t)
	test((*T).explore)(t)
}

// plain is the request that every server must be able to serve.
func (t *T) plain() {
	x, r := t.Do(t.Request("GET", "/app/plain", ""), OK)
	t.Check(x != nil, "not handed to the application: %v%s", r, t.target.hint())
	t.Intact(r, 200, t.token)
}

// lives is plain, but the server may have connections to the application that are of no use any more: that is not
// death.
func (t *T) lives() {
	for range 3 {
		if x, r := t.try(t.Request("GET", "/app/plain", "")); x != nil && r.Status == 200 {
			break
		}
	}
	t.plain()
}

// explore finds out what the server can do.
func (t *T) explore() {
	found := map[string]bool{
		"tls":    t.target.Secure != "",
		"unix":   t.dials("unix", t.target.Socket),
		"log":    t.target.ErrorLog != "",
		"pid":    t.target.PID != 0,
		"exec":   t.target.protocol() == "cgi",
		"stderr": t.target.protocol() == "cgi" || t.target.protocol() == "fastcgi",
		"ipv6":   t.dials("tcp", net.JoinHostPort("::1", t.port())),
	}
	x, _ := t.try(t.Request("GET", "/app2/x", ""), OK)
	found["app2"] = x != nil && x.Get("SCRIPT_NAME") == t.At("/app2")
	found["keepconn"] = x != nil && x.KeepConn
	_, r := t.try(t.Request("GET", "/static.txt", ""), OK)
	found["static"] = r.Status == 200 && string(r.Body) == StaticText
	x, r = t.try(t.Request("GET", "/auth/x", ""), OK)
	found["basic"] = x == nil && r.Status == 401
	x, _ = t.try(t.Request("GET", "/a.php", ""), OK)
	found["php"] = x != nil && x.Get("SCRIPT_NAME") == "/a.php"
	if t.target.protocol() == "fastcgi" {
		x, _ = t.try(t.Request("GET", "/authorized/x", ""), OK)
		found["authorizer"] = x != nil && x.Role == roleAuthorizer
		x, _ = t.try(t.Request("GET", "/filtered", ""), OK)
		found["filter"] = x != nil && x.Role == roleFilter
	}
	if t.target.protocol() == "cgi" {
		found["cgi"] = true
		t.exploreScripts(found)
	}
	found["h2"] = t.speaksH2()
	t.target.mu.Lock()
	defer t.target.mu.Unlock()
	t.target.found = found
}
