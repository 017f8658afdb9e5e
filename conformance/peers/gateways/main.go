// Gateways are web servers that are made with a Go library, in the layout of package conformance/server: what the peers
// gangway-http-*, gofast-* and net-http-cgi test.
//
//	gateways -server gangway|gofast|net-http-cgi -http HOST:PORT -dir DIR -app URL
package main

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/cgi"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/yookoala/gofast"
)

// A setup is where what is; dir is that of server.Setup, and app is "cgi:" and a folder or the address of an
// application.
type setup struct {
	http, tls, dir, app string
	netHTTP             bool
	timeout             time.Duration
}

func main() {
	var s setup
	kind := flag.String("server", "gangway", "gangway, gofast or net-http-cgi")
	flag.StringVar(&s.http, "http", "", "`HOST:PORT` to listen on")
	flag.StringVar(&s.tls, "tls", "", "`HOST:PORT` for TLS")
	flag.StringVar(&s.dir, "dir", "", "`folder` with www, users, certificate.pem and key.pem")
	flag.StringVar(&s.app, "app", "", "`address` of the application")
	flag.BoolVar(&s.netHTTP, "net-http", false, "have net/http read HTTP/1 in front of gangway")
	flag.DurationVar(&s.timeout, "timeout", 3*time.Second, "`time` for a silent application")
	flag.Parse()
	serve := map[string]func(setup) error{"gangway": gangway, "gofast": overGofast, "net-http-cgi": overCGI}[*kind]
	err := errors.New("no such server")
	if serve != nil {
		err = serve(s)
	}
	fmt.Fprintln(os.Stderr, "gateways:", err)
	os.Exit(1)
}

// overGofast is the server of gofast's README, with a file for each application.
func overGofast(s setup) error {
	clients := gofast.SimpleClientFactory(gofast.SimpleConnFactory("tcp", strings.TrimPrefix(s.app, "fcgi://")))
	mux := http.NewServeMux()
	for _, path := range []string{"/app", "/app2"} {
		h := gofast.NewHandler(gofast.NewFileEndpoint(filepath.Join(s.dir, "www", path))(gofast.BasicSession), clients)
		mux.Handle(path, h)
		mux.Handle(path+"/", h)
	}
	mux.Handle("/a.php", gofast.NewHandler(gofast.NewPHPFS(filepath.Join(s.dir, "www"))(gofast.BasicSession), clients))
	mux.Handle("/", http.FileServer(http.Dir(filepath.Join(s.dir, "www"))))
	return http.ListenAndServe(s.http, mux)
}

// overCGI runs the programs of a folder with net/http/cgi.
func overCGI(s setup) error {
	folder := strings.TrimPrefix(s.app, "cgi:")
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(filepath.Join(s.dir, "www"))))
	mux.HandleFunc("/cgi-bin/", func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/cgi-bin/")
		for _, sub := range []string{"sub/", "auth/"} {
			if rest, ok := strings.CutPrefix(name, sub); ok {
				rest, _, _ = strings.Cut(rest, "/")
				name = sub + rest
			}
		}
		if !strings.HasPrefix(name, "sub/") && !strings.HasPrefix(name, "auth/") {
			name, _, _ = strings.Cut(name, "/")
		}
		path := filepath.Join(folder, filepath.FromSlash(name))
		h := &cgi.Handler{Path: path, Root: "/cgi-bin/" + name, PathLocationHandler: mux}
		h.ServeHTTP(w, r)
	})
	return http.ListenAndServe(s.http, mux)
}
