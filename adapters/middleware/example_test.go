package middleware_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

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
	if err := limits.Set("body", "8m"); err != nil {
		log.Fatal(err)
	}
	for _, limit := range limits.List() {
		fmt.Println(limit.Status, limit.Name, limit.Value)
	}
	fmt.Println(limits.Set("body", "8 megabytes"))
	// Output:
	// 414 uri 8k
	// 431 header-bytes 64k
	// 431 header-fields 100
	// 413 body 8m
	// 503 requests 10000
	// 504 timeout 1m0s
	// limit body: "8 megabytes" is no size such as 512, 64k or 8m
}
