package faulty

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// refusal is an error page for what is wrong with the variables. Only mutants find something.
func (s *Script) refusal() (p page, refused bool) {
	_, extension := s.lookup("X_GANGWAY")
	_, host := s.lookup("HTTP_HOST")
	protocol := s.value("SERVER_PROTOCOL")
	query, args := s.value("QUERY_STRING"), os.Args[1:]
	switch {
	case s.fault("refuses-extension-variables") && extension,
		s.fault("needs-host") && !host,
		s.fault("compares-interface-as-text") && s.value("GATEWAY_INTERFACE") != "CGI/1.1",
		s.fault("refuses-included") && protocol == "INCLUDED",
		s.fault("protocol-in-capitals") && strings.HasPrefix(protocol, "http/"),
		s.fault("takes-arguments") && len(args) > 0 && strings.Contains(query, "="),
		s.fault("trusts-http-proxy") && connects(s.value("HTTP_PROXY")):
		return errorPage("400 Bad Request", "The request is not understood."), true
	}
	return p, false
}

func connects(proxy string) bool {
	c, err := net.Dial("tcp", strings.TrimPrefix(proxy, "http://"))
	if err == nil {
		c.Close()
	}
	return false
}

// crash ends the process as a fault of memory does.
func crash() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		p.Kill()
	}
	select {}
}

// bodyLimit is how large a message-body may be.
const bodyLimit = 64 << 20

// bodyKinds are the types of bodies that are understood.
var bodyKinds = []string{"", "application/x-www-form-urlencoded", "multipart/form-data", "application/octet-stream"}

// read takes in the message-body, section 4.2. It returns an error page if it is not as announced.
func (s *Script) read(method string) (p page, failed bool) {
	text, set := s.lookup("CONTENT_LENGTH")
	s.body = newDigest(-1)
	if p, failed, ends := s.readBadly(method, text, set); failed || ends {
		return p, failed
	}
	if text == "" {
		return p, false
	}
	base := 10
	if s.fault("octal-length") {
		base = 0
	}
	length, err := strconv.ParseUint(text, base, 63)
	kind, _, _ := strings.Cut(s.value("CONTENT_TYPE"), ";")
	switch {
	case errors.Is(err, strconv.ErrRange), length > bodyLimit:
		return s.tooNew("413 Content Too Large", "The body is too large."), true
	case err != nil && s.fault("errors-in-stdout"):
		os.Stdout.WriteString("bad CONTENT_LENGTH\n")
		fallthrough
	case err != nil:
		return errorPage("400 Bad Request", "CONTENT_LENGTH is no number."), true
	case !slices.Contains(bodyKinds, strings.ToLower(strings.TrimSpace(kind))):
		if s.fault("fails-on-unknown-type") {
			return errorPage("500 Internal Server Error", "The type is not known."), true
		}
		return s.tooNew("415 Unsupported Media Type", "The type is not known."), true
	}
	return s.readBody(int64(length), kind == "multipart/form-data")
}

// tooNew is an error page whose status HTTP/1.0 does not know, section 6.3.3.
func (s *Script) tooNew(status, text string) page {
	if s.http10() {
		status = "400 Bad Request"
	}
	return errorPage(status, text)
}

// readBadly reads what mutants read. It says whether a page or a body has come of it.
func (s *Script) readBadly(method, text string, set bool) (p page, failed, ends bool) {
	_, typed := s.lookup("CONTENT_TYPE")
	_, notNumber := strconv.ParseUint(text, 10, 64)
	bad := errors.Is(notNumber, strconv.ErrSyntax)
	switch {
	case s.fault("waits-on-empty-length") && set && text == "" && method == "POST",
		s.fault("waits-without-length") && !set && method == "POST",
		s.fault("get-waits") && !set && method == "GET",
		s.fault("negative-length-is-endless") && strings.HasPrefix(text, "-"),
		s.fault("bad-length-is-endless") && text != "" && bad && text[0] != '-':
		io.Copy(io.Discard, os.Stdin)
		return p, false, true
	case s.fault("believes-huge-length") && len(text) > 19,
		s.fault("small-body-buffer") && len(text) > 6 && len(text) <= 19,
		s.fault("needs-content-type") && method == "POST" && !typed:
		crash()
	case s.fault("fails-on-body-of-get") && method == "GET" && text != "":
		return errorPage("500 Internal Server Error", "A GET has no body."), true, false
	}
	return p, false, false
}

// readBody reads length bytes. A form with files is spooled, to a file that has no name any more.
func (s *Script) readBody(length int64, spooled bool) (p page, failed bool) {
	if s.fault("ignores-sigterm") {
		signal.Ignore(syscall.SIGTERM)
	}
	w := io.Writer(digestWriter{s.body})
	if spooled {
		file, err := os.CreateTemp("", "upload")
		if err != nil {
			return errorPage("500 Internal Server Error", "There is no room for the body."), true
		}
		defer file.Close()
		switch {
		case s.fault("leaves-upload"):
		case s.fault("leaves-upload-on-sigterm"):
			defer os.Remove(file.Name())
		default:
			os.Remove(file.Name())
		}
		w = io.MultiWriter(w, file)
	}
	if _, err := io.CopyN(w, s.stdin(), length); err != nil && !s.fault("accepts-short-body") {
		return errorPage("400 Bad Request", "The body is shorter than announced."), true
	}
	if s.fault("waits-for-end") {
		io.Copy(io.Discard, os.Stdin)
	}
	return p, false
}

// stdin is standard input as mutants read it.
func (s *Script) stdin() io.Reader {
	switch {
	case s.fault("buffers-input"):
		return bufio.NewReader(os.Stdin)
	case s.fault("reads-once"):
		return &onceReader{Reader: os.Stdin}
	case s.fault("text-mode-input"):
		return crToLF{os.Stdin}
	}
	return os.Stdin
}

type digestWriter struct{ d *digest }

func (w digestWriter) Write(b []byte) (int, error) {
	w.d.add(b)
	return len(b), nil
}

type onceReader struct {
	io.Reader
	done bool
}

func (r *onceReader) Read(b []byte) (int, error) {
	if r.done {
		return 0, io.EOF
	}
	r.done = true
	return r.Reader.Read(b)
}

type crToLF struct{ io.Reader }

func (r crToLF) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	for i := range b[:n] {
		if b[i] == '\r' {
			b[i] = '\n'
		}
	}
	return n, err
}
