//go:build unix

package open_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters/adaptertest"
	"github.com/gangway-go/gangway/internal/execfile"
	"github.com/gangway-go/gangway/internal/peer"
)

// A mount is the reference application behind one protocol.
type mount struct {
	name string
	open func(t *testing.T, program string) string // returns the address; "" is this process
}

var mounts = []mount{
	{"EGI", func(*testing.T, string) string { return "" }},
	{"CGI", func(_ *testing.T, program string) string { return "cgi:" + program }},
	{"FastCGI over TCP", func(t *testing.T, _ string) string { return listen(t, "fcgi://127.0.0.1:0", adaptertest.App()) }},
	{"FastCGI over Unix", func(t *testing.T, _ string) string { return listen(t, socket(t, "fcgi"), adaptertest.App()) }},
	{"SCGI", func(t *testing.T, _ string) string { return listen(t, socket(t, "scgi"), adaptertest.App()) }},
	{"HTTP", func(t *testing.T, _ string) string { return listen(t, "http://127.0.0.1:0", adaptertest.App()) }},
}

// The same application, mounted in six ways and asked through ten frontends, gives the same answers.
func TestEquivalence(t *testing.T) {
	program := buildScript(t)
	questions := corpus()
	require.GreaterOrEqual(t, len(questions), 200)
	want := map[string]answer{}
	base := listen(t, "http://127.0.0.1:0", adaptertest.App())
	client := clientOf(t, false)
	for _, q := range questions {
		a, err := ask(client, base, q)
		require.NoError(t, err, q.String())
		want[q.String()] = a
	}
	seen := map[string]bool{}
	for _, m := range mounts {
		t.Run(m.name, func(t *testing.T) { compareMount(t, m.open(t, program), program, questions, want, seen) })
	}
	for _, d := range deviations {
		assert.True(t, seen[d.String()], "no longer seen, remove it: %s", d)
	}
	assert.LessOrEqual(t, len(deviations), 25)
}

func clientOf(t *testing.T, h2 bool) *http.Client {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 4, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!h2)
	transport.Protocols.SetUnencryptedHTTP2(h2)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

func compareMount(t *testing.T, address, program string, questions []question, want map[string]answer, seen map[string]bool) {
	h := adaptertest.App()
	if address != "" {
		h = client(t, address)
	}
	direct := listen(t, "http://127.0.0.1:0", h)
	fcgi := strings.TrimPrefix(listen(t, socket(t, "fcgi"), h), "fcgi+unix://")
	scgi := strings.TrimPrefix(listen(t, socket(t, "scgi"), h), "scgi+unix://")
	scgiTCP := strings.TrimPrefix(listen(t, "scgi://127.0.0.1:0", h), "scgi://")
	if address == "" {
		address = "fcgi+unix://" + fcgi // a CGI program leads to this process through a socket
	}
	ways := map[string]string{
		"HTTP/1.1":                direct,
		"HTTP/1.1 of net/http":    listenNetHTTP(t, h),
		"HTTP/2":                  direct,
		"FastCGI behind nginx":    "http://" + peer.Nginx(t, nginxFastCGI(fcgi)),
		"SCGI behind nginx":       "http://" + peer.Nginx(t, nginxSCGI(scgi)),
		"FastCGI behind Apache":   "http://" + peer.Apache(t, apacheFastCGI(fcgi)),
		"SCGI behind Apache":      "http://" + peer.Apache(t, fmt.Sprintf("ProxyPass / scgi://%s/\n"+passAuth, scgiTCP)),
		"CGI behind Apache":       "http://" + peer.Apache(t, apacheCGI(scriptFolder(t, program, address))),
		"FastCGI behind lighttpd": "http://" + peer.Lighttpd(t, lighttpdGateway("fastcgi", fcgi)),
		"SCGI behind lighttpd":    "http://" + peer.Lighttpd(t, lighttpdGateway("scgi", scgi)),
		"CGI behind lighttpd":     "http://" + peer.Lighttpd(t, lighttpdCGI(scriptFolder(t, program, address))),
	}
	for _, name := range slices.Sorted(maps.Keys(ways)) {
		t.Run(name, func(t *testing.T) {
			c := clientOf(t, name == "HTTP/2")
			for _, q := range questions {
				got, err := ask(c, ways[name], q)
				if d := deviationOf(name, q); d != nil && (err != nil || got != want[q.String()]) {
					seen[d.String()] = true
					continue
				}
				if assert.NoError(t, err, q.String()) {
					assert.Equal(t, want[q.String()].String(), got.String(), q.String())
				}
			}
		})
	}
}

