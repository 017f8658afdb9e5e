package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/execfile"
	"github.com/gangway-go/gangway/internal/peer"
)

// lifecycleTime is how long TestLifecycle lasts at least; DURATION of "make lifecycle" is more.
const lifecycleTime = 5 * time.Second

// slowScript is a CGI program whose requests are under way whenever something happens.
const slowScript = "#!/bin/sh\nsleep 0.3\nprintf 'Content-Type: text/plain\\n\\nREQUEST_URI=%s\\n' \"$REQUEST_URI\"\n"

// TestLifecycle puts a gateway under load, by HTTP and through nginx, while it is upgraded three times and, with its
// sockets held by a service manager, restarted three times. No request may fail.
func TestLifecycle(t *testing.T) {
	duration, err := time.ParseDuration(cmp.Or(os.Getenv("GANGWAY_LIFECYCLE"), lifecycleTime.String()))
	require.NoError(t, err)
	dir := peer.Dir(t)
	require.NoError(t, execfile.WriteFile(filepath.Join(dir, "slow.sh"), []byte(slowScript), 0o755))
	m := newManager(t, dir, "web", "fcgi", "scgi")
	m.start("bridge", "--from", "http+fd:web", "--from", "fcgi+fd:fcgi", "--from", "scgi+fd:scgi", "--to", "egi:echo",
		"--mount", "/slow=cgi:"+dir+"/slow.sh", "--mount", "/app=fcgi+exec:exec gangway bridge --from fcgi+fd:0 --to egi:echo",
		"--user", "self", "--grace", "30s", "--log-level", "warn")
	l := newLoad(m.address("web"), startLoadedNginx(t, m))
	for range 3 {
		l.pause(duration / 6)
		l.event("upgrade", m.upgrade)
		l.pause(duration / 6)
		l.event("restart", m.restart)
	}
	l.pause(0)
	l.end(t)
	m.stop()
	assert.Equal(t, 7, len(m.ended), "processes that have ended: %v", m.ended)
	for _, code := range m.ended {
		assert.Zero(t, code, "exit codes %v", m.ended)
	}
}

// startLoadedNginx starts nginx with a new connection for each request, by FastCGI and SCGI, and with kept ones.
func startLoadedNginx(t *testing.T, m *manager) string {
	return peer.Nginx(t, fmt.Sprintf(`
		location / { include /etc/nginx/fastcgi_params; fastcgi_pass unix:%s; }
		location /scgi/ { include /etc/nginx/scgi_params; scgi_pass unix:%s; }
		location /kept/ { include /etc/nginx/fastcgi_params; fastcgi_keep_conn on; fastcgi_pass kept; }`,
		m.address("fcgi"), m.address("scgi")),
		fmt.Sprintf("upstream kept { server unix:%s; keepalive 8; }", m.address("fcgi")))
}

// A load is clients that ask without a pause, or with short ones, and never twice.
type load struct {
	stop  context.CancelFunc
	ctx   context.Context
	all   sync.WaitGroup
	began time.Time

	mu     sync.Mutex
	counts map[string]*count
	events []string
}

// A count is what clients of a kind have seen.
type count struct {
	requests, connections, failed int
	slowest                       time.Duration
	first                         error // failure
}

// newLoad starts clients of a gateway and of an nginx before it.
func newLoad(gateway, nginx string) *load {
	l := &load{counts: map[string]*count{}, began: time.Now()}
	l.ctx, l.stop = context.WithCancel(context.Background())
	for name, c := range map[string]client{
		"http, kept connections":       {addr: gateway, keep: true, pause: 200 * time.Millisecond},
		"http, kept connections, busy": {addr: gateway, keep: true, pause: 5 * time.Millisecond},
		"http, new connections":        {addr: gateway, pause: 20 * time.Millisecond},
		"http, slow application":       {addr: gateway, keep: true, path: "/slow", pause: 10 * time.Millisecond},
		"http, slow upload":            {addr: gateway, keep: true, upload: true, pause: 100 * time.Millisecond},
		"http, gateway's application":  {addr: gateway, keep: true, path: "/app", pause: 50 * time.Millisecond},
		"nginx, fastcgi_pass":          {addr: nginx, keep: true, pause: 20 * time.Millisecond},
		"nginx, scgi_pass":             {addr: nginx, keep: true, path: "/scgi", pause: 20 * time.Millisecond},
		"nginx, fastcgi_keep_conn":     {addr: nginx, keep: true, path: "/kept", get: true, pause: 20 * time.Millisecond},
		"nginx, slow application":      {addr: nginx, keep: true, path: "/slow", pause: 10 * time.Millisecond},
	} {
		c.count = &count{}
		l.counts[name] = c.count
		for i := range 4 {
			l.all.Go(func() { c.run(l, fmt.Sprintf("%s/%d", c.path, i)) })
		}
	}
	return l
}

