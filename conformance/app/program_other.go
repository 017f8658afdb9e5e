//go:build !unix

package app

import (
	"os"
	"os/exec"
	"syscall"
)

func ownGroup(*exec.Cmd) {}

// signal can only end the program.
func (p *program) signal(syscall.Signal) { p.cmd.Process.Kill() }

func setNonblock(*os.File) {}
