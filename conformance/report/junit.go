package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gangway-go/gangway/conformance"
)

// The elements of JUnit's XML, as junit-10.xsd of Jenkins has them.
type junitSuites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Time     string   `xml:"time,attr"`
	Suites   []junitSuite
}

type junitSuite struct {
	XMLName    xml.Name        `xml:"testsuite"`
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	XMLName xml.Name     `xml:"testcase"`
	Name    string       `xml:"name,attr"`
	Class   string       `xml:"classname,attr"`
	Group   string       `xml:"group,attr"`
	Time    string       `xml:"time,attr"`
	Skipped *junitReason `xml:"skipped"`
	Error   *junitReason `xml:"error"`
	Failure *junitReason `xml:"failure"`
	Out     string       `xml:"system-out,omitempty"`
}

type junitReason struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// writeJUnit writes one testsuite for the target. The level of a case is its group, for a testcase has no properties
// there.
func writeJUnit(w io.Writer, r *conformance.Report, terms *Terms) error {
	s := junitSuite{
		Name: title(&r.Target), Tests: len(r.Results), Time: seconds(r.Ended.Sub(r.Started)),
		Timestamp: r.Started.UTC().Format("2006-01-02T15:04:05"), Properties: junitProperties(r),
	}
	for i := range r.Results {
		c := newJUnitCase(&r.Results[i], terms)
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
		s.Cases = append(s.Cases, c)
	}
	all := junitSuites{Name: printable(r.Suite), Tests: s.Tests, Failures: s.Failures, Errors: s.Errors, Time: s.Time,
		Suites: []junitSuite{s}}
	text, err := xml.MarshalIndent(all, "", " ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}

func junitProperties(r *conformance.Report) []junitProperty {
	t := &r.Target
	properties := []junitProperty{{"suite", r.Suite}, {"role", t.Role}, {"protocol", t.Protocol}, {"address", t.Address},
		{"version", t.Version}, {"command", t.Command}}
	for _, name := range slices.Sorted(maps.Keys(t.Facts)) {
		properties = append(properties, junitProperty{name, t.Facts[name]})
	}
	for i, p := range properties {
		properties[i] = junitProperty{printable(p.Name), printable(p.Value)}
	}
	return slices.DeleteFunc(properties, func(p junitProperty) bool { return p.Value == "" })
}

func newJUnitCase(r *conformance.Result, terms *Terms) junitCase {
	c := junitCase{Name: r.Name, Class: className(r.Name), Group: string(r.Level), Time: seconds(r.Duration)}
	ruling, why := terms.Rule(r)
	reason := &junitReason{Type: string(r.Outcome), Message: printable(strings.TrimPrefix(why+": "+r.Got, ": "))}
	switch {
	case ruling == Wrong && r.Outcome == conformance.SuiteError:
		c.Error = reason
	case ruling == Wrong:
		c.Failure = reason
	case ruling == Known, r.Outcome == conformance.Skip, r.Outcome == conformance.DependencyFailed:
		c.Skipped = reason
	case r.Outcome != conformance.Pass:
		c.Out = string(r.Outcome) + ": " + reason.Message
	}
	if ruling == Wrong {
		var text bytes.Buffer
		textDetails(&text, r, "")
		reason.Text = text.String()
	}
	return c
}

// className is PROTOCOL.SECTION, with the dots of the section as underscores: build servers cut at dots.
func className(name string) string {
	protocol, rest, _ := strings.Cut(name, "/")
	section, _, _ := strings.Cut(rest, "/")
	return protocol + "." + strings.ReplaceAll(section, ".", "_")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
