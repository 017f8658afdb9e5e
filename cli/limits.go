package cli

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gangway-go/gangway/adapters/middleware"
	"github.com/gangway-go/gangway/adapters/open"
)

// ownLimits are the limits of backends, with their defaults; those of requests are middleware's.
var ownLimits = []string{"response-header=64k", "spool=1g"}

// limits are all that --limit sets.
type limits struct {
	*middleware.Limits
	responseHeader, spool int64 // 0 is the default
}

func newLimits(settings []string) (*limits, error) {
	l := &limits{Limits: middleware.DefaultLimits()}
	for _, s := range settings {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, usage("--limit %s: write NAME=VALUE; there are %s", s, limitList())
		}
		if err := l.set(name, value); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *limits) set(name, value string) error {
	var err error
	switch {
	case name == "response-header":
		l.responseHeader, err = parseLimit(value)
	case name == "spool":
		l.spool, err = parseLimit(value)
	case slices.ContainsFunc(l.List(), func(known middleware.Limit) bool { return known.Name == name }):
		err = l.Set(name, value)
	default:
		return usage("--limit %s=%s: there is no such limit, but %s", name, value, limitList())
	}
	if err != nil {
		return usage("--limit: %w", err)
	}
	return nil
}

// parseLimit parses a size; 0, no limit, becomes the largest one.
func parseLimit(value string) (int64, error) {
	n, err := middleware.ParseSize(value)
	if n == 0 {
		n = math.MaxInt64
	}
	return n, err
}

// apply tells a backend its limits.
func (l *limits) apply(o *open.AppOptions) {
	o.HeaderLimit, o.SpoolLimit = int(min(l.responseHeader, math.MaxInt)), l.spool
	if o.Timeout = l.Timeout; o.Timeout == 0 {
		o.Timeout = -time.Nanosecond
	}
}

// httpHeader is how many bytes of a request may be read before the limits see it.
func (l *limits) httpHeader() int {
	const most = 16 << 20
	if l.URI == 0 || l.HeaderBytes == 0 || l.URI+l.HeaderBytes > most {
		return most
	}
	return int(l.URI + l.HeaderBytes)
}
