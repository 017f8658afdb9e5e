package cli

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/execfile"
	"github.com/gangway-go/gangway/internal/peer"
)

// TestService looks at what a service says and at what it hands to its applications: neither variables nor descriptors.
func TestService(t *testing.T) {
	dir := peer.Dir(t)
	m := newManager(t, dir, "web", "unused")
	m.env = append(m.env, "WATCHDOG_USEC=1000000")
	m.start("bridge", "--from", "http+fd:web", "--to", "fcgi+exec:env >"+dir+"/env; ls /proc/self/fd >"+dir+
		"/descriptors; exec gangway bridge --from fcgi+fd:0 --to egi:echo")
	assert.Contains(t, m.printed(), `sockets="[unused (descriptor 4)]"`)
	usual, err := exec.Command("/bin/sh", "-c", "ls /proc/self/fd").Output()
	require.NoError(t, err)
	for _, signal := range []syscall.Signal{0, syscall.SIGUSR2, syscall.SIGHUP} {
		if signal != 0 {
			require.NoError(t, os.Remove(dir+"/env"))
			m.upgradeBy(signal)
		}
		env, err := os.ReadFile(dir + "/env")
		require.NoError(t, err)
		assert.Empty(t, regexp.MustCompile(`(?m)^(LISTEN_|NOTIFY_|WATCHDOG_|GANGWAY_HANDOVER).*`).FindAllString(string(env), -1))
		descriptors, err := os.ReadFile(dir + "/descriptors")
		require.NoError(t, err)
		assert.Equal(t, string(usual), string(descriptors))
		assert.Contains(t, get(t, "http://"+m.address("web")+"/x"), "PATH_INFO=/x\n")
		for range 2 {
			require.Equal(t, "WATCHDOG=1", m.hears("WATCHDOG=1"))
		}
	}
	m.stop()
	assert.Equal(t, []int{0, 0, 0}, m.ended)
}

// get returns what an address answers.
func get(t *testing.T, url string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	resp, err := client.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return string(body)
}

// A new program that does not start changes nothing, and the reason is told.
func TestUpgradeFails(t *testing.T) {
	dir := peer.Dir(t)
	m := newManager(t, dir, "web")
	socket, logs := dir+"/own.sock", dir+"/logs"
	require.NoError(t, os.Mkdir(logs, 0o755))
	m.start("bridge", "--from", "http+fd:web", "--from", "fcgi+unix://"+socket, "--to", "egi:echo",
		"--access-log", logs+"/access.log")
	works := func() {
		t.Helper()
		assert.Contains(t, get(t, "http://"+m.address("web")+"/x"), "PATH_INFO=/x\n")
		out, err := exec.Command("gangway", "call", "fcgi+unix://"+socket, "/y").CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Contains(t, string(out), "PATH_INFO=/y\n")
	}
	good, err := os.Readlink(m.program)
	require.NoError(t, err)
	for _, tt := range []struct{ name, program, want string }{
		{"ends", "#!/bin/sh\nexit 3\n", "the new process ended before it was ready: exit status 3"},
		{"killed", "#!/bin/sh\nkill -9 $$\n", "the new process ended before it was ready: signal: killed"},
		{"no program", "\x00\x01\x02", "exec format error"},
	} {
		require.NoError(t, os.Remove(m.program))
		require.NoError(t, execfile.WriteFile(m.program, []byte(tt.program), 0o755))
		m.signal(syscall.SIGUSR2)
		m.hears("RELOADING=1\n")
		assert.Contains(t, m.hears("READY=1\nSTATUS=not upgraded: "), tt.want, tt.name)
		works()
	}
	require.NoError(t, os.Remove(m.program))
	require.NoError(t, os.Symlink(good, m.program))

	require.NoError(t, os.Rename(logs, logs+".old"))
	m.signal(syscall.SIGUSR2)
	m.hears("RELOADING=1\n")
	assert.Contains(t, m.hears("READY=1\nSTATUS=not upgraded: "), "the new process: --access-log: open "+logs)
	works()
	require.NoError(t, os.Rename(logs+".old", logs))

	m.upgrade()
	assert.Zero(t, m.wait(m.old[0]))
	m.old = nil
	works()
	m.stop()
	assert.NoFileExists(t, socket)
	assert.Equal(t, []int{0}, m.ended)
}