// pause lets the load go on for at least d, and until each kind of client had another answer.
func (l *load) pause(d time.Duration) {
	before := l.requests()
	time.Sleep(d)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		stuck := false
		for name, n := range l.requests() {
			stuck = stuck || n == before[name]
		}
		if !stuck {
			return
		}
	}
}

func (l *load) requests() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := map[string]int{}
	for name, c := range l.counts {
		n[name] = c.requests
	}
	return n
}

func (l *load) event(name string, happen func()) {
	begin := time.Now()
	happen()
	l.events = append(l.events, fmt.Sprintf("%6.2f s: %s, %.2f s", begin.Sub(l.began).Seconds(), name, time.Since(begin).Seconds()))
}

// end ends the load and prints what it has seen.
func (l *load) end(t *testing.T) {
	l.stop()
	l.all.Wait()
	took := time.Since(l.began)
	var table strings.Builder
	requests, connections, failed := 0, 0, 0
	for name, c := range l.counts {
		fmt.Fprintf(&table, "\n%-30s %7d requests, %6d connections, %d failed, slowest %.2f s", name, c.requests, c.connections,
			c.failed, c.slowest.Seconds())
		requests, connections, failed = requests+c.requests, connections+c.connections, failed+c.failed
		assert.Zero(t, c.failed, "%s: %v", name, c.first)
		assert.NotZero(t, c.requests, name)
	}
	t.Logf("%.1f s: %d requests on %d connections, %d failed\n%s%s", took.Seconds(), requests, connections, failed,
		strings.Join(l.events, "\n"), table.String())
}

// A client asks again and again.
type client struct {
	addr   string
	path   string        // what targets begin with
	keep   bool          // one connection for several requests
	get    bool          // no request that nobody may repeat
	upload bool          // bodies that take their time
	pause  time.Duration // at most, between two requests; shorter than a gateway leaves a connection idle when it ends
	count  *count
}

func (c client) run(l *load, target string) {
	var conn *clientConn
	for n := 0; l.ctx.Err() == nil; n++ {
		begin, connections := time.Now(), 0
		var err error
		if conn == nil {
			conn, err = dialClient(c.addr)
			connections++
		}
		if err == nil {
			err = c.ask(conn, fmt.Sprintf("%s/%d", target, n), n)
		}
		l.mu.Lock()
		c.count.requests++
		c.count.connections += connections
		if c.count.slowest = max(c.count.slowest, time.Since(begin)); err != nil {
			c.count.failed++
			c.count.first = cmp.Or(c.count.first, fmt.Errorf("after %v: %w", time.Since(l.began), err))
		}
		l.mu.Unlock()
		if conn != nil && (err != nil || conn.over) {
			conn.Close()
			conn = nil
		}
		time.Sleep(rand.N(c.pause))
	}
	if conn != nil {
		conn.Close()
	}
}

// A clientConn is a connection of a client that, unlike Go's, never sends a request again.
type clientConn struct {
	net.Conn
	br   *bufio.Reader
	over bool // the server has said that it takes no more
}

func dialClient(addr string) (*clientConn, error) {
	nc, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	nc.SetDeadline(time.Now().Add(10 * time.Minute))
	return &clientConn{Conn: nc, br: bufio.NewReader(nc)}, nil
}

// ask sends a request, each second one with a body, and checks the answer.
func (c client) ask(conn *clientConn, target string, n int) error {
	conn.SetDeadline(time.Now().Add(patience))
	fields := "Host: h\r\n"
	if !c.keep {
		fields += "Connection: close\r\n"
	}
	want, method, pieces := "REQUEST_URI="+target+"\n", "GET", []string{""}
	switch {
	case c.upload:
		method, fields = "POST", fields+"Content-Length: 40\r\n"
		pieces = []string{"", "0123456789", "0123456789", "0123456789", "0123456789"}
	case !c.get && n%2 == 0:
		method, fields, pieces = "POST", fields+"Content-Length: 5\r\n", []string{"hello"}
	}
	text := fmt.Sprintf("%s %s HTTP/1.1\r\n%s\r\n", method, target, fields)
	for i, piece := range pieces {
		if i > 0 {
			time.Sleep(rand.N(c.pause))
		}
		if _, err := io.WriteString(conn, text+piece); err != nil {
			return fmt.Errorf("%s %s: %w", method, target, err)
		}
		text = ""
	}
	resp, err := http.ReadResponse(conn.br, nil)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, target, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", method, target, err)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s %s: %s", method, target, resp.Status)
	case !strings.Contains(string(body), want):
		return errors.New("not the answer to " + target + ": " + string(body))
	}
	conn.over = resp.Close
	return nil
}
