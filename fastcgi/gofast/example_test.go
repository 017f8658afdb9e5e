package gofast_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"

	upstream "github.com/yookoala/gofast"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/egi"
	"github.com/gangway-go/gangway/fastcgi"
	"github.com/gangway-go/gangway/fastcgi/gofast"
)

// A middleware of gofast says which script answers; any Handler can be behind it, such as a fastcgi.Client.
func ExampleMap() {
	show := adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		return adapters.Reply(200, "text/plain", req.Script.Filename+" with "+req.Script.PathInfo), nil
	})
	site := adapters.HTTP(gofast.Map(upstream.NewPHPFS("/var/www"), show))

	w := httptest.NewRecorder()
	site.ServeHTTP(w, httptest.NewRequest("GET", "/wiki/index.php/Main%20Page", nil))
	fmt.Println(w.Body)
	// Output: /var/www/wiki/index.php with /Main Page
}

// A program that is written for gofast asks any Handler, here a function of its own process.
func ExampleConnFactory() {
	app := egi.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "you asked for ", r.RequestURI)
	}))
	connect, stop := gofast.ConnFactory(app)
	defer stop()
	session := upstream.NewFileEndpoint("/srv/app")(upstream.BasicSession)
	site := upstream.NewHandler(session, upstream.SimpleClientFactory(connect))

	w := httptest.NewRecorder()
	site.ServeHTTP(w, httptest.NewRequest("GET", "/hello", nil))
	fmt.Println(w.Body)
	// Output: you asked for /hello
}

// The client of gofast asks a FastCGI application.
func ExampleEngine() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	app := &fastcgi.Server{Handler: adapters.HandlerFunc(
		func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			return adapters.Reply(200, "text/plain", "hello, "+req.Query), nil
		})}
	go app.Serve(ln)
	defer app.Close()

	engine := &gofast.Engine{Network: "tcp", Address: ln.Addr().String()}
	defer engine.Close()
	resp, err := engine.Serve(context.Background(), &adapters.Request{Method: "GET", URI: "/?gofast", Query: "gofast"})
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(resp.Status, string(body), err)
	// Output: 200 hello, gofast <nil>
}
