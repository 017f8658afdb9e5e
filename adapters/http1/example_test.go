package http1_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/gangway-go/gangway/adapters/http1"
	"github.com/gangway-go/gangway/egi"
)

// An http.Handler behind gangway's own HTTP/1.1, from the first request to the end.
func ExampleServer() {
	server := &http1.Server{Handler: egi.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.Method, r.URL.Path)
	}))}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go server.Serve(ln)

	resp, err := http.Get("http://" + ln.Addr().String() + "/news")
	if err != nil {
		log.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	fmt.Println(resp.StatusCode, string(text))

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(server.Shutdown(ctx)) // nil: no request was cut
	// Output:
	// 200 GET /news
	// <nil>
}
