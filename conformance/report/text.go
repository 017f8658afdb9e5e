package report

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gangway-go/gangway/conformance"
)

// textLimit is how many bytes of each direction of a wire log text shows.
const textLimit = 512

func writeText(w io.Writer, r *conformance.Report, terms *Terms) error {
	var b bytes.Buffer
	textHead(&b, r)
	textFailures(&b, r, terms)
	textRemarks(&b, r, terms)
	if terms.Baseline != nil {
		textChanges(&b, Compare(terms.Baseline, r))
	}
	textSummary(&b, r)
	if r.Gone {
		b.WriteString("\nThe target died and did not come back: what stands behind that was not run.\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}

func textHead(b *bytes.Buffer, r *conformance.Report) {
	s := &r.Target
	fmt.Fprintf(b, "%s, %s over %s, %s\n", title(s), s.Role, s.Protocol, printable(s.Address))
	took := r.Ended.Sub(r.Started).Round(time.Millisecond)
	fmt.Fprintf(b, "%d cases of %s, %s, in %s\n", len(r.Results), printable(r.Suite), date(r), took)
	if s.Command != "" {
		fmt.Fprintf(b, "command: %s\n", printable(s.Command))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Facts)) {
		fmt.Fprintf(b, "%s: %s\n", printable(name), printable(s.Facts[name]))
	}
}

func date(r *conformance.Report) string { return r.Started.UTC().Format("2006-01-02 15:04 UTC") }

func textFailures(b *bytes.Buffer, r *conformance.Report, terms *Terms) {
	for i := range r.Results {
		result := &r.Results[i]
		ruling, why := terms.Rule(result)
		if ruling != Wrong {
			continue
		}
		fmt.Fprintf(b, "\n%-5s %s (%s)\n", strings.ToUpper(string(result.Outcome)), result.Name, result.Level)
		if why != "" {
			fmt.Fprintf(b, "  %s\n", printable(why))
		}
		textDetails(b, result, "  ")
	}
}

// textDetails explains a result.
func textDetails(b *bytes.Buffer, r *conformance.Result, indent string) {
	fmt.Fprintf(b, "%s%s\n", indent, requirement(r))
	for _, line := range sentences(r) {
		fmt.Fprintf(b, "%s%-9s %s\n", indent, line[0], line[1])
	}
	if len(r.Wire) > 0 {
		fmt.Fprintf(b, "%swire\n", indent)
		dump(b, clip(r.Wire, textLimit), indent)
	}
}

// textRemarks lists what is no failure of the run, and no pass either.
func textRemarks(b *bytes.Buffer, r *conformance.Report, terms *Terms) {
	first := true
	for i := range r.Results {
		result := &r.Results[i]
		ruling, why := terms.Rule(result)
		remark := result.Got
		if ruling == Known {
			remark = "known: " + why + ": " + result.Got
		}
		switch {
		case ruling == Wrong, result.Outcome == conformance.Pass, result.Outcome == conformance.Skip:
			continue
		case first:
			b.WriteString("\n")
			first = false
		}
		fmt.Fprintf(b, "%s: %s (%s): %s\n", result.Outcome, result.Name, result.Level, printable(remark))
	}
}

func textChanges(b *bytes.Buffer, changes []Change) {
	fmt.Fprintf(b, "\n%d changes since the baseline\n", len(changes))
	for _, c := range changes {
		fmt.Fprintf(b, "%s: %s, was %s\n", c.Name, orAbsent(c.Now), orAbsent(c.Before))
	}
}

func orAbsent(o conformance.Outcome) string {
	if o == "" {
		return "not there"
	}
	return string(o)
}

func textSummary(b *bytes.Buffer, r *conformance.Report) {
	b.WriteString("\n")
	columns := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range summary(r) {
		fmt.Fprintln(columns, strings.Join(row, "\t")+"\t")
	}
	columns.Flush()
}

// summary is a table of how many cases of each level have each outcome; outcomes and levels without any are left out.
func summary(r *conformance.Report) [][]string {
	counts := map[conformance.Level]map[conformance.Outcome]int{}
	for i := range r.Results {
		level, outcome := r.Results[i].Level, r.Results[i].Outcome
		if counts[level] == nil {
			counts[level] = map[conformance.Outcome]int{}
		}
		counts[level][outcome]++
		counts[level][""]++
	}
	total := r.Counts()
	total[""] = len(r.Results)
	head := []string{"level", "cases"}
	outcomes := []conformance.Outcome{""}
	for _, o := range conformance.Outcomes {
		if total[o] > 0 {
			head, outcomes = append(head, string(o)), append(outcomes, o)
		}
	}
	table := [][]string{head}
	for _, level := range conformance.Levels {
		if counts[level] != nil {
			table = append(table, summaryRow(string(level), counts[level], outcomes))
		}
	}
	return append(table, summaryRow("all", total, outcomes))
}

func summaryRow(name string, counts map[conformance.Outcome]int, outcomes []conformance.Outcome) []string {
	row := []string{name}
	for _, o := range outcomes {
		row = append(row, fmt.Sprint(counts[o]))
	}
	return row
}

// Progress shows how a run goes on. Its Done is for conformance.Options.
type Progress struct {
	w        io.Writer
	total    int
	terminal bool
	counts   map[conformance.Outcome]int
	seen     int
	shown    time.Time
}

// NewProgress returns a Progress for so many cases. On a terminal it is one line that changes, else a line for each
// case that does not pass.
func NewProgress(w io.Writer, total int, terminal bool) *Progress {
	return &Progress{w: w, total: total, terminal: terminal, counts: map[conformance.Outcome]int{}}
}

// Done is called with each result; the calls follow one another.
func (p *Progress) Done(r conformance.Result) {
	p.seen++
	p.counts[r.Outcome]++
	quiet := r.Outcome == conformance.Pass || r.Outcome == conformance.Skip
	switch {
	case !p.terminal && !quiet:
		fmt.Fprintf(p.w, "%s %s: %s\n", r.Outcome, r.Name, printable(r.Got))
	case p.terminal && (!quiet || time.Since(p.shown) > 100*time.Millisecond):
		p.show(r.Name)
	}
}

func (p *Progress) show(name string) {
	p.shown = time.Now()
	line := fmt.Sprintf("%d of %d", p.seen, p.total)
	for _, o := range conformance.Outcomes {
		if p.counts[o] > 0 {
			line += fmt.Sprintf("  %d %s", p.counts[o], o)
		}
	}
	fmt.Fprintf(p.w, "\r\x1b[K%.*s", 110, line+"  "+name)
}

// End wipes the line that changes.
func (p *Progress) End() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
