//go:build unix

package sandbox

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLookupUser(t *testing.T) {
	me, err := user.Current()
	require.NoError(t, err)
	uid, gid := os.Getuid(), os.Getgid()
	group, err := user.LookupGroupId(me.Gid)
	require.NoError(t, err)
	for _, tt := range []struct {
		name     string
		uid, gid int
		account  bool
	}{
		{me.Username, uid, gid, true},
		{me.Uid, uid, gid, true},
		{me.Uid + ":40124", uid, 40124, true},
		{me.Username + ":" + group.Name, uid, gid, true},
		{"40123:40124", 40123, 40124, false},
		{"40123:" + group.Name, 40123, gid, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := LookupUser(tt.name)
			require.NoError(t, err)
			assert.Equal(t, []int{tt.uid, tt.gid}, []int{int(u.UID), int(u.GID)})
			assert.Equal(t, tt.account, u.Account != nil)
			assert.Equal(t, tt.account, len(u.Groups) > 0)
		})
	}
	for name, says := range map[string]string{
		"": `no user ""`, "no such": `no user "no such"`, "40123": "40123:GROUP", "40123:": `no group ""`,
		"40123:no such": `no group "no such"`, "-1:0": `no user "-1"`, "4294967295:0": `no user "4294967295"`,
		me.Username + ":-1": `no group "-1"`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := LookupUser(name)
			assert.ErrorContains(t, err, says)
		})
	}
}

// What belongs to somebody with an account has the groups of the account, not that of the file.
func TestOwner(t *testing.T) {
	path := t.TempDir()
	info, err := os.Stat(path)
	require.NoError(t, err)
	u, err := Owner(info)
	require.NoError(t, err)
	assert.Equal(t, os.Getuid(), int(u.UID))
	assert.NotNil(t, u.Account)
	if !Root() {
		return
	}
	require.NoError(t, os.Chown(path, 40123, 40124))
	info, err = os.Stat(path)
	require.NoError(t, err)
	u, err = Owner(info)
	require.NoError(t, err)
	assert.Equal(t, &User{UID: 40123, GID: 40124}, u)
	require.NoError(t, os.Chown(path, 0, 40124))
	info, err = os.Stat(path)
	require.NoError(t, err)
	u, err = Owner(info)
	require.NoError(t, err)
	assert.Zero(t, u.GID)
}

// TestOwnerNotFoundOut: that the accounts cannot be read now does not mean that there is none.
func TestOwnerNotFoundOut(t *testing.T) {
	if !Root() {
		t.Skip("only root can give files away")
	}
	_, err := user.Current() // which is found out once, and kept
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	gid := 40000 + rand.IntN(1<<30)            // with which nobody has asked yet
	require.NoError(t, os.Chown(path, 1, gid)) // daemon, everywhere
	info, err := os.Stat(path)
	require.NoError(t, err)
	var limit, none syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	none.Max = limit.Max
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none))
	_, err = Owner(info)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	assert.Error(t, err)
	u, err := Owner(info)
	require.NoError(t, err)
	assert.NotEqual(t, gid, int(u.GID))
}

func TestApply(t *testing.T) {
	cmd := exec.Command("sh", "-c", "id -u; id -g; id -G")
	cmd.SysProcAttr, cmd.Dir = &syscall.SysProcAttr{}, "/"
	other := &User{UID: 40123, GID: 40124, Groups: []uint32{40125}}
	if !Root() {
		assert.ErrorContains(t, other.Apply(cmd.SysProcAttr), "only root")
		me := &User{UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
		require.NoError(t, me.Apply(cmd.SysProcAttr))
		assert.Nil(t, cmd.SysProcAttr.Credential)
		return
	}
	require.NoError(t, other.Apply(cmd.SysProcAttr))
	out, err := cmd.Output()
	require.NoError(t, err)
	assert.Equal(t, []string{"40123", "40124", "40124", "40125"}, strings.Fields(string(out)))
}
