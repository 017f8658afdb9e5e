// Dribble shows what clients that never finish a request header do to others: it starts gangway, measures how long a
// normal client waits, has other processes open thousands of connections and send a byte of a header now and then, and
// measures again. On a busy machine read the ratio to another gangway, which is asked in turn with the first one.
//
//	make dribble
//	go run ./bench/dribble -gangway bin/gangway -conns 10000 -time 60s
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

var (
	gangway = flag.String("gangway", "bin/gangway", "the program")
	conns   = flag.Int("conns", 10000, "connections that dribble")
	loaders = flag.Int("processes", 4, "processes that they come from")
	last    = flag.Duration("time", time.Minute, "time of each measurement")
	pause   = flag.Duration("pause", 5*time.Second, "time between two bytes of a connection, on average")
	limits  = flag.String("limits", "", "limits of gangway, as NAME=VALUE,NAME=VALUE")

	load = flag.String("load", "", "internal: open connections to this address")
	net2 = flag.Int("network", 0, "internal: the second byte of their addresses")
)

func main() {
	flag.Parse()
	var err error
	if *load != "" {
		dribble(*load)
	} else {
		err = run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dribble:", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "dribble-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	g, err := start(filepath.Join(dir, "status"))
	if err != nil {
		return err
	}
	defer g.stop()
	control, err := start(filepath.Join(dir, "control"))
	if err != nil {
		return err
	}
	defer control.stop()
	if _, err := measure(*last/10, g.address, control.address); err != nil { // to warm up
		return err
	}
	quiet, err := measure(*last, g.address, control.address)
	if err != nil {
		return err
	}
	fmt.Printf("%-30s %v; %s\n", "quiet:", quiet[0], g.memory())
	end, err := g.burden()
	if err != nil {
		return err
	}
	defer end()
	under, err := measure(*last, g.address, control.address)
	if err != nil {
		return err
	}
	open, hits, err := g.status()
	if err != nil {
		return err
	}
	fmt.Printf("%-30s %v; %s\n", fmt.Sprintf("%d connections dribble:", open), under[0], g.memory())
	fmt.Printf("%-30s %v\n", "another gangway meanwhile:", under[1])
	fmt.Printf("p99 to that of quiet: %s; to that of the other one: %s; limits reached: %v\n",
		ratios(under[0], quiet[0]), ratios(under[0], under[1]), hits)
	return nil
}

// A process is the running gangway.
type process struct {
	cmd             *exec.Cmd
	address, socket string
}

func start(socket string) (*process, error) {
	args := []string{"bridge", "--from", "http://127.0.0.1:0", "--to", "egi:hello", "--status", "http+unix://" + socket,
		"--log-level", "error"}
	for _, l := range strings.FieldsFunc(*limits, func(r rune) bool { return r == ',' }) {
		args = append(args, "--limit", l)
	}
	cmd := exec.Command(*gangway, args...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	g := &process{cmd: cmd, socket: socket}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		address, ok := strings.CutPrefix(lines.Text(), "listening on http://")
		if g.address = address; ok {
			go io.Copy(os.Stderr, stderr)
			return g, nil
		}
	}
	cmd.Wait()
	return nil, errors.New("gangway did not start")
}

func (g *process) stop() {
	g.cmd.Process.Signal(os.Interrupt)
	g.cmd.Wait()
}

// memory returns how much gangway uses.
func (g *process) memory() string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", g.cmd.Process.Pid))
	for line := range strings.Lines(string(b)) {
		var kb int
		if n, _ := fmt.Sscanf(line, "Pss: %d", &kb); n == 1 {
			return fmt.Sprintf("%d MB", kb>>10)
		}
	}
	return "memory unknown"
}

// status returns how many connections wait for a request, and how often limits were reached.
func (g *process) status() (waiting int, hits map[string]int, err error) {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", g.socket)
		},
	}}
	resp, err := client.Get("http://status/")
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	var report struct {
		Connections map[string]map[string]int
		Limits      map[string]int
	}
	err = json.NewDecoder(resp.Body).Decode(&report)
	for _, states := range report.Connections {
		waiting += states["header"]
	}
	return waiting, report.Limits, err
}

