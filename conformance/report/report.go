// Package report writes the reports of conformance runs: as text for people at a terminal, as JSON (schema.json,
// version 1) and JSON lines for programs, as JUnit and TAP 13 for build servers, as Markdown, and as one HTML file with
// the matrix of peers and cases. It also says which results make a run fail. Begin with [Write] for one report and
// [Matrix] for several; [Read] gets a report back from its JSON, [Terms] holds the level, the baseline and the expected
// failures.
package report

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gangway-go/gangway/conformance"
)

// ErrFormat reports a format that Write does not know.
var ErrFormat = errors.New("report: no such format")

var writers = []struct {
	name  string
	write func(io.Writer, *conformance.Report, *Terms) error
}{
	{"text", writeText},
	{"json", writeJSON},
	{"jsonl", writeLines},
	{"junit", writeJUnit},
	{"tap", writeTAP},
	{"markdown", writeMarkdown},
	{"html", func(w io.Writer, r *conformance.Report, _ *Terms) error { return Matrix(w, []*conformance.Report{r}) }},
}

// Formats returns the names of the formats.
func Formats() []string {
	var names []string
	for _, w := range writers {
		names = append(names, w.name)
	}
	return names
}

// Write writes r in one of the Formats. The terms say what text, JUnit, TAP and Markdown call a failure; they may be
// nil. It returns an error that wraps ErrFormat for another format, and else only errors of w.
func Write(w io.Writer, format string, r *conformance.Report, terms *Terms) error {
	if terms == nil {
		terms = &Terms{}
	}
	for _, writer := range writers {
		if writer.name == format {
			return writer.write(w, r, terms)
		}
	}
	return fmt.Errorf("%w: %q; there are %s", ErrFormat, format, strings.Join(Formats(), ", "))
}

// Withhold returns the report without the results of level security, for publishing: which of them failed is nobody's
// business before it is repaired. The fact "withheld" says how many there were.
func Withhold(r *conformance.Report) *conformance.Report {
	public := *r
	public.Results, public.Target.Facts = nil, map[string]string{}
	all, failed := 0, 0
	for _, result := range r.Results {
		if result.Level != conformance.Security {
			public.Results = append(public.Results, result)
			continue
		}
		all++
		if result.Outcome.Bad() {
			failed++
		}
	}
	for name, value := range r.Target.Facts {
		public.Target.Facts[name] = value
	}
	if all > 0 {
		public.Target.Facts[withheld] = fmt.Sprintf("%d of %d cases of level security failed", failed, all)
	}
	return &public
}

const withheld = "withheld"

// title names the target in a line.
func title(s *conformance.Subject) string {
	name := s.Name
	if name == "" {
		name = s.Address
	}
	if s.Version != "" {
		name += " " + s.Version
	}
	return printable(name)
}

// printable returns s without what a terminal or a file of lines would act upon: s may come from the target.
func printable(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		c, n := utf8.DecodeRuneInString(s)
		switch {
		case c == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c < 0x80 && !unicode.IsPrint(c):
			fmt.Fprintf(&b, `\x%02x`, c)
		case !unicode.IsPrint(c):
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
		s = s[n:]
	}
	return b.String()
}

// sentences are the lines that explain a result: what was sent, expected, got and seen.
func sentences(r *conformance.Result) [][2]string {
	var lines [][2]string
	add := func(name, text string) {
		if text != "" {
			lines = append(lines, [2]string{name, printable(text)})
		}
	}
	if r.Sends != "" {
		add("sends", "The suite sends "+r.Sends)
	}
	if r.Expected != "" {
		add("expected", "The target "+r.Expected)
	}
	add("got", r.Got)
	for _, info := range r.Info {
		add("info", info)
	}
	return lines
}

// requirement is the sentence that is checked and where it stands.
func requirement(r *conformance.Result) string {
	return printable(r.Source) + ": " + printable(r.Quote)
}
