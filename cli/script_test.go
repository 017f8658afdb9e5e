package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gangway-go/gangway/internal/peer"
)

// TestScripts runs testdata/*.txtar. Beside testscript's own commands they have those of scriptCommands.
func TestScripts(t *testing.T) {
	peer.Need(t, "curl")
	runScripts(t, "testdata", nil)
}

// TestPHP runs testdata/php/*.txtar, with a private php-fpm at fcgi+unix://$PHP.
func TestPHP(t *testing.T) {
	_, socket := peer.PHPFPM(t, "php_admin_flag[display_errors] = off")
	runScripts(t, "testdata/php", map[string]string{"PHP": socket})
}

func runScripts(t *testing.T, dir string, vars map[string]string) {
	testscript.Run(t, testscript.Params{
		Dir: dir, Cmds: scriptCommands(), RequireUniqueNames: true,
		Condition: func(name string) (bool, error) {
			if name != "root" {
				return false, fmt.Errorf("no condition is called %q", name)
			}
			return os.Getuid() == 0, nil
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv(raceOptions, os.Getenv(raceOptions))
			for name, value := range vars {
				env.Setenv(name, value)
			}
			return nil
		},
	})
}

func scriptCommands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	return map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"code": code, "fails": fails, "start": start, "signal": sendSignal, "end": end, "appears": appears, "logs": logs, "send": send,
	}
}

// patience is how long anything may take.
const patience = 60 * time.Second

// code runs a command that must have an exit code: code N COMMAND ARG...
func code(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := command(ts, args[1], args[2:], ts.Stdout(), ts.Stderr()).Run(); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d instead of %d", got, want)
	}
}

// fails runs gangway, which must end with an exit code, one line on standard error, and nothing on standard output. The
// line must contain what stands behind --: fails N ARG... -- TEXT
func fails(ts *testscript.TestScript, _ bool, args []string) {
	dash := slices.Index(args, "--")
	if dash < 0 {
		ts.Fatalf("no -- TEXT")
	}
	var out, diag bytes.Buffer
	err := command(ts, "gangway", args[1:dash], &out, &diag).Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || strconv.Itoa(exit.ExitCode()) != args[0] {
		ts.Fatalf("%v instead of exit code %s:\n%s", err, args[0], diag.String())
	}
	line := diag.String()
	if !strings.HasPrefix(line, "gangway: ") || strings.Count(line, "\n") != 1 || out.Len() > 0 {
		ts.Fatalf("not one line:\n%s%s", out.String(), line)
	}
	for _, text := range args[dash+1:] {
		if !strings.Contains(line, text) {
			ts.Fatalf("no %q in\n%s", text, line)
		}
	}
}

func command(ts *testscript.TestScript, name string, args []string, out, diag io.Writer) *exec.Cmd {
	path, err := exec.LookPath(name)
	ts.Check(err)
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), out, diag
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "WORK", "GATEWAY_INTERFACE", "REQUEST_METHOD", raceOptions} {
		if v := ts.Getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	return cmd
}

// A running is a gangway in the background.
type running struct {
	cmd   *exec.Cmd
	done  chan struct{} // closed when it has ended
	lines chan string   // of its standard error that begin with "listening on"

	mu   sync.Mutex
	diag bytes.Buffer
}

// started are the processes by script and name.
var started sync.Map

// start runs gangway in the background until it listens: start NAME ARG... Then $NAME is the address of its first
// listener, $NAME2 that of the second. It is killed at the end of the script.
func start(ts *testscript.TestScript, _ bool, args []string) {
	name, args := args[0], args[1:]
	out, err := os.Create(ts.MkAbs(name + ".out"))
	ts.Check(err)
	defer out.Close()
	r := &running{done: make(chan struct{}), lines: make(chan string, 100)}
	r.cmd = command(ts, "gangway", args, out, nil)
	r.cmd.Stderr = nil
	diag, err := r.cmd.StderrPipe()
	ts.Check(err)
	ts.Check(r.cmd.Start())
	go r.read(diag)
	started.Store(ts.Name()+" "+name, r)
	ts.Defer(func() {
		r.cmd.Process.Kill()
		<-r.done
	})
	listeners := 0
	for _, arg := range args {
		if arg == "--from" || arg == "--listen" {
			listeners++
		}
	}
	for i := range max(listeners, 1) {
		select {
		case url := <-r.lines:
			ts.Setenv(name+[]string{"", "2", "3", "4"}[i], url)
		case <-r.done:
			ts.Fatalf("gangway ended: %v\n%s", r.cmd.ProcessState, r.log())
		case <-time.After(patience):
			ts.Fatalf("gangway does not listen:\n%s", r.log())
		}
	}
}

// listening is what is printed when a listener is ready, as text or JSON.
var listening = regexp.MustCompile(`^(?:{.*"msg":")?listening on ([^"]+)`)

// read collects the standard error until its end, and then waits for the process.
func (r *running) read(diag io.Reader) {
	defer close(r.done)
	lines := bufio.NewScanner(diag)
	for lines.Scan() {
		r.mu.Lock()
		fmt.Fprintln(&r.diag, lines.Text())
		r.mu.Unlock()
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			r.lines <- m[1]
		}
	}
	r.cmd.Wait()
}

func (r *running) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.diag.String()
}

func find(ts *testscript.TestScript, name string) *running {
	r, ok := started.Load(ts.Name() + " " + name)
	if !ok {
		ts.Fatalf("%s was not started", name)
	}
	return r.(*running)
}

var signals = map[string]syscall.Signal{
	"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP,
}

// sendSignal sends a signal: signal NAME SIGNAL.
func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(find(ts, args[0]).cmd.Process.Signal(signals[args[1]]))
}

// end sends a signal, TERM unless another one is named, and waits for the end with an exit code. What was printed then
// is in the files NAME.out and NAME.err: end NAME CODE [SIGNAL]
func end(ts *testscript.TestScript, _ bool, args []string) {
	r := find(ts, args[0])
	signal := "TERM"
	if len(args) > 2 {
		signal = args[2]
	}
	if signal != "none" {
		ts.Check(r.cmd.Process.Signal(signals[signal]))
	}
	select {
	case <-r.done:
	case <-time.After(patience):
		ts.Fatalf("gangway does not end:\n%s", r.log())
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".err"), []byte(r.log()), 0o644))
	if got := r.cmd.ProcessState.ExitCode(); strconv.Itoa(got) != args[1] {
		ts.Fatalf("exit code %d instead of %s:\n%s", got, args[1], r.log())
	}
}

// appears waits until a file has some content: appears FILE
func appears(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(filepath.FromSlash(args[0]))
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not appear", args[0])
		}
	}
}

// logs waits until a gateway has logged a text: logs NAME TEXT
func logs(ts *testscript.TestScript, _ bool, args []string) {
	r := find(ts, args[0])
	for deadline := time.Now().Add(patience); !strings.Contains(r.log(), args[1]); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("%q is not logged:\n%s", args[1], r.log())
		}
	}
}
