//go:build !unix

package cli

import (
	"os"
	"syscall"
)

var reopenSignals []os.Signal

func stopSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

func ignorePipes() func() { return func() {} }
