package cli

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/peer"
)

// reachedFiles are the applications of TestLimitsReached.
var reachedFiles = map[string]string{
	"app.sh": `#!/bin/sh
dir=${SCRIPT_FILENAME%/*}
case $QUERY_STRING in think) exec sleep 60 ;; esac
printf 'Content-Type: text/plain\n\n'
case $QUERY_STRING in
hold)
	mkdir "$dir/running" || echo overlap
	echo begun
	while [ ! -e "$dir/release" ]; do sleep 0.1; done
	rmdir "$dir/running" ;;
length) wc -c ;;
loud) for i in 1 2 3 4 5 6 7 8 9; do echo "noise $i" >&2; done ;;
large) exec head -c 64000000 /dev/zero ;;
trickle) while echo x; do sleep 0.1; done ;;
esac
echo end
`,
	"chatty.sh": `#!/bin/sh
for i in 1 2 3 4 5 6 7 8 9; do text="${text}noise $i
"; done
printf %s "$text"
exec gangway bridge --from fcgi+fd:0 --to egi:echo
`,
	"mute.sh": `#!/bin/sh
echo start >> "${0%/*}/starts"
exec sleep 60
`,
	"wsgi/app.py": `import os, time
release = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'release')
def application(environ, start_response):
    while not os.path.exists(release):
        time.sleep(0.1)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'end\n']
`,
}

// processes is how many processes an application of serve has.
var processes = min(max(runtime.NumCPU(), 2), 4)

const (
	http0     = "--from http://127.0.0.1:0"
	toApp     = " --to cgi:$DIR/app.sh"
	bridgeApp = "bridge " + http0 + toApp
	serveWSGI = "serve $DIR/wsgi --listen http://127.0.0.1:0 --log-level debug"
)

