package script

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// request is one run of the program to be: what it gets.
type request struct {
	vars  []string // entries of the environment
	args  []string
	stdin string
	hold  bool // standard input stays open after stdin has been written
	keep  bool // what the program leaves in standard input is counted

	dir       string // the working directory, if not the target's
	shell     string // what a shell does before it becomes the program
	late      bool   // the output is not read at first
	gone      bool   // nobody reads the output
	deaf      bool   // nobody reads standard error
	untouched bool   // PATH is not set
}

// request returns the plain request with another method.
func (t *T) request(method string) *request { return t.ask(method, t.target.URL) }

// trigger returns a GET for the URL of a trigger.
func (t *T) trigger(name string) *request { return t.ask("GET", t.target.Triggers[name]) }

// ask returns a request for a URL as Target.URL has it.
func (t *T) ask(method, url string) *request {
	r := &request{}
	path, query, _ := strings.Cut(url, "?")
	script := "/cgi-bin/" + filepath.Base(t.target.Path)
	uri := script + path
	if query != "" {
		uri += "?" + query
	}
	r.set("GATEWAY_INTERFACE", "CGI/1.1", "SERVER_PROTOCOL", "HTTP/1.1", "SERVER_SOFTWARE", "gangway",
		"SERVER_NAME", "localhost", "SERVER_PORT", "80", "REMOTE_ADDR", "127.0.0.1", "SCRIPT_NAME", script,
		"REQUEST_METHOD", method, "QUERY_STRING", query,
		"REQUEST_URI", uri, "SCRIPT_FILENAME", t.target.Path, "HTTP_HOST", "localhost", "HTTP_ACCEPT", "*/*")
	if path != "" {
		r.set("PATH_INFO", path, "PATH_TRANSLATED", filepath.Join(filepath.Dir(t.target.Path), path))
	}
	for _, entry := range t.target.Env {
		name, value, _ := strings.Cut(entry, "=")
		r.set(name, value)
	}
	return r
}

// post returns a plain POST of body.
func (t *T) post(contentType, body string) *request {
	r := t.request("POST").set("CONTENT_TYPE", contentType, "CONTENT_LENGTH", strconv.Itoa(len(body)))
	r.stdin = body
	return r
}

// query returns a plain GET with another QUERY_STRING.
func (t *T) query(query string) *request {
	path, _, _ := strings.Cut(t.target.URL, "?")
	return t.ask("GET", path+"?"+query)
}

// set gives variables other values: name, value, …
func (r *request) set(pairs ...string) *request {
	for i := 0; i < len(pairs); i += 2 {
		r.unset(pairs[i])
		r.vars = append(r.vars, pairs[i]+"="+pairs[i+1])
	}
	return r
}

// unset takes variables away.
func (r *request) unset(names ...string) *request {
	for _, name := range names {
		r.vars = slices.DeleteFunc(r.vars, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	}
	return r
}

func (r *request) value(name string) string {
	for _, v := range r.vars {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}
