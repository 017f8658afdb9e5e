package script

import (
	"bytes"
	"os"
	"strings"
	"time"

	"github.com/gangway-go/gangway/conformance"
)

// T is one run of a case against a Target.
type T struct {
	*conformance.T
	target *Target
}

// test makes a case's Run of what it does with T.
func test(run func(*T)) func(*conformance.T) {
	return func(t *conformance.T) { run(&T{T: t, target: t.Target.(*Target)}) }
}

// limit is how long the program may run. The first run, for the preflight, may have to load it from a slow disk.
func (t *T) limit() time.Duration {
	if t.target.plain == nil {
		return 10 * time.Second
	}
	return 2 * t.Patience()
}

// send runs the program once, to its end.
func (t *T) send(r *request) *response { return t.start(r).await() }

// samples are responses to look at: to a plain GET, and to a method that no program knows, which makes an error page.
func (t *T) samples() []*response {
	return []*response{t.send(t.request("GET")), t.send(t.request(unknownMethod))}
}

const unknownMethod = "FOO"

// each checks every response among the samples that is one; whether there is one is the matter of other cases.
func (t *T) each(check func(r *response)) {
	for _, r := range t.samples() {
		if len(r.header) > 0 {
			check(r)
		}
	}
}

// answers fails unless there is output and no signal ended the program.
func (t *T) answers(r *response) {
	t.Check(!r.signalled, "the program ended by a %s", r.end)
	t.Check(len(r.stdout) > 0, "no output and %s; standard error: %.200q", r.end, r.stderr)
}

// survives fails unless there is a response that does not report an error of the server's side.
func (t *T) survives(r *response) {
	t.answers(r)
	status := r.status()
	fine := status >= 200 && status < 500 || status == 501 || status == 503
	t.Check(fine, "status %d; standard error: %.200q", status, r.stderr)
}

// works fails unless the response is like that to the plain request.
func (t *T) works(r *response) {
	t.answers(r)
	t.same(t.target.plain, r)
}

// same fails unless both responses have the same status and Content-Type.
func (t *T) same(want, got *response) {
	t.Check(got.status() == want.status() && got.value("Content-Type") == want.value("Content-Type"),
		"status %d, Content-Type %q instead of %d, %q; standard error: %.200q",
		got.status(), got.value("Content-Type"), want.status(), want.value("Content-Type"), got.stderr)
}

// sameBody fails unless both requests get the same body. It is not compared if it shows the request, as that of the echo
// application does, and skips the case if the first request gets another one each time.
func (t *T) sameBody(first, second *request) {
	want, again, got := t.send(first), t.send(first), t.send(second)
	t.answers(got)
	t.same(want, got)
	if t.target.echo {
		return
	}
	if !bytes.Equal(want.body, again.body) {
		t.Skip("the body is another each time")
	}
	at := 0
	for at < min(len(want.body), len(got.body)) && want.body[at] == got.body[at] {
		at++
	}
	t.Check(bytes.Equal(want.body, got.body), "another body: from byte %d on %.80q instead of %.80q", at, got.body[at:],
		want.body[at:])
}

// refuses fails unless the response is an error of the client's side, or the program fails.
func (t *T) refuses(r *response) {
	t.Check(!r.signalled, "the program ended by a %s", r.end)
	t.Check(r.status() >= 400 || r.end != "exit status 0", "status %d and %s", r.status(), r.end)
}

// echoed returns the words of the echo application's line of a kind that begins with words.
func (t *T) echoed(r *response, words ...string) []string {
	for text := range strings.Lines(string(r.body)) {
		got := strings.Split(strings.TrimRight(text, "\r\n"), " ")
		if len(got) >= len(words) && strings.Join(got[:len(words)], " ") == strings.Join(words, " ") {
			return got[len(words):]
		}
	}
	t.Fail("no line %q: %.200q", strings.Join(words, " "), r.body)
	return nil
}

// folder makes an empty directory that is gone after the case.
func (t *T) folder() string {
	dir, err := os.MkdirTemp("", "gangway-conform-")
	if err != nil {
		t.Broken(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// names are those of the entries of a directory.
func (t *T) names(dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Broken(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
