//go:build linux

package soak

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/egi"
	"github.com/gangway-go/gangway/fastcgi"
	"github.com/gangway-go/gangway/internal/execfile"
	"github.com/gangway-go/gangway/internal/peer"
	"github.com/gangway-go/gangway/scgi"
)

// Every application that is right answers alike: X-Nonce is the request's nonce; the first line of the body is the
// nonce, and length and SHA-256 of what came; then the nonce comes again ?repeat times, in ?pieces with ?pause ms
// between; ?length has Content-Length.

// app is the application in Go.
func app(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	sum := sha256.New()
	n, err := io.Copy(sum, r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	repeat, _ := strconv.Atoi(q.Get("repeat"))
	pieces, _ := strconv.Atoi(q.Get("pieces"))
	pause, _ := strconv.Atoi(q.Get("pause"))
	first, line := firstLine(q.Get("nonce"), n, fmt.Sprintf("%x", sum.Sum(nil))), nonceLine(q.Get("nonce"))
	w.Header().Set("X-Nonce", q.Get("nonce"))
	w.Header().Set("Content-Type", "text/plain")
	if q.Has("length") {
		w.Header().Set("Content-Length", strconv.Itoa(len(first)+repeat*len(line)))
	}
	io.WriteString(w, first)
	for range pieces {
		io.WriteString(w, strings.Repeat(line, repeat/pieces))
		if pause > 0 {
			http.NewResponseController(w).Flush()
			time.Sleep(time.Duration(pause) * time.Millisecond)
		}
	}
}

func firstLine(nonce string, length int64, sum string) string {
	return fmt.Sprintf("nonce=%s length=%d sha256=%s\n", nonce, length, sum)
}

func nonceLine(nonce string) string { return "nonce=" + nonce + "\n" }

const phpApp = `<?php
$hash = hash_init("sha256"); $n = 0;
$in = fopen("php://input", "rb");
while (($b = fread($in, 65536)) !== false && $b !== "") { hash_update($hash, $b); $n += strlen($b); }
$nonce = $_GET["nonce"]; $line = "nonce=$nonce\n";
$first = "nonce=$nonce length=$n sha256=" . hash_final($hash) . "\n";
header("X-Nonce: $nonce"); header("Content-Type: text/plain");
if (isset($_GET["length"])) header("Content-Length: " . (strlen($first) + $_GET["repeat"] * strlen($line)));
echo $first;
for ($i = 0; $i < $_GET["pieces"]; $i++) {
	echo str_repeat($line, intdiv($_GET["repeat"], $_GET["pieces"]));
	if ($_GET["pause"] > 0) { flush(); usleep($_GET["pause"] * 1000); }
}
`

const cgiApp = `#!/usr/bin/perl
use strict; use Digest::SHA; use Time::HiRes "sleep";
my %q = map { my ($n, $v) = split /=/, $_, 2; ($n, $v) } split /&/, $ENV{QUERY_STRING};
my ($sum, $n, $left) = (Digest::SHA->new(256), 0, $ENV{CONTENT_LENGTH} || 0);
while ($left > 0 and my $got = read STDIN, my $b, $left > 65536 ? 65536 : $left) {
	$sum->add($b); $n += $got; $left -= $got;
}
my $line = "nonce=$q{nonce}\n";
my $first = "nonce=$q{nonce} length=$n sha256=" . $sum->hexdigest . "\n";
$| = 1 if $q{pause};
print "X-Nonce: $q{nonce}\nContent-Type: text/plain\n";
print "Content-Length: " . (length($first) + $q{repeat} * length $line) . "\n" if exists $q{length};
print "\n", $first;
for (1 .. $q{pieces}) {
	print $line x ($q{repeat} / $q{pieces});
	sleep $q{pause} / 1000 if $q{pause};
}
`

// badCGI misbehaves as ?mode says. A script that waits for ever has not begun to answer: over TCP an SCGI server does
// not learn that its web server has left before it writes, and the time for the header is bounded.
const badCGI = `#!/bin/sh
case $QUERY_STRING in
*mode=die*) printf 'Content-Type: text/plain\n\npart'; kill -9 $$ ;;
*mode=exit*) printf 'Content-Length: 1000\n\npart'; exit 3 ;;
*mode=sleep*) exec sleep 600 ;;
*mode=grandchild*) sleep 600 & sleep 600 ;;
*mode=orphan*) setsid sleep 5 & printf 'Content-Type: text/plain\n\nwhole' ;;
*mode=deaf*) trap '' TERM; printf 'Content-Type: text/plain\n\npart'; for i in 1 2 3 4 5 6 7 8 9; do sleep 1; done ;;
*mode=endless*) while :; do printf 'X-Field: value value value value value value value value value\n'; done ;;
*mode=garbage*) head -c 3000 /dev/urandom ;;
*mode=stderr*) yes 'a line of diagnostics' | head -c 100000 >&2; printf 'Content-Type: text/plain\n\nwhole' ;;
esac
`

// badModes are those of badCGI, and one that says nothing at all.
var badModes = []string{"die", "exit", "sleep", "grandchild", "orphan", "deaf", "endless", "garbage", "stderr", "none"}

// appEnv has this executable serve app on descriptor 0.
const appEnv = "GANGWAY_SOAK_APP"

// appMain is a process of the application that gangway starts.
func appMain() {
	if os.Getenv(appEnv) == "" {
		return
	}
	ln, err := fastcgi.Listener()
	if err == nil {
		err = newFastCGI().Serve(ln)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func goApp() adapters.Handler { return egi.HTTP(http.HandlerFunc(app)) }

func newFastCGI() *fastcgi.Server {
	return &fastcgi.Server{Handler: goApp(), Log: slog.New(slog.DiscardHandler)}
}

// A server is one of this module or of net/http.
type server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

// startApps starts what gangway leads to but does not start. The function that it returns ends that.
func (s *soak) startApps() (stop func()) {
	peer.Need(s.t, "perl")
	write(s.t, s.dir+"/app.php", phpApp)
	require.NoError(s.t, execfile.WriteFile(s.dir+"/app.cgi", []byte(cgiApp), 0o755))
	require.NoError(s.t, execfile.WriteFile(s.dir+"/bad.cgi", []byte(badCGI), 0o755))
	s.php = startPHP(s)
	s.mutants = startMutants(s)
	var stops []func()
	serve := func(server server, network, address string, cut bool) {
		ln, err := net.Listen(network, address)
		require.NoError(s.t, err)
		if cut {
			ln = &cutListener{Listener: ln, random: s.random(uint64(len(stops) + cutPurpose))}
		}
		served := make(chan struct{})
		go func() {
			server.Serve(ln)
			close(served)
		}()
		stops = append(stops, func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			server.Shutdown(ctx)
			<-served
		})
	}
	quiet := slog.New(slog.DiscardHandler)
	for _, cut := range []bool{false, true} {
		socket := map[bool]string{false: s.dir + "/", true: s.dir + "/cut-"}[cut]
		serve(newFastCGI(), "unix", socket+"fcgi", cut)
		serve(&http.Server{Handler: http.HandlerFunc(app), ErrorLog: slog.NewLogLogger(quiet.Handler(), 0)}, "unix",
			socket+"http", cut)
	}
	serve(&scgi.Server{Handler: goApp(), Log: quiet}, "unix", s.dir+"/scgi", false)
	serve(&scgi.Server{Handler: goApp(), Log: quiet}, "unix", s.dir+"/cut-scgi", true)
	return func() {
		for _, stop := range stops {
			stop()
		}
		s.mutants.stop()
		s.php.process.Stop()
	}
}
