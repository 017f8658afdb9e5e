package cli

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/app"
	"github.com/gangway-go/gangway/conformance/report"
	scripts "github.com/gangway-go/gangway/conformance/script"
	"github.com/gangway-go/gangway/conformance/server"
)

// The exit codes of conform beside exitFailure and exitUsage.
const (
	exitUnreachable = 3 // the target does not answer
	exitCrashed     = 4 // the target died
)

func conformCommand(std streams) *cli.Command {
	commands := []*cli.Command{
		conformAppCommand(std), conformServerCommand(std), conformScriptCommand(std),
		conformListCommand(std), conformExplainCommand(std), conformReplayCommand(std), conformMatrixCommand(std),
		conformEchoCommand(std), conformConfigCommand(std),
	}
	var usages []string
	for _, command := range commands {
		usages = append(usages, fmt.Sprintf("%-80s %s", command.UsageText, command.Usage))
	}
	return &cli.Command{
		Name:            "conform",
		Usage:           "find out whether a program keeps to CGI, FastCGI, SCGI or uwsgi",
		UsageText:       strings.Join(usages, "\n"),
		Description:     conformHelp,
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Subcommands:     commands,
	}
}

const conformHelp = `an application; the cases about what it sees need the echo application of "conform echo":
   gangway conform app fcgi+unix:///run/php/php-fpm.sock --script /srv/www/echo.php

a web server, with the suite as the application behind it:
   gangway conform config nginx --listen fcgi://127.0.0.1:9000
   gangway conform server http://127.0.0.1:8080 --listen fcgi://127.0.0.1:9000

a CGI program:
   gangway conform script ./hello.cgi

a part of the cases, and without some:
   gangway conform app fcgi://127.0.0.1:9000 fcgi/3.3 level=MUST '!fcgi/3.3/stdin-*'

in a build, where only what gets worse fails:
   gangway conform app fcgi://127.0.0.1:9000 --baseline last.json --report junit=conform.xml --report json=now.json

SELECTOR is the name of a case, a beginning of names, a pattern with *, or level=LEVEL; with ! in front it takes away.
Names add up, and so do levels; with both, only what is one of the names and of one of the levels is run. One that selects
nothing is an error. Levels, from the gravest: security, MUST, robustness, SHOULD, MAY.

Exit codes: 0  everything is right
1  failures (see --fail-level, --baseline and --expect-fail), or interrupted (^C, --total)
2  a wrong command line, or nothing selected
3  the target does not answer
4  the target died; the report says of what`

func conformAppCommand(std streams) *cli.Command {
	return &cli.Command{
		Name:      "app",
		Usage:     "test an application: the suite is the web server",
		UsageText: "gangway conform app URL [SELECTOR...] [flags]",
		Description: "URL: fcgi|scgi|uwsgi://HOST:PORT, +unix://PATH, or +exec:COMMAND, which gets a listening socket as " +
			"descriptor 0, and no output unless it says >/dev/null 2>&1 or the like",
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "script", Category: targetFlags, Usage: "`FILE` that is sent as SCRIPT_FILENAME"},
			conformVarFlag(),
			&cli.IntFlag{Name: "pid", Category: targetFlags, DefaultText: "unknown",
				Usage: "`PID` of the application, to see what it uses"},
			restartFlag(),
		}, conformFlags()),
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return usage("write gangway conform app URL, such as fcgi://127.0.0.1:9000")
			}
			target := app.New(c.Args().First())
			if err := target.Err(); err != nil {
				return usage("%w", err)
			}
			target.Script, target.Vars, target.PID = c.String("script"), c.StringSlice("var"), c.Int("pid")
			target.RestartCommand = c.String("restart")
			defer target.Close()
			return conform(c, std, target, target.Cases())
		},
	}
}

