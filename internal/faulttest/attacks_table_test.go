//go:build unix

package faulttest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gangway-go/gangway/internal/attacks"
	"github.com/gangway-go/gangway/internal/peer"
)

// attackTableVar is the environment variable that names the file for the table of all servers. Without it only gangway
// is attacked.
const attackTableVar = "GANGWAY_ATTACK_TABLE"

// plainFPM starts a php-fpm as it comes, and returns its socket.
func plainFPM(t *testing.T) string {
	_, socket := peer.PHPFPM(t, "request_terminate_timeout = 3s")
	return socket
}

// The servers of others, as Debian configures them or as their documentation recommends, with the rule of the corpus.
var otherForts = []fort{
	{"nginx",
		"Debian's default site with its parts for PHP and `.ht` files turned on, and PATH_INFO as in nginx's own example",
		attacks.PHP, func(t *testing.T, root string) site {
			return tcp(peer.Nginx(t, fmt.Sprintf(`root %s; index index.php index.html;
				location / { try_files $uri $uri/ =404; }
				location ~ [^/]\.php(/|$) {
					fastcgi_split_path_info ^(.+?\.php)(/.*)$;
					try_files $fastcgi_script_name =404;
					set $path_info $fastcgi_path_info;
					fastcgi_param PATH_INFO $path_info;
					fastcgi_index index.php;
					include /etc/nginx/fastcgi.conf;
					fastcgi_pass unix:%s;
				}
				location ~ /\.ht { deny all; }
				location ^~ %s/ { deny all; }`, root, plainFPM(t), attacks.Protected)))
		}, "", nil, []string{"nginx", "-v"}},
	{"Apache httpd", "Debian's apache2.conf and php8.2-fpm.conf", attacks.PHP, func(t *testing.T, root string) site {
		return tcp(peer.Apache(t, fmt.Sprintf(`DocumentRoot %[1]s
			AllowEncodedSlashes Off
			DirectoryIndex index.php index.html
			AccessFileName .htaccess
			<Directory />
				Options FollowSymLinks
				AllowOverride None
				Require all denied
			</Directory>
			<Directory %[1]s/>
				Options Indexes FollowSymLinks
				AllowOverride None
				Require all granted
			</Directory>
			<FilesMatch "^\.ht">
				Require all denied
			</FilesMatch>
			<FilesMatch ".+\.ph(?:ar|p|tml)$">
				SetHandler "proxy:unix:%[2]s|fcgi://localhost"
			</FilesMatch>
			<FilesMatch ".+\.phps$">
				Require all denied
			</FilesMatch>
			<FilesMatch "^\.ph(?:ar|p|ps|tml)$">
				Require all denied
			</FilesMatch>
			<Location %[3]s>
				Require all denied
			</Location>`, root, plainFPM(t), attacks.Protected)))
	}, "", nil, []string{"apache2", "-v"}},
	{"lighttpd", "Debian's lighttpd.conf and 15-fastcgi-php-fpm.conf", attacks.PHP, func(t *testing.T,
		root string) site {
		return tcp(peer.Lighttpd(t, fmt.Sprintf(`server.document-root := %q
			server.modules += ( "mod_access", "mod_fastcgi" )
			server.http-parseopts = ( "header-strict" => "enable", "host-strict" => "enable", "host-normalize" => "enable",
				"url-normalize-unreserved" => "enable", "url-normalize-required" => "enable", "url-ctrls-reject" => "enable",
				"url-path-2f-decode" => "enable", "url-path-dotseg-remove" => "enable" )
			index-file.names = ( "index.php", "index.html" )
			url.access-deny = ( "~", ".inc" )
			static-file.exclude-extensions = ( ".php", ".pl", ".fcgi" )
			fastcgi.server += ( ".php" => (( "socket" => %q, "broken-scriptfilename" => "enable" )) )
			$HTTP["url"] =~ "^%s($|/)" { url.access-deny = ( "" ) }`, root, plainFPM(t), attacks.Protected)))
	}, "", nil, []string{"lighttpd", "-v"}},
	{"Caddy", "`php_fastcgi` and `file_server`, whose front controller is /index.php", attacks.PHP,
		func(t *testing.T, root string) site {
			return tcp(peer.Caddy(t,
				fmt.Sprintf("root * %[1]s\n@rule path %[3]s %[3]s/*\nrespond @rule 403\nphp_fastcgi unix/%[2]s\n"+
					"file_server", root, plainFPM(t), attacks.Protected)))
		}, "/index.php", nil, []string{"caddy", "version"}},
}

