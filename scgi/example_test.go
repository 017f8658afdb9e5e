package scgi_test

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/scgi"
)

// A Server answers what a web server, or here a Client, asks.
func Example() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	hello := func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		return adapters.Reply(200, "text/plain", "Hello, "+req.Path()), nil
	}
	server := &scgi.Server{Handler: adapters.HandlerFunc(hello)}
	go server.Serve(ln)
	defer server.Shutdown(context.Background())

	client := &scgi.Client{Network: "tcp", Address: ln.Addr().String()}
	req := &adapters.Request{Method: "GET", Script: adapters.Script{PathInfo: "/world"}}
	resp, err := client.Serve(context.Background(), req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(resp.Status, string(body), err)
	// Output: 200 Hello, /world <nil>
}
