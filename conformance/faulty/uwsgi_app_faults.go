package faulty

import "strings"

// lastPair makes a pair of the end of a block that holds no whole one, as mutants do; they leave it away if name is nil.
func (a *UWSGIApp) lastPair(block []byte) (name, value []byte, err error) {
	switch {
	case a.fault("takes-rest-as-name") && strings.HasSuffix(string(block), "\xff\xffHTTP_X"):
		return []byte("HTTP_X"), nil, nil
	case a.fault("takes-rest-as-value") && strings.HasSuffix(string(block), "\xff\xffv"):
		return []byte("HTTP_X"), []byte("v"), nil
	case a.fault("takes-name-alone") && strings.HasSuffix(string(block), "\x06\x00HTTP_X"):
		return []byte("HTTP_X"), nil, nil
	case a.fault("ignores-last-byte") && block[len(block)-1] == '\x06', a.fault("serves-short-block"):
		return nil, nil, nil
	}
	return nil, nil, errOnceRequest
}

// changed changes variables as mutants do.
func (a *UWSGIApp) changed(vars []variable) []variable {
	var changed []variable
	for _, v := range vars {
		switch {
		case a.fault("drops-empty-values") && v.value == "" && strings.HasPrefix(v.name, "HTTP_"):
			continue
		case a.fault("utf8-values"):
			v.value = strings.ToValidUTF8(v.value, "?")
		case a.fault("path-includes-query") && v.name == "PATH_INFO":
			v.value += lookup(vars, "QUERY_STRING")
		case a.fault("names-become-entries"):
			v.name, v.value, _ = strings.Cut(v.name+"="+v.value, "=")
		}
		changed = append(changed, v)
	}
	return changed
}

