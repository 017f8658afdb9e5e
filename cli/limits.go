package cli

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/apps"
	"github.com/gangway-go/gangway/adapters/http1"
	"github.com/gangway-go/gangway/adapters/middleware"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/adapters/pool"
	"github.com/gangway-go/gangway/cgi"
	"github.com/gangway-go/gangway/fastcgi"
)

// limits are all that --limit sets. Each is 0 for none, but for connections, where -1 is none and 0 the default.
type limits struct {
	middleware.Limits
	variables, connections, clientConnections  int64
	spool, spoolMemory, spoolDisk, bodyRate    int64
	responseHeader, stderr, stderrLines, queue int64

	headerTimeout, idleTimeout, writeTimeout, connectTimeout time.Duration
	queueWait, bootTimeout                                   time.Duration

	cgi cgi.Limits // below 0 is what is best: none, but in a sandbox
}

func defaultLimits() *limits {
	return &limits{
		Limits:    *middleware.DefaultLimits(),
		variables: fastcgi.DefaultMaxParams, spool: adapters.DefaultSpoolLimit,
		spoolMemory: adapters.DefaultSpoolMemory, spoolDisk: adapters.DefaultSpoolDisk, bodyRate: adapters.DefaultBodyRate,
		responseHeader: adapters.DefaultHeaderLimit, stderr: adapters.DefaultStderrLimit,
		stderrLines: pool.DefaultMaxLines, queue: pool.DefaultQueue,

		headerTimeout: http1.DefaultHeaderTimeout, idleTimeout: http1.DefaultIdleTimeout,
		writeTimeout: http1.DefaultWriteTimeout, connectTimeout: open.DefaultConnectTimeout,
		queueWait: pool.DefaultWait, bootTimeout: pool.DefaultBoot,

		cgi: cgi.Limits{
			CPU: -1, Memory: -1, FileSize: -1, Files: -1, Processes: -1, Time: -1, Output: -1, Scripts: cgi.DefaultScripts,
		},
	}
}

// A limit is a row of the table from which the command line, its help and docs/limits.md are made.
type limit struct {
	name   string
	field  func(*limits) any // *int64 or *time.Duration
	status int               // of a request that reaches it; 0 if it has none, or if it has an answer already
	doc    string            // what it bounds
	then   string            // what happens beside the status
	fields string            // what it is called in the library
}

const cutShort = "a response that has begun is cut short"

