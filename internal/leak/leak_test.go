package leak_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/leak"
)

// leakVar names, in a process that a test starts, what TestMain shall leave behind.
const leakVar = "LEAK_TEST"

func TestMain(m *testing.M) {
	switch what := os.Getenv(leakVar); what {
	case "":
		leak.Main(m)
	case "child itself":
		_, _ = io.Copy(io.Discard, os.Stdin) // Ends with the process that started it.
	default:
		leak.SetGrace(2 * time.Second)
		leak.Main(leaving(what))
	}
}

// leaving stands for tests that pass and leave something behind.
type leaving string

var kept []any

func (what leaving) Run() int {
	switch what {
	case "failure":
		return 3
	case "goroutine":
		go blocked()
	case "late goroutine":
		go time.Sleep(30 * time.Millisecond)
	case "signal":
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	case "file":
		keep(os.Open(os.Args[0]))
	case "listener":
		keep(net.Listen("tcp", "127.0.0.1:0"))
	case "child", "ended child":
		keepChild(what == "ended child")
	}
	return 0
}

func blocked() { select {} }

func keep(v any, err error) {
	if err != nil {
		panic(err)
	}
	kept = append(kept, v)
}

func keepChild(ended bool) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), leakVar+"=child itself")
	keep(cmd.StdinPipe())
	keep(cmd, cmd.Start())
	if ended {
		keep(nil, cmd.Process.Kill())
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name  string
		code  int
		says  string
		linux bool
	}{
		{name: "nothing"},
		{name: "failure", code: 3},
		{name: "goroutine", code: 1, says: "leak_test.blocked"},
		{name: "late goroutine"},
		{name: "signal"},
		{name: "file", code: 1, says: "leak.test", linux: true},
		{name: "listener", code: 1, says: "socket of 127.0.0.1:", linux: true},
		{name: "child", code: 1, says: "child process ", linux: true},
		{name: "ended child", code: 1, says: "ended: ", linux: true},
	}
	for _, tt := range tests {
		if tt.linux && runtime.GOOS != "linux" {
			tt.code, tt.says = 0, ""
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), leakVar+"="+tt.name)
			out, err := cmd.CombinedOutput()
			require.NotNil(t, cmd.ProcessState, "start: %v", err)
			assert.Equal(t, tt.code, cmd.ProcessState.ExitCode(), "output: %s", out)
			if tt.says == "" {
				assert.Empty(t, string(out))
			} else {
				assert.Contains(t, string(out), tt.says)
			}
		})
	}
}
