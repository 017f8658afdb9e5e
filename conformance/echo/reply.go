package echo

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrSyntax means that a text is not what an echo application writes; the error of [Parse] wraps it.
var ErrSyntax = errors.New("echo: malformed reply")

// Var is a meta-variable that the application saw.
type Var struct{ Name, Value string }

// Reply is what an application saw of a request.
type Reply struct {
	Vars       []Var
	Args       []string
	BodyRead   bool   // false if it was told not to read the body
	BodyLength int64  // of what it read
	BodySHA256 string // in hexadecimal digits
	DataRead   bool   // true in the role Filter only
	DataLength int64
	DataSHA256 string
	FDs        []int
	Cwd        string
	Pid        int
}

// Values returns the values of the variable, more than one if the application saw it more than once.
func (r *Reply) Values(name string) (values []string) {
	for _, v := range r.Vars {
		if v.Name == name {
			values = append(values, v.Value)
		}
	}
	return values
}

// Parse reads the lines of a response. It is strict: the text has every line of the contract in its order, nothing
// else, and each byte in the one form that it can have. The error wraps [ErrSyntax] and says which line is not right.
func Parse(text []byte) (*Reply, error) {
	p := parser{rest: text}
	var r Reply
	p.expect("echo", "1")
	for words := p.next("var", 2); words != nil; words = p.next("var", 2) {
		r.Vars = append(r.Vars, Var{p.decode(words[0]), p.decode(words[1])})
	}
	for words := p.next("arg", 1); words != nil; words = p.next("arg", 1) {
		r.Args = append(r.Args, p.decode(words[0]))
	}
	body := p.must("body", 2)
	if r.BodyRead = body[0] != "-" || body[1] != "-"; r.BodyRead {
		r.BodyLength, r.BodySHA256 = p.number(body[0], 0), p.digest(body[1])
	}
	if data := p.next("data", 2); data != nil {
		r.DataRead, r.DataLength, r.DataSHA256 = true, p.number(data[0], 0), p.digest(data[1])
	}
	for words := p.next("fd", 1); words != nil; words = p.next("fd", 1) {
		r.FDs = append(r.FDs, int(p.number(words[0], 3)))
	}
	r.Cwd = p.decode(p.must("cwd", 1)[0])
	r.Pid = int(p.number(p.must("pid", 1)[0], 1))
	p.must("end", 0)
	if p.err == nil && len(p.rest) > 0 {
		p.fail("more after the end")
	}
	if p.err != nil {
		return nil, p.err
	}
	return &r, nil
}

// parser takes lines off rest. After the first error it finds nothing any more.
type parser struct {
	rest []byte
	line int // how many lines were taken
	err  error
}

func (p *parser) fail(why string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: line %d: %s", ErrSyntax, p.line, why)
	}
}

// next takes the next line if its first word is kind, and returns its other words, count of them; else nil.
func (p *parser) next(kind string, count int) []string {
	line, rest, whole := bytes.Cut(p.rest, []byte("\n"))
	words := strings.Split(string(line), " ")
	if p.err != nil || !whole || words[0] != kind {
		return nil
	}
	p.rest = rest
	p.line++
	if len(words) != 1+count {
		p.fail(fmt.Sprintf("%d words, not %d", len(words), 1+count))
		return nil
	}
	return words[1:]
}

// must is next for a line that has to be there. It returns count words in any case.
func (p *parser) must(kind string, count int) []string {
	words := p.next(kind, count)
	if words == nil {
		p.line++
		p.fail(fmt.Sprintf("not the line %q", kind))
		return make([]string, count)
	}
	return words
}

func (p *parser) expect(kind, word string) {
	if p.must(kind, 1)[0] != word {
		p.fail("not " + kind + " " + word)
	}
}

// number reads a decimal number, the only way to write it.
func (p *parser) number(word string, least int64) int64 {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil || n < least || strconv.FormatInt(n, 10) != word {
		p.fail(fmt.Sprintf("%.80q is no number from %d on", word, least))
	}
	return n
}

// digest reads a SHA-256 in small hexadecimal digits.
func (p *parser) digest(word string) string {
	if len(word) != 64 || strings.Trim(word, "0123456789abcdef") != "" {
		p.fail(fmt.Sprintf("%.80q is no SHA-256", word))
	}
	return word
}

// decode reads a percent-encoded word.
func (p *parser) decode(word string) string {
	var b strings.Builder
	for rest := word; rest != ""; {
		c, size := rest[0], 1
		if c == '%' && len(rest) > 2 {
			n, _ := strconv.ParseUint(rest[1:3], 16, 8)
			c, size = byte(n), 3
		}
		if encode(c) != rest[:size] {
			p.fail(fmt.Sprintf("%.80q is not percent-encoded as it has to be", word))
			return ""
		}
		b.WriteByte(c)
		rest = rest[size:]
	}
	return b.String()
}

// encode returns the percent-encoded form of a byte.
func encode(c byte) string {
	if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
		return string(c)
	}
	return fmt.Sprintf("%%%02X", c)
}
