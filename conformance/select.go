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

// Select returns the cases that the selectors select, in the order of cases. A selector is the name of a case, a beginning
// of names ("fcgi", "fcgi/3.3"; "fcgi/4" has fcgi/4.1 in it), a pattern as for path.Match ("*/*/keepconn-*"), or
// "level=MUST". Selected is what one of the names and one of the levels select, of either all if there is none; what one
// selects that begins with "!" is not. Select returns an error that wraps ErrSelector if a selector selects no case at all,
// or if none is left.
func Select(cases []Case, selectors []string) ([]Case, error) {
	var names, levels, exclusions []string
	for _, s := range selectors {
		pattern, excludes := strings.CutPrefix(s, "!")
		if !slices.ContainsFunc(cases, func(c Case) bool { return selects(pattern, &c) }) {
			return nil, fmt.Errorf("%w: no case matches %q", ErrSelector, s)
		}
		switch {
		case excludes:
			exclusions = append(exclusions, pattern)
		case strings.HasPrefix(pattern, levelPrefix):
			levels = append(levels, pattern)
		default:
			names = append(names, pattern)
		}
	}
	var selected []Case
	for _, c := range cases {
		one := func(patterns []string) bool {
			return slices.ContainsFunc(patterns, func(p string) bool { return selects(p, &c) })
		}
		if (names == nil || one(names)) && (levels == nil || one(levels)) && !one(exclusions) {
			selected = append(selected, c)
		}
	}
	if len(selected) == 0 {
		return nil, fmt.Errorf("%w: no case is left", ErrSelector)
	}
	return selected, nil
}

const levelPrefix = "level="

func selects(pattern string, c *Case) bool {
	if level, ok := strings.CutPrefix(pattern, levelPrefix); ok {
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
