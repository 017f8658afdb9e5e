//go:build unix

package script

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/internal/execfile"
)

// shell is a CGI program in the language of /bin/sh.
func shell(t *testing.T, text string) *Target {
	path := filepath.Join(t.TempDir(), "program")
	require.NoError(t, execfile.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755))
	return New(path)
}

const hello = "printf 'Content-Type: text/plain\\n\\n'\n"

// try runs one case made of run.
func try(t *testing.T, target *Target, run func(*T)) conformance.Result {
	c := conformance.Case{Name: "script/0/test", Level: conformance.Must, Run: test(run)}
	options := conformance.Options{Patience: time.Second, AllWire: true}
	report, err := conformance.Run(t.Context(), target, []conformance.Case{c}, options)
	require.NoError(t, err)
	return report.Results[0]
}

// A program gets the variables, PATH, standard input, output and error, and nothing else of ours.
func TestInheritance(t *testing.T) {
	t.Setenv("GANGWAY_SECRET", "1")
	target := shell(t, hello+"env; for fd in /proc/self/fd/*; do echo \"fd ${fd##*/}\"; done; pwd")
	try(t, target, func(ct *T) {
		r := ct.send(ct.ask("GET", "/path?a=b"))
		body := string(r.body)
		for _, variable := range []string{"REQUEST_METHOD=GET", "PATH_INFO=/path", "QUERY_STRING=a=b", "PATH=" + os.Getenv("PATH")} {
			assert.Contains(t, body, variable+"\n")
		}
		assert.NotContains(t, body, "GANGWAY_SECRET")
		assert.Contains(t, body, filepath.Dir(target.Path)+"\n")
		if runtime.GOOS == "linux" {
			for _, fd := range []string{"4", "5", "6", "7", "8", "9"} { // 3 is that of the listing
				assert.NotContains(t, body, "fd "+fd+"\n")
			}
		}
	})
}

func TestEnd(t *testing.T) {
	tests := []struct {
		name, text string
		outcome    conformance.Outcome
		got        string
	}{
		{"well", hello, conformance.Pass, ""},
		{"status", hello + "exit 3", conformance.Fail, "exit status 3"},
		{"signal", hello + "kill -TERM $$", conformance.Fail, "signal: terminated"},
		{"too slow", "[ $QUERY_STRING ] && sleep 100\n" + hello, conformance.Hang, "has not ended"},
		{"floods", hello + "[ $QUERY_STRING ] && yes", conformance.Fail, "signal: killed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			result := try(t, shell(t, tt.text), func(ct *T) {
				r := ct.send(ct.query("slow"))
				ct.Check(r.end == "exit status 0", "%s", r.end)
			})
			if runtime.GOOS != "linux" && tt.name == "floods" {
				return
			}
			assert.Equal(t, tt.outcome, result.Outcome, result.Got)
			assert.Contains(t, result.Got, tt.got)
		})
	}
}

// What a program leaves behind is seen, and killed.
func TestRemainder(t *testing.T) {
	target := shell(t, hello+"if [ $QUERY_STRING ]; then sleep 1000 & fi")
	start := time.Now()
	result := try(t, target, func(ct *T) {
		r := ct.send(ct.query("leave"))
		ct.Check(r.open && r.left, "nothing left")
	})
	assert.Equal(t, conformance.Pass, result.Outcome, result.Got)
	assert.Less(t, time.Since(start), time.Minute)
}

// The wire log has what went over the three streams.
func TestWire(t *testing.T) {
	target := shell(t, hello+"cat; echo oops >&2")
	result := try(t, target, func(ct *T) { ct.answers(ct.send(ct.post(form, "a=b"))) })
	got := map[string]string{}
	for _, event := range result.Wire {
		got[fmt.Sprint(event.Conn, " ", event.Kind)] += string(event.Data)
	}
	assert.Equal(t, "a=b", got["1 send"])
	assert.Equal(t, "Content-Type: text/plain\n\na=b", got["1 recv"])
	assert.Equal(t, "oops\n", got["2 recv"])
	assert.Contains(t, got["0 note"], "REQUEST_METHOD=POST")
	assert.Contains(t, got["0 note"], "the program ended: exit status 0")
}

func TestUnreachable(t *testing.T) {
	for name, target := range map[string]*Target{
		"no file":   New("/nonexistent/program"),
		"no output": shell(t, "true"),
		"no header": shell(t, "echo hello"),
	} {
		_, err := conformance.Run(context.Background(), target, Cases(), conformance.Options{})
		assert.ErrorIs(t, err, conformance.ErrUnreachable, name)
	}
}
