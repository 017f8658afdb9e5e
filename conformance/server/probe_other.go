//go:build !linux && !darwin

package server

// A probe file works only where the kernel reads its first line.
func probe(string, []string) int { return 1 }

func hold() int { return 1 }

func openDescriptors() []string { return nil }
