//go:build !linux

package sdnotify

import "time"

var start = time.Now()

// monotonic returns the time of a clock of our own: only Linux has systemd's.
func monotonic() time.Duration { return time.Since(start) }
