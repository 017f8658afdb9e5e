package faulty

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// errCrash is how an echo application in this process dies: its peer does what it does when a handler panics.
var errCrash = errors.New("faulty: the application crashed")

// largeLine is what the mode large repeats.
const largeLine = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+\n"

// variable is one meta-variable.
type variable struct{ name, value string }

// digest is a stream of which only the length and the hash matter. A digest that is nil was not read.
type digest struct {
	limit int64 // the most bytes that are taken; no limit if negative
	size  int64
	hash  hash.Hash
}

func newDigest(limit int64) *digest { return &digest{limit: limit, hash: sha256.New()} }

// add takes the next bytes of the stream, as far as the limit allows.
func (d *digest) add(b []byte) {
	if d.limit >= 0 {
		b = b[:min(int64(len(b)), d.limit-d.size)]
	}
	d.size += int64(len(b))
	d.hash.Write(b)
}

func (d *digest) String() string {
	if d == nil {
		return "- -"
	}
	return fmt.Sprintf("%d %x", d.size, d.hash.Sum(nil))
}

// echo answers one request by the echo contract.
type echo struct {
	vars     []variable
	filter   bool
	body     *digest
	data     *digest
	variants map[string]string // modes of QUERY_STRING
}

// modes returns the modes that a query string asks for. One without a value has the value "".
func modes(query string) map[string]string {
	m := map[string]string{}
	for mode := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(mode, "=")
		m[name] = value
	}
	return m
}

// number returns the number that a mode has, and false if the request does not have the mode.
func (e *echo) number(mode string) (int64, bool) {
	value, ok := e.variants[mode]
	n, err := strconv.ParseInt(value, 10, 64)
	return n, ok && err == nil && n >= 0
}

// respond writes the response. It returns the exit status that a program would have, or why the response was cut:
// errCrash, the end of ctx, or an error of a writer.
func (e *echo) respond(ctx context.Context, stdout, stderr io.Writer) (int, error) {
	if ms, ok := e.number("sleep"); ok {
		if err := pause(ctx, ms); err != nil {
			return 0, err
		}
	}
	exit, _ := e.number("exit")
	if _, ok := e.variants["empty"]; ok {
		return int(exit), nil
	}
	if _, dies := e.variants["crash"]; dies && e.variants["crash"] == "" {
		return 0, errCrash
	}
	noise, _ := e.number("stderr")
	if err := copyBytes(stderr, &pattern{line: errLine}, noise/2); err != nil {
		return 0, err
	}
	if err := e.write(ctx, stdout, func() error {
		return copyBytes(stderr, &pattern{line: errLine, at: int(noise / 2 % 64)}, noise-noise/2)
	}); err != nil {
		return 0, err
	}
	return int(exit), nil
}

var errLine = strings.Repeat("e", 63) + "\n"

// write writes the header and the body, and calls middle in between.
func (e *echo) write(ctx context.Context, w io.Writer, middle func() error) error {
	large, isLarge := e.number("large")
	dies, isDead := e.number("crash")
	_, ticks := e.number("flush")
	contentType, body, size := "text/x-gangway-echo", io.Reader(nil), int64(0)
	switch _, binary := e.variants["binary"]; {
	case isLarge, isDead:
		contentType, body, size = "application/octet-stream", &pattern{line: largeLine}, max(large, dies)
	case binary:
		body, size = bytes.NewReader(allBytes()), 256
	case !ticks:
		lines := e.lines()
		body, size = strings.NewReader(lines), int64(len(lines))
	}
	if _, err := io.WriteString(w, "Content-Type: "+contentType+"\r\n\r\n"); err != nil {
		return err
	}
	switch {
	case isDead:
		return errors.Join(copyBytes(w, body, dies), errCrash)
	case ticks:
		return e.tick(ctx, w)
	}
	if err := copyBytes(w, body, size/2); err != nil {
		return err
	}
	if err := middle(); err != nil {
		return err
	}
	return copyBytes(w, body, size-size/2)
}

// tick writes three lines with a pause before the second and the third.
func (e *echo) tick(ctx context.Context, w io.Writer) error {
	ms, _ := e.number("flush")
	for i := 1; i <= 3; i++ {
		if i > 1 {
			if err := pause(ctx, ms); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(w, "tick %d\n", i); err != nil {
			return err
		}
	}
	return nil
}

// lines is the body that describes the request.
func (e *echo) lines() string {
	var b strings.Builder
	b.WriteString("echo 1\n")
	for _, v := range e.vars {
		fmt.Fprintf(&b, "var %s %s\n", escape(v.name), escape(v.value))
	}
	for _, arg := range os.Args[1:] {
		fmt.Fprintf(&b, "arg %s\n", escape(arg))
	}
	fmt.Fprintf(&b, "body %v\n", e.body)
	if e.filter {
		fmt.Fprintf(&b, "data %v\n", e.data)
	}
	for _, fd := range descriptors() {
		fmt.Fprintf(&b, "fd %s\n", fd)
	}
	cwd, _ := os.Getwd()
	fmt.Fprintf(&b, "cwd %s\npid %d\nend\n", escape(cwd), os.Getpid())
	return b.String()
}

// escape percent-encodes every byte but A-Z a-z 0-9 - . _ ~ /.
func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// closeOnExec is O_CLOEXEC as /proc shows it.
const closeOnExec = 0o2000000

// descriptors are those of this process above 2 that it has inherited, if the system lists them.
func descriptors() (inherited []string) {
	entries, _ := os.ReadDir("/proc/self/fdinfo")
	for _, entry := range entries {
		info, _ := os.ReadFile(filepath.Join("/proc/self/fdinfo", entry.Name()))
		_, after, found := strings.Cut(string(info), "flags:")
		number, _, _ := strings.Cut(strings.TrimSpace(after), "\n")
		flags, _ := strconv.ParseInt(number, 8, 64)
		if n, _ := strconv.Atoi(entry.Name()); n > 2 && found && flags&closeOnExec == 0 {
			inherited = append(inherited, entry.Name())
		}
	}
	return inherited
}

// pattern is a line that repeats for ever.
type pattern struct {
	line string
	at   int
}

func (p *pattern) Read(b []byte) (int, error) {
	for n := 0; n < len(b); {
		k := copy(b[n:], p.line[p.at:])
		n, p.at = n+k, (p.at+k)%len(p.line)
	}
	return len(b), nil
}

func allBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// copyBytes copies n bytes in pieces that a record can hold.
func copyBytes(w io.Writer, r io.Reader, n int64) error {
	if n == 0 {
		return nil
	}
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, io.LimitReader(r, n), make([]byte, min(n, 32<<10)))
	return err
}

// pause waits, or returns why ctx ended before.
func pause(ctx context.Context, ms int64) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return nil
	}
}
