//go:build !unix

package listenfd

import "errors"

func check(uintptr) error { return errors.ErrUnsupported }
