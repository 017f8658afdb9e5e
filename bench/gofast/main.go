// Gofast is the gateway that a user of github.com/yookoala/gofast writes by its README: net/http, its handler and its
// client pool. Without -fcgi it answers itself, which is what net/http alone costs.
package main

import (
	"flag"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/yookoala/gofast"
)

func main() {
	addr := flag.String("addr", "", "listen here")
	socket := flag.String("fcgi", "", "Unix socket of the application")
	flag.Parse()
	log.Fatal(http.ListenAndServe(*addr, handler(*socket)))
}

// poolSize and poolTime are those of the README, but for the 64 clients instead of 10: there are as many connections.
const (
	poolSize = 64
	poolTime = 30 * time.Second
)

func handler(socket string) http.Handler {
	if socket == "" {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, "Hello, world!\n")
		})
	}
	clients := gofast.SimpleClientFactory(gofast.SimpleConnFactory("unix", socket))
	pool := gofast.NewClientPool(clients, poolSize, poolTime)
	return gofast.NewHandler(gofast.NewFileEndpoint("/app/null.php")(gofast.BasicSession), pool.CreateClient)
}
