package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// A User is who a process runs as.
type User struct {
	UID, GID uint32
	Groups   []uint32 // further ones
	// Account is nil if the system has no account with this UID.
	Account *user.User
}

// LookupUser returns the user of a "USER" or "USER:GROUP", names or numbers. A number needs no account if there is a
// group.
func LookupUser(name string) (*User, error) {
	name, group, grouped := strings.Cut(name, ":")
	account, err := user.Lookup(name)
	id, number := parseID(name)
	if err != nil && number {
		account, err = user.LookupId(name)
	}
	u := &User{UID: id}
	switch {
	case err == nil:
		if err := u.setAccount(account); err != nil {
			return nil, err
		}
	case !number:
		return nil, fmt.Errorf("there is no user %q", name)
	case !grouped:
		return nil, fmt.Errorf("there is no user %s that has a group: write %s:GROUP", name, name)
	}
	if grouped {
		if u.GID, err = lookupGroup(group); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// Set has cmd run as u, with the HOME, USER and LOGNAME of its account.
func (u *User) Set(cmd *exec.Cmd) error {
	if a := u.Account; a != nil {
		cmd.Env = append(cmd.Environ(), "HOME="+a.HomeDir, "USER="+a.Username, "LOGNAME="+a.Username)
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	return u.Apply(cmd.SysProcAttr)
}

func lookupGroup(name string) (uint32, error) {
	if g, err := user.LookupGroup(name); err == nil {
		name = g.Gid
	}
	id, ok := parseID(name)
	if !ok {
		return 0, fmt.Errorf("there is no group %q", name)
	}
	return id, nil
}

// setAccount makes u the user of an account with all its groups.
func (u *User) setAccount(a *user.User) error {
	u.Account = a
	ids, err := a.GroupIds()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if n, ok := parseID(id); ok {
			u.Groups = append(u.Groups, n)
		}
	}
	uid, ok := parseID(a.Uid)
	gid, grouped := parseID(a.Gid)
	if !ok || !grouped {
		return fmt.Errorf("%w: users without numbers", ErrUnsupported) // Windows
	}
	u.UID, u.GID = uid, gid
	return nil
}

var owners sync.Map // *User by [2]uint32

// userOf returns the user with this number, which has gid only if it has no account. Accounts are looked up once: that
// reads files.
func userOf(uid, gid uint32) (*User, error) {
	known, ok := owners.Load([2]uint32{uid, gid})
	if ok {
		return known.(*User), nil
	}
	u := &User{UID: uid, GID: gid}
	a, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	unknown := user.UnknownUserIdError(0)
	switch {
	case err == nil:
		err = u.setAccount(a)
	case errors.As(err, &unknown): // or the C library could not read the accounts
		var f *os.File
		if f, err = os.Open("/etc/passwd"); err == nil {
			f.Close()
		} else if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err != nil {
		return nil, err
	}
	owners.Store([2]uint32{uid, gid}, u)
	return u, nil
}

func parseID(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && n < 1<<32-1 // which stands for none
}
