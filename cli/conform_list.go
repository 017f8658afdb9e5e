package cli

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/app"
	echoes "github.com/gangway-go/gangway/conformance/echo"
	"github.com/gangway-go/gangway/conformance/report"
	scripts "github.com/gangway-go/gangway/conformance/script"
	"github.com/gangway-go/gangway/conformance/server"
)

func conformListCommand(std streams) *cli.Command {
	return &cli.Command{
		Name:            "list",
		Usage:           "list the cases",
		UsageText:       "gangway conform list [app|server|script] [SELECTOR...]",
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Action:          func(c *cli.Context) error { return listCases(std, c.Args().Slice()) },
	}
}

func listCases(std streams, selectors []string) error {
	cases := allCases()
	if len(selectors) > 0 {
		roles := map[string]func() []conformance.Case{"app": app.Cases, "server": server.Cases, "script": scripts.Cases}
		if ofRole := roles[selectors[0]]; ofRole != nil {
			cases, selectors = ofRole(), selectors[1:]
		}
	}
	selected, err := conformance.Select(cases, selectors)
	if err != nil {
		return conformError(err)
	}
	columns := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	for i := range selected {
		fmt.Fprintf(columns, "%s\t%s\t%s\n", selected[i].Name, selected[i].Level, selected[i].Source())
	}
	fmt.Fprintf(columns, "%d cases; %d if those that differ only in a value count once\n",
		len(selected), conformance.Count(selected))
	return columns.Flush()
}

func conformMatrixCommand(std streams) *cli.Command {
	return &cli.Command{
		Name:            "matrix",
		Usage:           "make one HTML page of many reports",
		UsageText:       "gangway conform matrix FILE... [flags]",
		Description:     "The FILEs are reports as JSON or JSON lines. In the page each is a column, and each case a row.",
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Usage: "`FILE` (default: standard output)"},
			&cli.BoolFlag{Name: "withhold", Usage: "leave the cases of level security out"},
		},
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return usage("write gangway conform matrix FILE..., with reports of --format json")
			}
			var reports []*conformance.Report
			for _, path := range c.Args().Slice() {
				r, err := readReport(path)
				if err != nil {
					return usage("%w", err)
				}
				if c.Bool("withhold") {
					r = report.Withhold(r)
				}
				reports = append(reports, r)
			}
			slices.SortStableFunc(reports, func(a, b *conformance.Report) int {
				return cmp.Compare(a.Target.Role, b.Target.Role)
			})
			o := conformReport{path: c.String("output")}
			f, err := o.open(std)
			if err != nil {
				return err
			}
			buffered := bufio.NewWriter(f)
			return errors.Join(report.Matrix(buffered, reports), buffered.Flush(), f.Close())
		},
	}
}

func conformEchoCommand(std streams) *cli.Command {
	return &cli.Command{
		Name:            "echo",
		Usage:           "print the echo application in a language",
		UsageText:       "gangway conform echo LANGUAGE [--output FILE]",
		Description:     "Languages: " + strings.Join(echoes.Languages(), ", ") + ". Its first lines say how to run it.",
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Usage: "`FILE`, made executable (default: standard output)"},
		},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usage("write gangway conform echo LANGUAGE; there are %s", strings.Join(echoes.Languages(), ", "))
			}
			_, text, err := echoes.Source(c.Args().First())
			if err != nil {
				return usage("%w", err)
			}
			if path := c.String("output"); path != "" {
				return os.WriteFile(path, text, 0o755)
			}
			_, err = std.out.Write(text)
			return err
		},
	}
}
