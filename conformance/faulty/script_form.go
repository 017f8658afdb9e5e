package faulty

import (
	"errors"
	"io"
	"net/url"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// write writes a response in the form of section 6, or of section 5 for an NPH script. HEAD gets no body.
func (s *Script) write(w io.Writer, p page) error {
	fault := func(slug string) bool { return p.error && s.fault(slug) }
	lines := s.header(p)
	newline, body := "\n", p.body
	if s.NPH && !fault("nph-lf") || fault("crlf") {
		newline = "\r\n"
	}
	if s.value("REQUEST_METHOD") == "HEAD" && !s.fault("head-with-body") {
		body = ""
	}
	if fault("empty-response") {
		return nil
	}
	text := strings.Join(append(lines, "", ""), newline)
	if fault("mixed-newlines") {
		text = strings.Replace(text, "\n", "\r\n", 1)
	}
	if fault("no-empty-line") {
		text = strings.TrimSuffix(text, newline)
	}
	if s.fault("writes-for-ever") {
		return writeAlways(w, text+body)
	}
	_, err := io.WriteString(w, text+body)
	return err
}

// writeAlways takes every error for one that passes.
func writeAlways(w io.Writer, text string) error {
	signal.Ignore(syscall.SIGPIPE)
	for text != "" {
		n, err := io.WriteString(w, text)
		if err != nil && !errors.Is(err, syscall.EPIPE) {
			return err
		}
		text = text[n:]
	}
	return nil
}

// header returns the lines of the header: CGI fields first, section 8.2.
func (s *Script) header(p page) []string {
	var fields []variable
	for _, f := range []variable{{"Status", p.status}, {"Location", p.location}, {"Content-Type", p.kind}} {
		if f.value != "" {
			fields = append(fields, f)
		}
	}
	fields = append(fields, p.other...)
	if p.error {
		fields = s.spoil(fields, p)
	}
	var lines []string
	if s.NPH {
		lines, fields = s.http(fields, p)
	}
	for _, f := range fields {
		lines = append(lines, f.name+": "+f.value)
	}
	return lines
}

// http makes the fields those of an HTTP response, section 5.2, and returns the status line.
func (s *Script) http(fields []variable, p page) (start []string, rest []variable) {
	status, length, connection := "200 OK", len(p.body), "close"
	if p.status != "" {
		status = p.status
	}
	version := "HTTP/1.1 "
	if s.http10() {
		version = "HTTP/1.0 "
	}
	rest = slices.DeleteFunc(fields, func(f variable) bool { return f.name == "Status" })
	if p.error && s.fault("nph-wrong-length") {
		length++
	}
	if p.error && s.fault("nph-keeps-alive") {
		connection = "keep-alive"
	}
	if p.error && s.fault("nph-without-status-line") {
		version = "Status: "
	}
	rest = append(rest, variable{"Connection", connection}, variable{"Content-Length", strconv.Itoa(length)})
	if s.fault("nph-chunks-to-http10") && s.http10() {
		rest = append(rest, variable{"Transfer-Encoding", "chunked"})
	}
	return []string{version + status}, rest
}

// spoil changes the fields of an error page as the mutants do whose header is not right.
func (s *Script) spoil(fields []variable, p page) []variable {
	const status, kind, allow = 0, 1, 2
	switch {
	case s.fault("no-content-type"):
		return slices.Delete(fields, kind, kind+1)
	case s.fault("no-cgi-field"):
		return fields[allow:]
	case s.fault("two-content-types"):
		return append(fields[:allow:allow], fields[kind], fields[allow])
	case s.fault("status-last"):
		return []variable{fields[allow], fields[kind], fields[status]}
	case s.fault("space-before-colon"):
		fields[allow].name = "Allow "
	case s.fault("folded-field"):
		fields[allow].value = "GET,\n HEAD, POST"
	case s.fault("empty-content-type"):
		fields[kind].value = ""
	case s.fault("nul-in-field"):
		fields[allow].value = "GET\x00"
	case s.fault("status-without-reason"):
		fields[status].value, _, _ = strings.Cut(fields[status].value, " ")
	case s.fault("no-subtype"):
		fields[kind].value = "html"
	case s.fault("no-charset"):
		fields[kind].value = "text/html"
	case s.fault("connection-close"):
		return append(fields, variable{"Connection", "close"})
	case s.fault("wrong-content-length"):
		return append(fields, variable{"Content-Length", strconv.Itoa(len(p.body) + 1)})
	}
	return fields
}

// unescape decodes what is escaped, or returns s as it is if an escape is broken.
func unescape(s string) string {
	if text, err := url.QueryUnescape(s); err == nil {
		return text
	}
	return s
}
