//go:build !unix

package server

import "errors"

func (t *T) clog() error { return errors.ErrUnsupported }
