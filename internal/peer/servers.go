package peer

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Nginx starts nginx with the given contents of its server block, and more blocks beside it. It returns its address.
func Nginx(t testing.TB, server string, beside ...string) string {
	t.Helper()
	program, dir, address := Need(t, "nginx"), Dir(t), FreeAddress(t)
	write(t, dir+"/nginx.conf", fmt.Sprintf(`daemon off; pid %[1]s/pid; error_log stderr warn; worker_processes 1;
		%[4]s
		events {}
		http {
			access_log off; include /etc/nginx/mime.types;
			client_body_temp_path %[1]s/body; fastcgi_temp_path %[1]s/fcgi; scgi_temp_path %[1]s/scgi;
			proxy_temp_path %[1]s/proxy; uwsgi_temp_path %[1]s/uwsgi; client_max_body_size 0;
			server { listen %[2]s; server_name localhost; %[3]s }
			%[5]s
		}`, dir, address, server, asRoot("user root;"), strings.Join(beside, "\n")))
	Start(t, exec.Command(program, "-p", dir, "-c", dir+"/nginx.conf", "-e", "stderr"), "tcp", address)
	return address
}

func asRoot(line string) string {
	if os.Geteuid() == 0 {
		return line
	}
	return ""
}

// apacheModules are what the tests need of Apache.
var apacheModules = []string{"mpm_event", "authz_core", "unixd", "mime", "dir", "alias", "setenvif", "rewrite",
	"proxy", "proxy_fcgi", "proxy_scgi", "cgid"}

// Apache starts Apache's httpd with the given configuration added and returns its address.
func Apache(t testing.TB, conf string) string {
	t.Helper()
	program, dir, address := Need(t, "apache2", "httpd"), Dir(t), FreeAddress(t)
	modules := ""
	for _, m := range apacheModules {
		for _, folder := range []string{"/usr/lib/apache2/modules", "/usr/lib64/httpd/modules"} {
			if _, err := os.Stat(folder + "/mod_" + m + ".so"); err == nil {
				modules += fmt.Sprintf("LoadModule %s_module %s/mod_%s.so\n", m, folder, m)
			}
		}
	}
	write(t, dir+"/www/index.html", "apache\n")
	write(t, dir+"/httpd.conf", fmt.Sprintf(`%[1]s
		ServerRoot %[2]s
		ServerName localhost
		Listen %[3]s
		PidFile %[2]s/pid
		Mutex file:%[2]s default
		ErrorLog /dev/stderr
		LogLevel warn
		%[4]s
		ScriptSock %[2]s/cgid
		TypesConfig /etc/mime.types
		DocumentRoot %[2]s/www
		AllowEncodedSlashes NoDecode
		<Directory />
			Require all granted
			Options +ExecCGI
		</Directory>
		%[5]s`, modules, dir, address, asRoot("User www-data\nGroup www-data"), conf))
	Start(t, exec.Command(program, "-X", "-d", dir, "-f", dir+"/httpd.conf"), "tcp", address)
	return address
}

// Lighttpd starts lighttpd with the given configuration added and returns its address.
func Lighttpd(t testing.TB, conf string) string {
	t.Helper()
	program, dir, address := Need(t, "lighttpd"), Dir(t), FreeAddress(t)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/www/index.html", "lighttpd\n")
	write(t, dir+"/lighttpd.conf", fmt.Sprintf(`server.bind = %q
		server.port = %s
		server.document-root = %q
		server.upload-dirs = ( %q )
		server.errorlog = "/dev/stderr"
		%s`, host, port, dir+"/www", dir, conf))
	Start(t, exec.Command(program, "-D", "-f", dir+"/lighttpd.conf"), "tcp", address)
	return address
}

// PHPFPM starts php-fpm with the given lines added to its pool and returns its process and the path of its socket.
func PHPFPM(t testing.TB, pool string) (*Process, string) {
	t.Helper()
	program, dir := Need(t, "php-fpm", "php-fpm8.2", "php-fpm8.4", "php-fpm8.3", "php-fpm8.1"), Dir(t)
	socket := dir + "/php.sock"
	write(t, dir+"/fpm.conf", fmt.Sprintf(`[global]
error_log = /dev/stderr
daemonize = no
[www]
listen = %s
listen.mode = 0666
pm = static
pm.max_children = 4
clear_env = yes
catch_workers_output = yes
%s
%s
`, socket, asRoot("user = root\ngroup = root"), pool))
	args := []string{"-F", "-y", dir + "/fpm.conf", "-n"}
	if os.Geteuid() == 0 {
		args = append(args, "-R")
	}
	return Start(t, exec.Command(program, args...), "unix", socket), socket
}