// uwsgiAppFaults are the mutants of UWSGIApp.
var uwsgiAppFaults = []Fault{
	// Variables.
	{"uwsgi-app/takes-ff-for-end", "takes a low byte 0xFF of datasize for the end of the connection",
		[]string{"uwsgi/packet/header-le16", "uwsgi/packet/vars-65535"}},
	{"uwsgi-app/path-includes-query", "appends QUERY_STRING to PATH_INFO", []string{"uwsgi/packet/vars-basic"}},
	{"uwsgi-app/drops-empty-values", "drops variables without a value", []string{"uwsgi/packet/vars-empty-value"}},
	{"uwsgi-app/utf8-values", "replaces what is no UTF-8", []string{"uwsgi/packet/vars-octets"}},
	{"uwsgi-app/small-block", "rejects block vars of more than 32 KB", []string{"uwsgi/packet/vars-65535"}},
	{"uwsgi-app/keeps-duplicates", "keeps variables with the same name", []string{"uwsgi/packet/vars-twice"}},
	{"uwsgi-app/keeps-empty-name-waiting", "is silent if a variable has no name",
		[]string{"uwsgi/packet/vars-empty-name"}},
	{"uwsgi-app/names-become-entries", "makes entries of an environment of variables, and takes them apart again",
		[]string{"uwsgi/packet/name-with-equals"}},
	{"uwsgi-app/loads-files", "loads the program that UWSGI_FILE names", []string{"uwsgi/packet/unix-file-var"}},

	// Sizes.
	{"uwsgi-app/keeps-empty-waiting", "is silent after a packet without variables",
		[]string{"uwsgi/packet/datasize-0"}},
	{"uwsgi-app/serves-short-block", "serves a request that breaks off within the variables",
		[]string{"uwsgi/packet/datasize-short"}},
	{"uwsgi-app/takes-rest-as-name", "cuts a name that is too long for the block",
		[]string{"uwsgi/packet/key-size-overflow"}},
	{"uwsgi-app/takes-rest-as-value", "cuts a value that is too long for the block",
		[]string{"uwsgi/packet/val-size-overflow"}},
	{"uwsgi-app/takes-name-alone", "takes a last name without a value", []string{"uwsgi/packet/value-missing"}},
	{"uwsgi-app/ignores-last-byte", "ignores half a size at the end of a block", []string{"uwsgi/packet/size-cut"}},

	// Bodies.
	{"uwsgi-app/waits-for-end", "waits for the end of the connection after a body of 3 bytes",
		[]string{"uwsgi/packet/body-content-length"}},
	{"uwsgi-app/small-body", "rejects bodies of more than 1 MiB", []string{"uwsgi/packet/body-10mb"}},
	{"uwsgi-app/text-body", "takes a CR of the body for an LF", []string{"uwsgi/packet/body-octets"}},
	{"uwsgi-app/reads-beyond-body", "takes what it has read for the body", []string{"uwsgi/packet/body-extra-bytes"}},
	{"uwsgi-app/serves-short-body", "takes a body that breaks off for whole",
		[]string{"uwsgi/packet/body-short-close"}},
	{"uwsgi-app/one-read-header", "expects the header of a packet to be there at once",
		[]string{"uwsgi/packet/split-segments"}},
	{"uwsgi-app/takes-signs", "takes a CONTENT_LENGTH with a sign", []string{"uwsgi/packet/content-length-minus"}},
	{"uwsgi-app/takes-number-prefix", "takes the digits of a CONTENT_LENGTH that has more behind them",
		[]string{"uwsgi/packet/content-length-trailing"}},
	{"uwsgi-app/wraps-length", "takes the end of a CONTENT_LENGTH that is too large",
		[]string{"uwsgi/packet/content-length-30-digits"}},

	// Responses.
	{"uwsgi-app/responds-as-cgi", "begins its responses with Status", []string{"uwsgi/packet/response-http"}},
	{"uwsgi-app/cuts-response", "sends 1 MiB of a response at most", []string{"uwsgi/packet/large-response"}},
	{"uwsgi-app/silent-when-half-closed", "does not answer who has ended his direction",
		[]string{"uwsgi/packet/half-closed"}},
	{"uwsgi-app/answers-all", "answers every request of a connection", []string{"uwsgi/packet/pipelined-request"}},
	{"uwsgi-app/ends-with-connection", "ends when a connection breaks",
		[]string{"uwsgi/packet/reset-within-response"}},
	{"uwsgi-app/keeps-http-waiting", "does not close the connection of an HTTP client",
		[]string{"uwsgi/packet/http-to-uwsgi-port"}},

	// Packets that are no requests.
	{"uwsgi-app/keeps-unknown-waiting", "is silent after a packet with modifier1 77",
		[]string{"uwsgi/packet/modifier1-unknown"}},
	{"uwsgi-app/knows-no-ping", "rejects a ping", []string{"uwsgi/packet/ping-100"}},
	{"uwsgi-app/obeys-management", "obeys modifier1 10", []string{"uwsgi/packet/modifier1-10-management"}},
	{"uwsgi-app/obeys-spooler", "obeys modifier1 17", []string{"uwsgi/packet/modifier1-17-spooler"}},
	{"uwsgi-app/obeys-symbols", "obeys modifier1 18", []string{"uwsgi/packet/modifier1-18-symbol"}},
	{"uwsgi-app/obeys-code", "obeys modifier1 22",
		[]string{"uwsgi/packet/modifier1-22-eval", "uwsgi/packet/modifier1-22-eval-perl"}},
	{"uwsgi-app/obeys-fastfuncs", "obeys modifier1 27", []string{"uwsgi/packet/modifier1-27-fastfunc"}},
	{"uwsgi-app/obeys-brutal-reload", "obeys modifier1 97", []string{"uwsgi/packet/modifier1-97-brutal-reload"}},
	{"uwsgi-app/obeys-reload", "obeys modifier1 98", []string{"uwsgi/packet/modifier1-98-graceful-reload"}},
	{"uwsgi-app/obeys-configuration", "obeys modifier1 99", []string{"uwsgi/packet/modifier1-99-configuration"}},
	{"uwsgi-app/obeys-signal", "obeys modifier1 110", []string{"uwsgi/packet/modifier1-110-signal"}},
	{"uwsgi-app/obeys-cache", "obeys modifier1 111", []string{"uwsgi/packet/modifier1-111-cache-write"}},
	{"uwsgi-app/obeys-rpc", "obeys modifier1 173", []string{"uwsgi/packet/modifier1-173-rpc"}},
	{"uwsgi-app/obeys-subscription", "obeys modifier1 224", []string{"uwsgi/packet/modifier1-224-subscription"}},
}
