//go:build unix

package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/conformance/echo"
	"github.com/gangway-go/gangway/egi"
)

var modePattern = regexp.MustCompile(`^(?:(noread|binary|empty|crash)|(sleep|exit|stderr|large|flush|crash)=([0-9]+))$`)

// modesOf returns the modes of the query, those without a number as -1.
func modesOf(query string) map[string]int {
	modes := map[string]int{}
	for text := range strings.SplitSeq(query, "&") {
		if m := modePattern.FindStringSubmatch(text); m != nil && m[1] != "" {
			modes[m[1]] = -1
		} else if m != nil {
			modes[m[2]], _ = strconv.Atoi(m[3])
		}
	}
	return modes
}

// echo answers one request of a Responder or Filter.
func (a application) echo(w http.ResponseWriter, r *egi.Request) error {
	modes := modesOf(r.Query)
	lines, err := a.lines(r, modes["noread"] < 0)
	if err != nil {
		return err
	}
	pause(r, modes["sleep"])
	if modes["crash"] < 0 {
		die()
	}
	if modes["empty"] < 0 {
		return nil // which is a response without a body; to give none at all is an error here
	}
	diagnose(r, modes["stderr"]/2)
	w.Header().Set("Content-Type", "text/x-gangway-echo")
	size := max(modes["large"], modes["crash"])
	if size > 0 || modes["binary"] < 0 {
		w.Header().Set("Content-Type", "application/octet-stream")
	}
	switch ms, flushes := modes["flush"]; {
	case size > 0:
		return large(w, r, modes, size)
	case modes["binary"] < 0:
		lines = lines[:0]
		for i := range 256 {
			lines = append(lines, byte(i))
		}
	case flushes:
		return ticks(w, r, ms)
	}
	w.Write(lines[:len(lines)/2])
	diagnose(r, modes["stderr"]-modes["stderr"]/2)
	_, err = w.Write(lines[len(lines)/2:])
	return err
}

// large writes the pattern of the mode large, and dies then if the mode is crash.
func large(w http.ResponseWriter, r *egi.Request, modes map[string]int, size int) error {
	pattern := echo.Pattern(min(size, 64<<10))
	for written := 0; written < size; written += len(pattern) {
		if _, err := w.Write(pattern[:min(len(pattern), size-written)]); err != nil {
			return err
		}
		if written <= size/2 && size/2 < written+len(pattern) {
			diagnose(r, modes["stderr"]-modes["stderr"]/2)
		}
	}
	if modes["crash"] > 0 {
		w.(http.Flusher).Flush()
		time.Sleep(100 * time.Millisecond) // until all has left
		die()
	}
	return nil
}

// lines reads the body, unless noread is set, and returns what there is to say of the request.
func (a application) lines(r *egi.Request, noread bool) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("echo 1\n")
	for name, value := range r.All() {
		fmt.Fprintf(&b, "var %s %s\n", word(name), word(value))
	}
	for _, arg := range a.args {
		fmt.Fprintf(&b, "arg %s\n", word(arg))
	}
	if noread {
		b.WriteString("body - -\n")
	} else if err := digest(&b, "body", r.Body); err != nil {
		return nil, err
	}
	if r.Role == adapters.Filter {
		if err := digest(&b, "data", r.Data.Body); err != nil {
			return nil, err
		}
	}
	for _, fd := range descriptors() {
		fmt.Fprintf(&b, "fd %s\n", fd)
	}
	dir, _ := os.Getwd()
	fmt.Fprintf(&b, "cwd %s\npid %d\nend\n", word(dir), os.Getpid())
	return b.Bytes(), nil
}

// digest reads all of r, which may be nil.
func digest(b *bytes.Buffer, name string, r io.Reader) error {
	hash := sha256.New()
	var n int64
	var err error
	if r != nil {
		n, err = io.Copy(hash, r)
	}
	fmt.Fprintf(b, "%s %d %x\n", name, n, hash.Sum(nil))
	return err
}

// word percent-encodes s.
func word(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// descriptors returns those above 2 that were inherited: without close-on-exec.
func descriptors() (found []string) {
	entries, _ := filepath.Glob("/proc/self/fdinfo/*")
	for _, entry := range entries {
		info, err := os.ReadFile(entry)
		fd, _ := strconv.Atoi(filepath.Base(entry))
		_, flags, ok := strings.Cut(string(info), "flags:")
		if fd <= 2 || err != nil || !ok {
			continue
		}
		if bits, _ := strconv.ParseInt(strings.Fields(flags)[0], 8, 64); bits&syscall.O_CLOEXEC == 0 {
			found = append(found, strconv.Itoa(fd))
		}
	}
	return found
}

func pause(r *egi.Request, ms int) {
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
	case <-r.Context().Done():
	}
}

func ticks(w http.ResponseWriter, r *egi.Request, ms int) error {
	for tick := 1; tick <= 3; tick++ {
		if tick > 1 {
			pause(r, ms)
		}
		if _, err := fmt.Fprintf(w, "tick %d\n", tick); err != nil {
			return err
		}
		w.(http.Flusher).Flush()
	}
	return nil
}

// diagnose writes n bytes of diagnostics.
func diagnose(r *egi.Request, n int) {
	if n > 0 && r.Stderr != nil {
		line := strings.Repeat("e", 63) + "\n"
		io.WriteString(r.Stderr, strings.Repeat(line, n/len(line)+1)[:n])
	}
}

func die() {
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
