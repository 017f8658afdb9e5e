package faulty

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
)

// replacedStatus is a misanswer that does something to the field Status of a response, of which value is the value.
func replacedStatus(change func(value string) string) func(*cgiResponse, string) string {
	return func(_ *cgiResponse, line string) string {
		if value, ok := strings.CutPrefix(line, "Status:"); ok {
			return "Status:" + change(strings.TrimRight(value, "\r\n")) + "\n"
		}
		return line
	}
}

// always is a status that gives another.
func always(from, to int) func(*answer, *cgiResponse) {
	return func(a *answer, h *cgiResponse) {
		if h.status == from {
			a.status = to
		}
	}
}

// misanswersStatus are about Status, RFC 3875 section 6.3.3.
var misanswersStatus = []misanswer{
	{
		slug:   "status-by-case",
		does:   "It does not know Status in another spelling, and sends it.",
		breaks: "6.3/case-insensitive",
		taken:  passing(func(_ *cgiResponse, name, _ string) bool { return named(name, "Status") && name != "Status" }),
	},
	{
		slug: "last-status-wins", does: "It takes the last of two fields Status.", breaks: "6.3/status-duplicate",
		taken: func(h *cgiResponse, name, _ string) taken {
			if named(name, "Status") {
				h.status = 0
			}
			return takenNot
		},
	},
	{
		slug:   "sends-status",
		does:   "It sends the field Status to the client.",
		breaks: "6.3.3/status-404 6.3/case-insensitive",
		taken: func(h *cgiResponse, name, value string) taken {
			if named(name, "Status") && strings.Contains(value, "404") {
				h.fields = append(h.fields, Var{"Status", value})
			}
			return takenNot
		},
	},
	{
		slug:   "status-needs-one-space",
		does:   "It fails if there is not exactly one space before the status.",
		breaks: "6.3/status-whitespace",
		heard: replacedStatus(func(value string) string {
			if strings.HasPrefix(value, "4") || strings.HasPrefix(value, "  ") || strings.HasPrefix(value, "\t") {
				return " none"
			}
			return value
		}),
	},
	{
		slug: "status-needs-reason", does: "It fails if there is no reason phrase.", breaks: "6.3.3/status-no-reason",
		heard: replacedStatus(func(value string) string {
			if len(value) == 4 {
				return " none"
			}
			return value
		}),
	},
	{
		slug:   "status-needs-ascii",
		does:   "It fails if the reason phrase is not ASCII.",
		breaks: "6.3.3/status-reason-utf8",
		heard: replacedStatus(func(value string) string {
			if ascii(value) != value {
				return " none"
			}
			return value
		}),
	},
	{
		slug:   "created-needs-location",
		does:   "It fails if a response with status 201 has no Location.",
		breaks: "6.3.3/status-201-no-location",
		judged: func(h *cgiResponse, err error) error {
			if h.status == http.StatusCreated && h.location == "" {
				return errResponse
			}
			return err
		},
	},
	{
		slug:   "knows-few-statuses",
		does:   "It answers 200 for a status that is not in RFC 9110.",
		breaks: "6.3.3/status-extension-code",
		sent:   always(299, http.StatusOK),
	},
	{
		slug: "own-reasons", does: "It sends its own reason phrases.", breaks: "6.3.3/status-reason-phrase",
		sent: func(a *answer, _ *cgiResponse) { a.reason = "" },
	},
	{
		slug: "any-number-is-status", does: "It takes any number for a status.",
		breaks: "6.3.3/status-99 6.3.3/status-000 6.3.3/status-1000 6.3.3/status-signed",
		judged: func(h *cgiResponse, err error) error {
			if _, number := h.number(); number && err != nil {
				h.status, h.odd = http.StatusOK, true
			}
			return h.unless(err)
		},
		sent: func(a *answer, h *cgiResponse) {
			if h.odd {
				a.status, _ = h.number()
			}
		},
	},
	{
		slug: "no-number-is-200", does: "It takes a status that is no number for 200.",
		breaks: "6.3.3/status-abc 6.3.3/status-glued",
		judged: func(h *cgiResponse, err error) error {
			if slices.Contains([]string{"Status: abc\n", "Status: 404X\n"}, h.firstLine()+"\n") && err != nil {
				h.status = http.StatusOK
			}
			return h.unless(err)
		},
	},
	{
		slug: "empty-status-is-204", does: "It answers 204 if Status has no value.", breaks: "6.3/status-empty",
		judged: func(h *cgiResponse, err error) error {
			if h.firstLine() == "Status:" {
				h.status = http.StatusNoContent
			}
			return err
		},
	},
	{
		slug: "continues-finally", does: "It sends 100 Continue as a final response.", breaks: "6.3.3/status-100",
		judged: func(h *cgiResponse, err error) error {
			if strings.HasPrefix(h.firstLine(), "Status: 100") {
				h.status, h.odd = http.StatusContinue, true
			}
			return h.unless(err)
		},
	},
	{
		slug:   "switches-protocols",
		does:   "It sends 101 Switching Protocols if the application says so.",
		breaks: "6.3.3/status-101",
		judged: func(h *cgiResponse, err error) error {
			if strings.HasPrefix(h.firstLine(), "Status: 101") {
				h.status, h.odd = http.StatusSwitchingProtocols, true
				h.fields = append(h.fields, Var{"Upgrade", "x-conform"})
			}
			return h.unless(err)
		},
	},
	{
		slug: "hints-are-final", does: "It fails if a response has an interim status.", breaks: "6.3.3/status-103",
		judged: func(h *cgiResponse, err error) error {
			if h.status == http.StatusEarlyHints {
				return errResponse
			}
			return err
		},
	},
	{
		slug: "one-challenge", does: "It sends one challenge only.", breaks: "6.3.3/status-401-challenges",
		taken: func(h *cgiResponse, name, _ string) taken {
			if named(name, "WWW-Authenticate") && slices.ContainsFunc(h.fields,
				func(f Var) bool { return named(f.Name, name) }) {
				return takenAlready
			}
			return takenNot
		},
	},
	{
		slug:   "no-unknown-types",
		does:   "It answers 406 for a document with a type that it does not know.",
		breaks: "6.2.1/document-200 6.3.1/content-type-unmodified",
		sent: func(a *answer, h *cgiResponse) {
			if h.status == 0 && strings.HasPrefix(a.of("Content-Type"), "text/x-conform") {
				a.status = http.StatusNotAcceptable
			}
		},
	},
}

