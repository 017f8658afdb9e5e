//go:build unix

package apps

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// ownerOf returns who owns dir, and whether this process may run an application as its owner.
func ownerOf(dir string) (uid, gid uint32, root bool) {
	info, err := os.Stat(dir)
	if err != nil || os.Getuid() != 0 {
		return 0, 0, false
	}
	stat := info.Sys().(*syscall.Stat_t)
	return stat.Uid, stat.Gid, true
}

// asOwner lets cmd run as the owner of dir, if it would run as root.
func asOwner(cmd *exec.Cmd, dir string) error {
	uid, gid, root := ownerOf(dir)
	if !root || uid == 0 {
		return nil
	}
	credential := &syscall.Credential{Uid: uid, Gid: gid}
	if owner, err := user.LookupId(strconv.Itoa(int(uid))); err == nil {
		ids, err := owner.GroupIds()
		if err != nil {
			return err
		}
		for _, id := range ids {
			n, err := strconv.ParseUint(id, 10, 32)
			if err != nil {
				return err
			}
			credential.Groups = append(credential.Groups, uint32(n))
		}
		cmd.Env = append(cmd.Environ(), "HOME="+owner.HomeDir, "USER="+owner.Username, "LOGNAME="+owner.Username)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	return nil
}
