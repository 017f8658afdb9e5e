//go:build linux

package soak

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance/faulty"
)

// What decisions are for; those of client i are for i.
const (
	mutantPurpose = 1000 + iota
	phpPurpose
	cutPurpose // and up
)

// A cutListener is that of an application most of whose connections end somewhere, or are slow.
type cutListener struct {
	net.Listener
	mu     sync.Mutex
	random *rand.Rand
}

// Accept implements net.Listener.
func (l *cutListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fate := fates[l.random.IntN(len(fates))]
	at := l.random.IntN(200)
	if l.random.IntN(2) == 0 {
		at = l.random.IntN(200_000)
	}
	return &cutConn{Conn: conn, fate: fate, left: at}, nil
}

// fates are what happens to connections at some byte of what the application sends.
var fates = []string{"none", "close", "stall", "trickle"}

// A cutConn meets its fate when so many bytes are written.
type cutConn struct {
	net.Conn
	mu   sync.Mutex
	fate string
	left int
}

// Write implements net.Conn.
func (c *cutConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fate == "none" || len(b) <= c.left {
		c.left -= min(c.left, len(b))
		return c.Conn.Write(b)
	}
	n, err := c.Conn.Write(b[:c.left])
	if err != nil {
		return n, err
	}
	c.left = 0
	switch c.fate {
	case "trickle":
		for i := range min(30, len(b)-n) {
			if _, err := c.Conn.Write(b[n+i : n+i+1]); err != nil {
				return n + i, err
			}
			time.Sleep(time.Millisecond)
		}
		c.fate = "none"
		m := n + min(30, len(b)-n)
		k, err := c.Conn.Write(b[m:])
		return m + k, err
	case "stall":
		time.Sleep(3 * time.Second)
	}
	c.Conn.Close()
	return n, net.ErrClosed
}

// mutantTime is how long a mutant runs before another one takes its place.
const mutantTime = 15 * time.Second

// mutantSlots are the mounts behind which mutants run.
func mutantSlots() []string {
	return []string{"fcgi-mutant-0", "fcgi-mutant-1", "fcgi-mutant-2", "fcgi-mutant-3", "scgi-mutant-4", "scgi-mutant-5"}
}

// mutants run the applications of package faulty, each with one fault, in processes.
type mutants struct {
	s         *soak
	random    *rand.Rand
	sockets   []*os.File
	processes []*exec.Cmd
	names     []string // that ran
}

func startMutants(s *soak) *mutants {
	m := &mutants{s: s, random: s.random(mutantPurpose)}
	for i := range mutantSlots() {
		ln, err := net.Listen("unix", filepath.Join(s.dir, fmt.Sprintf("mutant%d", i)))
		require.NoError(s.t, err)
		file, err := ln.(*net.UnixListener).File()
		require.NoError(s.t, err)
		ln.(*net.UnixListener).SetUnlinkOnClose(false)
		require.NoError(s.t, ln.Close())
		m.sockets = append(m.sockets, file)
	}
	m.turn()
	return m
}

// turn has other mutants take the places of those that run.
func (m *mutants) turn() {
	m.kill()
	for i, slot := range mutantSlots() {
		protocol, _, _ := strings.Cut(slot, "-")
		name := m.draw(protocol + "-app/")
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), faulty.MainEnv+"="+name)
		cmd.Stdin = m.sockets[i]
		require.NoError(m.s.t, cmd.Start())
		m.processes, m.names = append(m.processes, cmd), append(m.names, name)
	}
}

// draw returns the name of a fault of the peer whose names begin with prefix.
func (m *mutants) draw(prefix string) string {
	var names []string
	for _, f := range faulty.Faults() {
		if strings.HasPrefix(f.Name, prefix) {
			names = append(names, f.Name)
		}
	}
	return names[m.random.IntN(len(names))]
}

func (m *mutants) kill() {
	for _, cmd := range m.processes {
		cmd.Process.Kill()
		cmd.Wait()
	}
	m.processes = nil
}

// stop ends everything.
func (m *mutants) stop() {
	m.kill()
	for _, f := range m.sockets {
		f.Close()
	}
}
