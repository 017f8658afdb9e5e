package app

import (
	"bytes"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/gangway-go/gangway/conformance"
)

// T is one run of a case against a Target.
type T struct {
	*conformance.T
	target *Target
	least  time.Duration // of the patience
}

// test makes a case's Run of what it does with T.
func test(run func(*T)) func(*conformance.T) {
	return func(t *conformance.T) { run(&T{T: t, target: t.Target.(*Target)}) }
}

// Patience is that of the run, or more for a target that has to begin first.
func (t *T) Patience() time.Duration { return max(t.T.Patience(), t.least) }

// Open opens a connection to the target for raw bytes. Connect is for FastCGI records.
func (t *T) Open() *conformance.Conn { return t.Dial(t.target.network, t.target.address) }

// Serves makes one plain request over a new connection and fails if it gets no well-formed response. If the target
// serves one connection at a time, the case has to close its others before.
func (t *T) Serves() { t.ask("") }

// ask is Serves with a query.
func (t *T) ask(query string) *reply { return t.Reply(t.target.protocol.ask(t, query)) }

// Dribble sends one byte at a time, slowly enough for the target to see some of them alone: the first and the last for
// sure.
func (t *T) Dribble(send func([]byte), b []byte) {
	for i := range b {
		send(b[i : i+1])
		pause := 200 * time.Microsecond
		if i == 0 || i == len(b)-2 {
			pause = t.Patience() / 10
		}
		t.Sleep(pause)
	}
}

// Memory is the resident memory of the target in bytes. The case needs "pid".
func (t *T) Memory() int64 { return memory(t.target.pid()) }

// Descriptors is how many descriptors the target has open. The case needs "pid".
func (t *T) Descriptors() int { return descriptors(t.target.pid()) }

// CPU is the processor time that the target has used. The case needs "pid".
func (t *T) CPU() time.Duration { return time.Duration(ticks(t.target.pid())) * time.Second / 100 }

// pair is a meta-variable.
type pair struct{ name, value string }

// variables are the meta-variables of a request with the given method and query, as a web server sends them. More are
// given as name, value, …: they take the place of those with the same name, and the target's own win over all.
func (t *T) variables(method, query string, more ...string) []pair {
	script, path := "", "/"
	if t.target.Script != "" {
		script, path = t.target.Script[strings.LastIndexByte(t.target.Script, '/'):], ""
	}
	uri := script + path
	if query != "" {
		uri += "?" + query
	}
	vars := []pair{
		{"GATEWAY_INTERFACE", "CGI/1.1"}, {"SERVER_SOFTWARE", "gangway"}, {"SERVER_PROTOCOL", "HTTP/1.1"},
		{"SERVER_NAME", "localhost"}, {"SERVER_PORT", "80"}, {"REMOTE_ADDR", "127.0.0.1"}, {"REQUEST_METHOD", method},
		{"REQUEST_URI", uri}, {"SCRIPT_NAME", script}, {"PATH_INFO", path}, {"QUERY_STRING", query},
		{"HTTP_HOST", "localhost"},
	}
	if t.target.Script != "" {
		vars = append(vars, pair{"SCRIPT_FILENAME", t.target.Script})
	}
	for i := 0; i < len(more); i += 2 {
		vars = set(vars, more[i], more[i+1])
	}
	for _, v := range t.target.Vars {
		name, value, _ := strings.Cut(v, "=")
		vars = set(vars, name, value)
	}
	return vars
}

func set(vars []pair, name, value string) []pair {
	for i := range vars {
		if vars[i].name == name {
			vars[i].value = value
			return vars
		}
	}
	return append(vars, pair{name, value})
}

// reply is a CGI response, RFC 3875 section 6, or for uwsgi one of HTTP.
type reply struct {
	status int // 200 if there is no Status
	fields []pair
	body   []byte
}

// field is the value of the first field with the name, in any case.
func (r *reply) field(name string) string {
	for _, f := range r.fields {
		if strings.EqualFold(f.name, name) {
			return f.value
		}
	}
	return ""
}

// Reply takes a response apart and fails if it is not well-formed: fields, an empty line, a body.
func (t *T) Reply(response []byte) *reply {
	r, fault := parseReply(response)
	t.Check(fault == "", "%s: %.80q", fault, response)
	return r
}

// wellFormed says whether a response has a header that is complete and has one of the CGI fields.
func wellFormed(response []byte) bool {
	_, fault := parseReply(response)
	return fault == ""
}

func parseReply(response []byte) (r *reply, fault string) {
	r = &reply{status: 200}
	if len(response) == 0 {
		return r, "an empty response"
	}
	rest := response
	if bytes.HasPrefix(rest, []byte("HTTP/1.")) {
		var line string
		line, rest, _ = cutLine(rest)
		words := strings.Fields(line + " x x")
		r.status, _ = strconv.Atoi(words[1])
	}
	for {
		line, after, ok := cutLine(rest)
		if !ok {
			return r, "a response whose header does not end"
		}
		if rest = after; line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || name != textproto.TrimString(name) || name == "" {
			return r, "a response with a header line that is no field"
		}
		r.fields = append(r.fields, pair{name, textproto.TrimString(value)})
	}
	if len(r.fields) == 0 {
		return r, "a response without a header"
	}
	if status := r.field("Status"); status != "" {
		number, _, _ := strings.Cut(status, " ")
		r.status, _ = strconv.Atoi(number)
	}
	r.body = rest
	return r, ""
}

// cutLine returns the first line without its LF or CRLF, and what follows.
func cutLine(b []byte) (line string, rest []byte, ok bool) {
	before, rest, ok := bytes.Cut(b, []byte("\n"))
	return strings.TrimSuffix(string(before), "\r"), rest, ok
}
