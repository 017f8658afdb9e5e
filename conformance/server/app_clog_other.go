//go:build !unix

package server

import "errors"

func (t *T) clog() (undo func(), err error) { return nil, errors.ErrUnsupported }
