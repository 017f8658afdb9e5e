//go:build !unix

package http1

import "errors"

const readsFDs = false

var errAgain = errors.New("http1: nothing to read")

func readFD(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
