package faulty

import (
	"fmt"
	"html"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// scriptPeer is the name of the clean CGI program, and nphPeer that of the clean NPH script, for Main.
const (
	scriptPeer = "script"
	nphPeer    = "nph-script"
)

// The PATH_INFO of which Script knows what to do: it gives a local redirect, one to a client, and one with a document.
const (
	ScriptLocal    = "/local"
	ScriptClient   = "/client"
	ScriptDocument = "/document"
)

// Script is the echo application as a CGI program, RFC 3875, or as an NPH script: it answers the request that is in the
// environment and the standard input of the process, and tells errors apart.
type Script struct {
	Fault string // the name of the one fault, or "" for none
	NPH   bool   // a fault whose slug begins with "nph-" sets it too

	vars []variable
	body *digest
}

func (s *Script) fault(slug string) bool { return s.Fault == scriptPeer+"/"+slug }

// page is a response.
type page struct {
	status   string // with the reason; "" for 200
	location string
	kind     string // the Content-Type
	other    []variable
	body     string
	error    bool // of a method that is not known
}

// Run answers and returns the exit status.
func (s *Script) Run() int {
	s.NPH = s.NPH || strings.HasPrefix(s.Fault, scriptPeer+"/nph-")
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		s.vars = append(s.vars, variable{name, value})
	}
	if status, done := s.collapse(); done {
		return status
	}
	s.leave()
	p := s.answer()
	if err := s.write(os.Stdout, p); err != nil {
		return 1
	}
	if s.fault("exit-status-of-head") && s.value("REQUEST_METHOD") == "HEAD" {
		return 1
	}
	return 0
}

// lookup returns the value of a variable and whether it is set.
func (s *Script) lookup(name string) (string, bool) {
	for _, v := range s.vars {
		if v.name == name {
			return v.value, true
		}
	}
	return "", false
}

func (s *Script) value(name string) string {
	value, _ := s.lookup(name)
	return value
}

// http10 says whether the client knows HTTP/1.0 only, RFC 3875 sections 4.1.16 and 6.3.3.
func (s *Script) http10() bool {
	protocol := strings.ToUpper(s.value("SERVER_PROTOCOL"))
	return protocol == "HTTP/1.0" || protocol == "INCLUDED"
}

// answer finds the response.
func (s *Script) answer() page {
	method := s.value("REQUEST_METHOD")
	path, pathSet := s.lookup("PATH_INFO")
	if s.fault("folds-method") {
		method = strings.ToUpper(method)
	}
	switch {
	case method == "" && !s.fault("unset-method-is-get"):
		return errorPage("400 Bad Request", "There is no REQUEST_METHOD.")
	case method != "" && method != "GET" && method != "HEAD" && method != "POST" && !s.fault("takes-any-method"):
		return s.methodPage(method)
	case path != "", pathSet && s.fault("knows-no-empty-path"):
		return s.pathPage(path)
	}
	if p, refused := s.refusal(); refused {
		return p
	}
	if p, failed := s.read(method); failed {
		return p
	}
	return s.echo(method)
}

// errorPage is a page for people.
func errorPage(status, text string) page {
	body := "<!doctype html>\n<title>" + status + "</title>\n" + text + "\n"
	return page{status: status, kind: "text/html; charset=utf-8", body: body}
}

// methodPage refuses a method, section 4.3.
func (s *Script) methodPage(method string) page {
	status := "405 Method Not Allowed"
	if s.http10() && !s.fault("405-for-http10") {
		status = "501 Not Implemented"
	}
	p := errorPage(status, "The method "+html.EscapeString(method)+" is not known.")
	p.other = []variable{{"Allow", "GET, HEAD, POST"}}
	p.error = true
	return p
}

// pathPage answers a request with a PATH_INFO, section 8.2.
func (s *Script) pathPage(path string) page {
	switch path {
	case ScriptLocal:
		return s.redirect("local", page{location: "/cgi-bin/other?a=b"})
	case ScriptClient:
		return s.redirect("client", page{location: "http://localhost/other?a=b#c"})
	case ScriptDocument:
		p := errorPage("302 Found", "The document is elsewhere.")
		p.location = "http://localhost/other"
		return s.redirect("document", p)
	}
	if s.fault("ignores-path-info") {
		return s.echo("GET")
	}
	if p, found := s.file(path); found {
		return p
	}
	shown, query := html.EscapeString(path), html.EscapeString(s.value("QUERY_STRING"))
	if s.fault("path-in-page") {
		shown = path
	}
	if s.fault("query-in-page") {
		query = s.value("QUERY_STRING")
	}
	p := errorPage("404 Not Found", "There is nothing at "+shown+"?"+query+".")
	if s.fault("path-in-header") {
		p.other = []variable{{"X-Path", path}}
	}
	return p
}

// redirect gives a redirect, sections 6.2.2 to 6.2.4, its faults.
func (s *Script) redirect(kind string, p page) page {
	fault := func(slug string) bool { return s.fault(kind + "-redirect-" + slug) }
	switch {
	case fault("with-status"):
		p.status = "302 Found"
	case fault("with-body"):
		p.body = "elsewhere\n"
	case fault("with-cookie"):
		p.other = []variable{{"Set-Cookie", "a=b"}}
	case fault("with-200"):
		p.status = "200 OK"
	case fault("untyped"):
		p.kind = ""
	case fault("relative"):
		p.location = "other?a=b"
	case fault("without-scheme"):
		p.location = "//localhost/other"
	case fault("with-space"):
		p.location = "http://localhost/the other"
	}
	return p
}

