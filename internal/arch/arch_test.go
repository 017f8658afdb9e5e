package arch_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/leak"
)

// graph is the policy of which package may import which. Do not add an arrow to make a test pass: the picture in
// ARCHITECTURE.md has the same arrows, and what does not fit them is in the wrong package.
//
// "a < b" means that package b may import package a. An arrow does not reach further: what a imports, b may not.
// Each package of this module stands on the right of a rule; "x/..." is x and everything beneath it. The standard
// library is free for all, and so are the imports of tests. A name with a dot in its first element is another module.
const graph = `
	# The codecs and the internal packages know the standard library only.
	NONE < fastcgi/wire, scgi/wire, scgi/uwsgi, internal/...;
	internal/testlog < internal/peer; # which are for tests only

	# The contract.
	internal/... < adapters;

	# What needs nothing but the contract.
	adapters, internal/...
	< adapters/middleware, adapters/static, adapters/proxy, adapters/pool, adapters/http1, adapters/status,
	  adapters/adaptertest,
	  fastcgi, scgi, cgi, egi, egi/...;

	# Each protocol has its codecs and knows no other protocol.
	fastcgi/wire < fastcgi;
	scgi/wire, scgi/uwsgi < scgi;
	egi < egi/...;
	adapters, fastcgi, internal/sockio < fastcgi/gofast;

	# What puts the protocols together.
	adapters, adapters/pool, adapters/proxy, adapters/static, fastcgi, scgi, cgi, egi, internal/...
	< adapters/apps;
	adapters, adapters/http1, adapters/pool, adapters/proxy, adapters/static, fastcgi, fastcgi/gofast, scgi, cgi, egi, internal/...
	< adapters/open;

	# The conformance runner shares the alphabet with what it judges, never the grammar.
	fastcgi/wire, scgi/wire, scgi/uwsgi < conformance, conformance/...;
	conformance, conformance/echo < conformance/app, conformance/server, conformance/script;
	internal/execfile < conformance/server, conformance/faulty;
	conformance < conformance/report;
	# The table of results, and the programs that it needs, use all of it as others do.
	adapters/..., fastcgi/..., scgi/..., cgi, egi/..., conformance, conformance/...
	< conformance/peers, conformance/peers/...;

	# The reference application as a program of its own, for tests with web servers.
	adapters/adaptertest, adapters/open, cgi < adapters/adaptertest/script;

	# The command line.
	adapters/..., fastcgi/..., scgi/..., cgi, egi/..., conformance/..., internal/... < cli;
	cli < cli/gangway;

	# What shows and measures the library uses it as others do.
	adapters/..., fastcgi/..., scgi/..., cgi, egi/... < examples/..., bench/...;
	internal/sockio < bench/bare; # which needs the same system calls

	# Other modules, each where it is needed and nowhere else.
	github.com/stretchr/testify/... < adapters/adaptertest, internal/peer;
	github.com/tg123/go-htpasswd < adapters/middleware;
	github.com/urfave/cli/v2 < cli;
	golang.org/x/sys/... < internal/sandbox;
	github.com/yookoala/gofast < fastcgi/gofast, bench/..., conformance/peers/...;
`

const module = "github.com/gangway-go/gangway"

func TestMain(m *testing.M) { leak.Main(m) }

func TestImports(t *testing.T) {
	for _, goos := range []string{"linux", "darwin", "windows"} {
		t.Run(goos, func(t *testing.T) {
			packages := list(t, goos)
			require.NotEmpty(t, packages)
			for _, p := range packages {
				for _, fault := range faults(p) {
					t.Error(fault)
				}
			}
		})
	}
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name, path string
		imports    []string
		faults     []string
	}{
		{"standard library", "fastcgi/wire", []string{"net/http", "C"}, nil},
		{"drawn", "fastcgi", []string{module + "/adapters", module + "/fastcgi/wire"}, nil},
		{"pattern", "cgi", []string{module + "/internal/spool"}, nil},
		{"pattern names its root", "egi/lua", []string{module + "/egi"}, nil},
		{"not through another", "cli/gangway", []string{module + "/adapters"},
			[]string{"cli/gangway must not import adapters"}},
		{"protocols", "scgi", []string{module + "/fastcgi"}, []string{"scgi must not import fastcgi"}},
		{"codec", "scgi/wire", []string{module + "/adapters"}, []string{"scgi/wire must not import adapters"}},
		{"upwards", "adapters", []string{module + "/cgi"}, []string{"adapters must not import cgi"}},
		{"grammar", "conformance", []string{module + "/fastcgi"}, []string{"conformance must not import fastcgi"}},
		{"module allowed", "cli", []string{"github.com/urfave/cli/v2"}, nil},
		{"module elsewhere", "fastcgi", []string{"github.com/yookoala/gofast"},
			[]string{"fastcgi must not import github.com/yookoala/gofast"}},
		{"not drawn", "wsgi", nil, []string{"wsgi is not in the graph"}},
		{"a prefix is no parent", "egifoo", nil, []string{"egifoo is not in the graph"}},
		{"the root", "", nil, []string{". is not in the graph"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := faults(listed{ImportPath: strings.TrimSuffix(module+"/"+tt.path, "/"), Imports: tt.imports})
			assert.Equal(t, tt.faults, got)
		})
	}
}

// TestBinary: what is made for tests only must not be linked into the program.
func TestBinary(t *testing.T) {
	out, err := goCommand(t, "list", "-deps", module+"/cli/...").Output()
	require.NoError(t, err, stderrOf(err))
	for dep := range strings.Lines(string(out)) {
		dep = strings.TrimSpace(dep)
		if dep == "testing" || strings.HasPrefix(dep, "github.com/stretchr/testify") {
			t.Errorf("cli depends on %s", dep)
		}
	}
}

// listed is the part of what go list prints about a package that matters here.
type listed struct {
	ImportPath string
	Imports    []string
}

func list(t *testing.T, goos string) []listed {
	cmd := goCommand(t, "list", "-e", "-json=ImportPath,Imports", "./...")
	cmd.Env = append(cmd.Environ(), "GOOS="+goos)
	out, err := cmd.Output()
	require.NoError(t, err, stderrOf(err))
	var packages []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else {
			require.NoError(t, err)
		}
		packages = append(packages, p)
	}
}

func goCommand(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	return cmd
}

func stderrOf(err error) string {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return string(exit.Stderr)
	}
	return ""
}

// faults says what in p the graph does not allow.
func faults(p listed) []string {
	name := local(p.ImportPath)
	allowed, drawn := allowedFor(name)
	if !drawn {
		return []string{name + " is not in the graph"}
	}
	var found []string
	for _, path := range p.Imports {
		if !standard(path) && !anyMatches(allowed, local(path)) {
			found = append(found, name+" must not import "+local(path))
		}
	}
	return found
}

// allowedFor returns the patterns of what the package may import, and whether a rule names the package.
func allowedFor(name string) (allowed []string, drawn bool) {
	for rule := range strings.SplitSeq(comment.ReplaceAllString(graph, ""), ";") {
		from, to, _ := strings.Cut(rule, "<")
		if anyMatches(names(to), name) {
			allowed, drawn = append(allowed, names(from)...), true
		}
	}
	return allowed, drawn
}

var comment = regexp.MustCompile(`#.*`)

func names(side string) []string {
	return strings.FieldsFunc(side, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

func anyMatches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		base, tree := strings.CutSuffix(pattern, "/...")
		return name == base || tree && strings.HasPrefix(name, base+"/")
	})
}

func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// local returns the path as the graph writes it: a package of this module relative to the module's root.
func local(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}
