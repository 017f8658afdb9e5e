package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/report"
)

// A conformRun is one run of the suite.
type conformRun struct {
	c       *cli.Context
	std     streams
	target  conformance.Target
	cases   []conformance.Case
	options conformance.Options
	terms   report.Terms
	config  string

	outputs  []conformReport
	progress *report.Progress
}

// conform runs those of the cases that the arguments behind the first select, and writes the reports.
func conform(c *cli.Context, std streams, target conformance.Target, cases []conformance.Case) error {
	x := &conformRun{c: c, std: std, target: target}
	if err := x.prepare(cases); err != nil {
		return conformError(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal ends the process
	x.progress = report.NewProgress(std.err, len(x.cases), isTerminal(std.err))
	x.options.Done = x.result
	r, err := conformance.Run(ctx, target, x.cases, x.options)
	x.progress.End()
	switch {
	case err != nil && ctx.Err() != nil:
		return errors.New("interrupted before the first case")
	case err != nil:
		return conformError(err)
	}
	r.Suite, r.Target = suiteName(), x.subject()
	if r.Unrun > 0 {
		r.Target.Facts["interrupted"] = fmt.Sprintf("after %d of %d cases", len(x.cases)-r.Unrun, len(x.cases))
	}
	if err := x.write(r); err != nil {
		return err
	}
	if r.Unrun > 0 {
		return fmt.Errorf("interrupted %s; the reports have what was run", r.Target.Facts["interrupted"])
	}
	return x.verdict(r)
}

// prepare reads the flags.
func (x *conformRun) prepare(cases []conformance.Case) (err error) {
	c := x.c
	for _, v := range c.StringSlice("var") {
		if !strings.Contains(v, "=") {
			return usage("--var %q: write NAME=VALUE", v)
		}
	}
	if x.terms.Level, err = parseLevel(c.String("fail-level")); err != nil {
		return err
	}
	if x.outputs, err = parseOutputs(c); err != nil {
		return err
	}
	if err := x.readFiles(); err != nil {
		return err
	}
	if x.cases, err = conformance.Select(cases, c.Args().Tail()); err != nil {
		return err
	}
	if b := x.terms.Baseline; b != nil && !slices.ContainsFunc(b.Results, func(r conformance.Result) bool {
		return slices.ContainsFunc(x.cases, func(c conformance.Case) bool { return c.Name == r.Name })
	}) {
		return usage("the baseline has none of the cases; it is of a run with role %s", b.Target.Role)
	}
	if shard := c.String("shard"); shard != "" {
		var i, n int
		if _, err := fmt.Sscanf(shard, "%d/%d", &i, &n); err != nil || i < 1 || i > n || fmt.Sprintf("%d/%d", i, n) != shard {
			return usage("--shard %q: write I/N, such as 1/4", shard)
		}
		if x.cases = conformance.Shard(x.cases, i, n); len(x.cases) == 0 {
			return usage("--shard %s: there are fewer cases than parts", shard)
		}
	}
	if c.Duration("timeout") <= 0 || c.Duration("total") < 0 || c.Int("jobs") < 0 {
		return usage("--timeout has to be positive, --total and --jobs cannot be negative")
	}
	x.options = conformance.Options{
		Patience: c.Duration("timeout"), Total: c.Duration("total"), Jobs: c.Int("jobs"), AllWire: c.Bool("all-wire"),
	}
	return nil
}

func parseLevel(name string) (conformance.Level, error) {
	for _, level := range conformance.Levels {
		if strings.EqualFold(name, string(level)) {
			return level, nil
		}
	}
	return "", usage("--fail-level %q: there are %s", name, strings.Trim(fmt.Sprint(conformance.Levels), "[]"))
}

// readFiles reads the files that flags name.
func (x *conformRun) readFiles() error {
	if path := x.c.String("target-config"); path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return usage("--target-config: %w", err)
		}
		x.config = string(text)
	}
	if path := x.c.String("baseline"); path != "" {
		baseline, err := readReport(path)
		if err != nil {
			return usage("--baseline: %w", err)
		}
		x.terms.Baseline = baseline
	}
	path := x.c.String("expect-fail")
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return usage("--expect-fail: %w", err)
	}
	defer f.Close()
	x.terms.Expected, err = report.ReadExpectations(f, allCases())
	return err
}

func readReport(path string) (*conformance.Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := report.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// result takes each result when it is known.
func (x *conformRun) result(r conformance.Result) {
	x.progress.Done(r)
	for i := range x.outputs {
		x.outputs[i].result(x, r)
	}
}

// subject is what the target says of itself and the command line adds.
func (x *conformRun) subject() conformance.Subject {
	s := x.target.Subject()
	override := func(field *string, value string) {
		if value != "" {
			*field = value
		}
	}
	override(&s.Name, x.c.String("name"))
	override(&s.Version, x.c.String("target-version"))
	override(&s.Config, x.config)
	s.Command = commandLine()
	if s.Facts == nil {
		s.Facts = map[string]string{}
	}
	return s
}

func suiteName() string { return "gangway " + version() }

// commandLine is the command of this process as a shell takes it.
func commandLine() string { return "gangway " + strings.Join(shellWords(os.Args[1:]), " ") }

// shellWords quotes what a shell would act upon.
func shellWords(args []string) []string {
	const plain = "-_./:=,+@%"
	var words []string
	for _, arg := range args {
		if arg == "" || strings.ContainsFunc(arg, func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(plain, c)
		}) {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		words = append(words, arg)
	}
	return words
}

// verdict returns the failure that is the exit code; the reports have said the rest.
func (x *conformRun) verdict(r *conformance.Report) error {
	failures := x.terms.Failures(r)
	if r.Gone {
		return &failure{code: exitCrashed}
	}
	for i := range failures {
		if failures[i].Outcome == conformance.Crash {
			return &failure{code: exitCrashed}
		}
	}
	if len(failures) > 0 {
		return &failure{code: exitFailure}
	}
	return nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
