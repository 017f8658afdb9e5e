package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
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

// probeUser is nobody's number, so that nothing but the probes counts against its limit of processes.
const probeUser = 40123

// probes are what a CGI program tries; it says WON if it could. Each is harmless also where nothing stops it.
var probes = []struct{ name, perl string }{
	{"read outside", `open F, "$out/secret"; print <F>`},
	{"write outside", `open F, ">$out/new" and print F "x" and close F and print "WON"`},
	{"fork bomb", `my @all; while (@all < 200) { my $p = fork; last unless defined $p; $p or sleep 60, exit; push @all, $p }
		kill 9, @all; print "WON" if @all == 200`},
	{"memory bomb", `my $x = "x" x 300_000_000; print "WON" if length $x == 300_000_000`},
	{"CPU bomb", `while ((times)[0] + (times)[1] < 1.7) { $x++ for 1 .. 10000 } print "WON"`},
	{"endless output", `print "x" x 65536 for 1 .. 100; print "WON"`},
	{"network", `use Socket; socket S, PF_INET, SOCK_STREAM, 0 and connect S, pack_sockaddr_in($port, INADDR_LOOPBACK)
		and print "WON"`},
	{"ptrace", `my $p = fork // exit; $p or sleep 60, exit; print "WON" if syscall($ptrace, 16, $p, 0, 0) == 0; kill 9, $p`},
	{"setuid", "print 'WON' if `$in/id -u` == 0"},
	{"descriptor leak", `open F, "<&=3"; seek F, 0, 0; print <F>`},
	{"environment secret", `open F, "/proc/" . getppid . "/environ"; print <F>`},
	{"escape by symlink", `open F, "$in/link"; print <F>`},
}

// A cage is a folder of probes, and what they are after.
type cage struct {
	in, out string
	secret  *os.File // which gangway inherits
	port    int      // where somebody listens
}

func newCage(t *testing.T) *cage {
	c := &cage{in: peer.Dir(t), out: peer.Dir(t)}
	require.NoError(t, os.WriteFile(c.out+"/secret", []byte("WON"), 0o644))
	require.NoError(t, os.Symlink(c.out+"/secret", c.in+"/link"))
	var err error
	c.secret, err = os.Open(c.out + "/secret")
	require.NoError(t, err)
	t.Cleanup(func() { c.secret.Close() })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	c.port = ln.Addr().(*net.TCPAddr).Port
	if os.Getuid() == 0 {
		id, err := os.ReadFile(peer.Need(t, "id"))
		require.NoError(t, err)
		require.NoError(t, execfile.WriteFile(c.in+"/id", id, 0o755))
		require.NoError(t, os.Chmod(c.in+"/id", 0o755|os.ModeSetuid))
	}
	for _, p := range probes {
		c.write(t, p.name, p.perl)
	}
	return c
}

func (c *cage) write(t *testing.T, name, perl string) {
	ptrace := map[string]int{"amd64": 101, "arm64": 117}[runtime.GOARCH]
	text := fmt.Sprintf("#!/usr/bin/perl\n$| = 1; ($in, $out, $port, $ptrace) = ('%s', '%s', %d, %d);\n"+
		"print \"Content-Type: text/plain\\n\\n\";\n%s\n", c.in, c.out, c.port, ptrace, perl)
	require.NoError(t, execfile.WriteFile(c.in+"/"+strings.ReplaceAll(name, " ", "-"), []byte(text), 0o755))
}

// start runs gangway in front of the probes, as probeUser if this test is root's, and returns its address.
func (c *cage) start(t *testing.T, args ...string) string {
	dir := peer.Dir(t)
	program, err := os.ReadFile(peer.Need(t, "gangway"))
	require.NoError(t, err)
	require.NoError(t, execfile.WriteFile(dir+"/gangway", program, 0o755)) // where others may run it
	cmd := exec.Command(dir+"/gangway", append([]string{
		"bridge", "--from", "http+unix://" + dir + "/s", "--to", "cgi:" + c.in + "/", "--log-level", "error"}, args...)...)
	cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/bin:/bin", "SECRET=WON"}
	cmd.ExtraFiles = []*os.File{c.secret}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: probeUser, Gid: probeUser}}
	}
	p := peer.Start(t, cmd, "unix", dir+"/s")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.Log())
		}
	})
	return dir + "/s"
}

