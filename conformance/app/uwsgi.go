package app

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

func uwsgiCases() []conformance.Case {
	return slices.Concat(uwsgiVars(), uwsgiOctets(), uwsgiOddVars(), uwsgiSizes(), uwsgiBodies(), uwsgiLengths(),
		uwsgiResponses(), uwsgiConnections(), uwsgiModifiers())
}

// uwsgiAsk is the plain request of a target that speaks uwsgi.
func (t *T) uwsgiAsk(query string) []byte {
	e := t.begin(uwsgi(t.variables("GET", query), nil))
	defer e.Close()
	return e.response()
}

// varBlock is variables in the form of a uwsgi block vars.
func varBlock(vars []pair) (b []byte) {
	for _, v := range vars {
		for _, s := range []string{v.name, v.value} {
			b = binary.LittleEndian.AppendUint16(b, uint16(len(s)))
			b = append(b, s...)
		}
	}
	return b
}

// packet is a uwsgi packet with a block that fits.
func packet(modifier1, modifier2 byte, block []byte) []byte {
	header := []byte{modifier1, byte(len(block)), byte(len(block) >> 8), modifier2}
	return append(header, block...)
}

// uwsgi is a whole request.
func uwsgi(vars []pair, body []byte) []byte { return append(packet(0, 0, varBlock(vars)), body...) }

// uwsgiPost are the variables of a POST with a body of the length.
func (t *T) uwsgiPost(length int, more ...string) []pair {
	fields := []string{"CONTENT_LENGTH", strconv.Itoa(length), "CONTENT_TYPE", "application/octet-stream"}
	return t.variables("POST", "", append(fields, more...)...)
}

// seesUwsgi sends a GET with a variable more and fails unless the application sees it so.
func (t *T) seesUwsgi(name, value string) {
	e := t.begin(uwsgi(append(t.variables("GET", ""), pair{name, value}), nil))
	t.CheckVar(t.Echo(e.response()), name, value)
}

const uwsgiHeader = "Unless otherwise specified the datasize value contains the size (16-bit little endian) of the " +
	"packet body."

func uwsgiVars() []conformance.Case {
	const block = "The uwsgi block vars represent a dictionary/hash."
	return []conformance.Case{{
		Name:   "uwsgi/packet/header-le16",
		Quote:  uwsgiHeader,
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "GET requests whose block vars have sizes with the low byte 0x02, 0x80 and 0xFF",
		Passes: "sees all variables",
		Run: test(func(t *T) {
			for _, low := range []int{0x02, 0x80, 0xFF} {
				vars := append(t.variables("GET", ""), pair{"HTTP_X_FILLER", ""})
				vars[len(vars)-1].value = strings.Repeat("f", (low-len(varBlock(vars))+256*256)%256)
				t.CheckVar(t.Echo(t.begin(uwsgi(vars, nil)).response()), "REQUEST_METHOD", "GET")
			}
		}),
	}, {
		Name:   "uwsgi/packet/vars-basic",
		Quote:  block,
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a GET for /path?a=b",
		Passes: "sees REQUEST_METHOD, PATH_INFO and QUERY_STRING",
		Run: test(func(t *T) {
			vars := t.variables("GET", "a=b", "PATH_INFO", "/path", "REQUEST_URI", "/path?a=b")
			got := t.Echo(t.begin(uwsgi(vars, nil)).response())
			t.CheckVar(got, "REQUEST_METHOD", "GET")
			t.CheckVar(got, "PATH_INFO", "/path")
			t.CheckVar(got, "QUERY_STRING", "a=b")
		}),
	}, {
		Name:   "uwsgi/packet/vars-empty-value",
		Quote:  "uint16_t val_size;",
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a GET with an empty HTTP_X",
		Passes: "sees HTTP_X with an empty value",
		Run:    test(func(t *T) { t.seesUwsgi("HTTP_X", "") }),
	}}
}

func uwsgiOctets() []conformance.Case {
	return []conformance.Case{{
		Name:   "uwsgi/packet/vars-octets",
		Quote:  "uint8_t val[val_size];",
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a GET with the bytes 0x01 to 0xFF as X_OCTETS",
		Passes: "sees the same bytes",
		Run:    test(func(t *T) { t.seesUwsgi("X_OCTETS", string(allOctets()[1:])) }),
	}, {
		Name:   "uwsgi/packet/vars-65535",
		Quote:  uwsgiHeader,
		Level:  conformance.Must,
		Echo:   true,
		Sends:  "a GET with block vars of 65535 bytes (uWSGI has to be told: --buffer-size 65535)",
		Passes: "sees the last variable",
		Run: test(func(t *T) {
			vars := t.variables("GET", "")
			room := 65535 - len(varBlock(vars)) - len(varBlock([]pair{{"HTTP_X", ""}}))
			value := string(bigBody()[:room])
			got := t.Echo(t.begin(uwsgi(append(vars, pair{"HTTP_X", value}), nil)).response())
			t.CheckVar(got, "HTTP_X", value)
		}),
	}}
}

