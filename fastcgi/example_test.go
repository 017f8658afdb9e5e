package fastcgi_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/egi"
	"github.com/gangway-go/gangway/fastcgi"
)

// A Go application behind FastCGI, and a request to it: what a web server and gangway say to each other.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ln, err := net.Listen("unix", filepath.Join(dir, "app.sock"))
	if err != nil {
		fmt.Println(err)
		return
	}
	hello, _ := egi.Builtin("hello")
	server := &fastcgi.Server{Handler: hello}
	go server.Serve(ln)
	defer server.Shutdown(context.Background())

	client := &fastcgi.Client{Network: "unix", Address: ln.Addr().String()}
	defer client.Close()
	resp, err := client.Serve(context.Background(), &adapters.Request{Method: "GET", Proto: "HTTP/1.1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Printf("%d %s%v\n", resp.Status, body, err)
	// Output:
	// 200 Hello, world!
	// <nil>
}
