//go:build linux || darwin

package server

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// probe is the CGI program that file has started; it returns the exit status.
func probe(file string, args []string) int {
	inherited := openDescriptors() // before anything else is opened
	socket, err := probeSocket(file)
	if err != nil {
		return complain(err)
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return complain(err)
	}
	p := &probing{conn: conn.(*net.UnixConn), commands: bufio.NewReader(conn)}
	if err := p.tell(report(file, args, inherited)); err != nil {
		return complain(err)
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // so that a write to a closed pipe is an error and no death
	return p.obey()
}

// complain answers as a CGI program for which there is no suite.
func complain(err error) int {
	fmt.Printf("Status: 500\nContent-Type: text/plain\n\nconform-probe: %v\n", err)
	fmt.Fprintln(os.Stderr, "conform-probe:", err)
	return 1
}

// report describes this process.
func report(file string, args []string, descriptors []string) []byte {
	var b []byte
	for _, arg := range args {
		b = appendFrame(b, toldArg, []byte(arg))
	}
	for _, entry := range environment() {
		b = appendFrame(b, toldVar, []byte(entry))
	}
	fact := func(name, value string) { b = appendFrame(b, toldFact, []byte(name+" "+value)) }
	fact("file", file)
	for _, d := range descriptors {
		fact("fd", d)
	}
	if cwd, err := syscall.Getwd(); err == nil {
		fact("cwd", cwd)
	}
	umask := syscall.Umask(0)
	syscall.Umask(umask)
	for name, value := range map[string]int{"umask": umask, "pid": os.Getpid(), "ppid": os.Getppid(),
		"uid": os.Getuid(), "gid": os.Getgid(),
		"pgid": syscall.Getpgrp()} {
		fact(name, strconv.Itoa(value))
	}
	return appendFrame(b, toldReady, nil)
}

// environment is that of this process as it was given, if the system can say so; the library's has each name once.
func environment() []string {
	raw, err := os.ReadFile("/proc/self/environ")
	if err != nil {
		return syscall.Environ()
	}
	return strings.Split(strings.TrimSuffix(string(raw), "\x00"), "\x00")
}

// openDescriptors lists the descriptors above 2 that this process was given. Those that it opened itself are all
// marked to be closed by exec, and one that was so marked before would not be here.
func openDescriptors() []string {
	var list []string
	for fd := 3; fd < 1024; fd++ {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		if errno != 0 || flags&syscall.FD_CLOEXEC != 0 {
			continue
		}
		target, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
		if err != nil {
			target = "?"
		}
		list = append(list, strconv.Itoa(fd)+" "+target)
	}
	return list
}

// probing is a probe at work.
type probing struct {
	commands *bufio.Reader
	mu       sync.Mutex // for writing to conn
	conn     *net.UnixConn
}

// tell sends frames. It may be called concurrently.
func (p *probing) tell(frames []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.conn.Write(frames)
	return err
}

// obey does what the suite says and returns the exit status. If the suite goes away before it says what that is, the
// process dies as one that somebody kills.
func (p *probing) obey() int {
	for {
		kind, data, err := p.command()
		if err != nil {
			kind, data = doKill, []byte{byte(syscall.SIGKILL)}
		}
		switch kind {
		case doRead:
			n, _ := strconv.Atoi(string(data))
			go p.input(int64(n))
		case doStdout:
			p.write(os.Stdout, data)
		case doStderr:
			p.write(os.Stderr, data)
		case doClose:
			os.Stdout.Close()
		case doExit:
			return int(data[0])
		case doKill:
			syscall.Kill(os.Getpid(), syscall.Signal(data[0]))
		case doGrandchild:
			p.bear()
		}
	}
}

// command reads a frame.
func (p *probing) command() (frameKind, []byte, error) {
	head, err := p.commands.Peek(5)
	if err != nil {
		return 0, nil, err
	}
	frame := make([]byte, 5+binary.BigEndian.Uint32(head[1:]))
	if _, err := io.ReadFull(p.commands, frame); err != nil {
		return 0, nil, err
	}
	kind, data, _, err := parseFrame(frame)
	return kind, data, err
}

// write writes output. A process whose output nobody reads dies when the suite has gone.
func (p *probing) write(to io.Writer, data []byte) {
	done := make(chan struct{})
	go p.watch(done)
	_, err := to.Write(data)
	close(done)
	if err != nil {
		p.tell(appendFrame(nil, toldFailed, []byte(err.Error())))
	}
}

// watch ends the process if the suite goes before done is closed.
func (p *probing) watch(done <-chan struct{}) {
	for gone := false; ; {
		select {
		case <-done:
			return
		case <-time.After(time.Second):
		}
		if gone {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		gone = p.tell(appendFrame(nil, toldStuck, nil)) != nil
	}
}

// input sends so many bytes of standard input.
func (p *probing) input(n int64) {
	stdin := io.LimitReader(os.Stdin, n)
	buf := make([]byte, pieceSize)
	for {
		read, err := stdin.Read(buf)
		if read > 0 && p.tell(appendFrame(nil, toldInput, buf[:read])) != nil {
			return
		}
		if err == io.EOF {
			p.tell(appendFrame(nil, toldEnd, nil))
			return
		}
		if err != nil {
			p.tell(appendFrame(nil, toldEnd, []byte(err.Error())))
			return
		}
	}
}

// bear starts a process in a session of its own that keeps the standard descriptors open, as a daemon does that was
// started carelessly.
func (p *probing) bear() {
	self, err := os.Executable()
	if err != nil {
		return
	}
	conn, err := p.conn.File()
	if err != nil {
		return
	}
	cmd := exec.Command(self, holdWord)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{conn}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		p.tell(appendFrame(nil, toldFailed, []byte(err.Error())))
	}
}

// hold keeps what it has inherited open until the suite closes its connection, which is descriptor 3.
func hold() int {
	io.Copy(io.Discard, os.NewFile(3, "suite"))
	return 0
}
