package faulty

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// cgiBackend runs the program that SCRIPT_FILENAME names, once for each request (RFC 3875 section 7.2).
type cgiBackend struct {
	dir     string // of the programs
	timeout time.Duration
	fault   fault
	log     io.Writer

	mu      sync.Mutex
	zombies []*os.Process // of a mutant
}

// Close is that of backend.
func (b *cgiBackend) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.zombies {
		p.Wait()
	}
}

// RoundTrip is that of backend.
func (b *cgiBackend) RoundTrip(ctx context.Context, vars []Var, body io.Reader) (io.ReadCloser, error) {
	program := value(vars, "SCRIPT_FILENAME")
	if err := b.executable(program); err != nil {
		return b.instead(program, err)
	}
	run, err := b.start(program, vars, body)
	if errors.Is(err, syscall.E2BIG) && b.fault.is("too-long-hangs") {
		<-ctx.Done()
	}
	if err != nil {
		return b.instead(program, &Refusal{500, err.Error()})
	}
	run.stop = context.AfterFunc(ctx, run.kill)
	if b.fault.is("judges-by-exit") {
		return b.judged(run)
	}
	first := make([]byte, 16<<10)
	n, err := run.Read(first)
	switch {
	case n > 0:
		run.first = first[:n]
		return run, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		run.Close()
		return nil, &Refusal{504, "the program was silent"}
	}
	run.Close()
	if b.fault.is("failure-is-empty") && run.state.ExitCode() > 0 {
		return b.text("")
	}
	return nil, &Refusal{502, fmt.Sprintf("the program wrote nothing: %v", err)}
}

// judged is the response of a program that exits with status 0.
func (b *cgiBackend) judged(run *cgiRun) (io.ReadCloser, error) {
	defer run.Close()
	content, err := io.ReadAll(run)
	<-run.ended
	if err != nil || !run.state.Success() {
		return nil, &Refusal{502, "the program failed"}
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

// executable says why a file cannot be a program.
func (b *cgiBackend) executable(program string) error {
	info, err := os.Stat(program)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Refusal{404, err.Error()}
	case err != nil:
		return &Refusal{403, err.Error()}
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return &Refusal{403, program + " is no program"}
	}
	return nil
}

// start starts the process, what feeds it and what waits for it.
func (b *cgiBackend) start(program string, vars []Var, body io.Reader) (*cgiRun, error) {
	var ours, theirs [3]*os.File // standard input, output and error
	defer func() { closeAll(theirs) }()
	for i := range theirs {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(ours)
			return nil, err
		}
		if theirs[i], ours[i] = w, r; i == 0 {
			theirs[i], ours[i] = r, w
		}
	}
	process, err := b.launch(program, vars, theirs[:])
	if err != nil {
		closeAll(ours)
		return nil, err
	}
	run := &cgiRun{process: process, stdout: ours[1], backend: b, fed: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer ours[2].Close()
		io.Copy(b.log, ours[2])
	}()
	if b.fault.is("body-before-answer") {
		run.feed(ours[0], body)
	} else {
		go run.feed(ours[0], body)
	}
	go run.wait(ours[2])
	return run, nil
}

func closeAll(files [3]*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// launch starts a process (RFC 3875 sections 4.4 and 7.2).
func (b *cgiBackend) launch(program string, vars []Var, files []*os.File) (*os.Process, error) {
	args := append([]string{program}, b.arguments(vars)...)
	attributes := &os.ProcAttr{Dir: filepath.Dir(program), Files: files, Sys: ownGroup(),
		Env: []string{"PATH=" + os.Getenv("PATH")}}
	for _, v := range vars {
		attributes.Env = append(attributes.Env, v.Name+"="+v.Value)
	}
	switch b.fault {
	case "leaks-environment":
		attributes.Env = append(os.Environ(), attributes.Env...)
	case "runs-in-root":
		attributes.Dir = "/"
	case "runs-in-base":
		attributes.Dir = b.dir
	case "leaks-descriptor":
		attributes.Files = append(files, files[0])
	case "repeats-variable":
		attributes.Env = append(attributes.Env, "HTTP_X_A=2")
	case "shows-stderr":
		attributes.Files[2] = files[1]
	case "ignores-sigpipe":
		args = append([]string{"/bin/sh", "-c", `trap "" PIPE; exec "$0" "$@"`}, args...)
	}
	return os.StartProcess(args[0], args, attributes)
}

// active are the characters that the Bourne shell does not take for themselves.
const active = "&;`'\"|*?~<>^()[]{}$\\ \t\n"

// arguments are the words of an indexed query, RFC 3875 section 4.4. There are none if one could be an option.
func (b *cgiBackend) arguments(vars []Var) (words []string) {
	query, method := value(vars, "QUERY_STRING"), value(vars, "REQUEST_METHOD")
	if query == "" || strings.Contains(query, "=") && !b.fault.is("any-query-is-arguments") || method != "GET" &&
		method != "HEAD" {
		return nil
	}
	for word := range strings.SplitSeq(query, "+") {
		text, err := url.PathUnescape(word)
		if err != nil || strings.Contains(text, "\x00") {
			return nil
		}
		if (strings.HasPrefix(text, "-") || text != ascii(text)) && !b.fault.is("options-from-client") {
			return nil
		}
		words = append(words, b.escaped(text))
	}
	return words
}

func (b *cgiBackend) escaped(text string) string {
	if b.fault.is("arguments-unescaped") {
		return text
	}
	var word strings.Builder
	for _, c := range []byte(text) {
		if strings.IndexByte(active, c) >= 0 {
			word.WriteByte('\\')
		}
		word.WriteByte(c)
	}
	return word.String()
}

// instead is what there is instead of a response of a program that cannot be run.
func (b *cgiBackend) instead(program string, err error) (io.ReadCloser, error) {
	content, _ := os.ReadFile(program)
	status := err.(*Refusal).Status
	switch {
	case b.fault.is("shows-unexecutable") && status == 403, b.fault.is("shows-what-fails") && status == 500:
		return b.text(string(content))
	case b.fault.is("missing-is-empty") && status == 404:
		return b.text("")
	}
	return nil, err
}

func (b *cgiBackend) text(content string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("Content-Type: text/plain\n\n" + content)), nil
}
