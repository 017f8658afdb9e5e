package pool

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const folderPrefix = "gangway-app-"

// A folder is the private folder of a process. It is locked as long as it is in use: systemd-tmpfiles leaves it alone
// then, however old it is, and so does sweep.
type folder struct {
	path string
	lock *os.File // nil where there is no lock of a folder
}

func newFolder() (*folder, error) {
	sweepOnce()
	path, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return nil, err
	}
	lock, err := lockFolder(path)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		os.Remove(path)
		return nil, err
	}
	return &folder{path, lock}, nil
}

func (f *folder) remove() {
	os.RemoveAll(f.path)
	f.lock.Close()
}

// sweepOnce removes what an earlier program could not, as it was killed.
var sweepOnce = sync.OnceFunc(func() { sweep(os.TempDir()) })

// lockedWithin is how long after it was made a folder is locked at the latest.
const lockedWithin = time.Minute

// sweep removes the folders in dir that nobody uses any more.
func sweep(dir string) {
	folders, _ := filepath.Glob(filepath.Join(dir, folderPrefix+"*"))
	for _, path := range folders {
		lock, err := lockFolder(path)
		if err != nil {
			continue
		}
		if info, err := lock.Stat(); err == nil && time.Since(info.ModTime()) > lockedWithin {
			os.RemoveAll(path)
		}
		lock.Close()
	}
}
