package killmatrix

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestMatrix(t *testing.T) {
	t.Setenv(Folder, "")
	assert.Nil(t, From("x"))
	dir := t.TempDir()
	t.Setenv(Folder, dir)
	m := From("x")
	assert.Error(t, m.Add("b", nil, []string{"one"}, 40, 40), "will be replaced")
	assert.NoError(t, m.Add("b", []string{"two", "one"}, []string{"one"}, 40, 40))
	assert.EqualError(t, m.Add("a", []string{"one", "two"}, []string{"one"}, 39, 39), "a: 2 of 39 cases fail: one, two")
	assert.EqualError(t, m.Add("c", nil, []string{"one"}, 40, 40), "c: one passes")
	text, err := os.ReadFile(filepath.Join(dir, "x"))
	require.NoError(t, err)
	assert.Equal(t, "# mutant failed/cases, then the cases; those that it is meant for have a star\n"+
		"a 2/39\n\tone *\n\ttwo\nb 2/40\n\tone *\n\ttwo\nc 0/40\n", string(text))
}
