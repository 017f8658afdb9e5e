//go:build unix

// Peers runs the conformance suite on well-known programs that speak CGI, FastCGI, SCGI or uwsgi, each a private
// instance on loopback or a Unix socket, and writes what it finds to conformance/reports/NAME.json. Then it makes
// conformance/RESULTS.md and conformance/reports/index.html of all reports there are. The programs are those of Debian
// (scripts/setup installs them) and Go modules.
//
//	go run ./conformance/peers                 all peers
//	go run ./conformance/peers nginx-fastcgi   some
//	go run ./conformance/peers -list           their names
//	go run ./conformance/peers -publish        only RESULTS.md and index.html
//
// Of programs of others, what a case of level security found is counted, and not written down.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/app"
	"github.com/gangway-go/gangway/conformance/report"
	"github.com/gangway-go/gangway/conformance/server"
)

func main() {
	server.Probe()
	hideEnvironment()
	list := flag.Bool("list", false, "print the names of the peers")
	publish := flag.Bool("publish", false, "run nothing")
	dir := flag.String("dir", "conformance", "the `folder` with reports and RESULTS.md")
	only := flag.String("only", "", "run only the cases that the selector selects, and print what fails")
	beside := flag.Int("beside", 2, "run so many `peers` at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	names := flag.Args()
	switch {
	case *list:
		for _, p := range peers() {
			fmt.Println(p.name)
		}
		return
	case len(names) == 0 && !*publish:
		for _, p := range peers() {
			names = append(names, p.name)
		}
	}
	failed := runAll(ctx, names, *beside, func(name string) error { return run(ctx, *dir, name, *only) })
	if *only == "" && ctx.Err() == nil {
		if err := publishAll(*dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// runAll runs peers side by side, for most of the time of a run is spent with waiting. It says whether one could not be
// run.
func runAll(ctx context.Context, names []string, beside int, run func(name string) error) bool {
	var failed atomic.Bool
	var running sync.WaitGroup
	places := make(chan bool, max(beside, 1))
	for _, name := range names {
		places <- true
		running.Go(func() {
			defer func() { <-places }()
			if ctx.Err() != nil {
				return
			}
			if err := run(name); err != nil {
				fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
				failed.Store(true)
			}
		})
	}
	running.Wait()
	return failed.Load()
}

// A peer is a program and how it is run.
type peer struct {
	name  string // of the report
	title string // in the report
	start func(*stage) conformance.Target
}

func peers() []peer { return slices.Concat(applications, servers, scripts) }

// mortal are the peers that some cases kill.
var mortal = []string{"haproxy-fastcgi", "h2o-fastcgi", "gofast-fastcgi"}

// suite returns the cases for a target.
func suite(target conformance.Target, only string) ([]conformance.Case, error) {
	cases := casesFor(target)
	if only == "" {
		return cases, nil
	}
	return conformance.Select(cases, strings.Fields(only))
}

// run tests one peer and writes its report.
func run(ctx context.Context, dir, name, only string) (err error) {
	i := slices.IndexFunc(peers(), func(p peer) bool { return p.name == name })
	if i < 0 {
		return fmt.Errorf("no such peer; -list prints the names")
	}
	p := peers()[i]
	s, err := newStage()
	if err != nil {
		return err
	}
	defer s.clear()
	target, err := s.perform(p)
	if err != nil {
		return err
	}
	if closer, ok := target.(interface{ Close() error }); ok {
		defer closer.Close()
	}
	cases, err := suite(target, only)
	if err != nil {
		return err
	}
	options := conformance.Options{Total: 10 * time.Minute}
	if _, ok := target.(*app.Target); ok {
		options.Patience = 500 * time.Millisecond // many serve one connection at a time
	}
	if p.name == "apache-fcgid" {
		options.Patience = 3 * time.Second // it looks once a second whether a process is free
	}
	if slices.Contains(mortal, p.name) {
		options.Jobs = 3 // those that run beside a death have to be run again
	}
	if only != "" {
		options.AllWire = true
	}
	r, err := conformance.Run(ctx, target, cases, options)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, s.logs())
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.describe(p, r)
	fmt.Printf("%-22s %s %v %.0fs\n", p.name, r.Target.Version, r.Counts(), r.Ended.Sub(r.Started).Seconds())
	if only != "" {
		return report.Write(os.Stdout, "text", r, &report.Terms{Level: conformance.May})
	}
	return save(filepath.Join(dir, "reports", p.name+".json"), shorten(r))
}
