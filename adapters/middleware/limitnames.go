package middleware

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Limit describes one of [Limits], for help texts and documentation.
type Limit struct {
	Name   string // as Limits.Set knows it
	Value  string // in the form of Limits.Set
	Status int    // HTTP status of a request that exceeds it
	Doc    string // what it bounds
}

var limitNames = []struct {
	name   string
	field  func(*Limits) any // *int64 or *time.Duration
	status int
	doc    string
}{
	{"uri", func(l *Limits) any { return &l.URI }, http.StatusRequestURITooLong,
		"bytes of path and query"},
	{"header-bytes", func(l *Limits) any { return &l.HeaderBytes }, http.StatusRequestHeaderFieldsTooLarge,
		"bytes of all request header fields"},
	{"header-fields", func(l *Limits) any { return &l.HeaderFields }, http.StatusRequestHeaderFieldsTooLarge,
		"number of request header fields"},
	{"body", func(l *Limits) any { return &l.Body }, http.StatusRequestEntityTooLarge,
		"bytes of a request body"},
	{"requests", func(l *Limits) any { return &l.Requests }, http.StatusServiceUnavailable,
		"requests at the same time"},
	{"timeout", func(l *Limits) any { return &l.Timeout }, http.StatusGatewayTimeout,
		"time from the end of the request to the response header"},
}

// Set sets the limit of that name: a size such as 8m, 64k, 1g or a plain number, a duration such as 30s, and 0 for no
// limit. The error says what would be right.
func (l *Limits) Set(name, value string) error {
	for _, n := range limitNames {
		if n.name != name {
			continue
		}
		var err error
		switch field := n.field(l).(type) {
		case *int64:
			err = setValue(field, value, ParseSize)
		case *time.Duration:
			err = setValue(field, value, parseDuration)
		}
		if err != nil {
			return fmt.Errorf("limit %s: %w", name, err)
		}
		return nil
	}
	known := make([]string, len(limitNames))
	for i, n := range limitNames {
		known[i] = n.name
	}
	return fmt.Errorf("no limit is called %q; there are %s", name, strings.Join(known, ", "))
}

func setValue[T any](field *T, value string, parse func(string) (T, error)) error {
	v, err := parse(value)
	if err == nil {
		*field = v
	}
	return err
}

// List returns all limits with their values; DefaultLimits().List() has the defaults.
func (l *Limits) List() []Limit {
	list := make([]Limit, len(limitNames))
	for i, n := range limitNames {
		list[i] = Limit{Name: n.name, Status: n.status, Doc: n.doc}
		switch field := n.field(l).(type) {
		case *int64:
			list[i].Value = formatSize(*field)
		case *time.Duration:
			list[i].Value = field.String()
		}
	}
	return list
}

// sizeUnits are the suffixes of a size: 1 k is 1024.
const sizeUnits = "kmg"

// ParseSize parses a number that may end in k, m or g, in either case: 1k is 1024.
func ParseSize(s string) (int64, error) {
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
