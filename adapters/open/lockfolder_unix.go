//go:build unix && !aix && !solaris

package open

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// lockTime is how long another program may have a folder locked: gangway needs it for a moment.
const lockTime = time.Second

// lockFolder keeps other gangways from opening a socket in a folder, until unlock is called. Without a file of its own
// it leaves nothing behind. A folder that may not be read, or that somebody has locked for long, is not locked.
func lockFolder(dir string) (unlock func()) {
	f, err := os.Open(dir)
	if err != nil {
		return func() {}
	}
	for deadline := time.Now().Add(lockTime); ; time.Sleep(5 * time.Millisecond) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) {
			return func() { f.Close() }
		}
	}
}
