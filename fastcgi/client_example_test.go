package fastcgi_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/fcgi"
	"os"
	"path/filepath"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi"
)

// A request to an application on net/http/fcgi, which takes the place of php-fpm.
func ExampleClient() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ln, err := net.Listen("unix", filepath.Join(dir, "app.sock"))
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	go fcgi.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Method, r.URL.RequestURI())
	}))

	app := &fastcgi.Client{Network: "unix", Address: ln.Addr().String()}
	defer app.Close()
	resp, err := app.Serve(context.Background(), &adapters.Request{
		Method: "GET", URI: "/hello?to=you", Query: "to=you", Proto: "HTTP/1.1", Host: "localhost",
		Script: adapters.Script{PathInfo: "/hello"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.Status, string(body))
	// Output: 200 GET /hello?to=you
}