func conformScriptCommand(std streams) *cli.Command {
	return &cli.Command{
		Name:            "script",
		Usage:           "test a CGI program: the suite runs it",
		UsageText:       "gangway conform script FILE [SELECTOR...] [flags]",
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Flags: slices.Concat([]cli.Flag{
			conformVarFlag(),
			&cli.StringSliceFlag{Name: "arg", Category: targetFlags, Usage: "`ARGUMENT` that the program gets first"},
			&cli.StringFlag{Name: "dir", Category: targetFlags, Usage: "working `DIR` (default: that of the program)"},
			&cli.StringFlag{Name: "url", Category: targetFlags, Usage: "`PATH_INFO?QUERY` of a plain request"},
			&cli.StringSliceFlag{Name: "trigger", Category: targetFlags, Usage: "`NAME=PATH_INFO?QUERY` that brings about a " +
				"local-redirect, client-redirect, redirect-with, failure or fetch"},
		}, conformFlags()),
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return usage("write gangway conform script FILE")
			}
			target := scripts.New(c.Args().First())
			target.Env, target.Args = c.StringSlice("var"), c.StringSlice("arg")
			target.Dir, target.URL, target.Triggers = c.String("dir"), c.String("url"), map[string]string{}
			for _, trigger := range c.StringSlice("trigger") {
				name, url, ok := strings.Cut(trigger, "=")
				if !ok {
					return usage("--trigger %q: write NAME=PATH_INFO?QUERY", trigger)
				}
				target.Triggers[name] = url
			}
			if err := startable(c.Args().First()); err != nil {
				return &failure{exitUnreachable, err}
			}
			return conform(c, std, target, scripts.Cases())
		},
	}
}

// startable reports why a program cannot be started, as far as that can be seen.
func startable(file string) error {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return fmt.Errorf("%s: no such file: create it, or correct the path", file)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file", file)
	case runtime.GOOS != "windows" && info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is not executable: chmod +x it", file)
	}
	return nil
}

// The categories of flags.
const (
	targetFlags = "Target"
	caseFlags   = "Cases"
	reportFlags = "Reports"
)

func conformVarFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "var", Category: targetFlags,
		Usage: "`NAME=VALUE`, a variable to send with every request"}
}

func restartFlag() cli.Flag {
	return &cli.StringFlag{Name: "restart", Category: targetFlags, Usage: "`COMMAND` that brings a dead target back"}
}

// conformFlags are those of each role.
func conformFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "name", Category: targetFlags, Usage: "`NAME` of the target in reports"},
		&cli.StringFlag{Name: "target-version", Category: targetFlags, Usage: "`VERSION` of the target in reports"},
		&cli.StringFlag{Name: "target-config", Category: targetFlags, Usage: "`FILE` with its configuration, for reports"},

		&cli.DurationFlag{Name: "timeout", Category: caseFlags, Value: time.Second,
			Usage: "`TIME` for an answer that is owed at once"},
		&cli.DurationFlag{Name: "total", Category: caseFlags, DefaultText: "no limit", Usage: "`TIME` for the whole run"},
		&cli.IntFlag{Name: "jobs", Category: caseFlags, DefaultText: "what the target bears",
			Usage: "at most `N` cases at once"},
		&cli.StringFlag{Name: "shard", Category: caseFlags, Usage: "only part `I/N` of the cases"},

		&cli.StringFlag{Name: "fail-level", Category: reportFlags, Value: string(conformance.Robustness),
			Usage: "the least grave `LEVEL` that fails the run"},
		&cli.StringFlag{Name: "baseline", Category: reportFlags,
			Usage: "JSON `FILE` of another run; what failed there does not count"},
		&cli.StringFlag{Name: "expect-fail", Category: reportFlags,
			Usage: "`FILE` with lines \"CASE # why\": the cases that have to fail"},
		&cli.StringFlag{Name: "format", Category: reportFlags, Value: "text",
			Usage: "`FORMAT`: " + strings.Join(report.Formats(), ", ")},
		&cli.StringFlag{Name: "output", Category: reportFlags, Usage: "`FILE` for it (default: standard output)"},
		&cli.StringSliceFlag{Name: "report", Category: reportFlags, Usage: "`FORMAT=FILE`, another report; may repeat"},
		&cli.BoolFlag{Name: "all-wire", Category: reportFlags, Usage: "keep the wire logs of cases that pass too"},
		&cli.BoolFlag{Name: "withhold", Category: reportFlags, Usage: "leave the cases of level security out of the reports"},
	}
}

// allCases are the cases of all roles.
func allCases() []conformance.Case {
	return slices.Concat(app.Cases(), server.Cases(), scripts.Cases())
}

// conformError gives an error of a run its exit code.
func conformError(err error) error {
	switch {
	case errors.Is(err, conformance.ErrSelector):
		return usage(`%w; "gangway conform list" lists the cases`, err)
	case errors.Is(err, report.ErrExpectations):
		return &failure{exitUsage, err}
	case errors.Is(err, conformance.ErrUnreachable):
		return &failure{exitUnreachable, fmt.Errorf("%w; no case was run", err)}
	}
	return err
}
