package faulty

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// misanswersForm are about the lines of a message-header, RFC 3875 sections 6.2, 6.3 and 7.2.
var misanswersForm = []misanswer{
	{
		slug: "cut-header-is-complete", does: "It takes the end of the response for the end of the header.",
		breaks: "6.2/headers-no-blank-line 6.2/header-cut 7.2/script-killed-in-header",
		judged: func(h *cgiResponse, err error) error {
			if len(h.lines) > 0 && !errors.Is(err, errResponse) {
				return nil
			}
			return err
		},
	},
	{
		slug: "blank-line-is-document", does: "It answers a response without fields with a document of its own.",
		breaks: "6.2/only-blank-line 6.3/no-cgi-field",
		judged: func(h *cgiResponse, err error) error {
			if err == nil && h.status == 0 && h.location == "" && !h.typed {
				h.typed, h.early = true, "It works.\n"
			}
			return err
		},
	},
	{
		slug: "no-colon-ends-header", does: "It takes a line without a colon, and all that follows, for the body.",
		breaks: "6.3/no-colon-line 6.3/garbage-block 6.3/garbage-then-blank-line 6.3/keepalive-after-error",
		taken: func(h *cgiResponse, name, value string) taken {
			if name != "" || value == "" {
				return takenNot
			}
			h.typed, h.early = true, value+"\n"
			return takenForBody
		},
	},
	{
		slug: "folds", does: "It sends a field that is folded as it is.", breaks: "6.3/folded",
		heard: func(h *cgiResponse, line string) string {
			if !strings.HasPrefix(line, " ") || len(h.fields) == 0 {
				return line
			}
			h.fields[len(h.fields)-1].Value += "\r\n" + strings.TrimRight(line, "\r\n")
			return "X-Folded-On: 1\n"
		},
	},
	{
		slug:   "lf-eats-next",
		does:   "After a field Status that ends with a bare LF it loses the next line but for Content-Type.",
		breaks: "7.2/lf-only 7.2/mixed-lf-crlf",
		heard: func(h *cgiResponse, line string) string {
			after := len(h.lines) > 0 && strings.HasPrefix(h.lines[len(h.lines)-1], "Status: 4")
			if after && !strings.HasSuffix(h.lines[len(h.lines)-1], "\r\n") && strings.HasPrefix(line, "X-") {
				return "X-CGI-Lost: 1\n"
			}
			return line
		},
	},
	{
		slug: "cr-after-status", does: "It takes the CR of CR LF for a part of the reason phrase of the field Status.",
		breaks: "7.2/crlf",
		heard: func(_ *cgiResponse, line string) string {
			if strings.HasPrefix(line, "Status: 404") && strings.HasSuffix(line, "\r\n") {
				return "Status: 40\n"
			}
			return line
		},
	},
	{
		slug:   "one-kind-of-newline",
		does:   "It ends the header only with a blank line that ends as the first line does.",
		breaks: "7.2/mixed-crlf-lf 7.2/mixed-blank-crlf",
		heard: func(h *cgiResponse, line string) string {
			if len(h.lines) > 0 && strings.Trim(line, "\r\n") == "" && isCRLF(line) != isCRLF(h.lines[0]) {
				h.early = line
				return "X-CGI-Blank: 1\n"
			}
			return line
		},
		judged: func(h *cgiResponse, err error) error {
			if err == nil || h.early == "" {
				return err
			}
			h.typed, h.early = true, strings.Join(h.lines, "")
			return nil
		},
	},
	{
		slug: "first-newline-rules", does: "It takes lines that end in another way than the first for the body.",
		breaks: "7.2/mixed-lf-crlf",
		taken: func(h *cgiResponse, _, _ string) taken {
			if last := h.lines[len(h.lines)-1]; !isCRLF(last) || isCRLF(h.lines[0]) {
				return takenNot
			} else {
				h.early = last
			}
			return takenForBody
		},
	},
	{
		slug: "status-first", does: "It does not look for Status behind the second field.", breaks: "6.2/status-last",
		taken: func(h *cgiResponse, name, _ string) taken {
			if named(name, "Status") && len(h.lines) > 2 && h.location == "" {
				return takenAlready
			}
			return takenNot
		},
	},
	{
		slug:   "location-early",
		does:   "It does not look for Location behind the third field.",
		breaks: "6.2/location-last",
		taken: func(h *cgiResponse, name, _ string) taken {
			if named(name, "Location") && len(h.lines) > 3 {
				return takenAlready
			}
			return takenNot
		},
	},
	{
		slug:   "needs-space-after-colon",
		does:   "It drops a field without a space after the colon.",
		breaks: "6.3/whitespace-after-colon",
		taken: func(_ *cgiResponse, name, value string) taken {
			if strings.HasPrefix(name, "X-") && value != "" && value[0] != ' ' {
				return takenAlready
			}
			return takenNot
		},
	},
	{
		slug: "keeps-odd-names", does: "It sends fields with names that are not tokens to the client.",
		breaks: "6.3/invalid-name 6.3/space-before-colon 6.3/nul-in-name 6.3/bare-cr-in-name",
		taken:  passing(func(_ *cgiResponse, name, _ string) bool { return !isToken(name) }),
	},
	{
		slug: "keeps-empty-names", does: "It sends fields without a name to the client.", breaks: "6.3/empty-name",
		heard: func(h *cgiResponse, line string) string {
			if !strings.HasPrefix(line, ":") {
				return line
			}
			h.fields = append(h.fields, Var{"", strings.TrimSpace(line[1:])})
			return "X-CGI-Empty: 1\n"
		},
	},
	{
		slug: "keeps-nul", does: "It sends values with a NUL to the client.", breaks: "6.3/nul-in-value",
		taken: passing(func(_ *cgiResponse, _, value string) bool { return strings.Contains(value, "\x00") }),
	},
	{
		slug:   "keeps-controls",
		does:   "It sends values with control characters to the client.",
		breaks: "6.3/ctl-in-value 6.3/del-in-value",
		taken:  passing(func(_ *cgiResponse, _, value string) bool { return strings.ContainsAny(value, "\x07\x7f") }),
	},
	{
		slug: "keeps-cr", does: "It sends values with a CR to the client, those of Status and Location too.",
		breaks: "6.3/bare-cr-in-value 6.3/status-crlf 6.3.2/location-crlf",
		taken: passing(func(h *cgiResponse, name, value string) bool {
			h.typed = h.typed || named(name, "Location")
			return strings.Contains(value, "\r")
		}),
	},
	{
		slug:   "replaces-latin1",
		does:   "It puts question marks for bytes above 0x7F in values.",
		breaks: "6.3/latin1-in-value",
		sent:   func(a *answer, _ *cgiResponse) { a.each(func(field *Var) { field.Value = ascii(field.Value) }) },
	},
	{
		slug: "collapses-spaces", does: "It makes one space of two in values.", breaks: "6.3/value-exact",
		sent: func(a *answer, _ *cgiResponse) {
			a.each(func(field *Var) { field.Value = strings.ReplaceAll(field.Value, "  ", " ") })
		},
	},
	{
		slug: "reverses-fields", does: "It sends the fields in the reverse order.",
		breaks: "6.3/field-order-kept 6.3.4/set-cookie-multiple 6.3.3/status-401-challenges",
		sent: func(a *answer, _ *cgiResponse) {
			a.fields = slices.Clone(a.fields)
			slices.Reverse(a.fields)
		},
	},
	{
		slug: "spells-null", does: "It sends (null) for a value that is empty.", breaks: "6.3/null-value-dropped",
		taken: func(h *cgiResponse, name, value string) taken {
			if strings.HasPrefix(name, "X-") && value == "" {
				h.fields = append(h.fields, Var{name, "(null)"})
			}
			return takenNot
		},
	},
	{
		slug:   "both-types",
		does:   "It sends two fields Content-Type if there are two.",
		breaks: "6.3/content-type-duplicate",
		taken:  passing(func(h *cgiResponse, name, _ string) bool { return named(name, "Content-Type") && h.typed }),
	},
	{
		slug:   "both-locations",
		does:   "It sends two fields Location if there are two.",
		breaks: "6.3/location-duplicate",
		taken: passing(func(h *cgiResponse, name, _ string) bool {
			return named(name, "Location") &&
				h.location != ""
		}),
	},
	{
		slug:   "no-field-no-body",
		does:   "It loses the body of a response that has no CGI field.",
		breaks: "6.3/no-cgi-field",
		judged: func(h *cgiResponse, err error) error {
			if err == nil && h.status == 0 && h.location == "" && !h.typed && len(h.fields) > 0 {
				h.typed, h.length = true, 0
			}
			return err
		},
	},
	{
		slug: "status-line-is-body", does: "It takes a response that begins with an HTTP status line for a body.",
		breaks: "6.3/http-status-line-from-non-nph",
		taken: func(h *cgiResponse, name, value string) taken {
			if len(h.lines) > 1 || !strings.HasPrefix(h.lines[0], "HTTP/1.1 404") {
				return takenNot
			}
			h.typed, h.early = true, h.lines[0]
			return takenForBody
		},
	},
}

