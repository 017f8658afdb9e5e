package app_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/fcgi"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/app"
)

// A program's own test of its FastCGI server, which is here that of net/http/fcgi. Without Select it runs all cases; a test
// function would call t.Error instead of Println.
func Example() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer ln.Close()
	go fcgi.Serve(ln, http.NotFoundHandler())

	target := app.New("fcgi://" + ln.Addr().String())
	cases, err := conformance.Select(target.Cases(), []string{"fcgi/4.1/get-values-m*"})
	if err != nil {
		log.Fatal(err)
	}
	report, err := conformance.Run(context.Background(), target, cases, conformance.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, failure := range report.Failures(conformance.Must) {
		fmt.Println(failure.Name, failure.Outcome)
	}
	// Output:
	// fcgi/4.1/get-values-max-conns fail
	// fcgi/4.1/get-values-max-reqs fail
}