const attackHeading = `# Attacks on the way from a target to a file

**make attack-table** tries everything again and writes this page; it takes a minute, and the programs that
scripts/setup installs.

[internal/attacks](../internal/attacks) is a corpus of %d requests in %d classes that try to get from a folder of scripts
and files what no client may have, and of %d odd requests that are meant well. Each was sent to each server over a
connection that is kept. The folder is full of traps: files beside it, links, pipes, uploads that hold PHP, hidden
files, copies of scripts, and a folder that the server protects by a rule about the path.

- **e**, escape: something from outside of the folder, or from behind the rule.
- **d**, disclosure: the source of a script, or a hidden file.
- **s**, wrong script: a file that is no script ran, or a script that the target does not name.
- **h**, hangs: no answer for three seconds.

The first table has what each server says that it does not do. The second has what many leave to whoever configures
them: they do send such files, as their documentation says, and can be told not to. In the last one is counted what was
not answered with the file, the script, its PATH_INFO and QUERY_STRING, or the redirect that was meant, as
right/**wrong**. A folder of CGI programs has no files to send, one of files no scripts: for them fewer requests have an
answer.

Behind gangway the php-fpm runs whatever it is told to (security.limit_extensions is empty), behind the others nothing
but .php and .phar. As in the conformance results, what is wrong in the programs of others is counted and not written
down. The same attacks by FastCGI and SCGI, from a web server that resolves nothing, by X-Accel-Redirect and X-Sendfile,
and on HTTP applications that read paths otherwise than gangway, are tests (TestAttacks* in internal/faulttest). What
they do not show: an HTTP application gets its target as it was sent. One that takes off parameters (/admin;x/), has
backslashes for slashes, or decodes twice, sees other paths than any rule in front of it. And a FastCGI application
opens SCRIPT_FILENAME itself: whoever can change links in the folder can do so in between.

Seen on %s:

`

// attackTable writes the page.
func attackTable(t *testing.T, all []siege) string {
	var b strings.Builder
	n := 0
	for _, c := range allClasses {
		n += len(c.Attacks)
	}
	fmt.Fprintf(&b, attackHeading, n, len(allClasses), len(attacks.Legitimate), time.Now().UTC().Format(time.DateOnly))
	b.WriteString("| server | version | configuration |\n| --- | --- | --- |\n")
	head, line := "", " --- |"
	for _, s := range all {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s.name, column{version: s.version}.programVersion(t), s.config)
		head, line = head+" "+s.name+" |", line+" ---: |"
	}
	for _, part := range []struct {
		title, first string
		rows         []string
	}{
		{"In all", "lost", sumRows(all)},
		{"Attacks", "class", lostRows(attacks.Classes, all)},
		{"What many leave to their configuration", "class", lostRows(attacks.Left, all)},
		{"Legitimate", "class", meantRows(all)},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n| %s |%s\n|%s\n", part.title, part.first, head, line)
		for _, row := range part.rows {
			b.WriteString(row + " |\n")
		}
	}
	b.WriteString("\n## The classes\n\n| class | it works where | a success is |\n| --- | --- | --- |\n")
	for _, c := range allClasses {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.Name, c.Why, c.Wins)
	}
	return b.String()
}

// attackRows returns all rows, without their ends.
func attackRows(all []siege) []string {
	return slices.Concat(sumRows(all), lostRows(allClasses, all), meantRows(all))
}

func sumRows(all []siege) (rows []string) {
	for _, part := range []struct {
		name    string
		classes []attacks.Class
	}{{"attacks", attacks.Classes}, {"what many leave to their configuration", attacks.Left}} {
		for outcome, name := range plural {
			row := fmt.Sprintf("| %s: %s", part.name, name)
			for _, s := range all {
				sum := 0
				for _, c := range part.classes {
					sum += s.lost[c.Name][outcome+1]
				}
				row += fmt.Sprintf(" | %d", sum)
			}
			rows = append(rows, row)
		}
	}
	row := "| legitimate, answered wrongly"
	for _, s := range all {
		var sum tally
		for _, n := range s.meant {
			sum[right] += n[right]
			sum[wrong] += n[wrong]
		}
		row += fmt.Sprintf(" | %d of %d", sum[wrong], sum[right]+sum[wrong])
	}
	return append(rows, row)
}

var plural = []string{"escapes", "disclosures", "wrong scripts", "hangs"}

func lostRows(classes []attacks.Class, all []siege) (rows []string) {
	for _, c := range classes {
		row := fmt.Sprintf("| %s (%d)", c.Name, len(c.Attacks))
		for _, s := range all {
			row += " | " + s.lost[c.Name].String()
		}
		rows = append(rows, row)
	}
	return rows
}

func meantRows(all []siege) (rows []string) {
	for i, m := range attacks.Legitimate {
		if i > 0 && attacks.Legitimate[i-1].Class == m.Class {
			continue
		}
		row := "| " + m.Class
		for _, s := range all {
			n := s.meant[m.Class]
			switch {
			case n == tally{}:
				row += " |"
			case n[wrong] > 0:
				row += fmt.Sprintf(" | %d/**%d**", n[right], n[wrong])
			default:
				row += fmt.Sprintf(" | %d", n[right])
			}
		}
		rows = append(rows, row)
	}
	return rows
}
