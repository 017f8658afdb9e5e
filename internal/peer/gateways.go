package peer

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// HAProxy starts HAProxy before the FastCGI application on a Unix socket, with docroot as the folder of its scripts.
// It returns its address.
func HAProxy(t testing.TB, socket, docroot string) string {
	t.Helper()
	return haproxy(t, fmt.Sprintf(`	use-fcgi-app app
	server app unix@%s proto fcgi
fcgi-app app
	docroot %s
	path-info ^(/.+\.php)(/.*)?$
`, socket, docroot))
}

// HAProxyHTTP starts HAProxy before the HTTP server at an address, with one more line in its backend. It returns its own.
func HAProxyHTTP(t testing.TB, server, line string) string {
	t.Helper()
	return haproxy(t, fmt.Sprintf("\tserver app %s\n\t%s\n", server, line))
}

func haproxy(t testing.TB, backend string) string {
	t.Helper()
	program, dir, address := Need(t, "haproxy"), Dir(t), FreeAddress(t)
	write(t, dir+"/haproxy.cfg", fmt.Sprintf(`global
	log stderr format raw daemon warning
	nbthread 1
defaults
	mode http
	timeout connect 10s
	timeout client 30s
	timeout server 30s
frontend front
	bind %s
	default_backend back
backend back
%s`, address, backend))
	Start(t, exec.Command(program, "-db", "-f", dir+"/haproxy.cfg"), "tcp", address)
	return address
}

// H2O starts h2o with the given contents of the path "/" of its host, in YAML, and returns its address.
func H2O(t testing.TB, path string) string {
	t.Helper()
	program, dir, address := Need(t, "h2o"), Dir(t), FreeAddress(t)
	write(t, dir+"/h2o.conf", fmt.Sprintf(`%[3]s
num-threads: 1
pid-file: %[2]s/pid
temp-buffer-path: %[2]s
error-log: /dev/stderr
listen:
  host: 127.0.0.1
  port: %[1]s
hosts:
  default:
    paths:
      "/":
        %[4]s
`, address[len("127.0.0.1:"):], dir, asRoot("user: root"), path))
	Start(t, exec.Command(program, "-m", "worker", "-c", dir+"/h2o.conf"), "tcp", address)
	return address
}

// Caddy starts Caddy with the given directives of its site and returns its address.
func Caddy(t testing.TB, site string) string {
	t.Helper()
	program, dir, address := Need(t, "caddy"), Dir(t), FreeAddress(t)
	write(t, dir+"/Caddyfile", fmt.Sprintf("{\n\tadmin off\n\tauto_https off\n}\nhttp://%s {\nbind 127.0.0.1\n%s\n}\n",
		address[len("127.0.0.1"):], site))
	cmd := exec.Command(program, "run", "--config", dir+"/Caddyfile", "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	Start(t, cmd, "tcp", address)
	return address
}

// Fcgiwrap starts fcgiwrap and returns its process and the path of its socket.
func Fcgiwrap(t testing.TB) (*Process, string) {
	t.Helper()
	socket := Dir(t) + "/fcgiwrap"
	return Start(t, exec.Command(Need(t, "fcgiwrap"), "-s", "unix:"+socket), "unix", socket), socket
}
