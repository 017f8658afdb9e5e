//go:build unix

package cli_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The commands in the README's shell blocks do what it says. Ports are free ones here, gangway is the program just built,
// and the gate itself is only looked for.
func TestReadmeCommands(t *testing.T) {
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	bin := t.TempDir()
	out, err := exec.Command("go", "build", "-o", bin+"/gangway", "./gangway").CombinedOutput()
	require.NoError(t, err, string(out))
	work := t.TempDir()
	for _, name := range []string{"examples", "cli", "scripts"} {
		require.NoError(t, os.Symlink(filepath.Join(root, name), filepath.Join(work, name)))
	}
	commands := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			commands++
			t.Run(line, func(t *testing.T) { readmeCommand(t, work, bin, line) })
		}
	}
	assert.Greater(t, commands, 8)
}

// Every package in the README's table is there and has an example, its own or, as the conformance engine, in a package
// beneath it.
func TestReadmePackages(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, table, _ := strings.Cut(string(readme), "| package | what it is |")
	table, _, _ = strings.Cut(table, "\n\n")
	packages := regexp.MustCompile(`\[[\w/]+\]\(([\w/]+)\)`).FindAllStringSubmatch(table, -1)
	assert.Greater(t, len(packages), 12)
	for _, name := range packages {
		here, err := filepath.Glob("../" + name[1] + "/*_test.go")
		require.NoError(t, err)
		beneath, err := filepath.Glob("../" + name[1] + "/*/*_test.go")
		require.NoError(t, err)
		assert.True(t, slices.ContainsFunc(append(here, beneath...), func(file string) bool {
			text, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(text), "\nfunc Example")
		}), name[1])
	}
}

func readmeCommand(t *testing.T, work, bin, line string) {
	if line == "scripts/test" {
		info, err := os.Stat(filepath.Join(work, line))
		require.NoError(t, err)
		assert.NotZero(t, info.Mode()&0o111)
		return
	}
	line = strings.ReplaceAll(line, "go run ./cli/gangway serve", "gangway serve --listen http://127.0.0.1:0")
	line = strings.ReplaceAll(line, "127.0.0.1:8000", "127.0.0.1:0")
	if strings.HasPrefix(line, "gangway serve examples") {
		line = strings.Replace(line, "serve", "serve --listen http://127.0.0.1:0", 1)
	}
	cmd := exec.Command("sh", "-c", "exec "+line)
	if strings.Contains(line, "||") {
		cmd = exec.Command("sh", "-c", line)
	}
	cmd.Dir = work
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	if strings.Contains(line, "--from cgi:") {
		cmd.Env = append(cmd.Env, "GATEWAY_INTERFACE=CGI/1.1", "REQUEST_METHOD=GET", "SERVER_PROTOCOL=HTTP/1.1")
	}
	cmd.WaitDelay = time.Second
	if strings.Contains(line, "gangway conform") {
		readmeConform(t, cmd, line)
		return
	}
	if strings.Contains(line, "gangway call") || strings.Contains(line, "--from cgi:") || strings.Contains(line, "--explain") {
		readmeAnswer(t, cmd, line)
		return
	}
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	stuck := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer stuck.Stop()
	listening, log := false, ""
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		log += lines.Text() + "\n"
		if !listening && strings.HasPrefix(lines.Text(), "listening on ") {
			listening = true
			cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	assert.NoError(t, cmd.Wait(), log)
	assert.True(t, listening, log)
}

// readmeConform runs a command of the conformance runner.
func readmeConform(t *testing.T, cmd *exec.Cmd, line string) {
	out, err := cmd.CombinedOutput()
	switch {
	case strings.Contains(line, "conform app"), strings.Contains(line, "conform server"):
		assert.Equal(t, 3, cmd.ProcessState.ExitCode(), string(out))
	case strings.Contains(line, "conform script"): // which answers HEAD as GET, for it is that simple
		assert.Equal(t, 1, cmd.ProcessState.ExitCode(), string(out))
		assert.Contains(t, string(out), "script/4.3.3/head-no-body")
	default:
		assert.NoError(t, err, string(out))
		assert.NotEmpty(t, out)
	}
}

// readmeAnswer runs a command that ends by itself. Nobody listens at the addresses of the README.
func readmeAnswer(t *testing.T, cmd *exec.Cmd, line string) {
	out, err := cmd.CombinedOutput()
	switch {
	case strings.Contains(line, "--explain"):
		assert.NoError(t, err, string(out))
		assert.Contains(t, string(out), "SCRIPT_NAME")
	case strings.Contains(line, "--from cgi:"):
		assert.Contains(t, string(out), "Status: 502")
	case strings.Contains(line, "||"):
		assert.NoError(t, err)
		assert.Contains(t, string(out), "exit code 3")
	default:
		assert.Equal(t, 3, cmd.ProcessState.ExitCode(), string(out))
	}
}