// reached are limits, what reaches them, and how often that is. What the scripts of testdata reach is not here.
var reached = []struct {
	name   string
	args   string
	ask    func(g *limited)
	counts map[string]int
}{
	{"spool-disk", bridgeApp + " --limit spool-disk=1k", (*limited).spools, map[string]int{"spool-disk": 1}},
	{"spool-memory", bridgeApp + " --limit spool-memory=1k", (*limited).spools, map[string]int{"spool-memory": 1}},
	{"queue", serveWSGI + " --limit queue=1", queues(processes, 1), map[string]int{"queue": 1}},
	{"queue-wait", serveWSGI + " --limit queue-wait=300ms", queues(processes, 0), map[string]int{"queue-wait": 1}},
	{"cgi-scripts, queue", bridgeApp + " --limit cgi-scripts=1 --limit queue=1", queues(1, 1),
		map[string]int{"queue": 1}},
	{"cgi-scripts, queue-wait", bridgeApp + " --limit cgi-scripts=1 --limit queue-wait=300ms", queues(1, 0),
		map[string]int{"queue-wait": 1}},
	{"connect-timeout", "bridge " + http0 + " --to fcgi://$FULL --mount /scgi=scgi://$FULL " +
		"--mount /http=http://$FULL --mount /gofast=fcgi+gofast://$FULL --limit connect-timeout=300ms",
		(*limited).cannotConnect, map[string]int{"connect-timeout": 4}},
	{"connections", bridgeApp + " --limit connections=1", tooMany("503"), map[string]int{"connections": 1}},
	{"connections, net", bridgeApp + " --http net --limit connections=1", tooMany(""),
		map[string]int{"connections": 1}},
	{"connections, idle", bridgeApp + " --limit connections=2", (*limited).evicts, map[string]int{"connections": 1}},
	{"connections, FastCGI", "bridge --from fcgi://127.0.0.1:0" + toApp + " --limit connections=1",
		(*limited).waits, nil},
	{"client-connections", bridgeApp + " --limit client-connections=1", tooMany("503"),
		map[string]int{"client-connections": 1}},
	{"client-connections, net", bridgeApp + " --http net --limit client-connections=1", tooMany(""),
		map[string]int{"client-connections": 1}},
	{"write-timeout", bridgeApp + " --mount /files=static:$DIR --limit write-timeout=300ms --limit spool=1m",
		(*limited).readsNothing, map[string]int{"write-timeout": 2}},
	{"request-timeout", bridgeApp + " --limit request-timeout=3s", func(g *limited) {
		trickle := g.open(0, "/?trickle")
		assert.Equal(g.t, "504", g.get("/?think").status)
		assert.Equal(g.t, "200, cut", trickle.answer().status)
	}, map[string]int{"request-timeout": 2}},
	{"stderr", "bridge " + http0 + " --from scgi://127.0.0.1:0" + toApp + " --limit stderr=30", func(g *limited) {
		assert.Equal(g.t, answer{"200", "end\n"}, g.get("/?loud"))
		assert.Equal(g.t, answer{"200", "end\n"}, g.given(1, "/?loud"))
		g.logs(`line="noise 3"`, true)
		g.logs(`noise 5`, false)
	}, map[string]int{"stderr": 2}},
	{"stderr-lines", "bridge " + http0 + " --to fcgi+exec:$DIR/chatty.sh --limit stderr-lines=4", func(g *limited) {
		assert.Equal(g.t, "200", g.get("/").status)
		g.logs(`line="noise 4"`, true)
		g.logs(`noise 5`, false)
	}, map[string]int{"stderr-lines": 1}},
	{"idle-timeout", bridgeApp + " --limit idle-timeout=300ms", func(g *limited) {
		c := g.open(0, "/")
		assert.Equal(g.t, answer{"200", "end\n"}, c.answer())
		assert.Equal(g.t, answer{}, c.answer())
	}, nil},
	{"header-timeout", "bridge " + http0 + " --from fcgi://127.0.0.1:0 --from scgi://127.0.0.1:0" + toApp +
		" --limit header-timeout=300ms", func(g *limited) {
		begun := []string{"GET / HTTP/1.1\r\n", "\x01\x01\x00\x01\x00\x08", "70:CONTENT_LENGTH"}
		for i, want := range []string{"408", "", ""} {
			c := g.dial(i)
			_, err := io.WriteString(c, begun[i])
			require.NoError(g.t, err)
			assert.Equal(g.t, want, c.answer().status, i)
		}
	}, map[string]int{"header-timeout": 3}},
	{"boot-timeout", "bridge " + http0 + " --to egi:echo --mount /mute=fcgi+exec:$DIR/mute.sh " +
		"--limit boot-timeout=300ms",
		func(g *limited) {
			assert.Equal(g.t, "503", g.get("/mute").status)
			assert.Equal(g.t, "200", g.get("/").status)
			g.await(func(c *assert.CollectT) {
				starts, _ := os.ReadFile(g.dir + "/starts")
				assert.Contains(c, string(starts), "start\nstart\n")
			})
		}, map[string]int{"boot-timeout": atLeastTwo}},
	{"none", "bridge " + http0 + " --from fcgi://127.0.0.1:0 --from scgi://127.0.0.1:0" + toApp +
		" --mount /chatty=fcgi+exec:$DIR/chatty.sh $NONE", func(g *limited) {
		for i, get := range []func(int, string) answer{g.getFrom, g.given, g.given} {
			assert.Equal(g.t, answer{"200", "end\n"}, get(i, "/?loud"))
		}
		assert.Equal(g.t, "200", g.get("/chatty").status)
	}, nil},
}

// atLeastTwo is a count of what happens again.
const atLeastTwo = -2

// TestLimitsReached reaches limits of the program, as docs/limits.md has them: the client sees it, the log names it,
// and --status counts it.
func TestLimitsReached(t *testing.T) {
	peer.Need(t, "python3")
	var all sync.WaitGroup
	atOnce := make(chan struct{}, 6) // most of them wait most of the time
	for _, tt := range reached {
		atOnce <- struct{}{}
		all.Go(func() {
			defer func() { <-atOnce }()
			t.Run(tt.name, func(t *testing.T) {
				g := startLimited(t, tt.args)
				tt.ask(g)
				g.await(func(c *assert.CollectT) { sameCounts(c, tt.counts, g.report().Limits) })
				g.end()
				sameCounts(t, tt.counts, g.logged())
			})
		})
	}
	all.Wait()
}

func sameCounts(t assert.TestingT, want, got map[string]int) {
	for name, n := range want {
		if n == atLeastTwo {
			assert.GreaterOrEqual(t, got[name], 2, name)
			return
		}
	}
	if len(want) > 0 || len(got) > 0 {
		assert.Equal(t, want, got)
	}
}

