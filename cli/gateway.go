package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/middleware"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/internal/listenfd"
	"github.com/gangway-go/gangway/internal/sdnotify"
)

// A gateway is what serve and bridge run: listeners in front of applications.
type gateway struct {
	*settings
	std       streams
	addresses []string // of the listeners
	routes    []route
	listeners []*open.Listener
	upgrades  upgrades
	logFile   *middleware.LogFile // nil unless the access log is a file

	statusListener *open.Listener // one of listeners; nil if there is none

	predecessor *predecessor
	successor   atomic.Int64 // the id of the process that takes the place of this one, 0 if there is none
	notifier    *sdnotify.Notifier
}

// A route leads to an application.
type route struct {
	host, prefix string
	url          string // for messages
	app          application
	http, given  adapters.Handler // for requests that come as HTTP, and for those that a web server has divided
}

// An application is started and ended by a gateway.
type application interface {
	Start(ctx context.Context) error
	Close(ctx context.Context) error
}

// run is live, whose error becomes a record of a log in JSON.
func (g *gateway) run() error {
	err := g.live()
	if err != nil && g.json != nil {
		g.log.Error(oneLine(err.Error()))
		return &failure{codeOf(err), nil}
	}
	return err
}

// tell prints a line that programs wait for, whatever the level of the log.
func (g *gateway) tell(line string) {
	if g.json == nil {
		fmt.Fprintln(g.std.err, line)
		return
	}
	g.json.Handle(context.Background(), slog.NewRecord(time.Now(), slog.LevelInfo, line, 0))
}

// live serves until a signal ends it, or something that cannot be mended.
func (g *gateway) live() (err error) {
	g.notifier = sdnotify.Take()
	if g.predecessor, err = findPredecessor(); err != nil {
		return err
	}
	defer func() { g.predecessor.tellEnd(err) }()
	if err := g.openLog(); err != nil {
		return err
	}
	defer g.closeLog()
	signals := notify(g.reopenLog)
	defer signals.release()
	if g.addresses[0] == "cgi:" {
		listenfd.Forget()
		defer g.closeApps(signals.cut)
		return g.runScript(signals.stop)
	}
	defer adoptOrphans(&g.successor)()
	defer collectRarely()()
	defer g.closeApps(signals.cut)
	defer g.cutListeners()
	if err := g.listen(); err != nil {
		return err
	}
	g.probe(signals.stop)
	if err := g.start(signals.stop); err != nil || signals.stop.Err() != nil {
		return err
	}
	return g.serve(signals)
}

// serve accepts requests until a signal comes, and answers those that have begun.
func (g *gateway) serve(signals *signalled) error {
	ended := make(chan error, len(g.listeners))
	for _, l := range g.listeners {
		go func() { ended <- l.Serve() }()
	}
	for _, l := range g.listeners {
		if l == g.statusListener {
			g.tell(fmt.Sprintf("status on %s", l))
			continue
		}
		g.tell(fmt.Sprintf("listening on %s", l))
	}
	g.ready()
	alive, stopWatch := context.WithCancel(context.Background())
	defer stopWatch()
	go g.notifier.Watch(alive, func() bool {
		return !slices.ContainsFunc(g.listeners, func(l *open.Listener) bool { return !l.Alive() })
	})
	for {
		select {
		case err := <-ended:
			return err
		case <-signals.upgrade:
			if g.upgrade(signals.stop) {
				stopWatch()
				return g.drain(signals.cut)
			}
		case <-signals.stop.Done():
			g.log.Info("stopping", "grace", g.grace)
			g.notify(sdnotify.Stopping, sdnotify.Status("answering the requests under way"))
			return g.drain(signals.cut)
		}
	}
}

// ready tells who started this process that it serves, and makes the files of all Unix sockets its own.
func (g *gateway) ready() {
	if g.predecessor == nil { // which says so to the service manager, for this process is not the service yet
		g.notify(sdnotify.Ready, g.status())
		return
	}
	for i, l := range g.listeners {
		if a, err := open.ParseListener(g.addresses[i]); err == nil && a.Network == "unix" {
			l.KeepSocket(false)
		}
	}
	g.predecessor.tell(readyWord)
}

func (g *gateway) status() string {
	var names []string
	for _, l := range g.listeners {
		names = append(names, l.String())
	}
	return sdnotify.Status("listening on " + strings.Join(names, ", "))
}

// notify tells the service manager.
func (g *gateway) notify(lines ...string) {
	if err := g.notifier.Send(lines...); err != nil {
		g.log.Warn("service manager not told", "error", err)
	}
}

// listen opens the listeners in their order.
func (g *gateway) listen() error {
	http, given := g.handler(false), g.handler(true)
	var opened []string
	defer g.closeUnused()
	for _, address := range g.addresses {
		a, err := open.ParseListener(address)
		if err != nil {
			return err
		}
		if slices.Contains(opened, a.String()) && !strings.HasSuffix(a.Target, ":0") {
			return fmt.Errorf("two listeners on %s: give each an address of its own", a)
		}
		opened = append(opened, a.String())
		h := given
		if a.Scheme == "http" || a.Scheme == "https" {
			h = http
		}
		o := g.listener
		o.Inherited = g.predecessor.socket(address)
		l, err := open.Listen(address, h, o)
		if err != nil {
			return err
		}
		g.listeners = append(g.listeners, l)
	}
	return g.listenStatus()
}

