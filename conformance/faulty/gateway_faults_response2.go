package faulty

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
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
		slug: "status-by-case", does: "It does not know Status in another spelling, and sends it.", breaks: "6.3/case-insensitive",
		taken: passing(func(_ *cgiResponse, name, _ string) bool { return named(name, "Status") && name != "Status" }),
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
		slug: "sends-status", does: "It sends the field Status to the client.", breaks: "6.3.3/status-404 6.3/case-insensitive",
		taken: func(h *cgiResponse, name, value string) taken {
			if named(name, "Status") && strings.Contains(value, "404") {
				h.fields = append(h.fields, Var{"Status", value})
			}
			return takenNot
		},
	},
	{
		slug: "status-needs-one-space", does: "It fails if there is not exactly one space before the status.", breaks: "6.3/status-whitespace",
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
		slug: "status-needs-ascii", does: "It fails if the reason phrase is not ASCII.", breaks: "6.3.3/status-reason-utf8",
		heard: replacedStatus(func(value string) string {
			if ascii(value) != value {
				return " none"
			}
			return value
		}),
	},
	{
		slug: "created-needs-location", does: "It fails if a response with status 201 has no Location.", breaks: "6.3.3/status-201-no-location",
		judged: func(h *cgiResponse, err error) error {
			if h.status == http.StatusCreated && h.location == "" {
				return errResponse
			}
			return err
		},
	},
	{
		slug: "knows-few-statuses", does: "It answers 200 for a status that is not in RFC 9110.", breaks: "6.3.3/status-extension-code",
		sent: always(299, http.StatusOK),
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
		slug: "switches-protocols", does: "It sends 101 Switching Protocols if the application says so.", breaks: "6.3.3/status-101",
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
			if named(name, "WWW-Authenticate") && slices.ContainsFunc(h.fields, func(f Var) bool { return named(f.Name, name) }) {
				return takenAlready
			}
			return takenNot
		},
	},
	{
		slug: "no-unknown-types", does: "It answers 406 for a document with a type that it does not know.", breaks: "6.2.1/document-200 6.3.1/content-type-unmodified",
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
		slug: "sniffs-html", does: "It takes a body that begins with <!DOCTYPE for HTML.", breaks: "6.3.1/content-type-missing-with-body",
		sent: sniffing("<!DOCTYPE", "text/html"),
	},
	{
		slug: "sniffs-png", does: "It takes a body that begins as a PNG file does for an image.", breaks: "6.3.1/content-type-missing-image",
		sent: sniffing("\x89PNG", "image/png"),
	},
	{
		slug: "lowercases-types", does: "It changes the parameters of Content-Type to lower case.", breaks: "6.3.1/content-type-unmodified",
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
		breaks: "6.3.4/connection-header 6.3.4/connection-close-consistent",
		taken:  passing(func(_ *cgiResponse, name, _ string) bool { return named(name, "Connection", "Keep-Alive") }),
	},
	{
		slug: "sends-upgrade", does: "It sends the application's Upgrade to the client.", breaks: "6.3.4/upgrade-header",
		taken: passing(func(_ *cgiResponse, name, value string) bool {
			return named(name, "Upgrade") || named(name, "Connection") && value == " upgrade"
		}),
	},
	{
		slug: "sends-transfer-encoding", does: "It sends the application's Transfer-Encoding to the client.",
		breaks: "6.3.4/transfer-encoding-header 6.3.4/te-gzip-header 6.3.4/te-obfuscated 6.3.4/transfer-encoding-http10 6.3.4/content-length-with-te",
		taken:  passing(func(_ *cgiResponse, name, _ string) bool { return named(name, "Transfer-Encoding") }),
	},
	{
		slug: "waits-for-trailer", does: "It sends Trailer to the client, and no last chunk.", breaks: "6.3.4/trailer-header",
		taken: passing(func(_ *cgiResponse, name, _ string) bool { return named(name, "Trailer") }),
	},
	{
		slug: "long-name-breaks", does: "It fails without an answer when the name of a field is longer than 4096 bytes.", breaks: "8.1/header-name-8k",
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
		slug: "sends-extensions", does: "It sends fields whose names begin with X-CGI- to the client.", breaks: "6.3.5/x-cgi-extension",
		taken: passing(func(h *cgiResponse, name, _ string) bool { return strings.HasPrefix(name, "X-CGI-") && h.typed }),
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
		slug: "loses-late-fields", does: "It drops fields behind the first 32 KB of a header.", breaks: "8.1/header-60k 8.1/header-line-100k",
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

// lengths is a misanswer that sends the application's Content-Length as it is.
func lengths(which func(h *cgiResponse, value string) bool) func(*cgiResponse, string, string) taken {
	return passing(func(h *cgiResponse, name, value string) bool {
		return named(name, "Content-Length") && which(h, strings.TrimSpace(value))
	})
}

// misanswersLength are about Content-Length.
var misanswersLength = []misanswer{
	{
		slug: "shortens-length", does: "It takes one off a Content-Length of 4.", breaks: "6.3.4/content-length-right",
		sent: func(a *answer, h *cgiResponse) {
			if h.length == 4 {
				a.length = 3
			}
		},
	},
	{
		slug: "zero-is-unknown", does: "It takes a Content-Length of 0 for none, and an empty body for one of a byte.", breaks: "6.3.4/content-length-zero",
		sent: func(a *answer, h *cgiResponse) {
			if h.length == 0 && h.status == 0 {
				a.length, a.body = -1, strings.NewReader("\n")
			}
		},
	},
	elsewhere("overruns-length", "It sends more than Content-Length if there is more.", "6.3.4/content-length-short"),
	{
		slug: "fills-up", does: "It sends spaces where the body is shorter than Content-Length.",
		breaks: "6.3.4/content-length-long 7.2/script-killed-with-length",
		sent: func(a *answer, _ *cgiResponse) {
			if a.length > 0 {
				a.body = padded{a.body}
			}
		},
	},
	{
		slug: "both-lengths", does: "It sends two fields Content-Length if there are two.", breaks: "6.3.4/content-length-duplicate",
		taken: lengths(func(h *cgiResponse, _ string) bool { return h.length >= 0 }),
	},
	{
		slug: "sends-length-list", does: "It sends a list as Content-Length.", breaks: "6.3.4/content-length-list",
		taken: lengths(func(_ *cgiResponse, value string) bool { return strings.Contains(value, ",") }),
	},
	{
		slug: "sends-any-length", does: "It sends a Content-Length that is no number.", breaks: "6.3.4/content-length-invalid",
		taken: lengths(func(_ *cgiResponse, value string) bool { return strings.Trim(value, "0123456789, ") != "" }),
	},
	{
		slug: "wraps-length", does: "It takes Content-Length modulo 2 to the 64th.", breaks: "6.3.4/content-length-overflow",
		heard: func(_ *cgiResponse, line string) string {
			if strings.HasPrefix(line, "Content-Length: 18446744073709551619") {
				return "Content-Length: 3\n"
			}
			return line
		},
	},
	{
		slug: "nothing-has-length", does: "It sends Content-Length in a response with status 204.", breaks: "6.3.4/content-length-204",
		sent: func(a *answer, h *cgiResponse) {
			if h.status == http.StatusNoContent && h.length >= 0 {
				a.fields = append(a.fields, Var{"Content-Length", strconv.FormatInt(h.length, 10)})
			}
		},
	},
}

// misanswersBody are about the message-body, RFC 3875 section 6.4.
var misanswersBody = []misanswer{
	{
		slug: "empty-body-is-502", does: "It fails if a document is empty.", breaks: "6.2/body-null",
		judged: func(h *cgiResponse, err error) error { return err },
		sent: func(a *answer, h *cgiResponse) {
			if !h.typed || h.status != 0 || h.location != "" || h.length >= 0 {
				return
			}
			first := make([]byte, 1)
			n, err := io.ReadFull(a.body, first)
			if n == 0 && err == io.EOF {
				a.status = http.StatusBadGateway
			}
			a.body = io.MultiReader(strings.NewReader(string(first[:n])), a.body)
		},
	},
	{
		slug: "seven-bits", does: "It drops the byte 0xFF of a body.", breaks: "6.4/body-binary",
		sent: func(a *answer, h *cgiResponse) {
			if a.of("Content-Type") == "application/octet-stream" && h.length < 0 {
				a.rewrite(func(body string) string { return strings.ReplaceAll(body, "\xff", "") })
			}
		},
	},
	{
		slug: "pause-is-end", does: "It takes a pause for the end of the body.", breaks: "6.4/body-read-to-eof",
		sent: func(a *answer, _ *cgiResponse) { a.body = impatient{a.body, 40 * time.Millisecond} },
	},
	{
		slug: "two-megabytes", does: "It stops after 2 MB of a body.", breaks: "6.4/body-4mb",
		sent: func(a *answer, _ *cgiResponse) { a.body = io.LimitReader(a.body, 2<<20) },
	},
	{
		slug: "trims-body", does: "It drops line ends at the beginning of a body.", breaks: "6.4/body-crlf-blank-first 6.3/response-splitting-via-body",
		sent: func(a *answer, h *cgiResponse) {
			if h.status == 0 && h.length < 0 && len(h.lines) == 2 {
				a.rewrite(func(body string) string { return strings.TrimLeft(body, "\r\n") })
			}
		},
	},
	{
		slug: "two-headers", does: "It takes a body that begins with Status for a second header.", breaks: "6.4/body-looks-like-header",
		sent: func(a *answer, h *cgiResponse) {
			if h.status == 0 && h.length < 0 && len(h.lines) == 2 {
				a.rewrite(func(body string) string {
					if head, rest, ok := strings.Cut(body, "\r\n\r\n"); ok && strings.HasPrefix(head, "Status:") {
						return rest
					}
					return body
				})
			}
		},
	},
	{
		slug: "reset-with-content", does: "It sends the body of a response with status 205.", breaks: "6.4/status-205-body",
		sent: func(a *answer, h *cgiResponse) {
			if h.status == http.StatusResetContent {
				a.length = h.length
			}
		},
	},
	{
		slug: "empty-is-200", does: "It answers 200 if the application ends without an answer.", breaks: "6.1/empty-output",
		judged: func(h *cgiResponse, err error) error {
			if err == io.EOF && len(h.lines) == 0 {
				h.typed = true
				return nil
			}
			return err
		},
	},
	{
		slug: "silence-is-end", does: "It takes an application that has stopped for one that has ended.", breaks: "6.1/script-timeout-after-headers",
		sent: func(a *answer, _ *cgiResponse) { a.body = completed{a.body, os.ErrDeadlineExceeded} },
	},
}

// misanswersElsewhere are in the code of the peer.
var misanswersElsewhere = []misanswer{
	elsewhere("header-in-one-piece", "It fails if the header does not come at once.", "6.2/byte-by-byte 6.4/body-read-to-eof"),
	elsewhere("endless-patience", "It waits for a silent application for ever.", "6.1/script-timeout 6.1/script-timeout-after-headers"),
	elsewhere("redirect-loses-query", "It loses the query of a local redirect.", "6.2.2/location-local-query"),
	elsewhere("redirect-keeps-escapes", "It does not decode the path of a local redirect.", "6.2.2/location-local-decoded"),
	elsewhere("redirect-keeps-method", "It asks for the target of a local redirect with the method of the request.", "6.2.2/location-local-post-to-get"),
	elsewhere("redirect-of-head-has-body", "It sends the body of the target of a local redirect after a HEAD request.", "6.2.2/location-local-head"),
	elsewhere("redirects-for-ever", "It follows a thousand local redirects.", "6.2.2/location-local-loop"),
	elsewhere("redirect-opens-doors", "It asks for no password after a local redirect.", "6.2.2/location-local-access-control"),
	elsewhere("redirect-to-any-file", "It sends any file that a local redirect leads to with dot segments.", "6.2.2/location-local-dotdot"),
	elsewhere("date-of-both", "It sends its own Date and Server besides the application's.", "6.3.4/server-date-conflict"),
	elsewhere("error-hides-next", "It answers no second request after an error of its own.", "6.3/keepalive-after-error"),
	elsewhere("error-page-cut", "It sends less than the Content-Length of its error page if a field has no name.", "6.3/garbage-between-fields"),
	elsewhere("chunks-as-they-are", "It sends a body with a last chunk in it as if it were in chunks already.", "6.3/response-splitting-via-body"),
	elsewhere("nothing-has-body", "It sends the body of a response with status 204.", "6.4/status-204-body"),
	elsewhere("unmodified-has-body", "It sends the body of a response with status 304.", "6.4/status-304-body"),
	elsewhere("logs-secrets", "It writes the client's fields into the log when a response is malformed.", "9.2/auth-header-not-leaked-to-log"),
	elsewhere("body-before-answer", "It reads no response before all of the request is sent.",
		"7.2/stdin-unread-no-deadlock 7.2/stdin-half-read"),
	elsewhere("answer-ends-request", "It sends no more of a request when the response has begun.", "7.2/stdin-and-stdout-full-duplex"),
	elsewhere("shows-stderr", "It sends what the application writes to its error stream to the client.", "7.2/stderr-logged"),
}
