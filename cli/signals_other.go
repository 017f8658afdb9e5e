//go:build !unix

package cli

import (
	"os"
	"syscall"
)

func stopSignals() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM} }

func otherWishes() map[os.Signal]wish { return nil }

func closeOnExec(*os.File) {}

func ignorePipes() func() { return func() {} }
