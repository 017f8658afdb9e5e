//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/app"
)

// applications are the peers of role app: echo applications on the gateway libraries of many languages.
var applications = []peer{
	{"libfcgi-fastcgi", "libfcgi (C)", libfcgi},
	{"net-http-fcgi-fastcgi", "net/http/fcgi (Go)", netHTTPFcgi},
	{"fcgi-pm-fastcgi", "FCGI.pm (Perl)", fcgiPM},
	{"plack-fastcgi", "Plack (Perl)", plack},
	{"ruby-fcgi-fastcgi", "fcgi (Ruby)", rubyFcgi},
	{"php-cgi-fastcgi", "php-cgi", phpCGI},
	{"php-fpm-fastcgi", "php-fpm", phpFPM},
	{"uwsgi-fastcgi", "uWSGI", uWSGI("fcgi", "--fastcgi-socket")},
	{"uwsgi-scgi", "uWSGI", uWSGI("scgi", "--scgi-socket")},
	{"uwsgi-uwsgi", "uWSGI", uWSGI("uwsgi", "--uwsgi-socket")},
	{"gangway-fastcgi", "gangway (frontend)", gangwayFrontend("fcgi")},
	{"gangway-scgi", "gangway (frontend)", gangwayFrontend("scgi")},
}

// startedBySuite is an application that the suite starts with its socket as descriptor 0.
func (s *stage) startedBySuite(protocol, command string) *app.Target {
	s.note(command)
	return app.New(protocol + "+exec:cd " + s.dir + " && unset OLDPWD && exec " + command)
}

func libfcgi(s *stage) conformance.Target {
	s.debian("libfcgi-dev")
	s.note("cc -O2 -o echo echo.c -lfcgi", "# descriptor 0 is the listening socket")
	s.tool(s.dir, "cc", "-O2", "-o", "echo", s.echo("c"), "-lfcgi")
	return s.startedBySuite("fcgi", "./echo")
}

func netHTTPFcgi(s *stage) conformance.Target {
	s.version = s.tool("", "go", "env", "GOVERSION")
	s.note("go build -o echo echo.go", "# descriptor 0 is the listening socket")
	s.tool(s.dir, "go", "build", "-o", "echo", s.echo("go"))
	return s.startedBySuite("fcgi", "./echo")
}

func fcgiPM(s *stage) conformance.Target {
	s.debian("libfcgi-perl", "perl")
	s.note("# descriptor 0 is the listening socket")
	return s.startedBySuite("fcgi", "perl "+filepath.Base(s.echo("perl")))
}

func plack(s *stage) conformance.Target {
	s.debian("libplack-perl", "libfcgi-perl")
	s.note("# descriptor 0 is the listening socket")
	return s.startedBySuite("fcgi", "plackup -E deployment -s FCGI --manager= "+filepath.Base(s.echo("psgi")))
}

func rubyFcgi(s *stage) conformance.Target {
	s.debian("ruby-fcgi", "ruby")
	s.note("# descriptor 0 is the listening socket")
	s.note("# with descriptor 2 closed, section 2.2, it does not survive its first warning")
	return s.startedBySuite("fcgi", "ruby "+filepath.Base(s.echo("ruby"))+" 2>/dev/null")
}

func phpCGI(s *stage) conformance.Target {
	s.debian("php8.2-cgi")
	s.note("# descriptor 0 is the listening socket")
	target := s.startedBySuite("fcgi", "env PHP_FCGI_CHILDREN=4 php-cgi")
	target.Script = s.echo("php")
	return target
}

// phpFPM has Debian's pool with its 5 processes as it is, but for the path of the socket.
func phpFPM(s *stage) conformance.Target {
	s.debian("php8.2-fpm")
	const pool = "/etc/php/8.2/fpm/pool.d/www.conf"
	text, err := os.ReadFile(pool)
	s.must(err)
	socket := s.path("php.sock")
	conf := s.configure("php-fpm.conf", fmt.Sprintf("[global]\nerror_log = /dev/stderr\ndaemonize = no\npid = %s/pid\n"+
		"include = %s\n[www]\nlisten = %s\n", s.dir, pool, socket))
	s.note("# " + pool)
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != ';' {
			s.note(line)
		}
	}
	p := s.start("unix", socket, nil, "/usr/sbin/php-fpm8.2", "-F", "-y", conf)
	target := app.New("fcgi+unix://" + socket)
	target.Script, target.PID = s.echo("php"), p.pid()
	return target
}

func uWSGI(protocol, option string) func(*stage) conformance.Target {
	return func(s *stage) conformance.Target {
		s.debian("uwsgi-core", "uwsgi-plugin-python3")
		socket := s.path("uwsgi.sock")
		argv := []string{
			"uwsgi", "--plugin", "python3", "--wsgi-file", s.echo("python"), "--need-app", "--die-on-term", "--master",
			"--processes", "4", "--buffer-size", "65535", "--disable-logging", option, socket,
		}
		s.note(strings.Join(argv, " "))
		p := s.start("unix", socket, nil, argv...)
		target := app.New(protocol + "+unix://" + socket)
		target.PID = p.pid()
		return target
	}
}

func gangwayFrontend(protocol string) func(*stage) conformance.Target {
	return func(s *stage) conformance.Target {
		s.ours()
		s.note("go build -o gangway ./conformance/peers/gangway", "# descriptor 0 is the listening socket")
		s.build("conformance/peers/gangway", "gangway")
		return s.startedBySuite(protocol, "./gangway "+protocol)
	}
}
