package pool_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/pool"
	"github.com/gangway-go/gangway/internal/leak"
)

// appVar makes the test binary an app, or what starts one: its value is the way it behaves.
const appVar = "POOL_TEST_APP"

func TestMain(m *testing.M) {
	switch way := os.Getenv(appVar); way {
	case "":
		leak.Main(m)
	case "supervisor":
		supervisor()
	default:
		app(way)
	}
}

// app serves a protocol of one line in, text out, on its first argument or its standard input.
func app(way string) {
	switch way {
	case "noisy death":
		fmt.Fprint(os.Stderr, "loading\nno such module: shop\n\n")
		os.Exit(3)
	case "silent death":
		os.Exit(0)
	case "mute":
		select {}
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	case "slow":
		time.Sleep(200 * time.Millisecond)
	}
	ln, err := listen()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if way == "deaf" {
		time.Sleep(200 * time.Millisecond)
		fmt.Println("cannot read the configuration")
		os.Exit(4)
	}
	for {
		conn, err := ln.Accept()
		if err != nil {
			os.Exit(1)
		}
		go answer(conn)
	}
}

func listen() (net.Listener, error) {
	if len(os.Args) < 2 {
		return net.FileListener(os.Stdin)
	}
	return net.Listen("unix", os.Args[1])
}

func answer(conn net.Conn) {
	defer conn.Close()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return
	}
	switch line {
	case "/\n":
		fmt.Fprint(conn, os.Getpid())
	case "/exit\n":
		os.Exit(7)
	case "/child\n":
		child := exec.Command("sleep", "1000")
		child.Start()
		fmt.Fprint(conn, child.Process.Pid)
	case "/stdin\n":
		n, err := io.Copy(io.Discard, os.Stdin)
		fmt.Fprint(conn, n, err)
	case "/log\n":
		fmt.Printf("one\n\nlong %s\nunfinished", strings.Repeat("x", 9000))
	case "/flood\n":
		for i := range 5000 {
			fmt.Println("line", i)
		}
	case "/wait\n":
		time.Sleep(time.Hour)
	}
}

// client is the backend of app: the path is the line, the text is the body.
func client(socket string) adapters.Handler {
	return adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return nil, fmt.Errorf("test: %w: %w", adapters.ErrUnreachable, err)
		}
		fmt.Fprintln(conn, req.Path())
		br := bufio.NewReader(conn)
		if _, err := br.Peek(1); err != nil {
			conn.Close()
			return nil, fmt.Errorf("test: %w: %w", adapters.ErrUnreachable, err)
		}
		return &adapters.Response{Status: 200, Body: struct {
			io.Reader
			io.Closer
		}{br, conn}}, nil
	})
}

// appCommand makes the command of app.
func appCommand(way string, inherit bool) func(socket string) (*exec.Cmd, error) {
	return func(socket string) (*exec.Cmd, error) {
		cmd := exec.Command(os.Args[0], socket)
		if inherit {
			cmd.Args = cmd.Args[:1]
		}
		cmd.Env = append(os.Environ(), appVar+"="+way)
		return cmd, nil
	}
}

// supervisor runs a Group, prints the id of its process, and waits to be killed.
func supervisor() {
	os.Setenv(appVar, "plain")
	g := &pool.Group{Spawner: &pool.Command{Cmd: appCommand("plain", false), Backend: client}}
	if err := g.Start(context.Background()); err != nil {
		fmt.Println(err)
	}
	text, _ := call(g, "/")
	fmt.Println(text)
	// Threads of the runtime come and go meanwhile: none of them may take the app along.
	for range 20 {
		go func() { runtime.LockOSThread() }()
	}
	time.Sleep(200 * time.Millisecond)
	again, _ := call(g, "/")
	fmt.Println(again)
	select {}
}
