//go:build !unix

package script

import (
	"os"
	"syscall"
)

func group() *syscall.SysProcAttr { return nil }
func kill(p *os.Process)          { p.Kill() }
func terminate(p *os.Process)     { p.Kill() }
func others(*os.Process) bool     { return false }
