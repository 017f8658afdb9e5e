package conformance

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// ErrSelector reports a selector that selects nothing, or a run that would run nothing.
var ErrSelector = errors.New("conformance: nothing selected")

// Select returns the cases that one of the selectors selects, in the order of cases. A selector is the name of a case, a
// beginning of names ("fcgi", "fcgi/3.3"; "fcgi/4" has fcgi/4.1 in it), a pattern as for path.Match ("*/*/keepconn-*"), or
// "level=MUST". One that begins with "!" takes away what it selects; if there are only such, they take away from all. It
// returns an error that wraps ErrSelector if a selector selects no case at all, or if none is left.
func Select(cases []Case, selectors []string) ([]Case, error) {
	onlyExclusions := !slices.ContainsFunc(selectors, func(s string) bool { return !strings.HasPrefix(s, "!") })
	chosen := make([]bool, len(cases))
	for i := range chosen {
		chosen[i] = onlyExclusions
	}
	for _, exclude := range []bool{false, true} {
		for _, selector := range selectors {
			pattern, excludes := strings.CutPrefix(selector, "!")
			if excludes != exclude {
				continue
			}
			if !mark(cases, pattern, chosen, !exclude) {
				return nil, fmt.Errorf("%w: no case matches %q", ErrSelector, selector)
			}
		}
	}
	var selected []Case
	for i, c := range cases {
		if chosen[i] {
			selected = append(selected, c)
		}
	}
	if len(selected) == 0 {
		return nil, fmt.Errorf("%w: no case is left", ErrSelector)
	}
	return selected, nil
}

func mark(cases []Case, pattern string, chosen []bool, value bool) (matched bool) {
	for i := range cases {
		if selects(pattern, &cases[i]) {
			chosen[i] = value
			matched = true
		}
	}
	return matched
}

func selects(pattern string, c *Case) bool {
	if level, ok := strings.CutPrefix(pattern, "level="); ok {
		return strings.EqualFold(level, string(c.Level))
	}
	if rest, ok := strings.CutPrefix(c.Name, strings.TrimSuffix(pattern, "/")); ok && (rest == "" || rest[0] == '/' || rest[0] == '.') {
		return true
	}
	ok, err := path.Match(pattern, c.Name)
	return ok && err == nil
}

// Shard returns the part index (from 1) of the cases, which are dealt out to count parts.
func Shard(cases []Case, index, count int) []Case {
	var part []Case
	for i := index - 1; i < len(cases); i += count {
		part = append(part, cases[i])
	}
	return part
}
