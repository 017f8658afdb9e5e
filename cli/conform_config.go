package cli

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/conformance/server"
)

func conformConfigCommand(std streams) *cli.Command {
	return &cli.Command{
		Name:      "config",
		Usage:     "configure a well-known web server for the suite",
		UsageText: "gangway conform config SERVER --listen URL | --cgi-dir DIR [flags]",
		Description: "Servers: " + strings.Join(server.Servers(), ", ") + ". The configuration and what it names are " +
			"written into a " +
			"folder.\nThe configuration is printed, and on standard error how to start the server and to test it.",
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Usage: "`URL` where the server is to expect its application: " +
				"fcgi|scgi|uwsgi://HOST:PORT or +unix://PATH"},
			&cli.StringFlag{Name: "cgi-dir", Usage: "`DIR` whose programs it is to run at /cgi-bin (apache, lighttpd)"},
			&cli.StringFlag{Name: "http", Value: "127.0.0.1:8080", Usage: "`HOST:PORT` where the server is to listen"},
			&cli.StringFlag{Name: "tls", Usage: "`HOST:PORT` where it is to listen for https"},
			&cli.StringFlag{Name: "dir", Usage: "`DIR` for the files (default: conform-SERVER)"},
			&cli.DurationFlag{Name: "app-timeout", Value: 3 * time.Second,
				Usage: "`TIME` that it is to give a silent application"},
			&cli.BoolFlag{Name: "close-conns", Usage: "connections to the application are not to be kept"},
		},
		Action: func(c *cli.Context) error {
			listen, cgi := c.String("listen"), c.String("cgi-dir")
			switch {
			case c.NArg() != 1 || (listen == "") == (cgi == ""):
				return usage("write gangway conform config SERVER --listen URL, or --cgi-dir DIR; there are %s",
					strings.Join(server.Servers(), ", "))
			case cgi == "" && !strings.Contains(listen, "://"):
				return usage("--listen %q is no URL such as fcgi://127.0.0.1:9000", listen)
			}
			return configure(c, std, c.Args().First())
		},
	}
}

func configure(c *cli.Context, std streams, name string) error {
	dir := c.String("dir")
	if dir == "" {
		dir = "conform-" + name
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	app, where := c.String("listen"), []string{"--listen", c.String("listen")}
	if app == "" {
		programs, err := filepath.Abs(c.String("cgi-dir"))
		if err != nil {
			return err
		}
		app, where = "cgi:"+programs, []string{"--cgi-dir", programs}
	}
	s := server.Setup{
		Dir: dir, HTTP: c.String("http"), TLS: c.String("tls"), App: app, Timeout: c.Duration("app-timeout"),
		CloseConns: c.Bool("close-conns"),
	}
	made, err := s.Configure(name)
	if err != nil {
		return usage("%w", err)
	}
	fmt.Fprint(std.out, made.Text)
	target := s.Target()
	test := append([]string{"conform", "server", target.URL}, where...)
	test = append(test, "--app-timeout", target.Timeout.String(), "--error-log", target.ErrorLog, "--name", name,
		"--target-config", made.File)
	if target.Secure != "" {
		test = append(test, "--secure", target.Secure)
	}
	fmt.Fprintf(std.err, "start: %s\n", strings.Join(shellWords(made.Command), " "))
	fmt.Fprintf(std.err, "test:  gangway %s\n", strings.Join(shellWords(test), " "))
	return nil
}
