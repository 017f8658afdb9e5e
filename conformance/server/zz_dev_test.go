package server

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/internal/peer"
)

func TestDev(t *testing.T) {
	which := os.Getenv("DEV")
	if which == "" {
		t.Skip()
	}
	sel := strings.Fields(os.Getenv("SEL"))
	if len(sel) == 0 {
		sel = []string{"cgi/5.*/*", "cgi/6.*/*", "cgi/7.*/*", "cgi/8.*/*", "cgi/9.*/*"}
	}
	dir := "/tmp/h5cgi"
	os.RemoveAll(dir)
	os.MkdirAll(dir+"/cgi-bin", 0o755)
	os.MkdirAll(dir+"/www", 0o755)
	os.WriteFile(dir+"/www/static.txt", []byte(StaticText), 0o644)
	os.WriteFile(dir+"/www/htpasswd", []byte("bob:$apr1$uW8WUFy6$tVJKOFQPsVrAJcO1UJ4BF/\n"), 0o644)
	app := peer.FreeAddress(t)
	var url, appURL string
	switch which {
	case "nginx-fcgi", "nginx-scgi":
		p := which[6:]
		appURL = p[:4] + "://" + app
		proto := map[string]string{"fcgi": "fastcgi", "scgi": "scgi"}[p]
		loc := ""
		for _, m := range []string{"app2", "app"} {
			loc += fmt.Sprintf(`location /%[1]s { include /etc/nginx/%[2]s_params; %[4]s %[2]s_param SCRIPT_NAME $sn; %[2]s_param PATH_INFO $pi; %[2]s_read_timeout 3s; %[2]s_pass %[3]s; }
`, m, proto, app, map[string]string{"fcgi": "fastcgi_keep_conn on;", "scgi": ""}[p])
		}
		url = "http://" + peer.Nginx(t, `root `+dir+`/www; set $sn ""; set $pi ""; if ($uri ~ ^(/app2?)(.*)$) { set $sn $1; set $pi $2; }`+loc)
	case "nginx-fcgiwrap":
		appURL = "cgi:" + dir + "/cgi-bin"
		_, socket := peer.Fcgiwrap(t)
		url = "http://" + peer.Nginx(t, `root `+dir+`/www; location /cgi-bin/ { root `+dir+`; fastcgi_read_timeout 3s; include /etc/nginx/fastcgi_params; fastcgi_split_path_info ^(/cgi-bin/(?:sub/|auth/)?[^/]*)(.*)$; fastcgi_param SCRIPT_NAME $fastcgi_script_name; fastcgi_param PATH_INFO $fastcgi_path_info; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; fastcgi_pass unix:`+socket+`; }`)
	case "apache-fcgi", "apache-scgi":
		p := which[7:]
		appURL = p + "://" + app
		url = "http://" + peer.Apache(t, fmt.Sprintf(`
DocumentRoot %[3]s/www
ProxyTimeout 3
Timeout 3
ProxyPass /app2 %[1]s://%[2]s/app2
ProxyPass /app %[1]s://%[2]s/app
`, p, app, dir))
	case "apache-cgid":
		appURL = "cgi:" + dir + "/cgi-bin"
		url = "http://" + peer.Apache(t, `
DocumentRoot `+dir+`/www
Timeout 3
CGIDScriptTimeout 3
ScriptAlias /cgi-bin/ `+dir+`/cgi-bin/
`)
	case "lighttpd-fcgi", "lighttpd-scgi":
		p := which[9:]
		appURL = p + "://" + app
		mod := map[string]string{"fcgi": "fastcgi", "scgi": "scgi"}[p]
		host, port, _ := strings.Cut(app, ":")
		url = "http://" + peer.Lighttpd(t, fmt.Sprintf(`server.modules += ("mod_%[1]s")
server.document-root := "%[4]s/www"
%[1]s.server = ("/app2" => (("host" => "%[2]s", "port" => %[3]s, "check-local" => "disable", "disable-time" => 0, "read-timeout" => 3)),
 "/app" => (("host" => "%[2]s", "port" => %[3]s, "check-local" => "disable", "disable-time" => 0, "read-timeout" => 3)))
`, mod, host, port, dir))
	case "lighttpd-cgi":
		appURL = "cgi:" + dir + "/cgi-bin"
		url = "http://" + peer.Lighttpd(t, `server.modules += ("mod_cgi","mod_alias")
server.document-root := "`+dir+`/www"
alias.url = ("/cgi-bin/" => "`+dir+`/cgi-bin/")
cgi.limits = ("read-timeout" => 3)
$HTTP["url"] =~ "^/cgi-bin/" { cgi.assign = ("" => "") }
`)
	case "go":
		appURL = "cgi:" + dir + "/cgi-bin"
		url = cgiServer(t, dir+"/cgi-bin")
	}
	target := New(url, appURL)
	defer target.Close()
	cases, err := conformance.Select(Cases(), sel)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	report, err := conformance.Run(t.Context(), target, cases, conformance.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if r.Outcome != conformance.Pass || r.Duration > 3*time.Second {
			r.Info = append(r.Info, r.Duration.Round(time.Millisecond).String())
			fmt.Printf("%-20s %-10s %-50s %s %v\n", r.Outcome, r.Level, r.Name, r.Got, r.Info)
		}
		if os.Getenv("WIRE") != "" && r.Outcome != conformance.Pass {
			for _, e := range r.Wire {
				fmt.Printf("    %v %d %s %.300q\n", e.At, e.Conn, e.Kind, e.Data)
			}
		}
	}
	fmt.Println(which, report.Counts(), report.Target.Facts, time.Since(start))
}
