package faulty

import (
	"math/big"
	"strings"
)

// misread changes a block of headers as mutants do.
func (r *scgiRequest) misread(block string) string {
	ended := strings.HasSuffix(block, "\x00")
	switch {
	case r.app.fault("takes-odd-headers") && ended && strings.Count(block, "\x00")%2 == 1,
		r.app.fault("takes-unterminated-value") && !ended:
		return block + "\x00"
	}
	return block
}

// dawdle is silent for ever where mutants are.
func (r *scgiRequest) dawdle(block string, seen map[string]bool) {
	first := strings.HasPrefix(block, "CONTENT_LENGTH\x00")
	if r.app.fault("waits-without-length") && !first || r.app.fault("waits-without-scgi") && !seen["SCGI"] ||
		r.app.fault("waits-for-order") && !first && seen["CONTENT_LENGTH"] ||
		r.app.fault("silent-on-long-headers") && len(block) > 100_000 ||
		r.app.fault("silent-on-many-headers") && len(seen) > 1000 {
		<-r.app.ctx.Done()
	}
}

// mistake makes a number of what mutants take for one.
func (r *scgiRequest) mistake(text string) string {
	switch {
	case r.app.fault("empty-length-is-zero") && text == "":
		return "0"
	case r.app.fault("takes-number-prefix") && strings.HasSuffix(text, "x"):
		return strings.TrimSuffix(text, "x")
	case r.app.fault("takes-signs"):
		return strings.TrimLeft(text, "+-")
	case r.app.fault("trims-length"):
		return strings.TrimSpace(text)
	case r.app.fault("wraps-length") && len(text) > 20:
		n, _ := new(big.Int).SetString(text, 10)
		return n.Mod(n, big.NewInt(1000)).String()
	}
	return text
}

