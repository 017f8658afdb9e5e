//go:build !unix

package cli

func setUmask(int) error { return usage("--umask: this system has none") }
