//go:build unix

package cgi

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ownedAlone returns what os.Lstat does for the file at path, an absolute path without symbolic links. It fails if the
// file is root's, or if others than its owner and root can write it, or put another one in its place.
func ownedAlone(path string, root bool) (fs.FileInfo, error) {
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
			return file, nil
		}
	}
}

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
