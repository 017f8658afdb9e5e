package spool

import (
	"os"
	"syscall"
)

// oTmpfile is O_TMPFILE, which package syscall does not have.
const oTmpfile = 0x400000 | syscall.O_DIRECTORY

// openUnnamed opens a file in dir that never has a name; O_EXCL keeps it so. Not every file system can do that.
func openUnnamed(dir string) (*os.File, error) {
	return os.OpenFile(dir, oTmpfile|os.O_RDWR|os.O_EXCL, 0o600)
}