func isCRLF(line string) bool {
	return strings.HasSuffix(line, "\r\n")
}

// misanswersRedirect are about Location, RFC 3875 sections 6.2.2 to 6.2.4 and 6.3.2.
var misanswersRedirect = []misanswer{
	{
		slug: "local-is-client", does: "It sends local redirects to the client.", breaks: "6.2.2/location-local",
		judged: func(h *cgiResponse, err error) error {
			h.other = h.other || strings.HasPrefix(h.location, "/")
			return err
		},
	},
	{
		slug: "crlf-is-no-local-redirect", does: "It sends local redirects with CR LF as line ends to the client.",
		breaks: "6.2.2/location-local-crlf",
		judged: func(h *cgiResponse, err error) error {
			h.other = h.other || h.location != "" && isCRLF(h.lines[0])
			return err
		},
	},
	{
		slug: "document-spoils-redirect", does: "It takes a local redirect with a document for a document.",
		breaks: "6.2.2/location-local-with-body",
		judged: func(h *cgiResponse, err error) error {
			if strings.HasPrefix(h.location, "/") && h.typed && h.status == 0 {
				h.location = ""
			}
			return err
		},
	},
	{
		slug: "redirects-with-200", does: "It answers a redirect without a status with 200.",
		breaks: "6.2.3/location-absolute 6.2.3/location-other-scheme 6.2.3/location-with-extension " +
			"6.3/case-insensitive-location " +
			"6.3.2/location-absolute-fragment 6.3.2/location-relative",
		sent: func(a *answer, h *cgiResponse) {
			if h.status == 0 {
				a.status = http.StatusOK
			}
		},
	},
	{
		slug:   "http-redirects-only",
		does:   "It fails when Location is a URI with another scheme than http.",
		breaks: "6.2.3/location-other-scheme",
		judged: func(h *cgiResponse, err error) error {
			if strings.HasPrefix(h.location, "urn:") {
				return errResponse
			}
			return err
		},
	},
	{
		slug:   "extension-is-document",
		does:   "It takes a redirect with another field for a document.",
		breaks: "6.2.3/location-with-extension",
		judged: func(h *cgiResponse, err error) error {
			if h.location != "" && len(h.lines) == 3 && h.status == 0 && !h.typed {
				h.status = http.StatusOK
			}
			return err
		},
	},
	{
		slug: "redirects-with-302", does: "It answers 302 for whatever status there is with an absolute Location.",
		breaks: "6.2.4/location-with-301 6.2.4/location-307-308",
		sent: func(a *answer, h *cgiResponse) {
			if strings.HasPrefix(h.location, "http") {
				a.status = http.StatusFound
			}
		},
	},
	{
		slug: "redirects-without-document", does: "It loses the document of a redirect with status 302.",
		breaks: "6.2.4/location-with-302 6.2/location-last",
		sent: func(a *answer, h *cgiResponse) {
			if h.status == http.StatusFound {
				a.length = 0
			}
		},
	},
	{
		slug:   "follows-created",
		does:   "It takes the Location of a response with status 201 for a local redirect.",
		breaks: "6.2.4/location-with-201",
		judged: func(h *cgiResponse, err error) error {
			if h.status == http.StatusCreated && strings.HasPrefix(h.location, "/") {
				h.status, h.other = 0, false
			}
			return err
		},
	},
	{
		slug: "cuts-fragment", does: "It cuts the fragment off Location.", breaks: "6.3.2/location-absolute-fragment",
		judged: func(h *cgiResponse, err error) error {
			h.location, _, _ = strings.Cut(h.location, "#")
			return err
		},
	},
	{
		slug:   "relative-is-200",
		does:   "It answers 200 if Location is a relative path.",
		breaks: "6.3.2/location-relative",
		sent: func(a *answer, h *cgiResponse) {
			if h.location != "" && !strings.ContainsAny(h.location, ":/") {
				a.status = http.StatusOK
			}
		},
	},
	{
		slug: "double-slash-is-local", does: "It takes a Location with a host and no scheme for a local path.",
		breaks: "6.3.2/location-protocol-relative",
		judged: func(h *cgiResponse, err error) error {
			if host, ok := strings.CutPrefix(h.location, "//"); ok {
				_, path, _ := strings.Cut(host, "/")
				h.location = "/" + path
			}
			return err
		},
	},
	{
		slug:   "empty-location-redirects",
		does:   "It answers 302 if there is a Location without a value.",
		breaks: "6.3/location-empty",
		judged: func(h *cgiResponse, err error) error {
			if slices.Contains(h.lines, "Location:\n") {
				h.status = http.StatusFound
			}
			return err
		},
	},
	{
		slug:   "location-by-case",
		does:   "It does not know Location in another spelling.",
		breaks: "6.3/case-insensitive-location",
		taken: passing(func(h *cgiResponse, name, _ string) bool {
			odd := named(name, "Location") && name != "Location"
			h.typed = h.typed || odd
			return odd
		}),
	},
	{
		slug: "cuts-long-lines", does: "It cuts lines of a header after 8192 bytes.",
		breaks: "8.1/header-line-20k 8.1/header-line-100k 8.1/location-30k",
		heard:  func(_ *cgiResponse, line string) string { return line[:min(len(line), 8192)] },
	},
}

// elsewhere says that a fault is not in a table but in the code of the peer.
func elsewhere(slug, does, breaks string) misanswer {
	return misanswer{slug: slug, does: does, breaks: breaks}
}
