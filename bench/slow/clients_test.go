//go:build linux

package slow

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The pace of the slow clients.
const (
	uploadPause = time.Second / 2 // for each byte
	readPart    = 512
	readPause   = time.Second / 10
)

// far has a connection of loopback behave like one to a client far away: small packets, and little room for what it
// does not read.
func far(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 1400)
		syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 8<<10)
	})
}

// Slow clients, until they are stopped.
type slowClients struct {
	t       *testing.T
	address string
	stop    chan struct{}
	running sync.WaitGroup
	ended   atomic.Int64 // before they were stopped
	begun   atomic.Int64 // readers that got something
}

// start has so many clients upload to the path and as many read from it.
func startClients(t *testing.T, address, path string, uploaders, readers int) *slowClients {
	c := &slowClients{t: t, address: address, stop: make(chan struct{})}
	for range uploaders {
		c.run("POST "+path+"/upload HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n", c.upload)
	}
	for range readers {
		c.run("GET "+path+"/big HTTP/1.1\r\nHost: h\r\n\r\n", c.read)
	}
	return c
}

// run sends the head and goes on with act until it ends.
func (c *slowClients) run(head string, act func(net.Conn) error) {
	conn, err := (&net.Dialer{Control: far}).Dial("tcp", c.address)
	require.NoError(c.t, err)
	_, err = io.WriteString(conn, head)
	require.NoError(c.t, err)
	c.running.Go(func() {
		defer conn.Close()
		for {
			if act(conn) != nil {
				c.ended.Add(1)
				return
			}
			select {
			case <-c.stop:
				return
			case <-time.After(readPause):
			}
		}
	})
}

func (c *slowClients) upload(conn net.Conn) error {
	time.Sleep(uploadPause - readPause)
	_, err := conn.Write([]byte("x"))
	return err
}

func (c *slowClients) read(conn net.Conn) error {
	n, err := conn.Read(make([]byte, readPart))
	c.begun.Add(int64(n))
	return err
}

// end ends them. None may have ended by itself.
func (c *slowClients) end() {
	close(c.stop)
	c.running.Wait()
	assert.Zero(c.t, c.ended.Load(), "slow clients were cut off")
}

// Latencies of requests.
type latencies []time.Duration

func (l latencies) quantile(q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	slices.Sort(l)
	return l[min(len(l)-1, int(q*float64(len(l))))]
}

// others asks for a small answer, from so many connections, and returns how long each answer took, and how often there
// was none within a few seconds.
func others(address, path string, connections int, during time.Duration) (all latencies, failed int) {
	var mu sync.Mutex
	var asking sync.WaitGroup
	end := time.Now().Add(during)
	for range connections {
		asking.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second}
			defer client.CloseIdleConnections()
			for time.Now().Before(end) {
				began := time.Now()
				err := hello(client, "http://"+address+path)
				mu.Lock()
				if err != nil {
					failed++
				} else {
					all = append(all, time.Since(began))
				}
				mu.Unlock()
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	asking.Wait()
	return all, failed
}

// hello asks for the small answer.
func hello(client *http.Client, url string) error {
	resp, err := client.Get(url + "/hello")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && string(text) != "hello\n" {
		err = fmt.Errorf("%s: %.80q", resp.Status, text)
	}
	return err
}

// openBig asks for the large answer over a connection to far away.
func openBig(t *testing.T, address, target string) *http.Response {
	conn, err := (&net.Dialer{Control: far}).Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: h\r\n\r\n")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	return resp
}
