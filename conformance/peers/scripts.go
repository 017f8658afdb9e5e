//go:build unix

package main

import (
	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/script"
)

// scripts are the peers of role script: CGI programs.
var scripts = []peer{
	{"git-http-backend-cgi", "git http-backend", gitHTTPBackend},
	{"sh-cgi", "echo.sh (dash)", shell},
	{"php-cgi-cgi", "php-cgi", phpCGIProgram},
	{"libfcgi-cgi", "libfcgi (C)", libfcgiProgram},
	{"perl-cgi", "FCGI.pm (Perl)", perl},
	{"net-http-cgi-child-cgi", "net/http/cgi (Go)", netHTTPCGIProgram},
	{"gangway-cgi", "gangway (frontend)", gangwayProgram},
}

func gitHTTPBackend(s *stage) conformance.Target {
	s.debian("git")
	repository := s.path("repositories/a.git")
	s.tool("", "git", "init", "-q", "--bare", repository)
	target := script.New("/usr/lib/git-core/git-http-backend")
	target.Env = []string{"GIT_PROJECT_ROOT=" + s.path("repositories"), "GIT_HTTP_EXPORT_ALL=1", "HOME=" + s.dir}
	target.URL = "/a.git/info/refs?service=git-upload-pack"
	s.note("GIT_PROJECT_ROOT=" + s.path("repositories") + " GIT_HTTP_EXPORT_ALL=1, an empty repository in it")
	return target
}

func shell(s *stage) conformance.Target {
	s.debian("dash")
	return script.New(s.echo("sh"))
}

func phpCGIProgram(s *stage) conformance.Target {
	s.debian("php8.2-cgi")
	target := script.New("/usr/bin/php-cgi")
	target.Env = []string{"REDIRECT_STATUS=200", "SCRIPT_FILENAME=" + s.echo("php")}
	target.Dir = s.dir
	s.note("REDIRECT_STATUS=200 SCRIPT_FILENAME=" + s.path("echo.php"))
	return target
}

func libfcgiProgram(s *stage) conformance.Target {
	s.debian("libfcgi-dev")
	s.note("cc -O2 -o echo echo.c -lfcgi")
	s.tool(s.dir, "cc", "-O2", "-o", "echo", s.echo("c"), "-lfcgi")
	return script.New(s.path("echo"))
}

func perl(s *stage) conformance.Target {
	s.debian("libfcgi-perl", "perl")
	return script.New(s.echo("perl"))
}

func netHTTPCGIProgram(s *stage) conformance.Target {
	s.version = s.tool("", "go", "env", "GOVERSION")
	s.note("go build -o echo echo.go")
	s.tool(s.dir, "go", "build", "-o", "echo", s.echo("go"))
	return script.New(s.path("echo"))
}

func gangwayProgram(s *stage) conformance.Target {
	s.ours()
	s.note("go build -o gangway ./conformance/peers/gangway", "gangway cgi")
	target := script.New(s.build("conformance/peers/gangway", "gangway"))
	target.Args = []string{"cgi"}
	return target
}