// number is that of the field Status in the first line, if there is one.
func (h *cgiResponse) number() (n int, ok bool) {
	value, _ := strings.CutPrefix(h.firstLine(), "Status: ")
	code, _, _ := strings.Cut(value, " ")
	n, err := strconv.Atoi(code)
	return n, err == nil
}

// firstLine is the first line of the header without its end.
func (h *cgiResponse) firstLine() string {
	if len(h.lines) == 0 {
		return ""
	}
	return strings.TrimRight(h.lines[0], "\r\n")
}

// unless returns err unless a mutant has found a status in a response that is malformed.
func (h *cgiResponse) unless(err error) error {
	if h.status != 0 && errors.Is(err, errResponse) {
		return nil
	}
	return err
}

// misanswersField are about the other fields, RFC 3875 sections 6.3.1, 6.3.4 and 6.3.5.
var misanswersField = []misanswer{
	{
		slug:   "sniffs-html",
		does:   "It takes a body that begins with <!DOCTYPE for HTML.",
		breaks: "6.3.1/content-type-missing-with-body",
		sent:   sniffing("<!DOCTYPE", "text/html"),
	},
	{
		slug:   "sniffs-png",
		does:   "It takes a body that begins as a PNG file does for an image.",
		breaks: "6.3.1/content-type-missing-image",
		sent:   sniffing("\x89PNG", "image/png"),
	},
	{
		slug:   "lowercases-types",
		does:   "It changes the parameters of Content-Type to lower case.",
		breaks: "6.3.1/content-type-unmodified",
		sent: func(a *answer, _ *cgiResponse) {
			a.each(func(field *Var) {
				if named(field.Name, "Content-Type") {
					field.Value = lowerASCII(field.Value)
				}
			})
		},
	},
	{
		slug: "one-cookie", does: "It joins fields Set-Cookie.", breaks: "6.3.4/set-cookie-multiple",
		sent: func(a *answer, _ *cgiResponse) {
			if cookie := a.of("Set-Cookie"); cookie != "" {
				a.without("Set-Cookie")
				a.fields = append(a.fields, Var{"Set-Cookie", cookie + ", b=2"})
			}
		},
	},
	{
		slug: "sends-connection", does: "It sends the application's Connection and Keep-Alive to the client.",
		breaks: "6.3.4/connection-header 6.3.4/connection-close-consistent uwsgi-client/packet/response-keepalive-header",
		taken:  passing(func(_ *cgiResponse, name, _ string) bool { return named(name, "Connection", "Keep-Alive") }),
	},
	{
		slug:   "sends-upgrade",
		does:   "It sends the application's Upgrade to the client.",
		breaks: "6.3.4/upgrade-header",
		taken: passing(func(_ *cgiResponse, name, value string) bool {
			return named(name, "Upgrade") || named(name, "Connection") && value == " upgrade"
		}),
	},
	{
		slug: "sends-transfer-encoding", does: "It sends the application's Transfer-Encoding to the client.",
		breaks: "6.3.4/transfer-encoding-header 6.3.4/te-gzip-header 6.3.4/te-obfuscated " +
			"6.3.4/transfer-encoding-http10 6.3.4/content-length-with-te",
		taken: passing(func(_ *cgiResponse, name, _ string) bool { return named(name, "Transfer-Encoding") }),
	},
	{
		slug:   "waits-for-trailer",
		does:   "It sends Trailer to the client, and no last chunk.",
		breaks: "6.3.4/trailer-header",
		taken:  passing(func(_ *cgiResponse, name, _ string) bool { return named(name, "Trailer") }),
	},
	{
		slug:   "long-name-breaks",
		does:   "It fails without an answer when the name of a field is longer than 4096 bytes.",
		breaks: "8.1/header-name-8k",
		judged: func(h *cgiResponse, err error) error {
			for _, line := range h.lines {
				if strings.IndexByte(line, ':') > 4096 {
					h.status, h.reason = http.StatusOK, "OK\r\nLong name"
				}
			}
			return err
		},
	},
	{
		slug: "endless-header-is-200", does: "It answers 200 when a header is too long.", breaks: "8.1/headers-endless",
		judged: func(h *cgiResponse, err error) error {
			if err != nil && len(h.lines) > 100 {
				h.typed = true
				return nil
			}
			return err
		},
	},
	{
		slug:   "sends-extensions",
		does:   "It sends fields whose names begin with X-CGI- to the client.",
		breaks: "6.3.5/x-cgi-extension",
		taken: passing(func(h *cgiResponse, name, _ string) bool {
			return strings.HasPrefix(name, "X-CGI-") &&
				h.typed
		}),
	},
	{
		slug: "obeys-sendfile", does: "It sends the file that X-Sendfile names.", breaks: "6.3.5/x-sendfile-ungated",
		taken: func(h *cgiResponse, name, value string) taken {
			if !named(name, "X-Sendfile") {
				return takenNot
			}
			content, _ := os.ReadFile(strings.TrimSpace(value))
			h.early = string(content)
			return takenAlready
		},
	},
	{
		slug:   "loses-late-fields",
		does:   "It drops fields behind the first 32 KB of a header.",
		breaks: "8.1/header-60k 8.1/header-line-100k",
		taken: func(h *cgiResponse, name, _ string) taken {
			if size := len(strings.Join(h.lines, "")); size > 32<<10 && name != "" {
				return takenAlready
			}
			return takenNot
		},
	},
	{
		slug: "thousand-fields", does: "It drops fields behind the thousandth.", breaks: "8.1/header-2000-fields",
		taken: func(h *cgiResponse, _, _ string) taken {
			if len(h.lines) > 1000 {
				return takenAlready
			}
			return takenNot
		},
	},
}

// sniffing is a misanswer that finds out the type of a body by its beginning.
func sniffing(beginning, contentType string) func(*answer, *cgiResponse) {
	return func(a *answer, h *cgiResponse) {
		first := make([]byte, len(beginning))
		n, _ := io.ReadFull(a.body, first)
		a.body = io.MultiReader(strings.NewReader(string(first[:n])), a.body)
		if !h.typed && string(first) == beginning {
			a.fields = append(a.fields, Var{"Content-Type", contentType})
		}
	}
}
