package smuggling

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// TestForms: the corpus is as large as it is said to be, and no form is in it twice.
func TestForms(t *testing.T) {
	names, sent, classes := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, f := range slices.Concat(Hostile, Legitimate) {
		assert.False(t, names[f.Name], f.Name)
		assert.False(t, sent[f.Sent], "%s: %q", f.Name, f.Sent)
		names[f.Name], sent[f.Sent] = true, true
		assert.True(t, strings.HasPrefix(f.Name, f.Class+"/"), f.Name)
		assert.False(t, f.Last && len(f.Read) == 0, f.Name)
		assert.False(t, f.Open && len(f.Read) > 0, f.Name)
		assert.NotContains(t, f.Read, CanaryRead, f.Name)
	}
	for _, f := range Hostile {
		classes[f.Class] = true
		assert.NotZero(t, f.Status, f.Name)
	}
	for _, f := range Legitimate {
		require.NotEmpty(t, f.Read, f.Name)
		assert.False(t, classes[f.Class], f.Name)
		assert.Zero(t, f.Status, f.Name)
		assert.False(t, f.Open, f.Name)
	}
	assert.GreaterOrEqual(t, len(Hostile), 200)
	assert.GreaterOrEqual(t, len(classes), 45)
	assert.GreaterOrEqual(t, len(Legitimate), 60)
	t.Logf("%d hostile forms in %d classes, %d legitimate", len(Hostile), len(classes), len(Legitimate))
}

func TestOriginForm(t *testing.T) {
	for target, want := range map[string]string{
		"/": "/", "*": "*", "/http://h/x": "/http://h/x", "http://h": "/", "http://h/x?y": "/x?y", "HTTP://h:1?y": "/?y",
		"http://h?/": "/?/", "http://h//": "//", "h:80": "h:80", "": "",
	} {
		assert.Equal(t, want, OriginForm(target), target)
	}
}
