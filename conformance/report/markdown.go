package report

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// writeMarkdown writes a summary and the failures in GitHub's dialect.
func writeMarkdown(w io.Writer, r *conformance.Report, terms *Terms) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n", plain(title(&r.Target)))
	markdownHead(&b, r)
	for i, row := range summary(r) {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(&b, "| --- |%s\n", strings.Repeat(" ---: |", len(row)-1))
		}
	}
	if r.Gone {
		b.WriteString("\nThe target died and did not come back: what stands behind that was not run.\n")
	}
	var known []string
	for i := range r.Results {
		result := &r.Results[i]
		switch ruling, why := terms.Rule(result); ruling {
		case Wrong:
			markdownFailure(&b, result, why)
		case Known:
			known = append(known, fmt.Sprintf("- `%s`: %s", result.Name, plain(printable(why))))
		}
	}
	if len(known) > 0 {
		fmt.Fprintf(&b, "\n## Known failures\n\n%s\n", strings.Join(known, "\n"))
	}
	_, err := w.Write(b.Bytes())
	return err
}

func markdownHead(b *bytes.Buffer, r *conformance.Report) {
	t := &r.Target
	fmt.Fprintf(b, "%s over %s, %s, %s.\n\n", plain(t.Role), plain(t.Protocol), plain(printable(r.Suite)), date(r))
	for _, line := range [][2]string{{"Address", t.Address}, {"Command", t.Command}} {
		if line[1] != "" {
			fmt.Fprintf(b, "- %s: %s\n", line[0], code(line[1]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.Facts)) {
		fmt.Fprintf(b, "- %s: %s\n", plain(printable(name)), plain(printable(t.Facts[name])))
	}
	b.WriteString("\n")
}

func markdownFailure(b *bytes.Buffer, r *conformance.Result, why string) {
	fmt.Fprintf(b, "\n## `%s`: %s (%s)\n\n", r.Name, r.Outcome, r.Level)
	fmt.Fprintf(b, "> %s (%s)\n\n", plain(printable(r.Quote)), plain(printable(r.Source)))
	if why != "" {
		fmt.Fprintf(b, "%s\n\n", plain(printable(why)))
	}
	for _, line := range sentences(r) {
		fmt.Fprintf(b, "- %s: %s\n", line[0], plain(line[1]))
	}
	if len(r.Wire) == 0 {
		return
	}
	b.WriteString("\n<details><summary>Wire log</summary>\n\n```text\n")
	var wire bytes.Buffer
	dump(&wire, clip(r.Wire, textLimit), "")
	b.WriteString(strings.ReplaceAll(wire.String(), "```", "'''"))
	b.WriteString("```\n\n</details>\n")
}

var markup = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "|", `\|`,
	"#", `\#`, "~", `\~`, "<", "&lt;", ">", "&gt;", "&", "&amp;")

// plain is s without anything that Markdown acts upon.
func plain(s string) string { return markup.Replace(s) }

// code is s in a fence of backticks.
func code(s string) string { return "`" + strings.ReplaceAll(printable(s), "`", "'") + "`" }
