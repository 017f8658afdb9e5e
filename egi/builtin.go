package egi

import (
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gangway-go/gangway/adapters"
)

var builtins = map[string]adapters.Handler{
	"echo":  Echo,
	"hello": Func(hello),
}

// Builtin returns the application that comes with this package under a name, and whether there is one.
func Builtin(name string) (adapters.Handler, bool) {
	h, ok := builtins[name]
	return h, ok
}

// BuiltinNames returns the names that [Builtin] knows, sorted.
func BuiltinNames() []string { return slices.Sorted(maps.Keys(builtins)) }

func hello(w http.ResponseWriter, _ *Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := io.WriteString(w, "Hello, world!\n")
	return err
}

// Echo answers with what it was asked, as text: each meta-variable as a line NAME=value, sorted; an empty line; length
// and SHA-256 of the body as BODY_LENGTH and BODY_SHA256. A value that begins with a quotation mark, that holds a
// control byte or that is no UTF-8 is written as a Go string.
var Echo adapters.Handler = Func(echo)

func echo(w http.ResponseWriter, r *Request) error {
	var lines []string
	for name, value := range r.All() {
		lines = append(lines, printable(name)+"="+printable(value)+"\n")
	}
	slices.Sort(lines)
	var length int64
	sum := sha256.New()
	if r.Body != nil {
		var err error
		if length, err = io.Copy(sum, r.Body); err != nil {
			return err
		}
	}
	lines = append(lines, fmt.Sprintf("\nBODY_LENGTH=%d\nBODY_SHA256=%x\n", length, sum.Sum(nil)))
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := io.WriteString(w, strings.Join(lines, ""))
	return err
}

func printable(s string) string {
	control := func(c rune) bool { return c < ' ' || c == 0x7f }
	if strings.HasPrefix(s, `"`) || strings.ContainsFunc(s, control) || !utf8.ValidString(s) {
		return strconv.Quote(s)
	}
	return s
}
