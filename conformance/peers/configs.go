//go:build unix

package main

import (
	"net"
	"os"
	"strings"

	"github.com/gangway-go/gangway/conformance/server"
)

// fill puts values into a configuration: what stands between two @, from the setup and from pairs of name and value.
func fill(conf string, setup server.Setup, pairs ...string) string {
	host, port, _ := net.SplitHostPort(setup.HTTP)
	user := func(line string) string {
		if os.Geteuid() == 0 {
			return line
		}
		return ""
	}
	values := append([]string{
		"DIR", setup.Dir, "HTTP", setup.HTTP, "TLS", setup.TLS, "HOST", host, "PORT", port,
		"NGINXUSER", user("user root;"), "APACHEUSER", user("User www-data\nGroup www-data"),
	}, pairs...)
	for i := 0; i < len(values); i += 2 {
		values[i] = "@" + values[i] + "@"
	}
	return strings.NewReplacer(values...).Replace(conf)
}

const nginxFcgiwrap = `daemon off;
pid @DIR@/nginx.pid;
error_log @DIR@/error.log warn;
worker_processes 1;
@NGINXUSER@
events { worker_connections 1024; }
http {
	access_log off;
	default_type text/plain;
	client_body_temp_path @DIR@/body;
	fastcgi_temp_path @DIR@/fastcgi;
	scgi_temp_path @DIR@/scgi;
	uwsgi_temp_path @DIR@/uwsgi;
	proxy_temp_path @DIR@/proxy;
	client_max_body_size 64m;
	large_client_header_buffers 16 64k;
	server {
		listen @HTTP@;
		listen @TLS@ ssl http2;
		ssl_certificate @DIR@/certificate.pem;
		ssl_certificate_key @DIR@/key.pem;
		server_name localhost;
		root @DIR@/www;
		fastcgi_read_timeout 3s;
		location ~ ^/cgi-bin/auth/ {
			auth_basic conformance;
			auth_basic_user_file @DIR@/users;
			root @DIR@;
			fastcgi_split_path_info ^(/cgi-bin/auth/[^/]*)(.*)$;
			include /etc/nginx/fastcgi_params;
			fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
			fastcgi_param PATH_INFO $fastcgi_path_info;
			fastcgi_pass unix:@SOCKET@;
		}
		location ~ ^/cgi-bin/ {
			root @DIR@;
			fastcgi_split_path_info ^(/cgi-bin/(?:sub/)?[^/]*)(.*)$;
			include /etc/nginx/fastcgi_params;
			fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
			fastcgi_param PATH_INFO $fastcgi_path_info;
			fastcgi_pass unix:@SOCKET@;
		}
	}
}
`

const apacheFcgidConf = `ServerRoot @DIR@
ServerName localhost
Listen @HTTP@
Listen @TLS@
<VirtualHost @TLS@>
	SSLEngine on
	SSLCertificateFile @DIR@/certificate.pem
	SSLCertificateKeyFile @DIR@/key.pem
</VirtualHost>
@APACHEUSER@
PidFile @DIR@/apache.pid
Mutex file:@DIR@ default
ErrorLog @DIR@/error.log
LogLevel warn
TypesConfig /dev/null
DocumentRoot @DIR@/www
Protocols h2 h2c http/1.1
LimitRequestFieldSize 65536
LimitRequestFields 1000
AllowEncodedSlashes NoDecode
<Directory />
	Require all granted
</Directory>
FcgidIPCDir @DIR@/fcgid
FcgidProcessTableFile @DIR@/fcgid.shm
FcgidIOTimeout 3
FcgidConnectTimeout 3
FcgidMaxProcesses 256
FcgidMaxProcessesPerClass 128
FcgidMinProcessesPerClass 0
FcgidSpawnScoreUpLimit 1000
FcgidMaxRequestLen 67108864
FcgidInitialEnv CONFORM_APP @APP@
<Directory "@DIR@/www">
	Options +ExecCGI
	AcceptPathInfo On
</Directory>
<FilesMatch "^(app|app2|auth|[^/]+\.php)$">
	SetHandler fcgid-script
	FcgidWrapper @RELAY@ virtual
</FilesMatch>
<Location "/auth">
	AuthType Basic
	AuthName conformance
	AuthUserFile @DIR@/users
	Require valid-user
</Location>
`