func nginxFastCGI(socket string) string {
	return fmt.Sprintf(`location / { fastcgi_pass unix:%s; include /etc/nginx/fastcgi_params; }`, socket)
}

func nginxSCGI(socket string) string {
	return fmt.Sprintf(`location / { scgi_pass unix:%s; include /etc/nginx/scgi_params; }`, socket)
}

const passAuth = "<Location />\nCGIPassAuth On\n</Location>"

func apacheFastCGI(socket string) string {
	return fmt.Sprintf(`ProxyPass / "unix:%s|fcgi://localhost/"
		`+passAuth, socket)
}

func apacheCGI(folder string) string {
	return fmt.Sprintf(`ScriptAliasMatch ^(.*)$ %s/app.cgi$1
		`+passAuth, folder)
}

func lighttpdGateway(protocol, socket string) string {
	return fmt.Sprintf(`server.modules = ( "mod_%[1]s" )
		server.http-parseopts = ( "url-normalize" => "disable" )
		%[1]s.server = ( "/" => (( "socket" => %[2]q, "check-local" => "disable", "fix-root-scriptname" => "enable" )) )`,
		protocol, socket)
}

func lighttpdCGI(folder string) string {
	return fmt.Sprintf(`server.modules = ( "mod_rewrite", "mod_cgi", "mod_alias" )
		server.http-parseopts = ( "url-normalize" => "disable" )
		alias.url = ( "/app.cgi" => "%s/app.cgi" )
		url.rewrite-once = ( "^(.*)$" => "/app.cgi$1" )
		cgi.assign = ( ".cgi" => "" )`, folder)
}

// scriptFolder returns a folder with a CGI program app.cgi that leads to the application at address.
func scriptFolder(t *testing.T, program, address string) string {
	dir := peer.Dir(t)
	text := fmt.Sprintf("#!/bin/sh\nGANGWAY_TEST_TO='%s' exec '%s'\n", address, program)
	require.NoError(t, execfile.WriteFile(dir+"/app.cgi", []byte(text), 0o755))
	return dir
}

// A deviation is a difference that a program which is not ours shows too behind the same web server.
type deviation struct {
	way    string // part of the frontend's name
	target string // part of the question's name
	why    string
}

func (d *deviation) String() string { return d.way + ": " + d.target }

func deviationOf(way string, q question) *deviation {
	for i := range deviations {
		if d := &deviations[i]; strings.Contains(way, d.way) && strings.Contains(q.String(), d.target) {
			return d
		}
	}
	return nil
}

// TestDeviationControls holds each row to a program that is not ours.
var deviations = []deviation{
	{"SCGI behind Apache", " chunked", "mod_proxy_scgi answers 411 itself"},
	{"behind lighttpd", "X_two", "lighttpd makes HTTP_X_TWO of it, as if it were X-Two"},
}

// What the table of deviations says of web servers is seen with php-fpm and uWSGI behind them too.
func TestDeviationControls(t *testing.T) {
	dir := peer.Dir(t)
	require.NoError(t, os.WriteFile(dir+"/x.php", []byte(`<?php echo $_SERVER["HTTP_X_TWO"];`), 0o644))
	_, php := peer.PHPFPM(t, "")
	r, err := http.NewRequest("GET", "http://"+peer.Lighttpd(t, fmt.Sprintf(`server.modules = ( "mod_fastcgi" )
		server.document-root := %q
		fastcgi.server = ( ".php" => (( "socket" => %q )) )`, dir, php))+"/x.php", nil)
	require.NoError(t, err)
	r.Header["X_two"] = []string{"spoof"}
	resp, err := clientOf(t, false).Do(r)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, "spoof", string(body))

	address := peer.FreeAddress(t)
	require.NoError(t, os.WriteFile(dir+"/app.py", []byte("def application(env, start):\n"+
		" start('200 OK', [])\n return [env['wsgi.input'].read()]\n"), 0o644))
	peer.Start(t, exec.Command(peer.Need(t, "uwsgi"), "--plugin", "python3", "--wsgi-file", dir+"/app.py",
		"--scgi-socket", address), "tcp", address)
	base := "http://" + peer.Apache(t, fmt.Sprintf("ProxyPass / scgi://%s/", address))
	for chunked, status := range map[bool]int{false: 200, true: 411} {
		a, err := ask(clientOf(t, false), base, question{method: "POST", target: "/", body: 10, chunked: chunked})
		require.NoError(t, err)
		assert.Equal(t, status, a.status)
	}
}

const patience = 60e9