// file is what a mutant shows of the system's files.
func (s *Script) file(path string) (p page, found bool) {
	name := ""
	switch {
	case s.fault("follows-dotdot") && strings.Contains(path, "/../"):
		name = filepath.Join("/srv", path)
	case s.fault("follows-void-segments") && strings.HasPrefix(path, "//"):
		name = path[1:]
	case s.fault("decodes-path-again") && strings.Contains(path, "%2f"):
		name = filepath.Join("/srv", strings.ReplaceAll(path, "%2f", "/"))
	default:
		return p, false
	}
	b, err := os.ReadFile(name)
	return page{kind: "text/plain; charset=utf-8", body: string(b)}, err == nil
}

// echo gives the response of the echo contract.
func (s *Script) echo(method string) page {
	query := s.value("QUERY_STRING")
	if s.fault("decodes-query") {
		s.vars = s.decoded("QUERY_STRING")
	}
	if s.fault("serves-query-file") && strings.Contains(query, "file=") {
		file, _, _ := strings.Cut(strings.TrimPrefix(query, "file="), "&")
		b, _ := os.ReadFile(filepath.Join("/srv/www", file))
		return page{kind: "text/plain; charset=utf-8", body: string(b)}
	}
	e := echo{vars: s.vars, body: s.body, variants: modes(query)}
	p := page{kind: "text/x-gangway-echo; charset=us-ascii", other: []variable{{"Cache-Control", "no-store"}}}
	large, isLarge := e.number("large")
	_, isBinary := e.variants["binary"]
	switch {
	case isLarge:
		var b strings.Builder
		copyBytes(&b, &pattern{line: largeLine}, large)
		p.kind, p.body = "application/octet-stream", b.String()
		if s.fault("cuts-large-response") {
			p.body = p.body[:min(len(p.body), 64<<10)]
		}
	case isBinary:
		p.kind, p.body = "application/octet-stream", string(allBytes())
		if s.fault("text-mode-output") {
			p.body = strings.ReplaceAll(p.body, "\n", "\r\n")
		}
	default:
		p.body = e.lines()
	}
	if s.fault("query-in-header") {
		p.other = append(p.other, variable{"X-Query", unescape(query)})
	}
	if s.fault("head-with-fewer-fields") && method == "HEAD" {
		p.other = nil
	}
	return p
}

func (s *Script) decoded(name string) (vars []variable) {
	for _, v := range s.vars {
		if v.name == name {
			v.value = unescape(v.value)
		}
		vars = append(vars, v)
	}
	return vars
}

// collapse ends mutants that do not get as far as a response of their own. It returns the exit status.
func (s *Script) collapse() (status int, done bool) {
	query := s.value("QUERY_STRING")
	switch {
	case s.fault("short-cookie-buffer") && len(s.value("HTTP_COOKIE")) > 64<<10,
		s.fault("short-query-buffer") && len(query) > 8<<10,
		s.fault("short-variable-table") && len(s.vars) > 512,
		s.fault("breaks-on-escapes") && unescape(query) == query && strings.Contains(query, "%"),
		s.fault("needs-utf8") && !utf8.ValidString(s.value("HTTP_USER_AGENT")),
		s.fault("splits-address-at-dots") && strings.Count(s.value("REMOTE_ADDR"), ".") != 3,
		s.fault("needs-path") && s.value("PATH") == "",
		s.fault("needs-script-name") && s.value("SCRIPT_NAME") == "",
		s.fault("needs-own-directory") && !inOwnDirectory(),
		s.fault("needs-standard-input") && !isPipe(os.Stdin):
		fmt.Fprintln(os.Stderr, "the program fails")
		return 1, true
	case s.fault("takes-options") && s.takesOption():
		fmt.Println("Content-Type: text/plain\n\nusage: script [-s] [-d] [--help] [--version]")
		return 0, true
	case s.fault("logs-or-dies"):
		fmt.Fprintln(os.Stderr, "a request")
	}
	return 0, false
}

func (s *Script) takesOption() bool {
	return len(os.Args) > 1 && strings.HasPrefix(os.Args[len(os.Args)-1], "-")
}

func inOwnDirectory() bool {
	dir, err := os.Getwd()
	executable, err2 := os.Executable()
	return err == nil && err2 == nil && dir == filepath.Dir(executable)
}

func isPipe(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeNamedPipe != 0
}

// leave starts what a mutant leaves behind or runs for the client.
func (s *Script) leave() {
	post := s.value("REQUEST_METHOD") == "POST"
	switch {
	case s.fault("leaves-process") && post:
		exec.Command("/bin/sleep", "20").Start()
	case s.fault("leaves-output-open") && post:
		cmd := exec.Command("/bin/sleep", "20")
		cmd.Stdout = os.Stdout
		cmd.Start()
	case s.fault("query-in-shell"):
		shell("true " + s.value("QUERY_STRING"))
	case s.fault("path-in-shell"):
		shell("true " + s.value("PATH_INFO"))
	case s.fault("shellshock") && strings.HasPrefix(s.value("HTTP_USER_AGENT"), "() {"):
		_, command, _ := strings.Cut(s.value("HTTP_USER_AGENT"), "}; ")
		shell(command)
	}
}

func shell(command string) {
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	cmd.Run()
}