var limitTable = []limit{
	{"uri", func(l *limits) any { return &l.URI }, http.StatusRequestURITooLong,
		"bytes of a request's path and query", "", "middleware.Limits.URI"},
	{"header-bytes", func(l *limits) any { return &l.HeaderBytes }, http.StatusRequestHeaderFieldsTooLarge,
		"bytes of all request header fields", "", "middleware.Limits.HeaderBytes, http1.Server.MaxHeader"},
	{"header-fields", func(l *limits) any { return &l.HeaderFields }, http.StatusRequestHeaderFieldsTooLarge,
		"number of request header fields", "", "middleware.Limits.HeaderFields"},
	{"variables", func(l *limits) any { return &l.variables }, http.StatusRequestHeaderFieldsTooLarge,
		"bytes of a request's variables, from a web server that speaks FastCGI or SCGI", "",
		"fastcgi.Server.MaxParams, scgi.Server.HeaderLimit"},
	{"body", func(l *limits) any { return &l.Body }, http.StatusRequestEntityTooLarge,
		"bytes of a request body", "", "middleware.Limits.Body"},
	{"spool", func(l *limits) any { return &l.spool }, http.StatusRequestEntityTooLarge,
		"bytes of one body that is kept for a slow client, or because its length is unknown",
		"a response waits for its client", "adapters.Bodies.Limit, SpoolLimit of the clients and cgi.Script"},
	{"spool-memory", func(l *limits) any { return &l.spoolMemory }, http.StatusServiceUnavailable,
		"bytes of all such bodies in memory", "what has a known length is passed on as it comes", "adapters.Bodies.Memory"},
	{"spool-disk", func(l *limits) any { return &l.spoolDisk }, http.StatusServiceUnavailable,
		"bytes of all such bodies in unnamed files in TMPDIR", "what has a known length is passed on as it comes",
		"adapters.Bodies.Disk"},
	{"body-rate", func(l *limits) any { return &l.bodyRate }, http.StatusRequestTimeout,
		"bytes per second that a client must send of a body that is passed on as it comes, half a minute at most behind",
		cutShort, "adapters.Bodies.Rate"},
	{"response-header", func(l *limits) any { return &l.responseHeader }, http.StatusBadGateway,
		"bytes of an application's response header", "", "HeaderLimit of the clients and cgi.Script"},
	{"stderr", func(l *limits) any { return &l.stderr }, 0,
		"bytes of an application's diagnostics about a request that are logged", "the rest is dropped",
		"adapters.StderrLog.Limit, http1.Server.MaxStderr"},
	{"stderr-lines", func(l *limits) any { return &l.stderrLines }, 0,
		"lines that a process of an application writes and that are logged in a second", "the rest is dropped",
		"pool.Command.MaxLines"},

	{"requests", func(l *limits) any { return &l.Requests }, http.StatusServiceUnavailable,
		"requests at the same time", "", "middleware.Limits.Requests"},
	{"connections", func(l *limits) any { return &l.connections }, http.StatusServiceUnavailable,
		"connections of an HTTP or FastCGI listener at the same time; an SCGI connection is a request",
		"before, connections that wait for a request are closed; FastCGI's wait",
		"http1.Server.MaxConns, fastcgi.Server.MaxConns"},
	{"client-connections", func(l *limits) any { return &l.clientConnections }, http.StatusServiceUnavailable,
		"connections that one address, or one /64 network of IPv6, has at the same time", "", "http1.Server.MaxClientConns"},
	{"queue", func(l *limits) any { return &l.queue }, http.StatusServiceUnavailable,
		"requests that wait for a process of an application", "", "pool.Group.MaxQueue"},
	{"queue-wait", func(l *limits) any { return &l.queueWait }, http.StatusServiceUnavailable,
		"time that a request waits for one", "", "pool.Group.MaxWait"},

	{"cgi-scripts", func(l *limits) any { return &l.cgi.Scripts }, http.StatusServiceUnavailable,
		"CGI programs of one application that run at the same time", "before, requests wait: see queue",
		"cgi.Limits.Scripts"},
	{"cgi-time", func(l *limits) any { return &l.cgi.Time }, http.StatusGatewayTimeout,
		"time that a CGI program runs", cutShort, "cgi.Limits.Time"},
	{"cgi-output", func(l *limits) any { return &l.cgi.Output }, http.StatusBadGateway,
		"bytes of a CGI program's response", cutShort, "cgi.Limits.Output"},
	{"cgi-cpu", func(l *limits) any { return &l.cgi.CPU }, http.StatusBadGateway,
		"time on a processor of a process that a CGI program consists of", cutShort, "cgi.Limits.CPU"},
	{"cgi-memory", func(l *limits) any { return &l.cgi.Memory }, 0,
		"bytes of address space of such a process", "it gets no more", "cgi.Limits.Memory"},
	{"cgi-files", func(l *limits) any { return &l.cgi.Files }, 0,
		"files that such a process has open", "it can open no more", "cgi.Limits.Files"},
	{"cgi-file-size", func(l *limits) any { return &l.cgi.FileSize }, http.StatusBadGateway,
		"bytes of a file that such a process writes", cutShort, "cgi.Limits.FileSize"},
	{"cgi-processes", func(l *limits) any { return &l.cgi.Processes }, 0,
		"processes and threads of the user that CGI programs run as", "they can start no more",
		"cgi.Limits.Processes"},

	{"header-timeout", func(l *limits) any { return &l.headerTimeout }, http.StatusRequestTimeout,
		"time for a request header to come, from its first byte", "FastCGI and SCGI: the connection is closed",
		"http1.Server.HeaderTimeout, fastcgi.Server.ParamsTimeout, scgi.Server.HeaderTimeout"},
	{"idle-timeout", func(l *limits) any { return &l.idleTimeout }, 0,
		"time between two requests on an HTTP connection", "the connection is closed", "http1.Server.IdleTimeout"},
	{"body-timeout", func(l *limits) any { return &l.BodyTimeout }, http.StatusRequestTimeout,
		"time between two parts of a request body that the client sends", cutShort,
		"middleware.Limits.BodyTimeout, http1.Server.BodyTimeout"},
	{"write-timeout", func(l *limits) any { return &l.writeTimeout }, 0,
		"time for an HTTP client to take a part of the response", "the response is cut short", "http1.Server.WriteTimeout"},
	{"boot-timeout", func(l *limits) any { return &l.bootTimeout }, http.StatusServiceUnavailable,
		"time for a process of an application to accept its first connection", "it is started again",
		"pool.Command.BootTimeout"},
	{"connect-timeout", func(l *limits) any { return &l.connectTimeout }, http.StatusGatewayTimeout,
		"time for the opening of a connection to an application", "",
		"open.AppOptions.ConnectTimeout, fastcgi.Client.ConnectTimeout"},
	{"timeout", func(l *limits) any { return &l.Timeout }, http.StatusGatewayTimeout,
		"time from a request, or the last part of its body, to the response header", "", "middleware.Limits.Timeout"},
	{"response-timeout", func(l *limits) any { return &l.ResponseTimeout }, 0,
		"time between two parts of a response body that the application sends", "the response is cut short",
		"middleware.Limits.ResponseTimeout"},
	{"request-timeout", func(l *limits) any { return &l.RequestTimeout }, http.StatusGatewayTimeout,
		"time from a request header to the end of the response", cutShort, "middleware.Limits.RequestTimeout"},
}

