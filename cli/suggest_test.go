package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSuggested(t *testing.T) {
	names := []string{"serve", "body", "body-rate", "timeout", "from", "to", "listen", "explain"}
	for name, want := range map[string]string{
		"srve":         "serve", // a letter too few
		"serrve":       "serve", // one too many
		"form":         "from",  // exchanged
		"listem":       "listen",
		"tiemout":      "timeout",
		"time-out":     "timeout",
		"Body":         "body",
		"bodysize":     "body", // a beginning
		"bodyrate":     "body-rate",
		"body-":        "body",
		"body-rte":     "body-rate",
		"exp":          "explain",
		"method":       "",
		"port":         "",
		"t":            "",
		"":             "",
		"zzzzzzzzzzzz": "",
	} {
		got := suggested("--%s", names, name)
		if want != "" {
			want = "Did you mean --" + want + "? "
		}
		assert.Equal(t, want, got, name)
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "ab", 2}, {"ab", "", 2}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "abd", 1},
		{"abcd", "bcda", 2}, {"kitten", "sitting", 3},
	} {
		assert.Equal(t, tt.want, distance(tt.a, tt.b), "%s, %s", tt.a, tt.b)
		assert.Equal(t, tt.want, distance(tt.b, tt.a), "%s, %s", tt.b, tt.a)
	}
}