// ask returns what a probe says.
func ask(t *testing.T, socket, probe string) string {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Get("http://h/" + strings.ReplaceAll(probe, " ", "-"))
	require.NoError(t, err)
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body) // which a limit may have cut short
	return string(body)
}

// tasks returns how many processes and threads the user of the probes has.
func tasks(t *testing.T) (n int) {
	uid := os.Getuid()
	if uid == 0 {
		uid = probeUser
	}
	paths, err := filepath.Glob("/proc/[0-9]*/task/*/status")
	require.NoError(t, err)
	for _, path := range paths {
		if text, err := os.ReadFile(path); err == nil && bytes.Contains(text, []byte("\nUid:\t"+strconv.Itoa(uid)+"\t")) {
			n++
		}
	}
	return n
}

// TestSandbox: a sandbox stops what nothing else stops.
func TestSandbox(t *testing.T) {
	peer.Need(t, "perl")
	c := newCage(t)
	without := c.start(t)
	limit := fmt.Sprintf("cgi-processes=%d", tasks(t)+120)
	within := c.start(t, "--sandbox", "strict", "--limit", limit, "--limit", "cgi-memory=200m", "--limit", "cgi-cpu=1s",
		"--limit", "cgi-output=1m")
	c.write(t, "limits", "print `ulimit -t; ulimit -n; ulimit -f`")
	require.Equal(t, "1\n1024\n2097152\n", ask(t, within, "limits"), "also those that are not given")
	for _, p := range probes {
		t.Run(p.name, func(t *testing.T) {
			if p.name == "setuid" && os.Getuid() != 0 {
				t.Skip("only root can make a program that becomes root")
			}
			assert.Contains(t, ask(t, without, p.name), "WON", "without a sandbox")
			os.Remove(c.out + "/new")
			assert.NotContains(t, ask(t, within, p.name), "WON", "within")
			assert.NoFileExists(t, c.out+"/new")
		})
	}
}

// TestUser: as root, gangway runs CGI programs as their owners, and none as root unasked.
func TestUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	dir, other := peer.Dir(t), peer.Dir(t)
	require.NoError(t, os.Chmod(dir, 0o755))
	write := func(name string, owner int, mode os.FileMode) {
		const text = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'; echo $(id -u):$(id -g):$(id -G) >/dev/stderr\n" +
			"echo $(id -u):$(id -g):$(id -G) >/dev/stdout\n"
		require.NoError(t, execfile.WriteFile(filepath.Join(dir, name), []byte(text), mode))
		require.NoError(t, os.Chmod(filepath.Join(dir, name), mode))
		require.NoError(t, os.Lchown(filepath.Join(dir, name), owner, owner))
	}
	write("root", 0, 0o755)
	write("user", probeUser, 0o700)
	write("loose", probeUser, 0o775)
	require.NoError(t, os.Rename(dir+"/user", other+"/user"))
	require.NoError(t, os.Symlink(other+"/user", dir+"/away"))
	write("user", probeUser, 0o700)
	const (
		rooted    = "403 it belongs to root: name the user that runs it .--user."
		loose     = "403 others than its owner may write it"
		elsewhere = "403 others than its owner may change the folder"
	)
	for _, tt := range []struct {
		user                     string
		root, owned, loose, away string // what the programs say, or what is logged
	}{
		{"", rooted, "40123:40123:40123", loose, elsewhere},
		{"owner", rooted, "40123:40123:40123", loose, elsewhere},
		{"40124:40125", "40124:40125:40125", "403 permission denied", "40124:40125:40125", "403 permission denied"},
		{"40123:40125", "40123:40125:40125", "40123:40125:40125", "40123:40125:40125", "40123:40125:40125"},
		{"root", "0:0:", "0:0:", "0:0:", "0:0:"},
		{"self", "0:0:", "0:0:", "0:0:", "0:0:"},
	} {
		t.Run("user "+tt.user, func(t *testing.T) {
			socket := filepath.Join(peer.Dir(t), "s")
			args := []string{"bridge", "--from", "http+unix://" + socket, "--to", "cgi:" + dir + "/", "--follow-symlinks"}
			if tt.user != "" {
				args = append(args, "--user", tt.user)
			}
			p := peer.Start(t, exec.Command(peer.Need(t, "gangway"), args...), "unix", socket)
			for name, want := range map[string]string{"root": tt.root, "user": tt.owned, "loose": tt.loose, "away": tt.away} {
				got := ask(t, socket, name)
				if cause, refused := strings.CutPrefix(want, "403 "); refused {
					assert.Contains(t, got, "403", name)
					want = `uri=/` + name + ` .*status=403 .*` + cause
				} else {
					assert.Regexp(t, "^"+want, got, name)
					want = "msg=stderr .* line=" + want
				}
				logged := func() bool { return regexp.MustCompile(want).MatchString(p.Log()) }
				assert.Eventually(t, logged, patience, 10*time.Millisecond, "%s is not logged:\n%s", want, p.Log())
			}
		})
	}
}

