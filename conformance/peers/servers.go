//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/server"
)

// servers are the peers of role server. The configurations are those that "gangway conform config" prints, or in
// configs.go.
var servers = []peer{
	{"nginx-fastcgi", "nginx", configured("nginx", "fcgi", "nginx")},
	{"nginx-scgi", "nginx", configured("nginx", "scgi", "nginx")},
	{"nginx-uwsgi", "nginx", configured("nginx", "uwsgi", "nginx")},
	{"apache-fastcgi", "Apache mod_proxy_fcgi", apache("fcgi")},
	{"apache-scgi", "Apache mod_proxy_scgi", apache("scgi")},
	{"apache-fcgid", "Apache mod_fcgid", apacheFcgid},
	{"apache-cgi", "Apache mod_cgid", apache("cgi")},
	{"lighttpd-fastcgi", "lighttpd", configured("lighttpd", "fcgi", "lighttpd")},
	{"lighttpd-scgi", "lighttpd", configured("lighttpd", "scgi", "lighttpd")},
	{"lighttpd-cgi", "lighttpd", configured("lighttpd", "cgi", "lighttpd")},
	{"caddy-fastcgi", "Caddy", caddy},
	{"haproxy-fastcgi", "HAProxy", configured("haproxy", "fcgi", "haproxy")},
	{"h2o-fastcgi", "h2o", configured("h2o", "fcgi", "h2o")},
	{"gofast-fastcgi", "gofast", gofast},
	{"net-http-cgi", "net/http/cgi (Go)", netHTTPCGI},
	{"fcgiwrap-cgi", "fcgiwrap behind nginx", fcgiwrap},
	{"gangway-http-fastcgi", "gangway (backend)", gangwayBackend("fcgi")},
	{"gangway-http-scgi", "gangway (backend)", gangwayBackend("scgi")},
	{"gangway-http-cgi", "gangway (backend)", gangwayBackend("cgi")},
	{"gangway-net-http-fastcgi", "gangway (backend, net/http)", gangwayBackend("fcgi", "-net-http")},
}

// setup is where a server listens and where its application is.
func (s *stage) setup(scheme string) server.Setup {
	setup := server.Setup{Dir: s.path("site"), HTTP: s.address(), TLS: s.address()}
	if scheme == "cgi" {
		setup.App = "cgi:" + s.path("site/cgi-bin")
		s.must(os.MkdirAll(s.path("site/cgi-bin"), 0o755))
	} else {
		setup.App = scheme + "://" + s.address()
	}
	return setup
}

// serve starts the server that the target is.
func (s *stage) serve(setup server.Setup, argv ...string) conformance.Target {
	target := setup.Target()
	s.must(target.Listen())
	argv[0] = s.program(argv[0])
	log, err := os.Create(target.ErrorLog)
	s.must(err)
	s.must(log.Close())
	s.must(os.Chmod(target.ErrorLog, 0o666))
	env := []string{"HOME=" + setup.Dir, "XDG_CONFIG_HOME=" + setup.Dir, "XDG_DATA_HOME=" + setup.Dir}
	p := s.start("tcp", setup.HTTP, env, argv...)
	target.PID, target.RestartFunc = p.pid(), p.restart
	if _, err := os.Stat(filepath.Join(setup.Dir, "http.sock")); err == nil {
		target.Socket = filepath.Join(setup.Dir, "http.sock")
	}
	return target
}

// program finds a program, which may be where only root looks.
func (s *stage) program(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path, err := exec.LookPath("/usr/sbin/" + name)
	s.must(err)
	return path
}

// site makes the files of the layout in setup.Dir, with any configuration that then is not used.
func (s *stage) site(setup server.Setup) {
	setup.App = "fcgi://" + setup.HTTP
	_, err := setup.Configure("nginx")
	s.must(err)
}

func configured(name, scheme, debian string) func(*stage) conformance.Target {
	return func(s *stage) conformance.Target {
		s.debian(debian)
		setup := s.setup(scheme)
		c, err := setup.Configure(name)
		s.must(err)
		s.note(c.Text)
		return s.serve(setup, c.Command...)
	}
}