// hold has a request run until the release.
func (g *limited) hold() *clientConn {
	c := g.open(0, "/?hold")
	_, err := c.br.Peek(1)
	require.NoError(g.t, err)
	return c
}

// spools sends a body of unknown length, which has no room, and one that needs none.
func (g *limited) spools() {
	body := strings.Repeat("0123456789", 10_000)
	c := g.dial(0)
	_, err := fmt.Fprintf(c, "POST /?length HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:1])
	require.NoError(g.t, err)
	time.Sleep(200 * time.Millisecond) // so it is slow
	_, err = io.WriteString(c, body[1:])
	require.NoError(g.t, err)
	assert.Equal(g.t, answer{"200", "100000\nend\n"}, c.answer())
	c = g.dial(0)
	_, err = fmt.Fprintf(c, "POST /?length HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"+
		"%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	require.NoError(g.t, err)
	assert.Equal(g.t, "503", c.answer().status)
}

// queues asks once more than there is room for.
func queues(running, waiting int) func(g *limited) {
	return func(g *limited) {
		g.await(func(c *assert.CollectT) {
			if strings.Contains(g.log(), "level=DEBUG") {
				assert.Equal(c, running, strings.Count(g.log(), "process started"))
			}
		})
		answers := make(chan answer, running+waiting+1)
		for range cap(answers) {
			c := g.open(0, "/?hold")
			go func() { answers <- c.answer() }()
		}
		assert.Equal(g.t, "503", (<-answers).status)
		g.release()
		for range running + waiting {
			a := <-answers
			assert.Equal(g.t, "200", a.status)
			assert.NotContains(g.t, a.body, "overlap")
		}
	}
}

// tooMany has a connection that is one too many.
func tooMany(status string) func(g *limited) {
	return func(g *limited) {
		held := g.hold()
		assert.Equal(g.t, status, g.dial(0).answer().status)
		g.release()
		assert.Equal(g.t, answer{"200", "begun\nend\n"}, held.answer())
	}
}

// evicts has a connection in whose favor an idle one is closed.
func (g *limited) evicts() {
	closed := make(chan answer, 2)
	for range cap(closed) {
		c := g.open(0, "/")
		assert.Equal(g.t, answer{"200", "end\n"}, c.answer())
		go func() { closed <- c.answer() }()
	}
	g.await(func(c *assert.CollectT) {
		assert.Equal(c, map[string]int{"idle": 2}, g.report().Connections[g.urls[0]])
	})
	time.Sleep(200 * time.Millisecond) // so they are not fresh
	assert.Equal(g.t, answer{"200", "end\n"}, g.get("/"))
	assert.Equal(g.t, answer{}, <-closed)
	assert.Empty(g.t, closed)
}

// waits has a web server's connection wait until another one is closed.
func (g *limited) waits() {
	_, end := g.ask(0, "/")
	answers := make(chan answer, 1)
	go func() { answers <- g.given(0, "/") }()
	time.Sleep(300 * time.Millisecond)
	assert.Empty(g.t, answers)
	end()
	assert.Equal(g.t, answer{"200", "end\n"}, <-answers)
}

// readsNothing has clients that do not read their responses: of an application, and of a file.
func (g *limited) readsNothing() {
	require.NoError(g.t, os.WriteFile(g.dir+"/large", nil, 0o644))
	require.NoError(g.t, os.Truncate(g.dir+"/large", 64_000_000))
	for i, target := range []string{"/?large", "/files/large"} {
		c := g.open(0, target)
		g.await(func(t *assert.CollectT) { assert.Equal(t, i+1, g.report().Limits["write-timeout"]) })
		assert.Equal(g.t, "200, cut", c.answer().status)
	}
}

// cannotConnect asks applications that take no connection.
func (g *limited) cannotConnect() {
	for _, path := range []string{"/", "/scgi", "/http", "/gofast"} {
		assert.Equal(g.t, "504", g.get(path).status, path)
	}
	g.await(func(t *assert.CollectT) {
		assert.Equal(t, 4, strings.Count(g.log(), `msg="request failed" `), "requests")
	})
	g.logs("no connection within 300ms (limit connect-timeout)", true)
}
