package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

func setValue[T any](field *T, value string, parse func(string) (T, error)) error {
	v, err := parse(value)
	if err == nil {
		*field = v
	}
	return err
}

// sizeUnits are the suffixes of a size: 1 k is 1024.
const sizeUnits = "kmg"

// parseSize parses a number that may end in k, m or g, in either case: 1k is 1024.
func parseSize(s string) (int64, error) {
	digits, shift := s, 0
	if s != "" {
		if i := strings.IndexByte(sizeUnits, s[len(s)-1]|0x20); i >= 0 {
			digits, shift = s[:len(s)-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%q is no size such as 512, 64k or 8m", s)
	}
	return int64(n) << shift, nil
}

func formatSize(n int64) string {
	unit := ""
	for i := 0; i < len(sizeUnits) && n != 0 && n%1024 == 0; i++ {
		n /= 1024
		unit = sizeUnits[i : i+1]
	}
	return strconv.FormatInt(n, 10) + unit
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no time such as 30s or 2m", s)
	}
	return d, nil
}

// formatDuration is d.String without what is 0: "2m" and not "2m0s".
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if d == 0 {
		return "0"
	}
	return s
}
