//go:build unix

package http1_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/peer"
)

// load runs a load generator on the site and returns what it prints. POST stands for a file with 20,000 bytes.
func load(t *testing.T, site string, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "post")
	require.NoError(t, os.WriteFile(file, payload[:20_000], 0o600))
	for i, arg := range args {
		args[i] = strings.NewReplacer("SITE", "http://"+site, "POST", file).Replace(arg)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, peer.Need(t, args[0]), args[1:]...).CombinedOutput()
	assert.NoError(t, err, string(out))
	return string(out)
}

// TestLoad has load generators send requests over eight connections at once.
func TestLoad(t *testing.T) {
	const (
		abDone     = `Complete requests: +1000\nFailed requests: +0\n`
		h2loadDone = ` 1000 done, 1000 succeeded, 0 failed, 0 errored, 0 timeout\nstatus codes: 1000 2xx, `
	)
	tests := []struct {
		name, app, args string
		want            string // regular expression
		least, most     int64  // connections: ab begins more than it needs, wrk one to try
	}{
		{"ab", "EGI", "ab -q -n 1000 -c 8 SITE/give?n=1000&length", abDone, 1000, 1008},
		{"ab, kept", "FastCGI", "ab -q -k -n 1000 -c 8 SITE/give?n=1000&length", abDone + `Keep-Alive requests: +1000\n`,
			8, 8},
		{"ab, POST", "FastCGI", "ab -q -n 1000 -c 8 -p POST -T text/plain SITE/upload", abDone, 1000, 1008},
		{"ab, POST, kept", "EGI", "ab -q -k -n 1000 -c 8 -p POST -T text/plain SITE/upload",
			abDone + `Keep-Alive requests: +1000\n`,
			8, 8},
		{"h2load", "FastCGI", "h2load --h1 -n 1000 -c 8 SITE/give?n=1000", h2loadDone, 8, 8},
		{"h2load, pipelining", "EGI", "h2load --h1 -n 1000 -c 8 -m 8 SITE/give?n=1000", h2loadDone, 8, 8},
		{"h2load, POST, pipelining", "FastCGI", "h2load --h1 -n 1000 -c 8 -m 8 -d POST SITE/upload", h2loadDone, 8, 8},
		// Errors would stand between the two lines.
		{"wrk", "EGI", "wrk -t 1 -c 8 -d 1s SITE/give?n=100000", ` requests in .*\nRequests/sec: `, 9, 9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, applications[tt.app](t))
			out := load(t, s.address, strings.Fields(tt.args)...)
			assert.Regexp(t, tt.want, out)
			assert.NotContains(t, out, "Non-2xx")
			assert.GreaterOrEqual(t, s.accepted.Load(), tt.least, "connections")
			assert.LessOrEqual(t, s.accepted.Load(), tt.most, "connections")
			s.answersAll(t)
		})
	}
}

// TestDrain replaces a Server by another one while clients use it: the old one is shut down, and the new one takes the
// connections that come from then on. Each request that an application saw is answered in full. What is lost is at most
// one for each connection: it was on its way when the connection, idle, was closed.
func TestDrain(t *testing.T) {
	const clients = 8
	tests := []struct {
		name, args     string
		sent, answered string // regular expressions
		comesBack      bool   // makes another connection for what it has not sent when one is closed
	}{
		{"ab", "ab -q -r -k -n 4000 -c 8 SITE/give?n=1000&length",
			`Complete requests: +(\d+)`, `HTML transferred: +(\d+)000 bytes`, true},
		{"h2load", "h2load --h1 -n 4000 -c 8 SITE/give?n=1000", ` (\d+) started, `, ` (\d+) succeeded, `, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer ln.Close()
			first, second := handOver(ln)
			old := serve(t, adapters.HandlerFunc(reference), first)
			young := serve(t, adapters.HandlerFunc(reference), second)
			shut := make(chan error, 1)
			go func() {
				for old.begun.Load() < 1000 && t.Context().Err() == nil {
					time.Sleep(time.Millisecond)
				}
				shut <- old.Shutdown(t.Context())
			}()
			out := load(t, ln.Addr().String(), strings.Fields(tt.args)...)
			assert.NoError(t, <-shut)
			number := func(pattern string) int64 {
				found := regexp.MustCompile(pattern).FindStringSubmatch(out)
				require.NotNil(t, found, "no %s in %s", pattern, out)
				n, err := strconv.ParseInt(found[1], 10, 64)
				require.NoError(t, err)
				return n
			}
			assert.Equal(t, old.begun.Load()+young.begun.Load(), number(tt.answered), out)
			assert.LessOrEqual(t, number(tt.sent)-number(tt.answered), int64(clients), out)
			assert.EqualValues(t, clients, old.accepted.Load())
			if tt.comesBack {
				assert.Positive(t, young.begun.Load())
			}
			old.answersAll(t)
			young.answersAll(t)
		})
	}
}

// handOver returns two listeners: what ln accepts goes to the first until that is closed, and then to the second.
func handOver(ln net.Listener) (first, second net.Listener) {
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	begun := make(chan struct{})
	close(begun)
	one := &turn{Listener: ln, accepted: accepted, begun: begun, over: make(chan struct{})}
	return one, &turn{Listener: ln, accepted: accepted, begun: one.over, over: make(chan struct{})}
}

// A turn is the time in which a Server takes the connections of a listener.
type turn struct {
	net.Listener
	accepted <-chan net.Conn
	begun    <-chan struct{} // closed when it has
	over     chan struct{}   // likewise
	once     sync.Once
}

func (l *turn) Accept() (net.Conn, error) {
	select {
	case <-l.over:
		return nil, net.ErrClosed
	case <-l.begun:
	}
	select {
	case <-l.over:
	case c, ok := <-l.accepted:
		if ok {
			return c, nil
		}
	}
	return nil, net.ErrClosed
}

func (l *turn) Close() error {
	l.once.Do(func() { close(l.over) })
	return nil
}