// burden has other processes open connections, and returns when they are there, or do not become more. They stand for
// other machines: so they do not compete for this one's processors.
func (g *process) burden() (end func(), err error) {
	var running []*exec.Cmd
	end = func() {
		for _, cmd := range running {
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	self, err := os.Executable()
	for i := 0; i < *loaders && err == nil; i++ {
		cmd := exec.Command("nice", "-n", "15", self, "-load", g.address, "-network", fmt.Sprint(i+1),
			"-conns", fmt.Sprint(*conns / *loaders), "-pause", pause.String())
		cmd.Stderr = os.Stderr
		if err = cmd.Start(); err == nil {
			running = append(running, cmd)
		}
	}
	for most, since := 0, time.Now(); err == nil && most < *conns*95/100 && time.Since(since) < 10*time.Second; {
		time.Sleep(time.Second)
		var open int
		if open, _, err = g.status(); open > most {
			most, since = open, time.Now()
		}
	}
	if err != nil {
		end()
	}
	return end, err
}

// A result is how long requests took, in order.
type result struct{ kept, fresh []time.Duration }

func (r *result) String() string {
	return fmt.Sprintf("%d requests; kept connection: median %v, p99 %v; new connection: median %v, p99 %v",
		len(r.kept)+len(r.fresh), at(r.kept, 50), at(r.kept, 99), at(r.fresh, 50), at(r.fresh, 99))
}

func at(times []time.Duration, percent int) time.Duration {
	return times[len(times)*percent/100].Round(time.Microsecond)
}

// ratios compares the p99 of a with that of b.
func ratios(a, b *result) string {
	ratio := func(a, b []time.Duration) float64 { return float64(at(a, 99)) / float64(at(b, 99)) }
	return fmt.Sprintf("%.2f on kept connections, %.2f on new ones", ratio(a.kept, b.kept), ratio(a.fresh, b.fresh))
}

// measure asks each address every few milliseconds, on a kept connection and on a new one, in an order that is left to
// chance: who comes first pays for waking up this process.
func measure(d time.Duration, addresses ...string) ([]*result, error) {
	kept := &http.Client{Transport: &http.Transport{}}
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	defer kept.CloseIdleConnections()
	results := make([]*result, len(addresses))
	for i := range results {
		results[i] = &result{}
	}
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for _, n := range rand.Perm(2 * len(results)) {
			r, client := results[n/2], kept
			times := &r.kept
			if n%2 == 1 {
				client, times = fresh, &r.fresh
			}
			if err := r.ask(client, times, addresses[n/2]); err != nil {
				return nil, err
			}
		}
	}
	for _, r := range results {
		slices.Sort(r.kept)
		slices.Sort(r.fresh)
	}
	return results, nil
}

// ask asks once.
func (r *result) ask(client *http.Client, times *[]time.Duration, address string) error {
	began := time.Now()
	resp, err := client.Get("http://" + address + "/")
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d, %w", resp.StatusCode, err)
	}
	*times = append(*times, time.Since(began))
	return nil
}

// spread is the time in which connections are opened: less than header-timeout, and not at once, for so they end.
const spread = 20 * time.Second

// dribble keeps connections open for ever, each from an address of its own.
func dribble(address string) {
	for i := range *conns {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, byte(*net2), byte(i>>8), byte(i))}}
		go func() {
			for {
				if c, err := d.Dial("tcp", address); err == nil {
					send(c)
				} else {
					time.Sleep(time.Second)
				}
			}
		}()
		time.Sleep(spread / time.Duration(*conns))
	}
	select {}
}

// send sends a header that has no end, byte by byte, until the connection does.
func send(c net.Conn) {
	defer c.Close()
	header := "GET / HTTP/1.1\r\nHost: localhost\r\nCookie: " + strings.Repeat("dribble", 1000)
	for i := range len(header) {
		if _, err := io.WriteString(c, header[i:i+1]); err != nil {
			return
		}
		c.SetReadDeadline(time.Now().Add(time.Duration(rand.Float64() * 2 * float64(*pause))))
		if _, err := io.Copy(io.Discard, c); err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return // closed; what it is told does not matter
		}
	}
}
