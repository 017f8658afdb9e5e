package faulty

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

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
		slug:   "zero-is-unknown",
		does:   "It takes a Content-Length of 0 for none, and an empty body for one of a byte.",
		breaks: "6.3.4/content-length-zero",
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
				a.body = io.LimitReader(padded{a.body}, a.length)
			}
		},
	},
	{
		slug:   "both-lengths",
		does:   "It sends two fields Content-Length if there are two.",
		breaks: "6.3.4/content-length-duplicate",
		taken:  lengths(func(h *cgiResponse, _ string) bool { return h.length >= 0 }),
	},
	{
		slug: "sends-length-list", does: "It sends a list as Content-Length.", breaks: "6.3.4/content-length-list",
		taken: lengths(func(_ *cgiResponse, value string) bool { return strings.Contains(value, ",") }),
	},
	{
		slug:   "sends-any-length",
		does:   "It sends a Content-Length that is no number.",
		breaks: "6.3.4/content-length-invalid",
		taken:  lengths(func(_ *cgiResponse, value string) bool { return strings.Trim(value, "0123456789, ") != "" }),
	},
	{
		slug:   "wraps-answer-length",
		does:   "It takes Content-Length modulo 2 to the 64th.",
		breaks: "6.3.4/content-length-overflow",
		heard: func(_ *cgiResponse, line string) string {
			if strings.HasPrefix(line, "Content-Length: 18446744073709551619") {
				return "Content-Length: 3\n"
			}
			return line
		},
	},
	{
		slug:   "nothing-has-length",
		does:   "It sends Content-Length in a response with status 204.",
		breaks: "6.3.4/content-length-204",
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
		slug:   "trims-body",
		does:   "It drops line ends at the beginning of a body.",
		breaks: "6.4/body-crlf-blank-first 6.3/response-splitting-via-body",
		sent: func(a *answer, h *cgiResponse) {
			if h.status == 0 && h.length < 0 && len(h.lines) == 2 {
				a.rewrite(func(body string) string { return strings.TrimLeft(body, "\r\n") })
			}
		},
	},
	{
		slug:   "two-headers",
		does:   "It takes a body that begins with Status for a second header.",
		breaks: "6.4/body-looks-like-header",
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
		slug:   "reset-with-content",
		does:   "It sends the body of a response with status 205.",
		breaks: "6.4/status-205-body",
		sent: func(a *answer, h *cgiResponse) {
			if h.status == http.StatusResetContent {
				a.length = h.length
			}
		},
	},
	{
		slug:   "empty-is-200",
		does:   "It answers 200 if the application ends without an answer.",
		breaks: "6.1/empty-output",
		judged: func(h *cgiResponse, err error) error {
			if err == io.EOF && len(h.lines) == 0 {
				h.typed = true
				return nil
			}
			return err
		},
	},
	{
		slug:   "stopped-is-ended",
		does:   "It takes an application that has stopped for one that has ended.",
		breaks: "6.1/script-timeout-after-headers",
		sent:   func(a *answer, _ *cgiResponse) { a.body = completed{a.body, os.ErrDeadlineExceeded} },
	},
}

// misanswersElsewhere are in the code of the peer.
var misanswersElsewhere = []misanswer{
	elsewhere("header-in-one-piece", "It fails if the header does not come at once.", "6.2/byte-by-byte "+
		"6.4/body-read-to-eof"),
	elsewhere("endless-patience", "It waits for a silent application for ever.", "6.1/script-timeout "+
		"6.1/script-timeout-after-headers"),
	elsewhere("redirect-loses-query", "It loses the query of a local redirect.", "6.2.2/location-local-query"),
	elsewhere("redirect-keeps-escapes", "It does not decode the path of a local redirect.",
		"6.2.2/location-local-decoded"),
	elsewhere("redirect-keeps-method", "It asks for the target of a local redirect with the method of the request.",
		"6.2.2/location-local-post-to-get"),
	elsewhere("redirect-of-head-has-body", "It sends a body when a HEAD request is redirected.", "6.2.2/location-local-head"),
	elsewhere("redirects-for-ever", "It follows a thousand local redirects.", "6.2.2/location-local-loop"),
	elsewhere("redirect-opens-doors", "It asks for no password after a local redirect.",
		"6.2.2/location-local-access-control"),
	elsewhere("redirect-to-any-file", "It sends any file that a local redirect leads to with dot segments.",
		"6.2.2/location-local-dotdot"),
	elsewhere("date-of-both", "It sends its own Date and Server besides the application's.",
		"6.3.4/server-date-conflict"),
	elsewhere("error-hides-next", "It answers no second request after an error of its own.",
		"6.3/keepalive-after-error"),
	elsewhere("error-page-cut", "It sends less than the Content-Length of its error page if a field has no name.",
		"6.3/garbage-between-fields"),
	elsewhere("chunks-as-they-are", "It sends a body with a last chunk in it as if it were in chunks already.",
		"6.3/response-splitting-via-body"),
	elsewhere("nothing-has-body", "It sends the body of a response with status 204.", "6.4/status-204-body"),
	elsewhere("unmodified-has-body", "It sends the body of a response with status 304.", "6.4/status-304-body"),
	elsewhere("logs-secrets", "It writes the client's fields into the log when a response is malformed.",
		"9.2/auth-header-not-leaked-to-log"),
	elsewhere("body-before-answer", "It reads no response before all of the request is sent.",
		"7.2/stdin-unread-no-deadlock 7.2/stdin-half-read"),
	elsewhere("answer-ends-request", "It sends no more of a request when the response has begun.",
		"7.2/stdin-and-stdout-full-duplex"),
	elsewhere("shows-stderr", "It sends what the application writes to its error stream to the client.",
		"7.2/stderr-logged"),
}
