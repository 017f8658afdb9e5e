//go:build linux

package soak

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/peer"
)

// A program is a gangway that runs.
type program struct {
	s         *soak
	cmd       *exec.Cmd
	log, temp string // a file and a folder
	addresses []string
	ended     chan struct{}
}

// arguments are those of gangway: every kind of listener and application.
func (s *soak) arguments() []string {
	cert, key := peer.Certificate(s.t)
	args := []string{
		"bridge", "--from", "http://127.0.0.1:0", "--from", "https://127.0.0.1:0", "--cert", cert, "--key", key,
		"--from", "fcgi+unix://" + s.dir + "/front", "--socket-mode", "0666", "--from", "scgi://127.0.0.1:0",
		"--to", "fcgi+unix://" + s.dir + "/php.sock", "--root", s.dir, "--limit", "timeout=30s", "--user", "self",
		"--status", "http+unix://" + s.dir + "/status",
	}
	mounts := map[string]string{
		"egi": "egi:echo", "cgi": "cgi:" + s.dir + "/app.cgi", "bad-cgi": "cgi:" + s.dir + "/bad.cgi",
		"exec": "fcgi+exec:exec env " + appEnv + "=1 " + os.Args[0],
	}
	for _, protocol := range []string{"fcgi", "scgi", "http"} {
		mounts[protocol] = protocol + "+unix://" + s.dir + "/" + protocol
		mounts["cut-"+protocol] = protocol + "+unix://" + s.dir + "/cut-" + protocol
	}
	for i, name := range mutantSlots() {
		protocol, _, _ := strings.Cut(name, "-")
		mounts[name] = fmt.Sprintf("%s+unix://%s/mutant%d", protocol, s.dir, i)
	}
	for name, url := range mounts {
		args = append(args, "--mount", "/"+name+"="+url)
	}
	return args
}

// build returns the path of the program under test.
func (s *soak) build() string {
	if *binary != "" {
		return *binary
	}
	path := s.dir + "/gangway"
	if _, err := os.Stat(path); err != nil {
		out, err := exec.Command("go", "build", "-o", path, "github.com/gangway-go/gangway/cli/gangway").CombinedOutput()
		require.NoError(s.t, err, "%s", out)
	}
	return path
}

// startGangway returns a gangway that listens.
func (s *soak) startGangway() *program {
	dir := peer.Dir(s.t)
	p := &program{s: s, cmd: exec.Command(s.build(), s.arguments()...), log: dir + "/log", temp: dir + "/tmp",
		ended: make(chan struct{})}
	require.NoError(s.t, os.Mkdir(p.temp, 0o755))
	log, err := os.Create(p.log)
	require.NoError(s.t, err)
	defer log.Close()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(os.Environ(), "TMPDIR="+p.temp)
	require.NoError(s.t, p.cmd.Start())
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	s.t.Cleanup(func() { p.end(syscall.SIGKILL) })
	listening := regexp.MustCompile(`(?m)^listening on (\S+)$`)
	for deadline := time.Now().Add(time.Minute); len(p.addresses) < 4; time.Sleep(20 * time.Millisecond) {
		p.addresses = nil
		for _, found := range listening.FindAllStringSubmatch(p.text(), -1) {
			p.addresses = append(p.addresses, found[1])
		}
		require.True(s.t, time.Now().Before(deadline) && !p.over(), "gangway does not listen:\n%s", p.text())
	}
	return p
}

// over reports whether the program has ended.
func (p *program) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// text returns what the program has printed.
func (p *program) text() string {
	text, err := os.ReadFile(p.log)
	require.NoError(p.s.t, err)
	return string(text)
}

// end ends the program with a signal.
func (p *program) end(signal syscall.Signal) {
	p.cmd.Process.Signal(signal)
	<-p.ended
}

// goroutines ends the program and returns the stacks of its goroutines by who has started them, without the runtime's and
// the main one.
func (p *program) goroutines() map[string][]string {
	before := len(p.text())
	p.end(syscall.SIGQUIT)
	stacks, pattern := map[string][]string{}, regexp.MustCompile(`(?m)^goroutine \d+ .*\[.*\]:\n(?:.+\n)+`)
	for _, stack := range pattern.FindAllString(p.text()[before:], -1) {
		_, by, ok := strings.Cut(stack, "created by ")
		creator, _, _ := strings.Cut(by, " in goroutine")
		if ok && !strings.HasPrefix(creator, "runtime.") {
			stacks[creator] = append(stacks[creator], stack)
		}
	}
	return stacks
}

// freshGoroutines returns the goroutines of a gangway that has not been asked anything.
func (s *soak) freshGoroutines() map[string][]string { return s.startGangway().goroutines() }

// spare are how many goroutines wait for work by design, by who has started them: 64 of each HTTP listener, and the
// status is asked once.
var spare = map[string]int{"github.com/gangway-go/gangway/adapters/http1.(*Server).dispatch": 64 + 1}

// checkGoroutines compares the goroutines of the gangway that nobody asks any more with those that a fresh one has.
func (s *soak) checkGoroutines(fresh map[string][]string) {
	left := s.gangway.goroutines()
	s.print("goroutines: %d at the end, %d in a fresh gangway", count(left), count(fresh))
	if count(left) == 0 {
		s.violate("goroutines", "gangway printed no goroutines at SIGQUIT")
	}
	for creator, stacks := range left {
		if more := len(stacks) - len(fresh[creator]) - spare[creator]; more > 0 {
			s.violate("goroutines", fmt.Sprintf("%d more than in a fresh gangway, created by %s; one is\n%s", more, creator,
				slices.MaxFunc(stacks, func(a, b string) int { return cmp.Compare(len(a), len(b)) })))
		}
	}
}

func count(stacks map[string][]string) (n int) {
	for _, list := range stacks {
		n += len(list)
	}
	return n
}

// checkCounters asks gangway for its counters: nobody asks it for anything else any more.
func (s *soak) checkCounters() {
	dial := func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", s.dir+"/status") }
	c := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: answerTime}
	resp, err := c.Get("http://gangway/metrics")
	if err != nil {
		s.violate("status", err.Error())
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.violate("status", err.Error())
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		gauge := strings.HasPrefix(line, "gangway_connections{") || strings.HasPrefix(line, "gangway_requests_in_flight")
		switch {
		case gauge && !strings.HasSuffix(line, " 0"):
			s.violate("status", line)
		case strings.HasPrefix(line, "gangway_responses_total"), strings.HasPrefix(line, "gangway_limit_hits_total"):
			s.print("%s", line)
		}
	}
}

// checkLog looks for what a gangway never says.
func (s *soak) checkLog() {
	text := s.gangway.text()
	before, _, _ := strings.Cut(text, "SIGQUIT: quit")
	for line := range strings.Lines(before) {
		if strings.Contains(line, "panic") || strings.Contains(line, "DATA RACE") {
			s.violate("log", strings.TrimSpace(line))
		}
	}
}
