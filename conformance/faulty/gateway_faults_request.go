package faulty

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// in says whether the peer has one of the faults.
func (f fault) in(slugs ...string) bool { return slices.Contains(slugs, string(f)) }

// accepts says whether a user of /auth has this password.
func (g *Gateway) accepts(user, password string) bool {
	return gatewayUsers[user] == password || g.fault.is("any-password")
}

// unguarded says whether this gateway forgets about access control for the request.
func (g *Gateway) unguarded(r *gatewayRequest) bool {
	other := !strings.HasPrefix(r.target, "/auth")
	return r.redirected || g.fault.is("guards-get-only") && r.method != "GET" || g.fault.is("guards-raw-path") && other
}

// guessScript finds scripts by names that only look like those of scripts.
func (g *Gateway) guessScript(r *gatewayRequest) (place, bool) {
	switch {
	case g.fault.is("trusts-extension") && strings.Contains(r.path, ".php"):
		end := strings.LastIndex(r.path, ".php") + len(".php")
		return place{script: r.path[:end], info: r.path[end:], file: filepath.Join(g.Root, r.path[:end])}, true
	case g.fault.is("folds-extension") && strings.HasSuffix(r.path, ".\uff50hp"):
		return place{script: r.path, file: filepath.Join(g.Root, "a.php")}, true
	}
	return place{}, false
}

// misread takes a field line as the fault of this gateway wants it, and says whether it did.
func (g *Gateway) misread(fields *[]Var, line string) bool {
	name, value, ok := strings.Cut(line, ":")
	value = strings.TrimLeft(value, " ")
	n := len(*fields)
	switch string(g.fault) {
	case "keeps-folds":
		if ok = line[0] == ' ' && n > 0; ok {
			(*fields)[n-1].Value += "\r\n" + line
		}
		return ok
	case "trims-spaces-only":
		ok = ok && strings.ContainsRune(value, '\t')
		value = strings.TrimRight(value, " ")
	case "passes-nul-in-field":
		ok = ok && strings.ContainsRune(value, 0)
	case "cr-ends-lines":
		first, second, found := strings.Cut(value, "\r")
		if ok = ok && found; ok {
			*fields = append(*fields, Var{name, first})
			return g.misread(fields, second) || true
		}
	case "space-before-colon":
		ok = ok && strings.HasSuffix(name, " ")
		name = strings.TrimRight(name, " ")
	case "colon-is-optional":
		ok = !ok
	case "drops-late-fields":
		return n >= maxFields
	case "cuts-long-values":
		ok = ok && len(value) > 1<<16
		value = value[:min(len(value), 1<<16)]
	default:
		ok = false
	}
	if ok {
		*fields = append(*fields, Var{name, value})
	}
	return ok
}

// misframe finds out the length of a body as the fault of this gateway wants it, and says whether it did.
func (g *Gateway) misframe(r *gatewayRequest, codings, lengths []string) bool {
	switch {
	case g.fault.is("length-over-coding") && len(codings) > 0 && len(lengths) > 0:
		r.length, _ = strconv.ParseInt(lengths[0], 10, 32)
	case g.fault.is("last-length-wins") && len(lengths) > 1:
		r.length, _ = strconv.ParseInt(lengths[len(lengths)-1], 10, 32)
	case g.fault.is("old-chunks") && len(codings) > 0 && r.proto == "HTTP/1.0":
		r.length = -1
	case g.fault.is("guesses-coding") && len(codings) > 0 && strings.Contains(codings[0], "chunked"):
		r.length = -1
	case g.fault.is("get-has-no-body") && r.method == "GET":
	default:
		return false
	}
	return true
}

// misjudge reads a Content-Length as the fault of this gateway wants it, and says whether it did.
func (g *Gateway) misjudge(r *gatewayRequest, value string) bool {
	switch string(g.fault) {
	case "octal-length":
		r.length, _ = strconv.ParseInt(value, 0, 32)
		return strings.HasPrefix(value, "0")
	case "lax-length":
		digits := strings.TrimRight(strings.Trim(value, "+-"), "x")
		r.length, _ = strconv.ParseInt(digits, 10, 32)
		return digits != value && !strings.Contains(digits, ",")
	case "joins-lengths":
		r.length, _ = strconv.ParseInt(strings.ReplaceAll(value, ", ", ""), 10, 32)
		return strings.Contains(value, ", ")
	case "wraps-length":
		var length uint64
		for i := range len(value) {
			length = 10*length + uint64(value[i]-'0')
		}
		r.length = int64(length)
		return len(value) == 20
	case "no-body-limit":
		r.length, _ = strconv.ParseInt(value, 10, 64)
		return len(value) > 10 && len(value) < 18
	}
	return false
}

