// Relay is the FastCGI application that a web server starts itself, as Apache's mod_fcgid does: with its listening
// socket as descriptor 0. It hands each connection over to the conformance suite at the address CONFORM_APP.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

func main() {
	ln, err := net.FileListener(os.Stdin)
	for err == nil {
		var conn net.Conn
		if conn, err = ln.Accept(); err == nil {
			go relay(conn)
		}
	}
	fmt.Fprintln(os.Stderr, "relay:", err)
	os.Exit(1)
}

// relay ends the connection as a whole: either side that ends it means it so.
func relay(conn net.Conn) {
	defer conn.Close()
	suite, err := net.Dial("tcp", os.Getenv("CONFORM_APP"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		return
	}
	defer suite.Close()
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{conn, suite}, {suite, conn}} {
		go func() {
			io.Copy(way[0], way[1])
			ended <- struct{}{}
		}()
	}
	<-ended
}
