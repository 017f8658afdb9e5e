//go:build !linux

package spool

import (
	"errors"
	"os"
)

func openUnnamed(string) (*os.File, error) {
	return nil, errors.ErrUnsupported
}
