//go:build unix

package cli

import "syscall"

func init() { signals["USR1"] = syscall.SIGUSR1 }
