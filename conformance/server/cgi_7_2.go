package server

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// execCases are about servers that execute CGI programs, and about the streams of those and other applications: RFC
// 3875 sections 5, 7 and 9.
func execCases() []conformance.Case {
	var cases []conformance.Case
	for _, section := range [][]conformance.Case{cgi5(), cgi72(), cgi72Environment(), cgi72Streams, cgi72End,
		cgi72Files(), cgi9} {
		cases = append(cases, section...)
	}
	return cases
}

// cgi72Newline are about line ends, RFC 3875 section 7.2.
func cgi72Newline() []conformance.Case {
	newline := func(name, sends, response string, level conformance.Level, strict bool) conformance.Case {
		return conformance.Case{
			Name:   "cgi/7.2/" + name,
			Quote:  "The newline (NL) sequence is LF; servers should also accept CR LF as a newline.",
			Level:  level,
			Sends:  "a response with status 404 and " + sends,
			Passes: map[bool]string{true: "answers 404", false: "answers 404, or with a 5xx status"}[strict],
			Run: test(func(t *T) {
				r := t.Reply(response)
				if r.Status < 500 || strict {
					t.Intact(r, 404, "body")
					t.WantField(r, "X-A", "1")
				}
				t.Want(r, 404, 5)
			}),
		}
	}
	return []conformance.Case{
		newline("lf-only", "LF as line ends", "Status: 404 Nope\nX-A: 1\nContent-Type: text/plain\n\nbody",
			conformance.Must, true),
		newline("crlf", "CR LF as line ends", "Status: 404 Nope\r\nX-A: 1\r\nContent-Type: text/plain\r\n\r\nbody",
			conformance.Should, true),
		newline("mixed-lf-crlf", "LF after the first field and CR LF after the others", "Status: 404 Nope\nX-A: "+
			"1\r\nContent-Type: text/plain\r\n\r\nbody", conformance.Robustness, false),
		newline("mixed-crlf-lf", "CR LF after the fields and LF as the blank line", "Status: 404 Nope\r\nX-A: "+
			"1\r\nContent-Type: text/plain\r\n\nbody", conformance.Robustness, false),
		newline("mixed-blank-crlf", "LF after the fields and CR LF as the blank line", "Status: 404 Nope\nX-A: "+
			"1\nContent-Type: text/plain\n\r\nbody", conformance.Robustness, false),
	}
}

// cgi72 are about the surroundings of a program, RFC 3875 section 7.2.
func cgi72() []conformance.Case {
	const cwd = "The current working directory for the script SHOULD be set to the directory containing the script."
	return []conformance.Case{{
		Name: "cgi/7.2/cwd-is-script-dir", Quote: cwd, Level: conformance.Should, Needs: []string{"cgi"},
		Sends: "a request for a program", Passes: "runs it in the directory that holds it",
		Run: test(func(t *T) { t.wantDir(t.Get("/app/x"), "") }),
	}, {
		Name: "cgi/7.2/cwd-in-sub-directory", Quote: cwd, Level: conformance.Should, Needs: []string{"cgi"},
		Sends: "a request for a program in a sub-directory", Passes: "runs it in that sub-directory",
		Run: test(func(t *T) { t.wantDir(t.Get(t.script(subFile)+"/x"), "sub") }),
	}, {
		Name: "cgi/7.2/fd-hygiene", Level: conformance.Security, Needs: []string{"cgi"},
		Quote: "A descriptor that a program inherits is a file, a client or a listening socket that it can use as " +
			"the server can.",
		Sends: "a request for a program", Passes: "runs it with the descriptors 0, 1 and 2 and no others",
		Run: test(func(t *T) {
			var leaked []string
			for _, fd := range t.Get("/app/x").Process.FDs {
				if !inherited()[fd] { // else the server may have it from whom we have it
					leaked = append(leaked, fd)
				}
			}
			t.Check(len(leaked) == 0, "the program has the descriptors %q", leaked)
		}),
	}, {
		Name: "cgi/7.2/sigpipe-default", Level: conformance.Robustness, Needs: []string{"cgi", "signals"},
		Quote: "A program that ignores SIGPIPE without knowing goes on writing to a client that has gone, and one " +
			"that blocks SIGTERM cannot be ended.",
		Sends: "a request for a program", Passes: "runs it with no signal blocked, and SIGPIPE not ignored",
		Run: test(func(t *T) {
			_, r := t.Do(t.Request("GET", t.script(signalsFile), ""))
			t.Want(r, 200)
			blocked, ignored := signalSets(string(r.Body))
			t.Check(blocked == 0, "blocked signals: %#x", blocked)
			t.Check(ignored&(1<<(13-1)) == 0, "ignored signals: %#x", ignored)
		}),
	}}
}

