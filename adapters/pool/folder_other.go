//go:build !unix || aix || solaris

package pool

import (
	"errors"
	"os"
)

// lockFolder fails: there is no lock of a folder here.
func lockFolder(string) (*os.File, error) { return nil, errors.ErrUnsupported }