// closeUnused closes the sockets that were handed over and have no listener.
func (g *gateway) closeUnused() {
	g.predecessor.closeRest()
	if unused := listenfd.Forget(); len(unused) > 0 {
		g.log.Warn("no listener uses some of the sockets that were handed over", "sockets", unused)
	}
}

// handler returns what answers the requests of a listener: of HTTP, or of a web server that has divided the path.
func (g *gateway) handler(given bool) adapters.Handler {
	d := &adapters.Dispatcher{}
	if given {
		d.MaxRedirects = -1
	}
	for _, r := range g.routes {
		to := r.http
		if given {
			to = r.given
		}
		to = g.trust.around(r.host+r.prefix, to)
		d.Routes = append(d.Routes, adapters.Route{Host: r.host, Prefix: r.prefix, To: to})
	}
	var chain []adapters.Middleware
	if !given {
		chain = g.trust.front()
	}
	if g.counters != nil {
		chain = append(chain, g.counters.Wrap)
	}
	if w := g.accessWriter(); w != nil {
		chain = append(chain, middleware.AccessLog(w))
	}
	chain = append(chain, middleware.Recover(g.log), g.limits.Wrap)
	chain = append(chain, g.auth...)
	if g.sendfile != nil {
		chain = append(chain, g.sendfile.Wrap)
	}
	return adapters.Chain(d, append(chain, g.upgrades.wrap)...)
}

func (g *gateway) accessWriter() io.Writer {
	switch g.accessLog {
	case "":
		return nil
	case "-":
		return g.std.out
	}
	return g.logFile
}

// openLog shows at the start whether the access log can be written.
func (g *gateway) openLog() error {
	if g.accessLog == "" || g.accessLog == "-" {
		return nil
	}
	g.logFile = &middleware.LogFile{Path: g.accessLog}
	if err := g.logFile.Reopen(); err != nil {
		return fmt.Errorf("--access-log: %w", err)
	}
	return nil
}

func (g *gateway) reopenLog() {
	if g.logFile == nil {
		return
	}
	if err := g.logFile.Reopen(); err != nil {
		g.log.Error("access log not reopened", "error", err)
	}
}

func (g *gateway) closeLog() {
	if g.logFile != nil {
		g.logFile.Close()
	}
}

// probeTime is how long a probe may take: at the start an application that does not answer is not worth more.
const probeTime = time.Second

// probe warns of applications that cannot be reached. They may be started later.
func (g *gateway) probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	var probes sync.WaitGroup
	for _, r := range g.routes {
		app, ok := r.app.(interface{ Probe(context.Context) error })
		if !ok {
			continue
		}
		probes.Go(func() {
			if err := app.Probe(ctx); err != nil {
				g.log.Warn("application not reachable yet, its requests are answered with 502", "url", r.url, "error", err)
			}
		})
	}
	probes.Wait()
}

// start starts the applications. The error is that none runs.
func (g *gateway) start(ctx context.Context) error {
	errs := make([]error, len(g.routes))
	var starts sync.WaitGroup
	for i, r := range g.routes {
		starts.Go(func() { errs[i] = r.app.Start(ctx) })
	}
	starts.Wait()
	if ctx.Err() != nil {
		return nil // whoever wants us to end is told nothing of what did not begin
	}
	if !slices.Contains(errs, nil) {
		err := fmt.Errorf("%s: %w", g.routes[0].url, errs[0])
		if g.endHold(true) {
			err = fmt.Errorf("%w; --log-level debug shows all that it printed", err)
		}
		return err
	}
	g.endHold(false)
	for i, err := range errs {
		if err != nil {
			g.log.Error("application not started, its requests are answered with 503", "url", g.routes[i].url, "error", err)
		}
	}
	return nil
}

// drain stops accepting and waits for the requests under way. The error is that some were cut.
func (g *gateway) drain(cut context.Context) error {
	ctx, cancel := context.WithTimeout(cut, g.grace)
	defer cancel()
	errs := make([]error, len(g.listeners)+1)
	var drains sync.WaitGroup
	for i, l := range g.listeners {
		drains.Go(func() { errs[i] = l.Shutdown(ctx) })
	}
	drains.Wait()
	errs[len(g.listeners)] = g.upgrades.wait(ctx)
	if errors.Join(errs...) != nil {
		return fmt.Errorf("stopped; requests under way were cut after --grace %v or a second signal", g.grace)
	}
	return nil
}

// cutListeners closes what is still open.
func (g *gateway) cutListeners() {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for _, l := range g.listeners {
		l.Shutdown(over)
	}
}

// closeApps ends the applications.
func (g *gateway) closeApps(cut context.Context) {
	ctx, cancel := context.WithTimeout(cut, g.grace)
	defer cancel()
	g.trust.wait(ctx)
	var closes sync.WaitGroup
	for _, r := range g.routes {
		closes.Go(func() { r.app.Close(ctx) })
	}
	closes.Wait()
}
