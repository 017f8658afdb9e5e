// Package killmatrix writes down which cases of the conformance suite each mutant of a peer fails, for the tests of the
// suite. Begin with From.
package killmatrix

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Folder is the environment variable that names the folder for matrices. Without it nobody is asked for one: it takes
// minutes.
const Folder = "GANGWAY_KILL_MATRIX"

// A Matrix collects what mutants fail. It is safe for concurrent use.
type Matrix struct {
	path string

	mu    sync.Mutex
	parts map[string]string // by mutant
}

// From returns the matrix for a file in Folder, or nil if there is no Folder.
func From(file string) *Matrix {
	folder := os.Getenv(Folder)
	if folder == "" {
		return nil
	}
	return &Matrix{path: filepath.Join(folder, file), parts: map[string]string{}}
}

// Add notes the cases that a mutant fails, in place of those noted for it before, and how many were run, and writes the
// file anew. The error says that they are more than a twentieth of those of its role, so that the mutant has more than
// one fault, or that one of those it is meant for is not there.
func (m *Matrix) Add(mutant string, broken, meant []string, run, role int) error {
	slices.Sort(broken)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d/%d\n", mutant, len(broken), run)
	for _, name := range broken {
		mark := ""
		if slices.Contains(meant, name) {
			mark = " *"
		}
		fmt.Fprintf(&b, "\t%s%s\n", name, mark)
	}
	m.mu.Lock()
	m.parts[mutant] = b.String()
	m.mu.Unlock()
	if err := m.write(); err != nil { // so that nothing is lost if the run is ended
		return err
	}
	for _, name := range meant {
		if !slices.Contains(broken, name) {
			return fmt.Errorf("%s: %s passes", mutant, name)
		}
	}
	if len(broken)*20 > role {
		return fmt.Errorf("%s: %d of %d cases fail: %s", mutant, len(broken), role, strings.Join(broken, ", "))
	}
	return nil
}

func (m *Matrix) write() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	const head = "# mutant failed/cases, then the cases; those that it is meant for have a star\n"
	return os.WriteFile(m.path, []byte(head+strings.Join(slices.Sorted(maps.Values(m.parts)), "")), 0o644)
}
