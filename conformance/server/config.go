package server

import (
	"crypto/sha1"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"
)

// Setup says how a well-known server is to be configured for the suite: New's arguments and more.
type Setup struct {
	Dir     string        // an absolute path; gets the document root and whatever else the configuration names
	HTTP    string        // HOST:PORT where the server listens; it also does at [::1] if the machine has that
	App     string        // as in Target
	TLS     string        // HOST:PORT for TLS, or ""
	Timeout time.Duration // as in Target; 3 s if 0
	// CloseConns is set if the server is not to keep its connections to the application.
	CloseConns bool
}

// Configuration is what Setup.Configure has made.
type Configuration struct {
	File    string   // the path of the main file
	Text    string   // its content
	Command []string // starts the server in the foreground
}

// config holds a template for each server.
//
//go:embed config
var config embed.FS

// programs are the files and commands for the servers, and what these speak; %s is Setup.Dir.
var programs = map[string]struct{ file, command, speaks string }{
	"nginx":    {"nginx.conf", "nginx -p %s -e stderr -c %s/nginx.conf", "fastcgi scgi uwsgi"},
	"apache":   {"apache.conf", "apache2 -X -d %s -f %s/apache.conf", "fastcgi scgi uwsgi cgi"},
	"lighttpd": {"lighttpd.conf", "lighttpd -D -f %s/lighttpd.conf", "fastcgi scgi uwsgi cgi"},
	"caddy":    {"Caddyfile", "caddy run --config %s/Caddyfile --adapter caddyfile", "fastcgi"},
	"haproxy":  {"haproxy.conf", "haproxy -db -f %s/haproxy.conf", "fastcgi"},
	"h2o":      {"h2o.conf", "h2o -m worker -c %s/h2o.conf", "fastcgi"},
	"gangway":  {"gangway.sh", "sh %s/gangway.sh", "fastcgi scgi uwsgi"},
}

// Servers are the names that Setup.Configure knows, sorted.
func Servers() []string { return slices.Sorted(maps.Keys(programs)) }

// ErrServer reports a server that cannot be configured, or not with that protocol.
var ErrServer = errors.New("conformance: no configuration")

// Configure writes what the server needs into Dir, which it makes if need be, and returns the configuration, which is
// one of the files. It returns an error that wraps ErrServer if it does not know the server, or it does not speak the
// protocol.
func (s Setup) Configure(server string) (*Configuration, error) {
	program, ok := programs[server]
	if !ok {
		return nil, fmt.Errorf("%w for %q; there is one for %s", ErrServer, server, strings.Join(Servers(), ", "))
	}
	data, err := s.values()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(strings.Fields(program.speaks), data.Protocol) {
		return nil, fmt.Errorf("%w: %s does not speak %s", ErrServer, server, data.Protocol)
	}
	if err := s.files(); err != nil {
		return nil, err
	}
	if data.Protocol == "cgi" {
		if err := os.MkdirAll(data.Address, 0o755); err != nil {
			return nil, err
		}
	}
	text := new(strings.Builder)
	if err := template.Must(template.ParseFS(config, "config/"+server+".tmpl")).Execute(text, data); err != nil {
		return nil, err
	}
	c := &Configuration{File: filepath.Join(s.Dir, program.file), Text: text.String()}
	c.Command = strings.Fields(strings.ReplaceAll(program.command, "%s", s.Dir))
	return c, os.WriteFile(c.File, []byte(c.Text), 0o644)
}

// Target is the server that has been configured so.
func (s Setup) Target() *Target {
	target := New("http://"+s.HTTP, s.App)
	target.Timeout, target.ErrorLog = s.timeout(), filepath.Join(s.Dir, "error.log")
	target.Socket = filepath.Join(s.Dir, "http.sock")
	if s.TLS != "" {
		target.Secure = "https://" + s.TLS
	}
	return target
}

func (s Setup) timeout() time.Duration {
	if s.Timeout == 0 {
		return 3 * time.Second
	}
	return s.Timeout
}

// values are what the templates use.
type values struct {
	Dir, App, Host, Port, TLS, TLSHost, TLSPort          string
	Protocol, Scheme, Network, Address, AppHost, AppPort string
	Modules, Bcrypt                                      string
	Seconds, Milliseconds                                int64
	KeepConn, Root, IPv6                                 bool
}

// bcrypt is the hash of the password of all users.
const bcrypt = "$2a$04$bH3xYALjmigJYD.b0K.t9.wEtXH5ZNzWjFVBUVArM2AaCa21DIwr2"

func (s Setup) values() (v values, err error) {
	v = values{Dir: s.Dir, App: s.App, TLS: s.TLS, KeepConn: !s.CloseConns, Root: os.Geteuid() == 0,
		Bcrypt:  bcrypt,
		Seconds: int64((s.timeout() + time.Second - 1) / time.Second), Milliseconds: s.timeout().Milliseconds()}
	if v.Host, v.Port, err = net.SplitHostPort(s.HTTP); err != nil {
		return v, err
	}
	if s.TLS != "" {
		if v.TLSHost, v.TLSPort, err = net.SplitHostPort(s.TLS); err != nil {
			return v, err
		}
	}
	u, err := url.Parse(s.App)
	if err != nil {
		return v, err
	}
	v.Scheme, _, _ = strings.Cut(u.Scheme, "+")
	v.Protocol = strings.Replace(v.Scheme, "fcgi", "fastcgi", 1)
	v.Modules = apacheModules(v.Protocol)
	v.Network, v.Address, v.AppHost, v.AppPort = "tcp", u.Host, u.Hostname(), u.Port()
	if u.Host == "" {
		v.Network, v.Address = "unix", u.Path
	}
	if ln, err := net.Listen("tcp", "[::1]:0"); err == nil {
		ln.Close()
		v.IPv6 = v.Host == "127.0.0.1"
	}
	return v, nil
}

// files writes the document root, the users and a certificate.
func (s Setup) files() error {
	password := sha1.Sum([]byte("gangway"))
	hash := "{SHA}" + base64.StdEncoding.EncodeToString(password[:])
	certificate, key, err := selfSigned()
	if err != nil {
		return err
	}
	for name, content := range map[string]string{
		"www/static.txt": StaticText, "www/a.php": "<?php echo 'a.php was sent as a file';", "www/img.jpg": "no image",
		"www/app": "the application", "www/app2": "the application", "www/auth": "the application",
		"www/app.php": "the application", "www/app2.php": "the application",
		"users":           "bob:" + hash + "\njosé:" + hash + "\n",
		"certificate.pem": certificate, "key.pem": key, "both.pem": certificate + key,
	} {
		path := filepath.Join(s.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// apacheModules loads the modules that are there and not built in.
func apacheModules(protocol string) string {
	var lines []string
	modules := []string{
		"mpm_event", "authz_core", "authz_user", "authn_core", "authn_file", "auth_basic", "unixd", "mime", "dir", "alias",
		"setenvif", "ssl", "socache_shmcb", "http2",
	}
	own := []string{"proxy", "proxy_fcgi", "proxy_scgi", "proxy_uwsgi"}
	if protocol == "cgi" {
		own = []string{"cgid"}
	}
	for _, module := range append(modules, own...) {
		for _, folder := range []string{"/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "modules"} {
			path := folder + "/mod_" + module + ".so"
			if _, err := os.Stat(path); err == nil {
				lines = append(lines, fmt.Sprintf("LoadModule %s_module %s", module, path))
				break
			}
		}
	}
	return strings.Join(lines, "\n")
}
