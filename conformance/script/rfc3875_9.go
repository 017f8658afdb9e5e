package script

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gangway-go/gangway/conformance"
)

func clientDataCases() []conformance.Case {
	const injection = "A line end that gets from the client into the header makes fields, or a whole response, of the " +
		"attacker's."
	const markup = "Markup that gets from the URL into a page runs in the browser of whoever follows a link."
	return []conformance.Case{{
		Name: "script/9/httpoxy-ignored",
		Quote: "HTTP_PROXY is what the client sent as Proxy: who takes it for a setting sends its requests where the " +
			"client likes (CVE-2016-5385).",
		Level: conformance.Security,
		Sends: "a GET, the target's trigger for a request of its own if it has one, with HTTP_PROXY of an address where " +
			"the suite listens",
		Passes: "does not connect there",
		Run:    test((*T).httpoxy),
	}, {
		Name:   "script/9/header-injection-query",
		Quote:  injection,
		Level:  conformance.Security,
		Sends:  "GET requests with CR LF X-Injected:1, and LF instead, encoded in QUERY_STRING",
		Passes: "has no field X-Injected in its response",
		Run: test(func(t *T) {
			t.notInjected(t.send(t.query("%0d%0aX-Injected:1")))
			t.notInjected(t.send(t.query("a=b%0aX-Injected:1")))
		}),
	}, {
		Name:   "script/9/header-injection-path-info",
		Quote:  injection,
		Level:  conformance.Security,
		Sends:  "a GET with CR LF X-Injected:1 in PATH_INFO, which is decoded",
		Passes: "has no field X-Injected in its response",
		Run:    test(func(t *T) { t.notInjected(t.send(t.ask("GET", "/a\r\nX-Injected:1"))) }),
	}, {
		Name:   "script/9/xss-path-info",
		Quote:  markup,
		Level:  conformance.Security,
		Sends:  "a GET with PATH_INFO=/<script>gangway()</script>",
		Passes: "escapes it in an HTML page",
		Run:    test(func(t *T) { t.escapes(t.ask("GET", "/"+markupText)) }),
	}, {
		Name:  "script/9/xss-query",
		Quote: markup,
		Level: conformance.Security,
		Sends: "GET requests with <script>gangway()</script> in QUERY_STRING, as it is and encoded, one of them for a " +
			"page that does not exist",
		Passes: "escapes it in an HTML page",
		Run: test(func(t *T) {
			t.escapes(t.query("q=" + markupText))
			t.escapes(t.query("q=%3Cscript%3Egangway()%3C/script%3E"))
			t.escapes(t.ask("GET", "/nothing?q="+markupText))
		}),
	}}
}

const markupText = "<script>gangway()</script>"

// httpoxy fails if the program connects to what HTTP_PROXY says.
func (t *T) httpoxy() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Broken(err)
	}
	t.Cleanup(func() { ln.Close() })
	came := make(chan struct{}, 1)
	go func() {
		if c, err := ln.Accept(); err == nil {
			c.Close()
			came <- struct{}{}
		}
	}()
	url, known := t.target.Triggers[Fetch]
	if !known {
		url = t.target.URL
		t.Info("no URL is known that makes the program send a request of its own")
	}
	t.send(t.ask("GET", url).set("HTTP_PROXY", "http://"+ln.Addr().String()))
	select {
	case <-came:
		t.Fail("a connection to HTTP_PROXY")
	case <-time.After(t.Patience() / 10): // for one that is not accepted yet
	}
}

func (t *T) notInjected(r *response) {
	injected := slices.ContainsFunc(r.header, func(l line) bool { return l.is("X-Injected") })
	t.Check(!injected, "the field X-Injected: %.300q", r.stdout)
}

// escapes fails if the text is in an HTML page as it is.
func (t *T) escapes(r *request) {
	got := t.send(r)
	kind := strings.ToLower(got.value("Content-Type"))
	page := kind == "" || strings.Contains(kind, "html") || strings.Contains(kind, "xml")
	t.Check(!page || !strings.Contains(string(got.body), markupText), "%s with %s", kind, markupText)
}

func commandCases() []conformance.Case {
	const shell = "These uses include (but are not limited to) system call arguments, database writes, dynamically " +
		"evaluated source code, and input to billing or other secure processes."
	var cases []conformance.Case
	for _, attack := range []struct {
		name, quote, sends string
		run                func(t *T, command string) []*request
	}{{
		"script/9.7/shell-metacharacters-query", shell, "in QUERY_STRING",
		func(t *T, command string) (all []*request) {
			for _, form := range []string{";%s;", "|%s", "`%s`", "$(%s)", "';%s;'", `";%s;"`} {
				all = append(all, t.query("q=x"+strings.ReplaceAll(form, "%s", strings.ReplaceAll(command, " ", "${IFS}"))))
			}
			return all
		},
	}, {
		"script/9.7/shell-metacharacters-path-info", shell, "in PATH_INFO",
		func(t *T, command string) []*request { return []*request{t.ask("GET", "/x;"+command+";`"+command+"`")} },
	}, {
		"script/9.7/shellshock",
		"A shell runs what follows a function in a variable (CVE-2014-6271), and most variables are the client's.",
		"behind a function as HTTP_USER_AGENT",
		func(t *T, command string) []*request {
			return []*request{t.request("GET").set("HTTP_USER_AGENT", "() { :;}; "+command)}
		},
	}} {
		cases = append(cases, conformance.Case{
			Name: attack.name, Quote: attack.quote, Level: conformance.Security,
			Sends:  "a GET with a command that makes a file, " + attack.sends,
			Passes: "does not run the command",
			Run: test(func(t *T) {
				dir := t.folder()
				for _, r := range attack.run(t, "/bin/touch "+filepath.Join(dir, "canary")) {
					t.send(r)
				}
				t.Check(len(t.names(dir)) == 0, "the command was run")
			}),
		})
	}
	return cases
}
