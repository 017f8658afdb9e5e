package spool

import (
	"errors"
	"os"
	"runtime"
)

// Windows does not remove a file that is open: there it keeps its name until it is closed.
const named = runtime.GOOS == "windows"

// create opens a temporary file that nobody else can open.
func create() (*os.File, error) {
	if f, err := openUnnamed(os.TempDir()); err == nil {
		return f, nil
	}
	return createUnlinked()
}

func createUnlinked() (*os.File, error) {
	f, err := os.CreateTemp("", "gangway-body-*")
	if err != nil || named {
		return f, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// discard closes f, and removes it where it has a name.
func discard(f *os.File) error {
	err := f.Close()
	if named {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}
