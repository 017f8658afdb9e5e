package open_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/gangway-go/gangway/adapters/open"
)

// What "gangway bridge --from http://127.0.0.1:0 --to egi:hello" does.
func Example() {
	app, closeApp, err := open.Handler("egi:hello")
	if err != nil {
		log.Fatal(err)
	}
	defer closeApp()
	ln, err := open.Listen("http://127.0.0.1:0", app, open.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	go ln.Serve()

	resp, err := http.Get(ln.String())
	if err != nil {
		log.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	fmt.Println(resp.Status)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(ln.Shutdown(ctx))
	// Output:
	// 200 OK
	// <nil>
}