func newLimits(settings []string) (*limits, error) {
	l := defaultLimits()
	for _, s := range settings {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, usage(`--limit %s: write NAME=VALUE, such as body=8m; "gangway help limits" lists all`, s)
		}
		if err := l.set(name, value); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// set sets the limit of that name: a size such as 8m, 64k, 1g or a plain number, a duration such as 30s, and 0 for no
// limit.
func (l *limits) set(name, value string) error {
	i := slices.IndexFunc(limitTable, func(known limit) bool { return known.name == name })
	if i < 0 {
		return usage(`--limit %s=%s: there is no such limit. %s"gangway help limits" lists all`, name, value,
			suggested("%s", limitNames(), name))
	}
	var err error
	switch field := limitTable[i].field(l).(type) {
	case *int64:
		err = setValue(field, value, parseSize)
	case *time.Duration:
		err = setValue(field, value, parseDuration)
	}
	if err != nil {
		return usage("--limit %s=%s: %w", name, value, err)
	}
	if name == "connections" && l.connections == 0 {
		l.connections = -1
	}
	return nil
}

// limitNames names the limits.
func limitNames() (names []string) {
	for _, known := range limitTable {
		names = append(names, known.name)
	}
	return names
}

// value returns the default as --limit takes it.
func (k *limit) value() string {
	if k.name == "connections" {
		return "auto"
	}
	if text := k.format(defaultLimits()); !strings.HasPrefix(text, "-") {
		return text
	}
	return "0; in a sandbox " + k.format(&limits{cgi: cgi.SandboxLimits()})
}

// format returns the value in l as --limit takes it.
func (k *limit) format(l *limits) string {
	if size, ok := k.field(l).(*int64); ok {
		return formatSize(*size)
	}
	return formatDuration(*k.field(l).(*time.Duration))
}

// effect returns what happens to whom reaches it.
func (k *limit) effect() string {
	parts := []string{k.then}
	if k.status != 0 {
		parts = []string{fmt.Sprint(k.status), k.then}
	}
	return strings.Trim(strings.Join(parts, "; "), "; ")
}

// printLimits writes the table for people.
func printLimits(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "--limit NAME=VALUE: sizes and numbers such as 8m, 64k, 100; times such as 30s, 2m; 0 is none.\n\n")
	fmt.Fprintf(t, "NAME\tDEFAULT\tBOUNDS\tWHEN IT IS REACHED\n")
	for _, k := range limitTable {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", k.name, k.value(), k.doc, k.effect())
	}
	return t.Flush()
}

