//go:build !linux

package script

func limit(int) {}
