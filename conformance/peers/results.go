//go:build unix

package main

import (
	"bufio"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gangway-go/gangway/conformance"
)

const resultsIntro = `# Results of the conformance suite

What well-known programs do with the cases of ` + "`gangway conform`" + `, each in one configuration on one day.
` + "`make conformance-peers`" + ` runs the suite again and writes this page and [the matrix](reports/index.html),
a page with filters in which each cell has its wire log; the [reports](reports) have versions, configurations and what
was sent and received.

How to read it: a program that fails cases can be a good one. A case is one sentence of a specification or one thing
that can go wrong; many matter to nobody, and some failures are choices (RATIONALE.md has gangway's). Compare what
fails, not how much. Most specifications here were written before RFC 2119: what the levels mean is said in the
[suite's README](README.md). A case that concerns another protocol, or an ability that the program or its configuration
has not, is not counted. Of programs of others the failures of level security are counted and not named: tell their
authors first.

In the tables, "59/3" are 59 cases passed and 3 that did not; SHOULD and MAY have no failures, only remarks.
`

// tables are the parts of the page.
var tables = []struct{ role, title string }{
	{"app", "Applications: the suite is the web server"},
	{"server", "Web servers and gateways: the suite is the client and the application"},
	{"script", "CGI programs: the suite runs them"},
}

// writeResults writes RESULTS.md.
func writeResults(w *bufio.Writer, names []string, reports []*conformance.Report) {
	fmt.Fprint(w, resultsIntro)
	for _, table := range tables {
		var rows, details []string
		for i, r := range reports {
			if r.Target.Role == table.role {
				rows = append(rows, row(names[i], r))
				details = append(details, detail(names[i], r))
			}
		}
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n## %s\n\n| | protocol |", table.title)
		for _, level := range conformance.Levels {
			fmt.Fprintf(w, " %s |", level)
		}
		fmt.Fprintf(w, " date |\n| --- | --- |%s --- |\n%s\n%s", strings.Repeat(" ---: |", len(conformance.Levels)),
			strings.Join(rows, "\n"), strings.Join(details, ""))
	}
}

// row is the line of a report in its table.
func row(name string, r *conformance.Report) string {
	cells := []string{fmt.Sprintf("[%s](#%s)<br>%s", cell(r.Target.Name), name, cell(r.Target.Version)), r.Target.Protocol}
	for _, level := range conformance.Levels {
		cells = append(cells, score(r, level))
	}
	cells = append(cells, r.Started.UTC().Format(time.DateOnly))
	return "| " + strings.Join(cells, " | ") + " |"
}

// score counts the cases of a level that passed, and those that did not. Of withheld cases the latter is known only.
func score(r *conformance.Report, level conformance.Level) string {
	if level == conformance.Security && !isOurs(r) {
		failed, _, _ := strings.Cut(r.Target.Facts["withheld"], " of ")
		return failed + " failed"
	}
	var passed, not int
	for i := range r.Results {
		switch result := &r.Results[i]; {
		case result.Level != level:
		case result.Outcome == conformance.Pass:
			passed++
		case spoke(result.Outcome):
			not++
		}
	}
	return fmt.Sprintf("%d/%d", passed, not)
}

// spoke says whether the outcome tells something about the program.
func spoke(o conformance.Outcome) bool {
	return o.Bad() && o != conformance.SuiteError || o == conformance.Warn || o == conformance.Info
}

// detail names what failed at the levels MUST and robustness.
func detail(name string, r *conformance.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n### <a id=%q></a>%s over %s\n\n", name, cell(r.Target.Name), r.Target.Protocol)
	fmt.Fprintf(&b, "%s, %s, %.0f s; [report](reports/%s.json); again with `%s`.\n", cell(r.Target.Version),
		r.Started.UTC().Format(time.DateOnly), r.Ended.Sub(r.Started).Seconds(), name, r.Target.Command)
	if r.Gone {
		b.WriteString("It died and did not come back; the rest could not be run.\n")
	}
	for _, level := range []conformance.Level{conformance.Security, conformance.Must, conformance.Robustness} {
		if level == conformance.Security && !isOurs(r) {
			continue
		}
		failed := failures(r, level)
		switch {
		case len(failed) == 0:
		case level == conformance.Robustness:
			fmt.Fprintf(&b, "\n%s: %s\n", level, names(failed))
		default:
			fmt.Fprintf(&b, "\n%s:\n\n%s\n", level, lines(failed))
		}
	}
	return b.String()
}

// failures are the cases of a level that failed, those of one outcome together.
func failures(r *conformance.Report, level conformance.Level) (results []*conformance.Result) {
	for i := range r.Results {
		if result := &r.Results[i]; result.Level == level && spoke(result.Outcome) {
			results = append(results, result)
		}
	}
	slices.SortStableFunc(results, func(a, b *conformance.Result) int { return cmp.Compare(a.Outcome, b.Outcome) })
	return results
}

// names are those of the cases.
func names(results []*conformance.Result) string {
	var list []string
	for _, result := range results {
		list = append(list, "`"+result.Name+"`"+unusual(result))
	}
	return strings.Join(list, ", ")
}

// lines say what happened.
func lines(results []*conformance.Result) string {
	var list []string
	for _, result := range results {
		list = append(list, fmt.Sprintf("- `%s` %s: %s%s",
			result.Name, cell(result.Sends), cell(clip(result.Got)), unusual(result)))
	}
	return strings.Join(list, "\n")
}

// unusual is the outcome if it is none that one expects.
func unusual(result *conformance.Result) string {
	if result.Outcome == conformance.Fail {
		return ""
	}
	return fmt.Sprintf(" (%s)", result.Outcome)
}

// clip shortens a long text.
func clip(s string) string {
	const most = 160
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

var markup = strings.NewReplacer(`\`, `\\`, "|", `\|`, "\n", " ", "<", "&lt;", ">", "&gt;", "&", "&amp;",
	"`", "'", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`)

// cell is s where Markdown would act upon it.
func cell(s string) string { return markup.Replace(s) }
