package cli

import (
	"fmt"
	"strings"
)

// suggested returns the question whether one of names was meant, written as form has it, or nothing if none looks like
// name: one letter in three may be wrong, or one of the two is a beginning of the other.
func suggested(form string, names []string, name string) string {
	best, least := "", len(name)/3+1
	for _, known := range names {
		wrong := distance(known, name)
		if len(name) > 2 && (strings.HasPrefix(known, name) || strings.HasPrefix(name, known)) {
			wrong = min(wrong, len(name)/3)
		}
		if wrong < least {
			best, least = known, wrong
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("Did you mean "+form+"? ", best)
}

// distance is the number of letters to insert, remove, replace, or exchange with their neighbours, that make b of a.
func distance(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			if a[i] == b[j] {
				row[j+1] = last[j]
				continue
			}
			row[j+1] = 1 + min(last[j+1], row[j], last[j])
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], 1+before[j-1])
			}
		}
	}
	return row[len(b)]
}
