//go:build unix

package cgi

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ownedAlone returns what os.Lstat does for the file at path, an absolute path without symbolic links to which asked
// leads. It fails if the file is root's, if others than its owner and root can write it, or put another one in its
// place, or if they have made a link on the way.
func ownedAlone(asked, path string, root bool) (fs.FileInfo, error) {
	file, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	owner := file.Sys().(*syscall.Stat_t).Uid
	switch {
	case owner == 0 && !root:
		return nil, errors.New("it belongs to root: name the user that runs it (--user)")
	case !file.Mode().IsRegular():
		return nil, errors.New("not a file")
	case file.Mode()&0o022 != 0:
		return nil, errors.New("others than its owner may write it (chmod go-w it)")
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Lstat(dir)
		if err != nil {
			return nil, err
		}
		uid := info.Sys().(*syscall.Stat_t).Uid
		if uid != owner && uid != 0 || info.Mode()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
			return nil, fmt.Errorf("others than its owner may change the folder %s", dir)
		}
		if dir == filepath.Dir(dir) {
			return file, ownedLinks(asked, owner)
		}
	}
}

// ownedLinks fails if a symbolic link on the way to path belongs to others than owner and root.
func ownedLinks(path string, owner uint32) error {
	at, rest := "/", strings.Split(path, "/")
	for links := 0; len(rest) > 0; {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		info, err := os.Lstat(next)
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != owner && uid != 0 {
			return fmt.Errorf("the link %s is neither its owner's nor root's", next)
		}
		target, err := os.Readlink(next)
		if links++; err != nil || links > maxLinks {
			return cmp.Or(err, error(syscall.ELOOP))
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return nil
}

// maxLinks is how many symbolic links Linux follows.
const maxLinks = 40

// limitOf names the limit that a script was killed for; "" if it was none.
func limitOf(state *os.ProcessState) string {
	if state == nil {
		return ""
	}
	switch status := state.Sys().(syscall.WaitStatus); {
	case status.Signaled() && status.Signal() == syscall.SIGXCPU:
		return "cgi-cpu"
	case status.Signaled() && status.Signal() == syscall.SIGXFSZ:
		return "cgi-file-size"
	}
	return ""
}
