package faulty

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// misreport is a fault of a gateway whose variables are not what they should be.
type misreport struct {
	slug, does, breaks string // breaks: names of cases without their protocol, which is cgi
	apply              func(v *variables, r *gatewayRequest)
}

// variables are those of a request.
type variables struct{ list []Var }

func (v *variables) get(name string) string { return value(v.list, name) }

func (v *variables) drop(name string) {
	v.list = slices.DeleteFunc(v.list, func(one Var) bool { return one.Name == name })
}

func (v *variables) set(name, value string) {
	for i := range v.list {
		if v.list[i].Name == name {
			v.list[i].Value = value
			return
		}
	}
	v.list = append(v.list, Var{name, value})
}

// change sets the variable, if there is one, to what f makes of its value.
func (v *variables) change(name string, f func(string) string) {
	for i := range v.list {
		if v.list[i].Name == name {
			v.list[i].Value = f(v.list[i].Value)
		}
	}
}

// misreported applies the fault of this gateway to the variables, if it is one of misreports.
func (g *Gateway) misreported(list []Var, r *gatewayRequest) []Var {
	v := variables{list}
	for _, m := range misreports {
		if g.fault.is(m.slug) {
			m.apply(&v, r)
		}
	}
	return v.list
}

// gatewayVariableFaults are the misreports as faults.
func gatewayVariableFaults() (faults []Fault) {
	for _, m := range misreports {
		faults = append(faults, gatewayFault(m.slug, m.does, m.breaks))
	}
	return faults
}

// misreports in the order of RFC 3875 section 4.1.
var misreports = slices.Concat(misreportsHead, misreportsPath, misreportsTail)

// setting is a misreport that gives one variable one value.
func setting(name, value string) func(*variables, *gatewayRequest) {
	return func(v *variables, _ *gatewayRequest) { v.set(name, value) }
}

// changing is a misreport that does something to the value of one variable.
func changing(name string, f func(string) string) func(*variables, *gatewayRequest) {
	return func(v *variables, _ *gatewayRequest) { v.change(name, f) }
}

