package cli

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/conformance/server"
)

func conformServerCommand(std streams) *cli.Command {
	return &cli.Command{
		Name:            "server",
		Usage:           "test a web server or gateway: the suite is the client and the application",
		UsageText:       "gangway conform server URL --listen URL | --cgi-dir DIR [SELECTOR...] [flags]",
		Description:     `The server has to be configured for it: "gangway conform config" prints how.`,
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "listen", Category: targetFlags, Usage: "`URL` where the server expects its application: " +
				"fcgi|scgi|uwsgi://HOST:PORT or +unix://PATH"},
			&cli.StringFlag{Name: "cgi-dir", Category: targetFlags,
				Usage: "`DIR` whose programs the server runs at /cgi-bin, or the path of URL; probes are put there"},
			&cli.StringFlag{Name: "secure", Category: targetFlags, Usage: "https `URL` of the same server"},
			&cli.StringFlag{Name: "socket", Category: targetFlags, Usage: "Unix socket `PATH` where the server takes HTTP too"},
			&cli.DurationFlag{Name: "app-timeout", Category: targetFlags, Value: 3 * time.Second,
				Usage: "`TIME` that the server gives a silent application"},
			&cli.StringFlag{Name: "error-log", Category: targetFlags, Usage: "`FILE` of the server"},
			&cli.IntFlag{Name: "pid", Category: targetFlags, Usage: "`PID` of the server"},
			&cli.StringSliceFlag{Name: "has", Category: targetFlags,
				Usage: "`ABILITY` that the server has, whatever the suite finds"},
			&cli.StringSliceFlag{Name: "lacks", Category: targetFlags, Usage: "`ABILITY` that it lacks"},
			restartFlag(),
		}, conformFlags()),
		Action: func(c *cli.Context) error {
			target, err := newServer(c)
			if err != nil {
				return err
			}
			defer target.Close()
			return conform(c, std, target, server.Cases())
		},
	}
}

func newServer(c *cli.Context) (*server.Target, error) {
	listen := c.String("listen")
	if dir := c.String("cgi-dir"); dir != "" && listen == "" {
		listen = "cgi:" + dir
	} else if (dir != "") == (listen != "") {
		return nil, usage("write either --listen URL, where the server expects its application, or --cgi-dir DIR")
	}
	if url := c.Args().First(); !strings.HasPrefix(url, "http://") {
		return nil, usage("write gangway conform server http://HOST:PORT; %q is no such URL", url)
	}
	if dir := c.String("cgi-dir"); dir != "" {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, usage("--cgi-dir %s: no such folder: create it, or correct the path", dir)
		}
	} else if !listenForm.MatchString(listen) {
		return nil, usage("--listen %s: write fcgi|scgi|uwsgi://HOST:PORT or +unix://PATH", listen)
	}
	if err := knownAbilities(slices.Concat(c.StringSlice("has"), c.StringSlice("lacks"))); err != nil {
		return nil, err
	}
	target := server.New(c.Args().First(), listen)
	target.Secure, target.Socket, target.ErrorLog = c.String("secure"), c.String("socket"), c.String("error-log")
	target.Timeout, target.PID = c.Duration("app-timeout"), c.Int("pid")
	target.Has, target.Lack = c.StringSlice("has"), c.StringSlice("lacks")
	if command := c.String("restart"); command != "" {
		target.RestartFunc = func(ctx context.Context) error { return exec.CommandContext(ctx, "sh", "-c", command).Run() }
	}
	return target, nil
}

// listenForm matches the addresses where the suite can be the application.
var listenForm = regexp.MustCompile(`^(fcgi|scgi|uwsgi)(://[^/]*:[0-9]+|\+unix://.+)$`)

// knownAbilities returns an error for those that no case needs.
func knownAbilities(given []string) error {
	var needs []string
	for _, c := range server.Cases() {
		needs = append(needs, c.Needs...)
	}
	slices.Sort(needs)
	for _, ability := range given {
		if !slices.Contains(needs, ability) {
			return usage("there is no ability %q, but %s", ability, strings.Join(slices.Compact(needs), ", "))
		}
	}
	return nil
}