// apache does not keep connections to applications, as is its default: what one case leaves in them would be another's
// response.
func apache(scheme string) func(*stage) conformance.Target {
	return func(s *stage) conformance.Target {
		s.debian("apache2")
		setup := s.setup(scheme)
		setup.CloseConns = true
		c, err := setup.Configure("apache")
		s.must(err)
		s.note(c.Text)
		return s.serve(setup, "apache2", "-DFOREGROUND", "-d", setup.Dir, "-f", c.File)
	}
}

// caddy is the current release, from its Go module.
func caddy(s *stage) conformance.Target {
	const module = "github.com/caddyserver/caddy/v2"
	s.version = s.tool("bench/caddy", "go", "list", "-m", "-f", "{{.Version}}", module)
	program := s.build("bench/caddy", "caddy")
	setup := s.setup("fcgi")
	c, err := setup.Configure("caddy")
	s.must(err)
	s.note("# "+module, c.Text)
	return s.serve(setup, append([]string{program}, c.Command[1:]...)...)
}

// gateway starts one of the servers in conformance/peers/gateways.
func (s *stage) gateway(kind, scheme string, more ...string) conformance.Target {
	setup := s.setup(scheme)
	s.site(setup)
	argv := append([]string{
		s.build("conformance/peers/gateways", "gateways"), "-server", kind, "-http", setup.HTTP, "-tls", setup.TLS,
		"-dir", setup.Dir, "-app", setup.App,
	}, more...)
	s.note("go build -o gateways ./conformance/peers/gateways", strings.Join(argv, " "))
	if kind != "gangway" {
		setup.TLS = ""
	}
	return s.serve(setup, argv...)
}

func gofast(s *stage) conformance.Target {
	s.version = s.tool("", "go", "list", "-m", "-f", "{{.Version}}", "github.com/yookoala/gofast")
	return s.gateway("gofast", "fcgi")
}

func netHTTPCGI(s *stage) conformance.Target {
	s.version = s.tool("", "go", "env", "GOVERSION")
	return s.gateway("net-http-cgi", "cgi")
}

func gangwayBackend(scheme string, more ...string) func(*stage) conformance.Target {
	return func(s *stage) conformance.Target {
		s.ours()
		return s.gateway("gangway", scheme, more...)
	}
}

// fcgiwrap is a FastCGI application that runs CGI programs, behind nginx.
func fcgiwrap(s *stage) conformance.Target {
	s.debian("fcgiwrap", "nginx")
	setup, socket := s.setup("cgi"), s.path("fcgiwrap.sock")
	s.site(setup)
	s.note("fcgiwrap -c 8 -s unix:" + socket)
	s.start("unix", socket, nil, "fcgiwrap", "-c", "8", "-s", "unix:"+socket)
	conf := s.configure("nginx.conf", fill(nginxFcgiwrap, setup, "SOCKET", socket))
	return s.serve(setup, "nginx", "-p", setup.Dir, "-e", "stderr", "-c", conf)
}

// apacheFcgid has mod_fcgid start relays to the suite: it wants to start its applications itself.
func apacheFcgid(s *stage) conformance.Target {
	s.debian("apache2", "libapache2-mod-fcgid")
	setup := s.setup("fcgi")
	relay := s.build("conformance/peers/relay", "relay")
	conf := fill(apacheFcgidConf, setup, "RELAY", relay, "APP", strings.TrimPrefix(setup.App, "fcgi://"))
	s.site(setup)
	var modules []string
	for _, m := range []string{"mpm_event", "authz_core", "authz_user", "authn_core", "authn_file", "auth_basic", "unixd",
		"mime", "dir", "alias", "ssl", "socache_shmcb", "http2", "fcgid"} {
		path := "/usr/lib/apache2/modules/mod_" + m + ".so"
		if _, err := os.Stat(path); err == nil {
			modules = append(modules, fmt.Sprintf("LoadModule %s_module %s", m, path))
		}
	}
	file := s.configure("apache.conf", strings.Join(modules, "\n")+"\n"+conf)
	return s.serve(setup, "apache2", "-DFOREGROUND", "-d", setup.Dir, "-f", file)
}
