package script

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// response is what the program wrote and how it ended.
type response struct {
	stdout, stderr []byte
	end            string // how the program ended, as in "exit status 0"
	signalled      bool   // by a signal
	open           bool   // standard output was open after the end of the program
	left           bool   // other processes of its group were there after its end
	unread         int    // bytes left in standard input; -1 if nobody looked

	start    string // the status line of an NPH script
	header   []line
	complete bool // there is an empty line after the header
	body     []byte
}

// line is one line of the header.
type line struct{ text, newline string }

// headerLimit is how much is searched for the end of the header.
const headerLimit = 1 << 20

// parse takes the output of a program apart without a demand on its lines, so that each case can make its own. The
// header goes to the first empty line; if there is none, it is what lines with a colon there are at the beginning.
func parse(stdout []byte, nph bool) *response {
	r := &response{stdout: stdout}
	rest := stdout
	for len(stdout)-len(rest) < headerLimit {
		l, after, ok := cutLine(rest)
		if !ok {
			break
		}
		if rest = after; l.text == "" {
			r.complete, r.body = true, rest
			break
		}
		r.header = append(r.header, l)
	}
	if nph && len(r.header) > 0 {
		r.start = r.header[0].text + r.header[0].newline
		r.header = r.header[1:]
	}
	if !r.complete {
		if i := slices.IndexFunc(r.header, func(l line) bool { return !strings.Contains(l.text, ":") }); i >= 0 {
			r.header = r.header[:i]
		}
	}
	return r
}

func cutLine(b []byte) (l line, rest []byte, ok bool) {
	text, rest, ok := bytes.Cut(b, []byte("\n"))
	l = line{string(text), "\n"}
	if before, crlf := strings.CutSuffix(l.text, "\r"); crlf {
		l = line{before, "\r\n"}
	}
	return l, rest, ok
}

func (l line) name() string {
	name, _, _ := strings.Cut(l.text, ":")
	return name
}

func (l line) value() string {
	_, value, _ := strings.Cut(l.text, ":")
	return strings.Trim(value, " \t")
}

func (l line) is(name string) bool { return strings.EqualFold(l.name(), name) }

// values returns the value of each field with the name.
func (r *response) values(name string) (values []string) {
	for _, l := range r.header {
		if l.is(name) {
			values = append(values, l.value())
		}
	}
	return values
}

// value returns the first value of the field, or "", which is the same as no field, RFC 3875 section 6.3.
func (r *response) value(name string) string {
	for _, value := range r.values(name) {
		return value
	}
	return ""
}

func (r *response) has(name string) bool { return r.value(name) != "" }

var (
	statusLine  = regexp.MustCompile(`^HTTP/[0-9]\.[0-9] ([1-9][0-9][0-9])( [^\r\n]*)?\r?\n$`)
	statusValue = regexp.MustCompile(`^([1-9][0-9][0-9])( |$)`)
)

// status is the status code that the response stands for: 0 if it is none.
func (r *response) status() int {
	match := statusValue.FindStringSubmatch(r.value("Status"))
	switch {
	case r.start != "":
		match = statusLine.FindStringSubmatch(r.start)
	case !r.has("Status") && r.has("Location"):
		return 302
	case !r.has("Status"):
		return 200
	}
	if match == nil {
		return 0
	}
	status, _ := strconv.Atoi(match[1])
	return status
}

var token = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// folded says whether the line continues the one before, which CGI has not.
func (l line) folded() bool { return l.text[0] == ' ' || l.text[0] == '\t' }

// field says whether the line has the form of a field: a token and a colon.
func (l line) field() bool { return strings.Contains(l.text, ":") && token.MatchString(l.name()) }
