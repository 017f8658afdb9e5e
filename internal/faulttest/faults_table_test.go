//go:build unix

package faulttest

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The table of faults is testdata/faults.txt, written by hand. A line that is not indented is a heading (##), prose (>), a
// comment (#) or the name of a fault. Beneath a name are its plays, for all applications or for one, and its cells: two
// spaces or more divide the columns. TestFaults compares, and docs/faults.md is made of the same lines.
const (
	faultFile  = "testdata/faults.txt"
	faultPages = "../../docs/faults.md"
)

// faultTable is the environment variable that names the file for the table: then docs/faults.md is written.
const faultTable = "GANGWAY_FAULT_TABLE"

// A fault is what a peer does wrong, and what is expected of gangway then.
type fault struct {
	name  string
	about string              // heading or prose before it, as Markdown
	plays map[string]string   // by application; "" is for all
	cells []map[string]string // by column
}

// A faultPart of the table has columns of its own.
type faultPart struct {
	title   string // of the faults' names
	columns []string
	faults  []fault
	after   string // prose behind the last
}

var columnGap = regexp.MustCompile(`  +`)

// readFaults reads the parts of the table. A part begins with a line of columns, that of the names first.
func readFaults(t *testing.T) (parts []faultPart) {
	t.Helper()
	text, err := os.ReadFile(faultFile)
	require.NoError(t, err)
	about := ""
	for i, line := range strings.Split(strings.TrimRight(string(text), "\n"), "\n") {
		columns := columnGap.Split(strings.TrimSpace(line), -1)
		switch {
		case strings.HasPrefix(line, "# "):
		case line == "", strings.HasPrefix(line, "## "), strings.HasPrefix(line, ">"):
			about += strings.TrimPrefix(strings.TrimPrefix(line, ">"), " ") + "\n"
		case columns[0] == "columns":
			parts = append(parts, faultPart{title: columns[1], columns: columns[2:]})
		case line[0] != ' ':
			p := &parts[len(parts)-1]
			p.faults = append(p.faults, fault{name: line, about: about, plays: map[string]string{}})
			about = ""
		default:
			p := &parts[len(parts)-1]
			require.NoError(t, p.faults[len(p.faults)-1].add(columns, p.columns), "line %d: %s", i+1, line)
		}
	}
	parts[len(parts)-1].after = about
	return parts
}

// add adds a play or a cell.
func (f *fault) add(line, columns []string) error {
	if who, ok := strings.CutPrefix(line[0], "play"); ok {
		f.plays[strings.TrimSpace(who)] = strings.Join(line[1:], "  ")
		return nil
	}
	if len(line) != len(columns) {
		return fmt.Errorf("%d columns instead of %d", len(line), len(columns))
	}
	cell := map[string]string{}
	for i, column := range columns {
		cell[column] = line[i]
	}
	f.cells = append(f.cells, cell)
	return nil
}

// page returns docs/faults.md.
func faultPage(parts []faultPart) string {
	var b strings.Builder
	for _, p := range parts {
		open := false
		for _, f := range p.faults {
			if about := strings.TrimSpace(f.about); about != "" || !open {
				b.WriteString("\n" + about + "\n\n| " + strings.Join(append([]string{p.title}, p.columns...), " | ") + " |\n|" +
					strings.Repeat("---|", len(p.columns)+1) + "\n")
				open = true
			}
			f.rows(&b, p.columns)
		}
		if after := strings.TrimSpace(p.after); after != "" {
			b.WriteString("\n" + after + "\n")
		}
	}
	return "# What gangway does when others fail\n" + strings.ReplaceAll(b.String(), "\n\n\n", "\n\n")
}

func (f *fault) rows(b *strings.Builder, columns []string) {
	name := f.name
	for _, cell := range f.cells {
		b.WriteString("| " + name)
		for _, column := range columns {
			value := cell[column]
			if column == "log" && value != "–" {
				value = "`" + value + "`"
			}
			b.WriteString(" | " + strings.ReplaceAll(value, "|", "\\|"))
		}
		b.WriteString(" |\n")
		name = ""
	}
}

// TestFaultPage: docs/faults.md is what the committed cells make of it.
func TestFaultPage(t *testing.T) {
	page := faultPage(readFaults(t))
	if file := os.Getenv(faultTable); file != "" {
		require.NoError(t, os.WriteFile(file, []byte(page), 0o644))
		return
	}
	text, err := os.ReadFile(faultPages)
	require.NoError(t, err)
	assert.Equal(t, page, string(text), "make fault-table writes it")
}
