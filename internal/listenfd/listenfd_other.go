//go:build !unix

package listenfd

import (
	"errors"
	"net"
	"os"
)

func check(uintptr) error { return errors.ErrUnsupported }

// File returns the socket of ln for another process. Here no process can take it over.
func File(net.Listener) (*os.File, error) { return nil, errors.ErrUnsupported }
