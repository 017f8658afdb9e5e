package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// writeTAP writes the Test Anything Protocol, version 13. A failure that is known is a TODO.
func writeTAP(w io.Writer, r *conformance.Report, terms *Terms) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "TAP version 13\n1..%d\n# %s: %s\n", len(r.Results), title(&r.Target), printable(r.Target.Address))
	for i := range r.Results {
		tapCase(&b, i+1, &r.Results[i], terms)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func tapCase(b *bytes.Buffer, number int, r *conformance.Result, terms *Terms) {
	ruling, why := terms.Rule(r)
	line := fmt.Sprintf("%d - %s", number, r.Name)
	switch {
	case ruling == Wrong:
		fmt.Fprintf(b, "not ok %s\n", line)
		tapDiagnosis(b, r, why)
	case ruling == Known:
		fmt.Fprintf(b, "not ok %s # TODO %s\n", line, tapText(why+": "+r.Got))
	case r.Outcome == conformance.Skip, r.Outcome == conformance.DependencyFailed:
		fmt.Fprintf(b, "ok %s # SKIP %s\n", line, tapText(r.Got))
	case r.Outcome == conformance.Pass:
		fmt.Fprintf(b, "ok %s\n", line)
	default:
		fmt.Fprintf(b, "ok %s\n# %s: %s\n", line, r.Outcome, tapText(r.Got))
	}
}

// tapDiagnosis writes a block of YAML, which TAP 13 has behind a test; JSON strings are YAML.
func tapDiagnosis(b *bytes.Buffer, r *conformance.Result, why string) {
	lines := [][2]string{{"outcome", string(r.Outcome)}, {"level", string(r.Level)}, {"requirement", requirement(r)}}
	if why != "" {
		lines = append(lines, [2]string{"why", printable(why)})
	}
	b.WriteString("  ---\n")
	var infos []string
	for _, line := range append(lines, sentences(r)...) {
		if line[0] == "info" {
			infos = append(infos, line[1])
			continue
		}
		fmt.Fprintf(b, "  %s: %s\n", line[0], quoted(line[1]))
	}
	if len(infos) > 0 {
		b.WriteString("  info:\n")
	}
	for _, info := range infos {
		fmt.Fprintf(b, "    - %s\n", quoted(info))
	}
	if len(r.Wire) > 0 {
		b.WriteString("  wire: |\n")
		dump(b, clip(r.Wire, textLimit), "    ")
	}
	b.WriteString("  ...\n")
}

// quoted is s as a string of YAML; printable has left only backslashes and quotation marks to escape.
func quoted(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

// tapText is s behind a directive or in a comment.
func tapText(s string) string { return strings.ReplaceAll(printable(s), "#", "") }
