//go:build !linux

package sockio

// Unsent returns 0: nobody says how much of what was written has not arrived.
func (c *Conn) Unsent() int { return 0 }
