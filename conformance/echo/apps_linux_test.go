package echo_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance/echo"
	"github.com/gangway-go/gangway/internal/execfile"
	"github.com/gangway-go/gangway/internal/peer"
)

// asker asks an application that is ready.
type asker func(t *testing.T, q question) answer

// target is a program in one language on one gateway library.
type target struct {
	name, language, protocol string
	start                    func(t *testing.T, script string) asker
	cannot                   string // what the language or the library makes impossible: names of behaviours
}

var targets = []target{
	{name: "libfcgi CGI", language: "c", protocol: "CGI", start: asCGI("BUILT")},
	{name: "libfcgi", language: "c", protocol: "FastCGI", start: onDescriptor("BUILT")},
	{name: "sh", language: "sh", protocol: "CGI", start: asCGI("sh", "SCRIPT")},
	{
		name: "fcgiwrap", language: "sh", protocol: "FastCGI", start: behindFcgiwrap,
		cannot: "exit, stderr, flush, empty, authorizer, filter, crash, crash=1000",
	},
	{
		name: "FCGI.pm CGI", language: "perl", protocol: "CGI", start: asCGI("perl", "SCRIPT"),
		cannot: "order, twice",
	},
	{
		name: "FCGI.pm", language: "perl", protocol: "FastCGI", start: onDescriptor("perl", "SCRIPT"),
		cannot: "order, twice, exit, filter",
	},
	{
		name: "Plack CGI", language: "psgi", protocol: "CGI",
		start:  asCGI("plackup", "-E", "deployment", "-s", "CGI", "SCRIPT"),
		cannot: "order, twice, args, exit, empty",
	},
	{
		name: "Plack", language: "psgi", protocol: "FastCGI",
		start:  onDescriptor("plackup", "-E", "deployment", "-s", "FCGI", "--manager=", "SCRIPT"),
		cannot: "order, twice, exit, flush, empty, filter, crash=1000",
	},
	{
		name: "Python CGI", language: "python", protocol: "CGI", start: asCGI("/usr/bin/python3", "SCRIPT"),
		cannot: "twice",
	},
	{
		name: "uWSGI FastCGI", language: "python", protocol: "FastCGI", start: uWSGI("--fastcgi-socket", askFastCGI),
		cannot: "twice, exit, stderr, authorizer, filter",
	},
	{
		name: "uWSGI SCGI", language: "python", protocol: "SCGI", start: uWSGI("--scgi-socket", askSCGI),
		cannot: "twice",
	},
	{
		name: "uWSGI", language: "python", protocol: "uwsgi", start: uWSGI("--uwsgi-socket", askUwsgi),
		cannot: "twice",
	},
	{
		name: "Ruby CGI", language: "ruby", protocol: "CGI", start: asCGI("ruby", "SCRIPT"),
		cannot: "twice",
	},
	{
		name: "Ruby fcgi", language: "ruby", protocol: "FastCGI", start: onDescriptor("ruby", "SCRIPT"),
		cannot: "twice, exit, flush, filter, crash=1000",
	},
	{
		name: "Rack CGI", language: "rack", protocol: "CGI", start: asCGI("ruby", "-rrack", "-e", rack("CGI"), "SCRIPT"),
		cannot: "twice, body, args, exit, empty",
	},
	{
		name: "Rack", language: "rack", protocol: "FastCGI",
		start:  onDescriptor("ruby", "-rrack", "-e", rack("FastCGI"), "SCRIPT"),
		cannot: "twice, exit, flush, empty, filter, crash=1000",
	},
	{
		name: "net/http/cgi", language: "go", protocol: "CGI", start: asCGI("BUILT"),
		cannot: "twice",
	},
	{
		name: "net/http/fcgi", language: "go", protocol: "FastCGI", start: onDescriptor("BUILT"),
		cannot: "order, twice, exit, stderr, empty, authorizer, filter",
	},
	{
		name: "php-cgi CGI", language: "php", protocol: "CGI", start: asCGI("php-cgi", "-n"),
		cannot: "twice, args, empty",
	},
	{
		name: "php-cgi", language: "php", protocol: "FastCGI", start: onDescriptor("php-cgi", "-n"),
		cannot: "order, twice, exit, empty, filter",
	},
	{
		name: "php-fpm", language: "php", protocol: "FastCGI", start: behindFPM,
		cannot: "order, twice, exit, stderr, empty, filter",
	},
}