// scgiAppFaults are the mutants of SCGIApp.
var scgiAppFaults = []Fault{
	// SCGI sections 2 and 5.
	{"scgi-app/keeps-connection", "does not close the connection if HTTP_CONNECTION is keep-alive",
		[]string{"scgi/2/closes-after-response"}},
	{"scgi-app/responds-as-http", "begins its responses with a status line of HTTP",
		[]string{"scgi/2/response-is-cgi"}},
	{"scgi-app/one-at-a-time", "reads no request before it has answered the last", []string{"scgi/2/concurrent"}},
	{"scgi-app/ends-with-connection", "ends when a connection breaks",
		[]string{"scgi/2/close-before-response", "scgi/2/reset-within-response"}},
	{"scgi-app/cuts-response", "sends 1 MiB of a response at most", []string{"scgi/2/large-response"}},
	{"scgi-app/answers-all", "answers every request of a connection", []string{"scgi/2/pipelined-request"}},
	{"scgi-app/silent-when-half-closed", "does not answer who has ended his direction",
		[]string{"scgi/2/half-closed"}},
	{"scgi-app/needs-query", "rejects a request that has a method and no QUERY_STRING",
		[]string{"scgi/5/spec-example"}},

	// Section 3, headers.
	{"scgi-app/needs-method", "rejects a request without REQUEST_METHOD", []string{"scgi/3/minimal-request"}},
	{"scgi-app/waits-for-order", "is silent if CONTENT_LENGTH is not the first header",
		[]string{"scgi/3/content-length-not-first"}},
	{"scgi-app/waits-without-length", "is silent if the first header is not CONTENT_LENGTH",
		[]string{"scgi/3/content-length-missing", "scgi/3/content-length-not-first"}},
	{"scgi-app/waits-without-scgi", "is silent if SCGI is missing", []string{"scgi/3/scgi-missing"}},
	{"scgi-app/takes-any-version", "serves requests with any SCGI", []string{"scgi/3/scgi-2"}},
	{"scgi-app/silent-on-long-headers", "is silent if the headers have more than 100 KB",
		[]string{"scgi/3/long-value"}},
	{"scgi-app/silent-on-many-headers", "is silent if there are more than 1000 headers",
		[]string{"scgi/3/many-headers"}},
	{"scgi-app/keeps-duplicates", "keeps headers with the same name", []string{"scgi/3/duplicate-names"}},
	{"scgi-app/takes-empty-name", "takes a header without a name", []string{"scgi/3/empty-name"}},
	{"scgi-app/drops-empty-values", "drops headers without a value", []string{"scgi/3/empty-value"}},
	{"scgi-app/takes-odd-headers", "takes a last header without a value", []string{"scgi/3/odd-nul-count"}},
	{"scgi-app/takes-unterminated-value", "takes a last value without a NUL", []string{"scgi/3/missing-final-nul"}},
	{"scgi-app/utf8-values", "replaces what is no UTF-8", []string{"scgi/3/bytes-80-ff"}},
	{"scgi-app/names-become-entries", "makes entries of an environment of headers, and takes them apart again",
		[]string{"scgi/3/name-with-equals"}},

	// Section 3, CONTENT_LENGTH and the body.
	{"scgi-app/empty-length-is-zero", "takes an empty CONTENT_LENGTH for 0", []string{"scgi/3/content-length-empty"}},
	{"scgi-app/octal-length", "takes a CONTENT_LENGTH that begins with 0 for octal",
		[]string{"scgi/3/content-length-leading-zero"}},
	{"scgi-app/last-length-wins", "goes by the last CONTENT_LENGTH", []string{"scgi/3/content-length-twice"}},
	{"scgi-app/takes-number-prefix", "takes the digits of a CONTENT_LENGTH that has more behind them",
		[]string{"scgi/3/content-length-nondigit-trailing"}},
	{"scgi-app/takes-signs", "takes a CONTENT_LENGTH with a sign",
		[]string{"scgi/3/content-length-nondigit-minus", "scgi/3/content-length-nondigit-plus"}},
	{"scgi-app/trims-length", "takes a CONTENT_LENGTH with a space", []string{"scgi/3/content-length-nondigit-space"}},
	{"scgi-app/wraps-length", "takes the end of a CONTENT_LENGTH that is too large",
		[]string{"scgi/3/content-length-nondigit-30-digits"}},
	{"scgi-app/waits-for-end", "waits for the end of the connection after a body of 27 bytes",
		[]string{"scgi/3/body-exact"}},
	{"scgi-app/small-body", "rejects bodies of more than 1 MiB", []string{"scgi/3/body-10mb"}},
	{"scgi-app/text-body", "takes a CR of the body for an LF", []string{"scgi/3/body-octets"}},
	{"scgi-app/reads-beyond-body", "takes what it has read for the body", []string{"scgi/3/body-extra-bytes"}},
	{"scgi-app/serves-short-body", "takes a body that breaks off for whole", []string{"scgi/3/body-short-close"}},
	{"scgi-app/one-read-body", "expects the body to be there at once", []string{"scgi/3/body-split-segments"}},

	// Section 4.
	{"scgi-app/takes-leading-zero", "takes a netstring whose length begins with 0",
		[]string{"scgi/4/netstring-leading-zero"}},
	{"scgi-app/serves-nothing", "serves a request without headers", []string{"scgi/4/netstring-empty"}},
	{"scgi-app/ignores-comma", "does not look at the end of a netstring", []string{"scgi/4/netstring-no-comma"}},
	{"scgi-app/waits-after-rejection", "does not close a connection that broke off within the headers",
		[]string{"scgi/4/netstring-length-too-long"}},
	{"scgi-app/searches-comma", "takes a netstring to end at the first comma",
		[]string{"scgi/4/netstring-length-too-short"}},
	{"scgi-app/checks-after-colon", "reads to the first colon before it looks at the length",
		[]string{"scgi/4/http-to-scgi-port", "scgi/4/netstring-digits-flood"}},
	{"scgi-app/believes-size", "waits for as many bytes as a netstring announces", []string{"scgi/4/netstring-huge"}},
	{"scgi-app/takes-negative-size", "takes a netstring whose length has a minus",
		[]string{"scgi/4/netstring-negative"}},
	{"scgi-app/takes-plus-size", "takes a netstring whose length has a plus", []string{"scgi/4/netstring-plus"}},
	{"scgi-app/takes-no-size", "takes a netstring without a length", []string{"scgi/4/netstring-no-digits"}},
	{"scgi-app/takes-hexadecimal", "takes a netstring whose length is hexadecimal",
		[]string{"scgi/4/netstring-hexadecimal"}},
	{"scgi-app/trims-size", "takes a netstring whose length has white space around it",
		[]string{"scgi/4/netstring-space-before", "scgi/4/netstring-space-after", "scgi/4/netstring-newline-before"}},
}
