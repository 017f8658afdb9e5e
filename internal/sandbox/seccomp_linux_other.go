//go:build linux && !amd64 && !arm64

package sandbox

const arch = 0

var refusedHere []uint32
