package app_test

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/app"
)

// hostile serves connections with serve until the test ends.
func hostile(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var conns sync.WaitGroup
	closed := make(chan struct{})
	conns.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer c.Close()
				stop := make(chan struct{})
				defer close(stop)
				go func() {
					select {
					case <-closed:
						c.Close()
					case <-stop:
					}
				}()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		close(closed)
		ln.Close()
		conns.Wait()
	})
	return ln.Addr().String()
}

// survive runs all cases on a target that answers nonsense; the run must end in time, with a result for each case that is
// no fault of the suite.
func survive(t *testing.T, url string, total time.Duration) *conformance.Report {
	t.Helper()
	target := app.New(url)
	start := time.Now()
	report, err := conformance.Run(t.Context(), target, target.Cases(), conformance.Options{
		Patience: 50 * time.Millisecond, Limit: time.Second, Total: total, Force: true,
	})
	assert.Less(t, time.Since(start), total+30*time.Second)
	if !assert.NoError(t, err) {
		return &conformance.Report{}
	}
	assert.Len(t, report.Results, len(target.Cases()))
	for _, r := range report.Results {
		assert.NotEqual(t, conformance.SuiteError, r.Outcome, "%s: %s", r.Name, r.Got)
		assert.NotContains(t, r.Got, "panic", r.Name)
	}
	return report
}

// TestRandomServers runs the suite against 50 servers at once that answer with random bytes, some of which begin like records.
func TestRandomServers(t *testing.T) {
	t.Parallel()
	var runs sync.WaitGroup
	schemes := []string{"fcgi", "fcgi", "fcgi", "scgi", "uwsgi"}
	for seed := range uint64(50) {
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(seed, 0))
		address := hostile(t, func(c net.Conn) {
			mu.Lock()
			answer := randomAnswer(random)
			mu.Unlock()
			c.SetDeadline(time.Now().Add(time.Second))
			c.Read(make([]byte, 100))
			c.Write(answer)
			if seed%2 == 0 {
				io.Copy(io.Discard, c)
			}
		})
		url := schemes[seed%uint64(len(schemes))] + "://" + address
		runs.Go(func() {
			report := survive(t, url, 8*time.Second)
			assert.NotEmpty(t, report.Failures(conformance.May), "nonsense does not pass")
		})
	}
	runs.Wait()
}

// randomAnswer is noise, or noise in records whose headers are right but for one byte.
func randomAnswer(random *rand.Rand) []byte {
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	if random.IntN(4) == 0 {
		return noise(random.IntN(4000))
	}
	var answer []byte
	for range 1 + random.IntN(20) {
		content := noise(random.IntN(300))
		padding := random.IntN(8)
		header := []byte{1, byte(1 + random.IntN(12)), 0, byte(random.IntN(3)), byte(len(content) >> 8), byte(len(content)), byte(padding), 0}
		if random.IntN(8) == 0 {
			header[random.IntN(8)] = byte(random.Uint32())
		}
		answer = append(append(append(answer, header...), content...), noise(padding)...)
	}
	return answer
}

// TestTarpit runs the suite against a server that accepts, reads nothing, and says a byte now and then.
func TestTarpit(t *testing.T) {
	t.Parallel()
	address := hostile(t, func(c net.Conn) {
		for {
			if _, err := c.Write([]byte{1}); err != nil {
				return
			}
			time.Sleep(40 * time.Millisecond)
		}
	})
	report := survive(t, "fcgi://"+address, 10*time.Second)
	assert.Positive(t, report.Counts()[conformance.Hang])
	assert.Positive(t, report.Counts()[conformance.Skip], "what there was no time for")
}

// TestTarpitIsUnreachable: without Force nothing is run on it, and that is known soon.
func TestTarpitIsUnreachable(t *testing.T) {
	t.Parallel()
	address := hostile(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	start := time.Now()
	target := app.New("fcgi://" + address)
	_, err := conformance.Run(t.Context(), target, target.Cases(), conformance.Options{})
	assert.ErrorIs(t, err, conformance.ErrUnreachable)
	assert.Less(t, time.Since(start), 10*time.Second)
}