// orNone returns n, or for 0 what is as good as no limit where 0 is the default.
func orNone[N int64 | time.Duration](n N) N {
	if n == 0 {
		return math.MaxInt64
	}
	return n
}

// orMost is orNone for an int.
func orMost(n int64) int { return int(min(orNone(n), math.MaxInt)) }

// bodies returns what keeps slow clients from holding applications.
func (l *limits) bodies() *adapters.Bodies {
	b := &adapters.Bodies{
		Limit: orNone(l.spool), Memory: orNone(l.spoolMemory), Disk: orNone(l.spoolDisk), Rate: l.bodyRate,
	}
	if b.Rate == 0 {
		b.Rate = -1
	}
	return b
}

// scripts returns those of CGI programs.
func (l *limits) scripts() cgi.Limits {
	c := &l.cgi
	return cgi.Limits{
		CPU: orAuto(c.CPU), Memory: orAuto(c.Memory), FileSize: orAuto(c.FileSize), Files: orAuto(c.Files),
		Processes: orAuto(c.Processes), Time: orAuto(c.Time), Output: orAuto(c.Output), Scripts: orAuto(c.Scripts),
		Queue: orNone(l.queue), Wait: orNone(l.queueWait),
	}
}

// orAuto returns n as the library has it: 0 for what is below 0, and the other way round.
func orAuto[N int64 | time.Duration](n N) N {
	switch {
	case n < 0:
		return 0
	case n == 0:
		return -1
	}
	return n
}

// apply tells a backend its limits. The silence of an application is the middleware's matter.
func (l *limits) apply(o *open.AppOptions) {
	o.HeaderLimit, o.SpoolLimit, o.Timeout = orMost(l.responseHeader), orNone(l.spool), -1
	o.ConnectTimeout, o.BootTimeout = orNone(l.connectTimeout), orNone(l.bootTimeout)
	o.Queue, o.QueueWait, o.StderrLines = orMost(l.queue), orNone(l.queueWait), orMost(l.stderrLines)
	o.CGI = l.scripts()
}

// applySite is apply for the applications of a folder.
func (l *limits) applySite(o *apps.Options) {
	o.HeaderLimit, o.SpoolLimit, o.Timeout = orMost(l.responseHeader), orNone(l.spool), -1
	o.ConnectTimeout, o.BootTimeout = orNone(l.connectTimeout), orNone(l.bootTimeout)
	o.MaxQueue, o.MaxWait, o.MaxLines = orMost(l.queue), orNone(l.queueWait), orMost(l.stderrLines)
	o.CGI = l.scripts()
}

// listener returns those of a listener.
func (l *limits) listener() open.ListenLimits {
	return open.ListenLimits{
		HeaderTimeout: orNone(l.headerTimeout), IdleTimeout: orNone(l.idleTimeout), BodyTimeout: orNone(l.BodyTimeout),
		WriteTimeout: orNone(l.writeTimeout), MaxHeader: l.httpHeader(), MaxConns: int(l.connections),
		MaxClientConns: int(min(l.clientConnections, math.MaxInt)), MaxVariables: orMost(l.variables),
		MaxStderr: orNone(l.stderr),
	}
}

// httpHeader is how many bytes of a request may be read before the limits see it.
func (l *limits) httpHeader() int {
	const most = 16 << 20
	if l.URI == 0 || l.HeaderBytes == 0 || l.URI > most || l.HeaderBytes > most-l.URI {
		return most
	}
	return int(l.URI + l.HeaderBytes)
}