// TestUserOfServe: as root, serve runs CGI programs of root's if their folder is root's, too.
func TestUserOfServe(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	for _, tt := range []struct {
		folder, program int
		want            string
	}{
		{0, 0, "^0"}, {0, probeUser, "^40123"}, {probeUser, probeUser, "^40123"}, {probeUser, 0, "403"},
	} {
		t.Run(fmt.Sprintf("%d in %d", tt.program, tt.folder), func(t *testing.T) {
			dir, socket := peer.Dir(t), filepath.Join(peer.Dir(t), "s")
			bin := filepath.Join(dir, "cgi-bin")
			require.NoError(t, os.Mkdir(bin, 0o755))
			const text = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'; id -u\n"
			require.NoError(t, execfile.WriteFile(filepath.Join(bin, "p"), []byte(text), 0o755))
			require.NoError(t, os.Chown(filepath.Join(bin, "p"), tt.program, tt.program))
			require.NoError(t, os.Chmod(dir, 0o755))
			require.NoError(t, os.Chown(dir, tt.folder, tt.folder))
			require.NoError(t, os.Chown(bin, tt.folder, tt.folder))
			peer.Start(t, exec.Command(peer.Need(t, "gangway"), "serve", "--listen", "http+unix://"+socket, dir), "unix", socket)
			assert.Regexp(t, tt.want, ask(t, socket, "cgi-bin/p"))
		})
	}
}

// TestSteering: who can connect to a listener chooses the variables of another user's program, but not its code.
func TestSteering(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	gangway, dir := peer.Need(t, "gangway"), peer.Dir(t)
	require.NoError(t, os.Mkdir(dir+"/cgi-bin", 0o755))
	require.NoError(t, os.Chmod(dir, 0o755))
	const text = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n" +
		"echo ${LD_AUDIT-none} ${PERL5LIB-none} ${TMPDIR-none} $APP_ENV\n"
	program := dir + "/cgi-bin/p"
	require.NoError(t, execfile.WriteFile(program, []byte(text), 0o755))
	require.NoError(t, os.Chown(program, probeUser, probeUser))
	const cleaned = "none none ours theirs\n"
	for _, tt := range []struct{ scheme, command, user, want string }{
		{"scgi", "bridge", "", cleaned}, {"fcgi", "bridge", "40124:40124", cleaned}, {"scgi", "serve", "owner", cleaned},
		{"scgi", "bridge", "self", "theirs theirs ours theirs\n"},
	} {
		t.Run(tt.command+" "+tt.user, func(t *testing.T) {
			socket := filepath.Join(peer.Dir(t), "s")
			url := tt.scheme + "+unix://" + socket
			args := []string{"bridge", "--from", url, "--to", "cgi:" + program}
			if tt.command == "serve" {
				args = []string{"serve", "--listen", url, dir}
			}
			args = append(args, "--var", "TMPDIR=theirs", "--var", "TMPDIR=ours")
			if tt.user != "" {
				args = append(args, "--user", tt.user)
			}
			peer.Start(t, exec.Command(gangway, args...), "unix", socket)
			call := exec.Command(gangway, "call", "--var", "LD_AUDIT=theirs", "--var", "PERL5LIB=theirs",
				"--var", "TMPDIR=theirs", "--var", "APP_ENV=theirs", url, "/cgi-bin/p")
			said, err := call.Output()
			require.NoError(t, err)
			assert.Equal(t, tt.want, string(said))
		})
	}
}
