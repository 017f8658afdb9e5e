// Package stack saves goroutines that serve one request from moving their stack again and again.
package stack

import "os"

// Grow gives a goroutine 8 KB of stack, which nearly every application needs. It is for the beginning of one, when
// nothing has to be moved yet: growing step by step beneath an application costs several times as much.
//
//go:noinline
func Grow() byte {
	var frame [4 << 10]byte
	return frame[os.Getpagesize()&1] // so that the frame is not optimised away
}
