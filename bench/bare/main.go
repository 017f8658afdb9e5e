// Bare is what remains of a gateway in Go if one leaves out the gateway: it takes each piece that a client sends for
// the same small request and tells each client the same, once the application has sent a piece. Nothing is parsed, and
// nothing allocated but for connections. What it costs no gateway can save that has a goroutine for each connection.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"runtime/debug"

	"github.com/gangway-go/gangway/fastcgi/wire"
	"github.com/gangway-go/gangway/internal/sockio"
	scgi "github.com/gangway-go/gangway/scgi/wire"
)

var (
	addr       = flag.String("addr", "", "listen here")
	fcgiSocket = flag.String("fcgi", "", "Unix socket of a FastCGI application")
	scgiSocket = flag.String("scgi", "", "Unix socket of an SCGI application")
)

// variables are about what a browser's request becomes.
var variables = [][2]string{
	{"CONTENT_LENGTH", "0"}, {"SCGI", "1"}, {"GATEWAY_INTERFACE", "CGI/1.1"}, {"SERVER_PROTOCOL", "HTTP/1.1"},
	{"REQUEST_METHOD", "GET"}, {"REQUEST_URI", "/hello"}, {"SCRIPT_NAME", ""}, {"PATH_INFO", "/hello"},
	{"QUERY_STRING", ""}, {"SERVER_NAME", "127.0.0.1"}, {"SERVER_PORT", "8080"}, {"SERVER_ADDR", "127.0.0.1"},
	{"REMOTE_ADDR", "127.0.0.1"}, {"REMOTE_PORT", "50000"}, {"SERVER_SOFTWARE", "bare"},
	{"HTTP_HOST", "127.0.0.1:8080"}, {"HTTP_USER_AGENT", "loadgen"}, {"HTTP_ACCEPT", "*/*"},
}

func main() {
	flag.Parse()
	debug.SetGCPercent(400) // garbage is collected when there are 16 MB of it, as in gangway
	ask, body := func([]byte) {}, "Hello, world!\n"
	if *fcgiSocket != "" {
		ask, body = askFastCGI, "hello world\n"
	} else if *scgiSocket != "" {
		ask, body = askSCGI, "hello world\n"
	}
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Type: text/plain\r\n"+
		"Content-Length: %d\r\n\r\n%s", len(body), body)
	ln, err := net.Listen("tcp", *addr)
	for err == nil {
		var conn net.Conn
		if conn, err = ln.Accept(); err == nil {
			go serve(sockio.New(conn), ask, answer)
		}
	}
	log.Fatal(err)
}

func serve(client *sockio.Conn, ask func(buf []byte), answer []byte) {
	defer client.Close()
	buf := make([]byte, 4<<10)
	for {
		if _, err := client.Read(buf); err != nil {
			return
		}
		ask(buf)
		client.Write(answer)
	}
}

// kept are the connections to the FastCGI application that wait for a request, and fcgiRequest is one.
var (
	kept        = make(chan *sockio.Conn, 256)
	fcgiRequest = func() []byte {
		params := wire.BeginParams(wire.BeginRequest{Role: wire.RoleResponder, Flags: wire.FlagKeepConn}.Append(nil, 1), 1)
		for _, v := range variables {
			params.Add(v[0], v[1])
		}
		return wire.AppendEnd(params.End(), wire.TypeStdin, 1)
	}()
)

func askFastCGI(buf []byte) {
	var app *sockio.Conn
	select {
	case app = <-kept:
	default:
		app = dial(*fcgiSocket)
	}
	app.Write(fcgiRequest)
	app.Read(buf)
	kept <- app
}

var scgiRequest = func() []byte {
	var b []byte
	for _, v := range variables {
		b = scgi.AppendPair(b, v[0], v[1])
	}
	return scgi.Enclose(b, 0)
}()

func askSCGI(buf []byte) {
	app := dial(*scgiSocket)
	defer app.Close()
	app.Write(scgiRequest)
	for err := error(nil); err == nil; {
		_, err = app.Read(buf)
	}
}

func dial(socket string) *sockio.Conn {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	return sockio.New(conn)
}