// Who ends a process that is being replaced ends the new one too.
func TestStopDuringUpgrade(t *testing.T) {
	dir := peer.Dir(t)
	m := newManager(t, dir, "web")
	m.start("bridge", "--from", "http+fd:web", "--to", "egi:echo")
	require.NoError(t, os.Remove(m.program))
	require.NoError(t, execfile.WriteFile(m.program, []byte("#!/bin/sh\necho $$ >"+dir+"/pid\nexec sleep 1000\n"), 0o755))
	m.signal(syscall.SIGUSR2)
	m.hears("RELOADING=1\n")
	pid := 0
	require.Eventually(t, func() bool {
		text, _ := os.ReadFile(dir + "/pid")
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return pid != 0
	}, patience, 10*time.Millisecond)
	m.signal(syscall.SIGTERM)
	assert.Contains(t, m.hears("READY=1\nSTATUS=not upgraded: "), "a signal came that ends this process")
	m.hears("STOPPING=1\n")
	assert.Zero(t, m.wait(m.main))
	m.main = 0
	assert.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
}

// A new process that does not become ready ends, even if it does not want to.
func TestDeafSuccessor(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "trap '' TERM; echo; exec sleep 1000")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer cmd.Process.Kill()
	_, err = io.ReadFull(out, make([]byte, 1))
	require.NoError(t, err)
	said, answer := io.Pipe()
	defer answer.Close()
	stop, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorContains(t, awaitSuccessor(stop, 50*time.Millisecond, cmd, said), "a signal came that ends this process")
	assert.Eventually(t, func() bool { return syscall.Kill(cmd.Process.Pid, 0) == syscall.ESRCH }, patience, time.Millisecond)
}

// TestSocketActivation has systemd's own program open the sockets.
func TestSocketActivation(t *testing.T) {
	program := peer.Need(t, "systemd-socket-activate")
	dir, web, secure := peer.Dir(t), peer.FreeAddress(t), peer.FreeAddress(t)
	cert, key := peer.Certificate(t)
	cmd := exec.Command(program, "-l", web, "-l", secure, "-l", dir+"/fcgi.sock", "-l", dir+"/scgi.sock",
		"--fdname=web:secure:fcgi:scgi", "-E", "PATH", "-E", raceOptions,
		"gangway", "bridge", "--from", "http+fd:web", "--from", "https+fd:secure", "--cert", cert, "--key", key,
		"--from", "fcgi+fd:5", "--from", "scgi+fd:scgi", "--to", "egi:echo")
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	defer cmd.Process.Kill()
	defer func() {
		if text, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("%s", text)
		}
	}()
	require.Eventually(t, func() bool { // it starts the service with the first connection
		nc, err := net.Dial("unix", dir+"/scgi.sock")
		if err == nil {
			nc.Close()
		}
		return err == nil
	}, patience, 10*time.Millisecond)
	assert.Contains(t, get(t, "http://"+web+"/x"), "PATH_INFO=/x\n")
	assert.Contains(t, get(t, "https://"+secure+"/x"), "HTTPS=on\n")
	for _, url := range []string{"fcgi+unix://" + dir + "/fcgi.sock", "scgi+unix://" + dir + "/scgi.sock"} {
		out, err := exec.Command("gangway", "call", url, "/y").CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Contains(t, string(out), "PATH_INFO=/y\n")
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	text, err := os.ReadFile(log.Name())
	require.NoError(t, err)
	assert.Contains(t, string(text), "\nlistening on http://"+web+"\nlistening on https://"+secure+"\nlistening on fcgi+unix://"+
		dir+"/fcgi.sock\nlistening on scgi+unix://"+dir+"/scgi.sock\n")
	assert.FileExists(t, dir+"/fcgi.sock", "it is systemd's to remove")
}