// field is the first value of a field of the client's.
func (r *gatewayRequest) field(name string) string {
	values := r.values(name)
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

var misreportsHead = []misreport{
	{
		"adds-own-variable", "It sets a variable of its own whose name does not say so.",
		"4.1/extension-vars", setting("GATEWAY_MOOD", "fair"),
	},
	{
		"sets-variable-twice", "It sets a variable whose name differs from another one's in case only.",
		"4.1/case-insensitive-names-unique 4.1/extension-vars", setting("Query_String", ""),
	},
	{
		"no-redirect-status", "It does not set REDIRECT_STATUS.",
		"4.1/redirect-status", func(v *variables, _ *gatewayRequest) { v.drop("REDIRECT_STATUS") },
	},
	{
		"decodes-request-uri", "It decodes REQUEST_URI.", "4.1/request-uri-raw", changing("REQUEST_URI", decoded),
	},
	{
		"no-auth-type", "It does not say how the user was authenticated.",
		"4.1.1/auth-type-basic", func(v *variables, _ *gatewayRequest) { v.drop("AUTH_TYPE") },
	},
	{
		"auth-type-none", "It says None for AUTH_TYPE where nobody was authenticated.",
		"4.1.1/auth-type-unset 4.1.1/auth-type-client-spoof", func(v *variables, r *gatewayRequest) {
			if r.user == "" {
				v.set("AUTH_TYPE", "None")
			}
		},
	},
	{
		"believes-credentials", "It takes the user that the client names for authenticated where nobody asked.",
		"4.1.1/auth-type-client-spoof", func(v *variables, r *gatewayRequest) {
			if r.field("Authorization") != "" && r.user == "" {
				v.set("REMOTE_USER", "root")
			}
		},
	},
	{
		"zero-without-body", "It sets CONTENT_LENGTH to 0 for requests without a body.",
		"4.1.2/content-length-absent-get", func(v *variables, r *gatewayRequest) {
			if r.body == nil && r.method == "GET" {
				v.set("CONTENT_LENGTH", "0")
			}
		},
	},
	{
		"chunked-length-unknown", "It sets CONTENT_LENGTH to -1 for a body that was chunked.",
		"4.1.2/content-length-chunked 4.1.18/http-transfer-encoding-removed 4.1.18/http-te-trailer " +
			"4.2/body-chunked-1-byte-chunks 4.2/body-chunk-extensions",
		func(v *variables, r *gatewayRequest) {
			if r.field("Transfer-Encoding") != "" {
				v.set("CONTENT_LENGTH", "-1")
			}
		},
	},
	{
		"lowercases-type", "It changes CONTENT_TYPE to lower case.",
		"4.1.3/content-type-copied", changing("CONTENT_TYPE", strings.ToLower),
	},
	{
		"type-needs-body", "It sets CONTENT_TYPE only if there is a body.",
		"4.1.3/content-type-get", func(v *variables, r *gatewayRequest) {
			if r.body == nil {
				v.drop("CONTENT_TYPE")
			}
		},
	},
	{
		"guesses-type", "It takes a body without a type for a form.",
		"4.1.3/content-type-absent", func(v *variables, r *gatewayRequest) {
			if r.body != nil && v.get("CONTENT_TYPE") == "" {
				v.set("CONTENT_TYPE", "application/x-www-form-urlencoded")
			}
		},
	},
	{
		"old-interface", "It says that it speaks CGI/1.0.",
		"4.1.4/gateway-interface", setting("GATEWAY_INTERFACE", "CGI/1.0"),
	},
}

// decoded is s without URL encoding, or s if that is malformed.
func decoded(s string) string {
	d, err := url.PathUnescape(s)
	if err != nil {
		return s
	}
	return d
}

var misreportsPath = []misreport{
	{
		"empty-path-info-slash", "It sets PATH_INFO to / if it is empty.",
		"4.1.5/path-info-empty", func(v *variables, _ *gatewayRequest) {
			if v.get("PATH_INFO") == "" {
				v.set("PATH_INFO", "/")
			}
		},
	},
	{
		"slash-becomes-empty", "It takes a PATH_INFO of / for none.",
		"4.1.5/path-info-slash", changing("PATH_INFO", func(s string) string { return strings.TrimSuffix(s, "/") }),
	},
	{
		"drops-last-segment", "It drops the last segment of PATH_INFO if there are two.",
		"4.1.5/path-info-basic 4.1.5/path-info-dots", changing("PATH_INFO", func(s string) string {
			if strings.Count(s, "/") != 2 {
				return s
			}
			return s[:strings.LastIndexByte(s, '/')]
		}),
	},
	{
		"path-info-encoded", "It does not decode PATH_INFO.",
		"4.1.5/path-info-decoded 4.1.5/path-info-double-encoded 4.1.5/path-info-utf8 4.1.5/path-info-invalid-utf8 " +
			"4.1.5/path-info-backslash 4.1.5/path-info-overlong-utf8 4.1.13/script-uri-roundtrip",
		func(v *variables, r *gatewayRequest) {
			raw, _, _ := strings.Cut(r.target, "?")
			if strings.Contains(raw, "%") && !strings.HasPrefix(raw, "/%") {
				v.set("PATH_INFO", raw[strings.IndexByte(raw[1:], '/')+1:])
			}
		},
	},
	{
		"decodes-twice", "It decodes PATH_INFO twice.",
		"4.1.5/path-info-double-encoded", changing("PATH_INFO", decoded),
	},
	{
		"lowercases-path", "It changes PATH_INFO to lower case.",
		"4.1.5/path-info-case", changing("PATH_INFO", lowerASCII),
	},
	{
		"plus-is-space", "It makes a space of a plus sign in PATH_INFO.",
		"4.1.5/path-info-plus", changing("PATH_INFO", func(s string) string { return strings.ReplaceAll(s, "+", " ") }),
	},
	{
		"path-latin1", "It takes the bytes of PATH_INFO for ISO 8859-1 and changes them to UTF-8.",
		"4.1.5/path-info-utf8 4.1.5/path-info-invalid-utf8 4.1.5/path-info-overlong-utf8", changing("PATH_INFO", fromLatin1),
	},
	{
		"replaces-bad-utf8", "It puts replacement characters where PATH_INFO is not UTF-8.",
		"4.1.5/path-info-invalid-utf8 4.1.5/path-info-overlong-utf8",
		changing("PATH_INFO", func(s string) string { return strings.ToValidUTF8(s, string(utf8.RuneError)) }),
	},
	{
		"shortens-overlong", "It decodes overlong forms of UTF-8 in PATH_INFO.",
		"4.1.5/path-info-overlong-utf8", changing("PATH_INFO", strings.NewReplacer("\xc0\xae", ".", "\xc0\xaf", "/").Replace),
	},
	{
		"cuts-path-parameters", "It drops what follows a semicolon in a segment of PATH_INFO.",
		"4.1.5/path-info-semicolon-params 4.1.5/path-info-decoded", changing("PATH_INFO", func(s string) string {
			before, after, ok := strings.Cut(s, ";")
			if _, rest, more := strings.Cut(after, "/"); ok && more {
				return before + "/" + rest
			}
			return before
		}),
	},
	{
		"cuts-double-slash", "It ends PATH_INFO at an empty segment.",
		"4.1.5/path-info-double-slash", changing("PATH_INFO", func(s string) string {
			before, _, _ := strings.Cut(s, "//")
			return before
		}),
	},
	{
		"breaks-lines-of-path", "It takes a line break in PATH_INFO for the end of a field.",
		"4.1.5/path-info-crlf", func(v *variables, _ *gatewayRequest) {
			before, field, _ := strings.Cut(v.get("PATH_INFO"), "\r\n")
			if name, value, ok := strings.Cut(field, ":"); ok {
				v.set("PATH_INFO", before)
				name, _ = variableName(name)
				v.set("HTTP_"+name, value)
			}
		},
	},
	{
		"cuts-long-paths", "It cuts PATH_INFO at 4096 bytes.",
		"4.1.5/path-info-8k", changing("PATH_INFO", func(s string) string { return s[:min(len(s), 4096)] }),
	},
	{
		"backslash-is-slash", "It makes slashes of backslashes in PATH_INFO.",
		"4.1.5/path-info-backslash", changing("PATH_INFO", func(s string) string { return strings.ReplaceAll(s, `\`, "/") }),
	},
	{
		"no-path-translated", "It does not set PATH_TRANSLATED.",
		"4.1.6/path-translated", func(v *variables, _ *gatewayRequest) { v.drop("PATH_TRANSLATED") },
	},
	{
		"always-path-translated", "It sets PATH_TRANSLATED to the root if there is no PATH_INFO.",
		"4.1.6/path-translated-null", func(v *variables, _ *gatewayRequest) {
			if v.get("PATH_INFO") == "" {
				v.set("PATH_TRANSLATED", v.get("DOCUMENT_ROOT"))
			}
		},
	},
	{
		"decodes-query", "It decodes QUERY_STRING.",
		"4.1.7/query-string 4.1.7/query-string-encoded-nul", changing("QUERY_STRING", decoded),
	},
	{
		"no-empty-query", "It does not set QUERY_STRING if it is empty.",
		"4.1.7/query-string-empty 4.1.7/query-string-bare-mark", func(v *variables, _ *gatewayRequest) {
			if v.get("QUERY_STRING") == "" {
				v.drop("QUERY_STRING")
			}
		},
	},
	{
		"query-from-last-mark", "It takes what follows the last question mark for the query.",
		"4.1.7/query-string-second-mark",
		changing("QUERY_STRING", func(s string) string { return s[strings.LastIndexByte(s, '?')+1:] }),
	},
	{
		"cuts-long-queries", "It cuts QUERY_STRING at 4096 bytes.",
		"4.1.7/query-string-8k", changing("QUERY_STRING", func(s string) string { return s[:min(len(s), 4096)] }),
	},
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

func fromLatin1(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

func ascii(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 0x80 {
			c = '?'
		}
		return c
	}, s)
}