func uwsgiOddVars() []conformance.Case {
	return []conformance.Case{{
		Name:   "uwsgi/packet/vars-twice",
		Quote:  "The uwsgi block vars represent a dictionary/hash.",
		Level:  conformance.Security,
		Echo:   true,
		Sends:  "a GET with HTTP_X=a and HTTP_X=b",
		Passes: "rejects the request, or sees one of them: a dictionary has a key once",
		Run: test(func(t *T) {
			e := t.begin(uwsgi(append(t.variables("GET", ""), pair{"HTTP_X", "a"}, pair{"HTTP_X", "b"}), nil))
			if !e.refused() {
				values := t.Echo(e.got).Values("HTTP_X")
				t.Check(len(values) == 1, "HTTP_X is %q", values)
			}
		}),
	}, {
		Name:   "uwsgi/packet/vars-empty-name",
		Quote:  "uint16_t key_size;",
		Level:  conformance.Robustness,
		Sends:  "a GET with a variable whose name is empty",
		Passes: "serves or rejects the request",
		Run: test(func(t *T) {
			t.begin(uwsgi(append(t.variables("GET", ""), pair{"", "value"}), nil)).settled()
		}),
	}, {
		Name:   "uwsgi/packet/name-with-equals",
		Quote:  "A name with a value in it becomes another variable when it is copied to an environment.",
		Level:  conformance.Security,
		Echo:   true,
		Sends:  "a GET with a variable whose name is REMOTE_USER=root",
		Passes: "rejects the request, or sees no REMOTE_USER",
		Run: test(func(t *T) {
			t.noRoot(t.begin(uwsgi(append(t.variables("GET", ""), pair{"REMOTE_USER=root", ""}), nil)))
		}),
	}, {
		Name:   "uwsgi/packet/unix-file-var",
		Quote:  "UWSGI_FILE, UWSGI_SCRIPT and UWSGI_APPID say which file is run: who may send requests runs what he likes.",
		Level:  conformance.Security,
		Echo:   true,
		Sends:  "GET requests with UWSGI_FILE, UWSGI_SCRIPT and UWSGI_APPID, each of a program that does not exist",
		Passes: "answers with the application that it has, or rejects the request",
		Run: test(func(t *T) {
			for _, name := range []string{"UWSGI_FILE", "UWSGI_SCRIPT", "UWSGI_APPID"} {
				e := t.begin(uwsgi(append(t.variables("GET", ""), pair{name, "/nonexistent/gangway.py"}), nil)).end()
				if len(e.got) > 0 && t.Reply(e.got).status/100 != 4 {
					t.Echo(e.got)
				}
			}
		}),
	}}
}

func uwsgiSizes() []conformance.Case {
	const overread = "A size is the peer's word: who reads as far as it says reads what is not of this request."
	return []conformance.Case{{
		Name:   "uwsgi/packet/datasize-0",
		Quote:  uwsgiHeader,
		Level:  conformance.Robustness,
		Sends:  "a packet without variables",
		Passes: "serves or rejects the request",
		Run:    test(func(t *T) { t.begin(packet(0, 0, nil)).settled() }),
	}, {
		Name:   "uwsgi/packet/datasize-short",
		Quote:  uwsgiHeader,
		Level:  conformance.Security,
		Sends:  "a GET whose block vars end 20 bytes before their size, and ends its direction of the connection",
		Passes: "rejects the request",
		Run: test(func(t *T) {
			request := uwsgi(t.variables("GET", ""), nil)
			e := t.begin(request[:len(request)-20])
			e.CloseWrite()
			e.rejected()
		}),
	}, {
		Name:   "uwsgi/packet/key-size-overflow",
		Quote:  overread,
		Level:  conformance.Security,
		Sends:  "a GET whose last variable has a name that is longer than what is left of the block",
		Passes: "rejects the request",
		Run:    test(func(t *T) { t.uwsgiTail("\xff\xffHTTP_X") }),
	}, {
		Name:   "uwsgi/packet/val-size-overflow",
		Quote:  overread,
		Level:  conformance.Security,
		Sends:  "a GET whose last variable has a value that is longer than what is left of the block",
		Passes: "rejects the request",
		Run:    test(func(t *T) { t.uwsgiTail("\x06\x00HTTP_X\xff\xffv") }),
	}, {
		Name:   "uwsgi/packet/value-missing",
		Quote:  overread,
		Level:  conformance.Security,
		Sends:  "a GET whose last variable has a name and no value, not even its size",
		Passes: "rejects the request",
		Run:    test(func(t *T) { t.uwsgiTail("\x06\x00HTTP_X") }),
	}, {
		Name:   "uwsgi/packet/size-cut",
		Quote:  overread,
		Level:  conformance.Security,
		Sends:  "a GET whose block ends with one byte of a size",
		Passes: "rejects the request",
		Run:    test(func(t *T) { t.uwsgiTail("\x06") }),
	}}
}

// uwsgiTail sends a GET whose block ends with tail, and fails unless that is rejected.
func (t *T) uwsgiTail(tail string) {
	t.begin(packet(0, 0, append(varBlock(t.variables("GET", "")), tail...))).rejected()
}
