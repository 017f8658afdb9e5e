package faulty

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

// Environment variables of Main.
const (
	// MainEnv names the peer that the process becomes: a peer, as in "fcgi-app", or a fault, as in "fcgi-app/keeps-status".
	MainEnv = "GANGWAY_FAULTY"
	// requestsEnv is after how many requests the application ends on purpose: the variable that php-cgi has for it.
	requestsEnv = "PHP_FCGI_MAX_REQUESTS"
)

// Main makes a test binary an application that is started with its listening socket as descriptor 0, FastCGI 1.0 section 2.2; named
// "script" or "nph-script" it is a CGI program, see Script. It returns at once unless the environment variable of MainEnv names a
// peer; else it ends the process. Tests call it first in TestMain and start their own executable as the application.
func Main() {
	name := os.Getenv(MainEnv)
	if name == "" {
		return
	}
	serve := fcgiMain
	switch peer, _, _ := strings.Cut(name, "/"); peer {
	case scriptPeer, nphPeer:
		os.Exit((&Script{Fault: name, NPH: peer == nphPeer}).Run())
	case scgiPeer, uwsgiPeer:
		serve = onceMain
	}
	if err := serve(name); err != nil {
		fmt.Fprintln(os.Stderr, "faulty:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func fcgiMain(name string) error {
	peer, _, _ := strings.Cut(name, "/")
	if peer != "fcgi-app" {
		return fmt.Errorf("there is no application %q", name)
	}
	app := &FCGIApp{Fault: name}
	app.exit = os.Exit
	if err := app.endsAtStart(); err != nil {
		return err
	}
	ln, err := net.FileListener(os.Stdin)
	if err != nil {
		return err
	}
	app.Requests, _ = strconv.ParseInt(os.Getenv(requestsEnv), 10, 64)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		app.terminate()
	}()
	return app.ended(app.Serve(ln))
}
