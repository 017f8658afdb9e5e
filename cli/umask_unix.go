//go:build unix

package cli

import "syscall"

func setUmask(mask int) error {
	syscall.Umask(mask)
	return nil
}