// lax makes a number that can be read of a chunk's size.
func (g *Gateway) lax(digits string) string {
	if g.fault.is("lax-chunk-size") {
		return strings.TrimPrefix(strings.TrimPrefix(digits, "-"), "0x")
	}
	return digits
}

// gatewayFault makes a fault that breaks cases of RFC 3875.
func gatewayFault(slug, does, breaks string) Fault {
	fault := Fault{Name: "gateway/" + slug, Does: does}
	for name := range strings.FieldsSeq(breaks) {
		if !strings.Contains(name, "-client/") {
			name = "cgi/" + name
		}
		fault.Breaks = append(fault.Breaks, name)
	}
	return fault
}

// gatewayRequestFaults are those of what the gateway does with a request, but for the misreports.
var gatewayRequestFaults = []Fault{
	gatewayFault("chunks-for-old-clients", "It sends the chunked coding to clients of HTTP/1.0.", "3.1/http10-client"),
	gatewayFault("any-password", "It takes any password.", "3.1/access-control-first"),
	gatewayFault("challenges-nobody", "It sends 401 without WWW-Authenticate.", "3.1/access-control-no-credentials"),
	gatewayFault("guards-get-only", "It asks for a password only if the method is GET.", "3.1/access-control-methods"),
	gatewayFault("guards-raw-path",
		"It asks for a password only if the path, as it was sent, begins like that of a protected script.",
		"3.1/access-control-path-variants"),
	gatewayFault("first-line-is-reason", "It takes a first line of a response that is no field for a reason phrase.",
		"3.1/http-conformance-despite-script"),
	gatewayFault("splits-segments",
		"It takes the beginning of a path segment for a script's.", "3.2/script-path-boundary"),
	gatewayFault("ignores-disconnect", "It does not see that a client has gone which waits for the response.",
		"3.4/kill-on-client-abort"),
	gatewayFault("believes-other-host", "It believes the field Host rather than the target.", "4.1/absolute-form-target"),
	gatewayFault("asterisk-is-path", "It hands OPTIONS * over with the path /app/*.", "4.1/asterisk-target"),
	gatewayFault("invents-body",
		"It makes a body of one byte of an empty one.", "4.1.2/content-length-zero-post 4.2/body-0"),
	gatewayFault("loses-last-byte", "It loses the last byte of bodies of one to three bytes.",
		"4.1.2/content-length-equals-body 4.1.2/content-length-get-with-body 4.1.18/content-length-underscore "+
			"4.1.18/http-connection-nominated 4.2/body-1"),
	gatewayFault("get-has-no-body", "It does not look for a body of a GET request.", "4.1.2/content-length-get-with-body"),
	gatewayFault("length-over-coding",
		"It goes by Content-Length if there is Transfer-Encoding too.", "4.1.2/content-length-and-te"),
	gatewayFault("octal-length", "It takes a Content-Length that begins with 0 for an octal number.",
		"4.1.2/content-length-leading-zeros"),
	gatewayFault("lax-length", "It takes what it can of a Content-Length for a number.",
		"4.1.2/content-length-plus-sign 4.1.2/content-length-garbage 4.1.2/content-length-negative"),
	gatewayFault("joins-lengths", "It takes 3, 3 for 33.", "4.1.2/content-length-list"),
	gatewayFault("last-length-wins", "It goes by the last of two Content-Lengths.", "4.1.2/content-length-two-values"),
	gatewayFault("wraps-length", "It takes a Content-Length modulo 2 to the 64.", "4.1.2/content-length-overflow"),
	gatewayFault("joins-types",
		"It makes one of two Content-Types that applications take for the first.", "4.1.3/content-type-twice"),
	gatewayFault("slash-from-escape", "It decodes an encoded slash, in REQUEST_URI too.", "4.1.5/path-info-encoded-slash"),
	gatewayFault("keeps-dots", "It does not resolve dot segments.", "4.1.5/path-info-dotdot"),
	gatewayFault("drops-dots", "It takes dots out of paths instead of resolving them.", "4.1.5/path-info-dots"),
	gatewayFault("drops-bad-escapes", "It drops percent signs that begin no escape.", "4.1.5/path-info-bad-escape"),
	gatewayFault("passes-nul-in-path", "It decodes a NUL in a path.",
		"4.1.5/path-info-nul"),
	gatewayFault("trusts-extension",
		"It takes what ends in .php for a script whether there is such a file or not, the last if several do.",
		"4.1.5/script-split-php-extension 4.1.5/script-split-nonexistent"),
	gatewayFault("folds-extension", "It takes a full-width letter for a plain one in a file's extension.",
		"4.1.5/script-split-unicode-fold"),
	gatewayFault("loses-raw-bytes",
		"It replaces raw bytes that are not ASCII in a query.", "4.1.7/query-string-raw-bytes"),
	gatewayFault("keeps-fragment", "It takes a fragment for a part of the query.", "4.1.7/query-string-fragment"),
	gatewayFault("any-host", "It takes any value of Host.", "4.1.14/server-name-hostile"),
	gatewayFault("first-host-wins", "It goes by the first of two fields Host.", "4.1.14/host-twice"),
	gatewayFault("host-is-optional", "It does without Host in HTTP/1.1.", "4.1.14/host-missing"),
	gatewayFault("any-version", "It takes any version, and passes it on.", "4.1.16/server-protocol-garbage"),
	gatewayFault("trims-spaces-only", "It does not take tabs from around a field's value.", "4.1.18/http-value-exact"),
	gatewayFault("last-duplicate-wins", "It passes the last of several fields with the same name.",
		"4.1.18/http-duplicate-merge 4.1.18/http-duplicate-cookie"),
	gatewayFault("comma-between-cookies", "It joins fields Cookie with a comma.", "4.1.18/http-duplicate-cookie"),
	gatewayFault("keeps-folds", "It keeps the line breaks of a folded field.", "4.1.18/http-folded"),
	gatewayFault("merges-trailers", "It makes variables of trailers.", "4.1.18/http-te-trailer"),
	gatewayFault("space-before-colon",
		"It takes a field with a space before the colon.", "4.1.18/header-space-before-colon"),
	gatewayFault("colon-is-optional", "It takes a line without a colon for a field.", "4.1.18/header-no-colon"),
	gatewayFault("passes-nul-in-field", "It takes a NUL in a field's value.", "4.1.18/header-nul"),
	gatewayFault("cr-ends-lines", "It takes a CR for the end of a line.", "4.1.18/header-bare-cr"),
	gatewayFault("drops-late-fields", "It drops all fields after the first thousand.", "4.1.18/header-count-limit"),
	gatewayFault("cuts-long-values", "It cuts a field's value at 64 KB.", "4.1.18/header-value-long"),
	gatewayFault("cuts-long-bodies", "It cuts bodies at 65 535 bytes.",
		"4.2/body-64k 4.2/body-10mb"),
	gatewayFault("loses-late-chunks", "It loses the chunks after the first 9 999.", "4.2/body-chunked-1-byte-chunks"),
	gatewayFault("pads-short-bodies",
		"It fills up with zeros what the client did not send of a body.", "4.2/body-client-disconnect"),
	gatewayFault("ends-chunks-early",
		"It takes the end of the connection for the last chunk.", "4.2/body-chunk-truncated"),
	gatewayFault("no-body-limit", "It takes bodies of any length.", "4.2/body-too-large"),
	gatewayFault("refuses-extensions", "It refuses chunks with extensions.", "4.2/body-chunk-extensions"),
	gatewayFault("chunk-size-wraps", "It takes a chunk size that is too large for 0.", "4.2/body-chunk-size-overflow"),
	gatewayFault("bare-lf-ends-lines", "It takes LF without CR for the end of a line.", "4.2/body-chunk-bare-lf"),
	gatewayFault("lax-chunk-size", "It takes what it can of a chunk size for a number.",
		"4.2/body-chunk-size-invalid 4.2/body-chunk-size-negative"),
	gatewayFault("skips-to-chunk-end", "It skips what is in a chunk beyond its size.", "4.2/body-chunk-size-short"),
	gatewayFault("old-chunks", "It takes the chunked coding from clients of HTTP/1.0, and keeps their connections.",
		"4.2/body-chunked-http10"),
	gatewayFault("guesses-coding",
		"It takes every coding for chunked that has the word in its name.", "4.2/te-obfuscated"),
	gatewayFault("never-continues", "It does not send 100.", "4.2/expect-100"),
	gatewayFault("continues-at-once", "It sends 100 before it asks the application.", "4.2/expect-100-early-final"),
	gatewayFault("continues-old-clients", "It sends 100 to clients of HTTP/1.0.", "4.2/expect-http10"),
	gatewayFault("refuses-expectations",
		"It answers an expectation that it does not know with 500.", "4.2/expect-unknown"),
	gatewayFault("body-begins-request", "It takes a body that looks like a request for one.",
		"4.2/body-pipelined-next 4.2/body-unread-keepalive"),
	gatewayFault("head-with-body", "It sends a body in response to HEAD.", "4.3.3/head-body-discarded"),
}
