package leak

import "time"

// SetGrace changes how long await waits.
func SetGrace(d time.Duration) { grace = d }
