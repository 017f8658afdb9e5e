package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/peer"
)

const units = "../contrib/systemd"

// TestUnits has systemd look at the files for it, and docs/deploy.md show all of them.
func TestUnits(t *testing.T) {
	page, err := os.ReadFile("../docs/deploy.md")
	require.NoError(t, err)
	files, err := os.ReadDir(units)
	require.NoError(t, err)
	dir, verify := t.TempDir(), exec.Command(peer.Need(t, "systemd-analyze"), "verify")
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(units, f.Name()))
		require.NoError(t, err)
		assert.Contains(t, string(page), "\n"+string(text)+"```\n", f.Name())
		copied := filepath.Join(dir, f.Name())
		installed := strings.ReplaceAll(string(text), "/usr/local/bin/gangway", "/bin/true")
		require.NoError(t, os.WriteFile(copied, []byte(installed), 0o644))
		if strings.HasSuffix(f.Name(), ".service") {
			verify.Args = append(verify.Args, copied)
		}
	}
	out, err := verify.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))
}

// A unit is the lines of a service and its socket.
type unit string

func readUnit(t *testing.T, name string) unit {
	t.Helper()
	var text string
	for _, kind := range []string{".service", ".socket"} {
		b, err := os.ReadFile(filepath.Join(units, name+kind))
		require.NoError(t, err)
		text += string(b)
	}
	return unit(strings.ReplaceAll(text, "\\\n", ""))
}

// value returns what stands behind name=.
func (u unit) value(t *testing.T, name string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindStringSubmatch(string(u))
	require.NotNil(t, found, name)
	return found[1]
}

// TestServices runs the services as systemd would.
func TestServices(t *testing.T) {
	for name, ask := range map[string]func(t *testing.T, m *manager){
		"gangway-site": func(t *testing.T, m *manager) {
			assert.Contains(t, get(t, "http://"+m.address("web")+"/a.txt"), "a file")
			out, err := exec.Command("gangway", "call", "fcgi+unix://"+m.dir+"/run-site/site.sock", "/echo.egi/x").CombinedOutput()
			require.NoError(t, err, "%s", out)
			assert.Contains(t, string(out), "PATH_INFO=/x\n")
		},
		"gangway-cgi": func(t *testing.T, m *manager) {
			out, err := exec.Command("gangway", "call", "fcgi+unix://"+m.address("cgi"), "/env.sh/x",
				"--script", m.dir+"/lib/cgi-bin/env.sh").CombinedOutput()
			require.NoError(t, err, "%s", out)
			assert.Contains(t, string(out), "PATH_INFO=/env.sh/x\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := peer.Dir(t)
			paths := inFolder(t, dir)
			for _, folder := range []string{"run-site", "logs"} {
				require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o755))
			}
			u := unit(paths.Replace(strings.ReplaceAll(string(readUnit(t, name)), "/var/log/gangway-site/", dir+"/logs/")))
			m := newManager(t, dir, u.value(t, "FileDescriptorName"))
			require.Equal(t, "notify", u.value(t, "Type"))
			command := strings.Fields(u.value(t, "ExecStart"))
			require.Equal(t, "/usr/local/bin/gangway", command[0])
			m.start(append(command[1:], "--user", "self")...)
			ask(t, m)
			require.Equal(t, "/bin/kill -USR2 $MAINPID", u.value(t, "ExecReload"))
			m.upgrade()
			ask(t, m)
			if log := dir + "/logs/access.log"; name == "gangway-site" { // as its logrotate file says
				require.NoError(t, os.Rename(log, log+".1"))
				m.signal(syscall.SIGUSR1)
				require.Eventually(t, func() bool { _, err := os.Stat(log); return err == nil }, patience, 10*time.Millisecond)
			}
			m.restart()
			ask(t, m)
			m.stop()
			assert.Equal(t, []int{0, 0, 0}, m.ended)
		})
	}
}
