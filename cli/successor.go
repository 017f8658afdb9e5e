package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/gangway-go/gangway/internal/listenfd"
	"github.com/gangway-go/gangway/internal/sdnotify"
)

// handoverVar is set for a process that takes the place of this one. It holds the addresses of the listeners as JSON.
// Descriptor listenfd.First is a pipe on which the process says that it is ready, or why not; the sockets follow.
const handoverVar = "GANGWAY_HANDOVER"

// readyWord is what the new process says when it is ready.
const readyWord = "ready"

// upgradeTime is how long a new process may take until it is ready: its applications have limits of their own.
const upgradeTime = 5 * time.Minute

// A predecessor is the process whose place this one takes; nil is none.
type predecessor struct {
	sockets map[string][]net.Listener // by address; those that nobody has taken yet
	answer  *os.File
}

// findPredecessor returns the process that started this one to take its place.
func findPredecessor() (*predecessor, error) {
	text := os.Getenv(handoverVar)
	os.Unsetenv(handoverVar)
	if text == "" {
		return nil, nil
	}
	var addresses []string
	if err := json.Unmarshal([]byte(text), &addresses); err != nil {
		return nil, fmt.Errorf("%s: %w", handoverVar, err)
	}
	p := &predecessor{map[string][]net.Listener{}, os.NewFile(listenfd.First, "predecessor")}
	closeOnExec(p.answer)
	for i, address := range addresses {
		ln, err := listenfd.Listen(uintptr(listenfd.First + 1 + i))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", handoverVar, err)
		}
		p.sockets[address] = append(p.sockets[address], ln)
	}
	return p, nil
}

// socket returns the socket of a listener, or nil if the predecessor had none.
func (p *predecessor) socket(address string) net.Listener {
	if p == nil || len(p.sockets[address]) == 0 {
		return nil
	}
	ln := p.sockets[address][0]
	p.sockets[address] = p.sockets[address][1:]
	return ln
}

// closeRest closes the sockets for which there is no listener: nobody would ever answer on them.
func (p *predecessor) closeRest() {
	if p == nil {
		return
	}
	for _, sockets := range p.sockets {
		for _, ln := range sockets {
			ln.Close()
		}
	}
}

// tell tells the predecessor, once, that this process is ready, or why not.
func (p *predecessor) tell(word string) {
	if p == nil || p.answer == nil {
		return
	}
	io.WriteString(p.answer, word)
	p.answer.Close()
	p.answer = nil
}

// tellEnd tells it that this process ends, unless it was ready before.
func (p *predecessor) tellEnd(err error) {
	if err != nil {
		p.tell(oneLine(err.Error()))
	}
	p.tell("")
}

// upgrade has the program that is on disk now take the place of this process, and reports whether it has.
func (g *gateway) upgrade(stop context.Context) bool {
	g.log.Info("upgrading: the program is started anew")
	g.notify(sdnotify.Reloading(), sdnotify.Status("starting the new program"))
	pid, err := g.startSuccessor(stop)
	if err != nil {
		g.log.Error("not upgraded, this process goes on", "error", err)
		g.notify(sdnotify.Ready, sdnotify.Status("not upgraded: "+err.Error()))
		return false
	}
	for _, l := range g.listeners {
		l.KeepSocket(true)
	}
	g.notify(sdnotify.MainPID(pid), sdnotify.Ready, sdnotify.Alive, g.status())
	g.log.Info("upgraded: a new process has taken over", "pid", pid, "grace", g.grace)
	return true
}

// startSuccessor returns the id of the new process when it is ready.
func (g *gateway) startSuccessor(stop context.Context) (pid int, err error) {
	if os.Getpid() == 1 {
		return 0, errors.New("process 1 of a container ends the container with it: start a new container instead")
	}
	said, answer, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer said.Close()
	defer answer.Close()
	cmd, err := g.successorCommand(answer)
	if err != nil {
		return 0, err
	}
	err = cmd.Start()
	for _, f := range cmd.ExtraFiles {
		f.Close() // answer among them, so that its end is seen
	}
	if err != nil {
		return 0, err
	}
	g.successor.Store(int64(cmd.Process.Pid))
	if err = awaitSuccessor(stop, g.grace, cmd, said); err != nil {
		g.successor.Store(0)
		return 0, err
	}
	return cmd.Process.Pid, nil
}

// successorCommand returns the command with the arguments of this process and its listening sockets.
func (g *gateway) successorCommand(answer *os.File) (*exec.Cmd, error) {
	path, err := program()
	if err != nil {
		return nil, err
	}
	addresses, err := json.Marshal(g.addresses)
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{Path: path, Args: os.Args, Stdout: os.Stdout, Stderr: os.Stderr, ExtraFiles: []*os.File{answer}}
	cmd.Env = slices.Concat(os.Environ(), g.notifier.Env(), []string{handoverVar + "=" + string(addresses)})
	for _, l := range g.listeners {
		f, err := l.File()
		if err != nil {
			for _, f := range cmd.ExtraFiles[1:] {
				f.Close()
			}
			return nil, fmt.Errorf("%s: %w", l, err)
		}
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	return cmd, nil
}

// program returns the path of this program as it would be started now: it may be a link that leads to another version.
func program() (string, error) {
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		return os.Executable()
	}
	return filepath.Abs(path)
}

// awaitSuccessor returns nil when the new process has said that it is ready, or ends it, within grace, and returns why
// not.
func awaitSuccessor(stop context.Context, grace time.Duration, cmd *exec.Cmd, said io.Reader) error {
	answer, ended := make(chan string, 1), make(chan struct{})
	go func() {
		text, _ := io.ReadAll(said)
		answer <- string(text)
	}()
	go func() {
		defer close(ended)
		cmd.Wait()
	}()
	end := func(reason string) error {
		cmd.Process.Signal(syscall.SIGTERM)
		time.AfterFunc(grace, func() { cmd.Process.Kill() })
		return errors.New(reason)
	}
	select {
	case text := <-answer:
		switch text {
		case readyWord:
			return nil
		case "":
			<-ended
			return fmt.Errorf("the new process ended before it was ready: %v", cmd.ProcessState)
		}
		return end("the new process: " + text)
	case <-stop.Done():
		return end("a signal came that ends this process")
	case <-time.After(upgradeTime):
		return end(fmt.Sprintf("the new process was not ready after %v", upgradeTime))
	}
}