func (t *T) wantDir(x *Exchange, sub string) {
	want, err := filepath.EvalSymlinks(filepath.Join(t.target.scripts.dir, sub))
	if err != nil {
		t.Broken(err)
	}
	got, err := filepath.EvalSymlinks(x.Process.Dir)
	t.Check(err == nil && got == want, "the working directory is %s", x.Process.Dir)
}

// cgi72Environment are about the environment of a program, RFC 3875 section 7.2.
func cgi72Environment() []conformance.Case {
	const identically = "Meta-variables are passed to the script in identically named environment variables."
	return []conformance.Case{{
		Name: "cgi/7.2/env-clean", Level: conformance.Security, Needs: []string{"cgi"},
		Quote: "What the administrator has in the server's environment, a password for example, is no business " +
			"of every program.",
		Sends:  "a request for a program",
		Passes: "gives it nothing of the server's own environment but PATH, LD_LIBRARY_PATH, TZ and the like",
		Run: test(func(t *T) {
			x := t.Get("/app/x")
			for _, entry := range t.environOf(x.Process.Parent) {
				name, value, _ := strings.Cut(entry, "=")
				t.Check(harmless[name] || value == "" || x.Get(name) != value, "the server's own variable %s", name)
			}
		}),
	}, {
		Name: "cgi/7.2/env-no-duplicates", Quote: identically, Level: conformance.Security, Needs: []string{"cgi"},
		Sends: "a request with Host, Cookie, X-Conform, Content-Type and Content-Length twice or in two " +
			"spellings, where HTTP allows that",
		Passes: "gives the program each name once",
		Run: test(func(t *T) {
			x := t.Served(t.Request("POST", "/app/x?q", "body", "Cookie: a=1", "Cookie: b=2", "X-A: 1", "x-a: 2",
				"Content-Type: text/plain"))
			seen := map[string]bool{}
			for _, v := range x.Vars {
				t.Check(!seen[v.Name], "%s is there %d times: %q", v.Name, len(x.Values(v.Name)), x.Values(v.Name))
				seen[v.Name] = true
			}
		}),
	}, {
		Name: "cgi/7.2/env-no-equals-name", Quote: identically, Level: conformance.Security, Needs: []string{"cgi"},
		Sends:  "requests with the header lines \"X=PATH: /evil\", \"=X: 1\" and \"X Y: 1\"",
		Passes: "refuses them, or gives the program an environment of well-formed entries in which they are not",
		Run: test(func(t *T) {
			for _, field := range []string{"X=PATH: /evil", "=X: 1", "X Y: 1"} {
				x, r := t.Do(t.Request("GET", "/app/x", "", field), OK)
				if t.Valid(r); x != nil {
					t.wellFormed(x)
				}
			}
		}),
	}}
}

func (t *T) wellFormed(x *Exchange) {
	for _, entry := range x.Process.Env {
		name, _, ok := strings.Cut(entry, "=")
		t.Check(ok && name != "" && !strings.ContainsAny(name, " \t\r\n"), "the entry %s", excerpt(entry))
		t.Check(name != "HTTP_X" && name != "HTTP_", "the entry %s", excerpt(entry))
	}
}

// harmless are the variables of a server that its programs may need.
var harmless = map[string]bool{
	"PATH": true, "LD_LIBRARY_PATH": true, "SHLIB_PATH": true, "LIBPATH": true, "TZ": true, "LANG": true,
	"SYSTEMROOT": true, "PWD": true,
	"SHLVL": true, "_": true,
}

// environOf reads the environment with which a process was started.
func (t *T) environOf(pid int) []string {
	b, err := os.ReadFile(filepath.Join("/proc", itoa(pid), "environ"))
	if err != nil {
		t.Skip("the server's environment cannot be read: %v", err)
	}
	return strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")
}
