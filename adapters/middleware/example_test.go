package middleware_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/middleware"
)

// hello stands for any application.
var hello = adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
	return adapters.Reply(http.StatusOK, "text/plain", "hello, "+req.User), nil
})

func Example() {
	users, err := middleware.OpenHtpasswd("/etc/gangway/htpasswd")
	if err != nil {
		log.Fatal(err)
	}
	basic := &middleware.Basic{Realm: "private", Users: users}
	app := adapters.Chain(hello,
		middleware.AccessLog(os.Stdout),
		middleware.Recover(nil),
		middleware.DefaultLimits().Wrap,
		basic.Wrap,
	)
	log.Fatal(http.ListenAndServe(":8080", adapters.HTTP(app)))
}

func ExampleLimits() {
	limits := middleware.DefaultLimits()
	limits.Body = 3
	app := limits.Wrap(hello)
	req := &adapters.Request{Method: "POST", ContentLength: 4, Body: strings.NewReader("text")}
	_, err := app.Serve(context.Background(), req)
	fmt.Println(adapters.StatusOf(err), adapters.LimitOf(err))
	fmt.Println(err)
	// Output:
	// 413 body
	// middleware: limits: request too large: body of 4 bytes (limit body)
}
