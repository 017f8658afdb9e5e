package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/report"
)

// A conformReport is a report that was asked for.
type conformReport struct {
	format, path string // the path is empty for standard output

	// JSON lines are written while the run goes on.
	file  io.WriteCloser
	lines *report.Lines
	err   error
}

// linesFormat is the format that is written while the run goes on.
const linesFormat = "jsonl"

func parseOutputs(c *cli.Context) ([]conformReport, error) {
	outputs := []conformReport{{format: c.String("format"), path: c.String("output")}}
	for _, arg := range c.StringSlice("report") {
		format, path, _ := strings.Cut(arg, "=")
		if path == "" {
			return nil, usage("--report %q: write FORMAT=FILE", arg)
		}
		outputs = append(outputs, conformReport{format: format, path: path})
	}
	for _, o := range outputs {
		if !slices.Contains(report.Formats(), o.format) {
			return nil, usage("there is no format %q, but %s", o.format, strings.Join(report.Formats(), ", "))
		}
		if dir, err := os.Stat(filepath.Dir(o.path)); err != nil || !dir.IsDir() { // known before the run, not after it
			return nil, usage("there is no folder for the report in %s", o.path)
		}
	}
	return outputs, nil
}

// open opens the file, or standard output.
func (o *conformReport) open(std streams) (io.WriteCloser, error) {
	if o.path == "" {
		return keptOpen{std.out}, nil
	}
	return os.Create(o.path)
}

// keptOpen is a writer that is not closed.
type keptOpen struct{ io.Writer }

func (keptOpen) Close() error { return nil }

// result writes a result if the format is written while the run goes on.
func (o *conformReport) result(x *conformRun, r conformance.Result) {
	if o.format != linesFormat || x.c.Bool("withhold") || o.err != nil {
		return
	}
	if o.lines == nil {
		if o.file, o.err = o.open(x.std); o.err != nil {
			return
		}
		o.lines, o.err = report.NewLines(o.file, &conformance.Report{
			Suite: suiteName(), Target: x.subject(), Started: time.Now().Add(-r.Duration),
		})
	}
	if o.err == nil {
		o.err = o.lines.Result(r)
	}
}

// write writes the report, or its end.
func (o *conformReport) write(std streams, r *conformance.Report, terms *report.Terms) error {
	if o.lines != nil && o.err == nil {
		o.err = o.lines.End(r)
	}
	if o.file != nil {
		return errors.Join(o.err, o.file.Close())
	}
	if o.err != nil {
		return o.err
	}
	f, err := o.open(std)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriter(f)
	return errors.Join(report.Write(buffered, o.format, r, terms), buffered.Flush(), f.Close())
}

// write writes all reports, those on standard output last.
func (x *conformRun) write(r *conformance.Report) error {
	if x.c.Bool("withhold") {
		r = report.Withhold(r)
	}
	slices.SortStableFunc(x.outputs, func(a, b conformReport) int { return strings.Compare(b.path, a.path) })
	var failed error
	for i := range x.outputs {
		if err := x.outputs[i].write(x.std, r, &x.terms); err != nil {
			failed = errors.Join(failed, fmt.Errorf("the report in %s: %w", x.outputs[i].format, err))
		}
	}
	return failed
}