// TestApps runs each program for real and has it show each behaviour of the contract, or that it cannot.
func TestApps(t *testing.T) {
	keepDescriptors(t)
	dir := peer.Dir(t)
	for _, language := range echo.Languages() {
		name, text, err := echo.Source(language)
		require.NoError(t, err)
		require.NoError(t, execfile.WriteFile(filepath.Join(dir, name), text, 0o755))
		tested := slices.ContainsFunc(targets, func(x target) bool { return x.language == language })
		assert.True(t, tested, language)
	}
	for _, x := range targets {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			name, _, err := echo.Source(x.language)
			require.NoError(t, err)
			x.run(t, filepath.Join(dir, name))
		})
	}
}

// keepDescriptors closes on exec what was open when the tests began.
func keepDescriptors(t *testing.T) {
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, entry := range entries {
		if fd, _ := strconv.Atoi(entry.Name()); fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

func (x target) run(t *testing.T, script string) {
	ask := x.start(t, script)
	for _, b := range modes {
		if b.only != nil && !slices.Contains(b.only, x.protocol) {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			ask := ask
			if b.fresh {
				ask = x.start(t, script)
			}
			var v verdict
			b.ask.patience = time.Minute
			if slices.Contains(strings.Split(x.cannot, ", "), b.name) {
				b.ask.patience = 2 * time.Second
				b.check(&v, ask(t, b.ask))
				assert.NotEmpty(t, v, "it can, after all")
				return
			}
			b.check(&v, ask(t, b.ask))
			for _, failure := range v {
				t.Error(failure)
			}
		})
	}
}

// verdict is the list of the failures of a check.
type verdict []string

func (v *verdict) Errorf(format string, args ...any) { *v = append(*v, fmt.Sprintf(format, args...)) }

// asCGI runs the program for each request. SCRIPT in argv is the source, BUILT what the compiler makes of it.
func asCGI(argv ...string) func(*testing.T, string) asker {
	return func(t *testing.T, script string) asker {
		argv := command(t, script, argv)
		return func(t *testing.T, q question) answer { return cgi(t, filepath.Dir(script), script, q, argv...) }
	}
}

// onDescriptor starts the program with a listening socket on descriptor 0.
func onDescriptor(argv ...string) func(*testing.T, string) asker {
	return func(t *testing.T, script string) asker {
		argv, socket := command(t, script, argv), filepath.Join(peer.Dir(t), "socket")
		ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket})
		require.NoError(t, err)
		ln.SetUnlinkOnClose(false)
		defer ln.Close()
		fd, err := ln.File()
		require.NoError(t, err)
		defer fd.Close()
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Stdin, cmd.Dir = fd, filepath.Dir(script)
		// The socket is ready, and Ruby's library does not survive a connection without a request.
		other, err := net.Listen("unix", socket+".other")
		require.NoError(t, err)
		defer other.Close()
		peer.Start(t, cmd, "unix", socket+".other")
		return over(askFastCGI, socket, script)
	}
}

func over(ask func(*testing.T, string, string, question) answer, socket, script string) asker {
	return func(t *testing.T, q question) answer { return ask(t, socket, script, q) }
}

func uWSGI(option string, ask func(*testing.T, string, string, question) answer) func(*testing.T, string) asker {
	return func(t *testing.T, script string) asker {
		socket := filepath.Join(peer.Dir(t), "socket")
		cmd := exec.Command(peer.Need(t, "uwsgi"), "--plugin", "python3", "--wsgi-file", script, "--need-app",
			"--die-on-term", "--buffer-size", "65535", "--disable-logging", option, socket)
		cmd.Dir = filepath.Dir(script)
		peer.Start(t, cmd, "unix", socket)
		return over(ask, socket, script)
	}
}

func behindFPM(t *testing.T, script string) asker {
	_, socket := peer.PHPFPM(t, "")
	return over(askFastCGI, socket, script)
}

func behindFcgiwrap(t *testing.T, script string) asker {
	_, socket := peer.Fcgiwrap(t)
	return over(askFastCGI, socket, script)
}

func rack(handler string) string {
	return "Rack::Handler::" + handler + ".run(Rack::Builder.parse_file(ARGV.shift).first)"
}

// command fills in argv.
func command(t *testing.T, script string, argv []string) []string {
	argv = slices.Clone(argv)
	for i, word := range argv {
		switch {
		case word == "SCRIPT":
			argv[i] = script
		case word == "BUILT":
			argv[i] = built(t, script)
		case i == 0:
			argv[0] = peer.Need(t, word)
		}
	}
	return argv
}

func built(t *testing.T, script string) string {
	program := filepath.Join(peer.Dir(t), "program")
	compile := []string{peer.Need(t, "gcc"), "-Wall", "-Wextra", "-Werror", "-O2", "-o", program, script, "-lfcgi"}
	if filepath.Ext(script) == ".go" {
		compile = []string{peer.Need(t, "go"), "build", "-o", program, script}
	}
	out, err := exec.Command(compile[0], compile[1:]...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}
