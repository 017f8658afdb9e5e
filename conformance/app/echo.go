package app

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
)

// echoed is what the echo application saw of a request.
type echoed struct {
	vars       []pair
	bodyLength int // -1 if it was not read
	bodySum    string
	data       int
	dataSum    string
}

// isEcho says whether a response is one of the echo application.
func isEcho(r *reply) bool {
	return r.field("Content-Type") == "text/x-gangway-echo" && strings.HasPrefix(string(r.body), "echo 1\n")
}

// Echo is what the echo application says that it saw. It fails if the response is none of its.
func (t *T) Echo(response []byte) *echoed {
	r := t.Reply(response)
	t.Check(isEcho(r), "a response that is not the echo: %d %q %.80q", r.status, r.field("Content-Type"), r.body)
	e := &echoed{bodyLength: -1}
	ended := false
	for line := range strings.Lines(string(r.body)) {
		words := strings.Split(strings.TrimRight(line, "\r\n"), " ")
		for i := range words {
			words[i], _ = url.PathUnescape(words[i])
		}
		switch {
		case words[0] == "var" && len(words) == 3:
			e.vars = append(e.vars, pair{words[1], words[2]})
		case words[0] == "body" && len(words) == 3 && words[1] != "-":
			e.bodyLength, _ = strconv.Atoi(words[1])
			e.bodySum = words[2]
		case words[0] == "data" && len(words) == 3:
			e.data, _ = strconv.Atoi(words[1])
			e.dataSum = words[2]
		case words[0] == "end":
			ended = true
		}
	}
	t.Check(ended, "an echo without its last line")
	return e
}

// all are the values of the variable, more than one if it came more than once.
func (e *echoed) all(name string) (values []string) {
	for _, v := range e.vars {
		if v.name == name {
			values = append(values, v.value)
		}
	}
	return values
}

// value is the last value of the variable.
func (e *echoed) value(name string) (value string, ok bool) {
	values := e.all(name)
	if len(values) == 0 {
		return "", false
	}
	return values[len(values)-1], true
}

// CheckVar fails unless the application saw the variable once, with this value.
func (t *T) CheckVar(e *echoed, name, value string) {
	values := e.all(name)
	t.Check(len(values) > 0, "the variable %.60q did not arrive", name)
	t.Check(len(values) == 1, "the variable %.60q arrived %d times", name, len(values))
	t.Check(values[0] == value, "%.60q arrived as %d bytes %.80q", name, len(values[0]), values[0])
}

// CheckBody fails unless the application read exactly this body.
func (t *T) CheckBody(e *echoed, body []byte) {
	t.Check(e.bodyLength == len(body), "a body of %d bytes, not %d", e.bodyLength, len(body))
	sum := sha256.Sum256(body)
	t.Check(strings.EqualFold(e.bodySum, hex.EncodeToString(sum[:])), "a body of the right length with other bytes")
}
