package cli

import (
	"slices"
	"time"

	"github.com/urfave/cli/v2"
)

// mappingFlags divide the path of a request; their names are those of [open.AppOptions].
func mappingFlags() []cli.Flag {
	const category = "Path and script"
	return slices.Concat([]cli.Flag{
		&cli.StringFlag{Name: "prefix", Category: category, Usage: "`/PATH` that becomes SCRIPT_NAME"},
	}, mountMappingFlags(), []cli.Flag{
		&cli.StringSliceFlag{Name: "index", Category: category, Usage: "`FILE` for a folder (default: index.php, index.html)"},
		&cli.StringSliceFlag{Name: "ext", Category: category, Usage: "`.EXT` of scripts; other files are sent as they are " +
			"(default: .php)"},
		&cli.BoolFlag{Name: "static", Category: category, Usage: "with --script, send existing files that are no scripts"},
	})
}

// appFlags say what applications are told and how they are run.
func appFlags() []cli.Flag {
	const category = "Applications"
	return []cli.Flag{
		varFlag(),
		&cli.StringSliceFlag{Name: "run", Category: category, Usage: "`.EXT=PROGRAM` that runs CGI programs so named"},
		&cli.BoolFlag{Name: "follow-symlinks", Category: category, Usage: "let symbolic links lead out of a folder"},
	}
}

func varFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "var", Category: "Applications",
		Usage: "`NAME=VALUE`, a variable that wins over every other"}
}

// listenerFlags are those of serve and bridge.
func listenerFlags() []cli.Flag {
	const listeners, requests = "Listeners", "Requests"
	return []cli.Flag{
		&cli.StringFlag{Name: "cert", Category: listeners, Usage: "PEM `FILE` with the certificate for https"},
		&cli.StringFlag{Name: "key", Category: listeners, Usage: "PEM `FILE` with its key"},
		&cli.StringFlag{Name: "http", Category: listeners, Value: "own", Usage: "`own|net`: who reads HTTP/1 without TLS, " +
			"gangway or Go's net/http"},
		&cli.StringFlag{Name: "socket-mode", Category: listeners, Usage: "`MODE` of Unix sockets, such as 0660"},
		&cli.StringFlag{Name: "socket-owner", Category: listeners, Usage: "`USER:GROUP` of Unix sockets"},
		&cli.StringFlag{Name: "status", Category: listeners, Usage: "`URL` of an http listener that tells of connections, " +
			"requests and limits: JSON at /, for Prometheus at /metrics"},
		&cli.DurationFlag{Name: "grace", Category: listeners, Value: 10 * time.Second,
			Usage: "`TIME` for requests under way when gangway is stopped"},

		&cli.StringSliceFlag{Name: "mount", Category: requests, Usage: "`[HOST]/PREFIX=URL`, another application beneath " +
			"/PREFIX"},
		&cli.StringSliceFlag{Name: "body", Category: requests, Usage: "`MODE` of request bodies, or [HOST]/PREFIX=MODE for " +
			"one of --mount: auto collects those of slow clients before the application is asked, spool all of them, " +
			"stream none"},
		&cli.StringSliceFlag{Name: "limit", Category: requests, Usage: "`NAME=VALUE`; \"gangway help limits\" lists them"},
		&cli.StringFlag{Name: "auth-basic", Category: requests, Usage: "ask for a password of this htpasswd `FILE`"},
		&cli.StringFlag{Name: "auth-digest", Category: requests, Usage: "ask for a password of this htdigest `FILE`"},
		&cli.StringFlag{Name: "auth-realm", Category: requests, Value: "gangway", Usage: "`NAME` of what passwords protect"},
		&cli.StringSliceFlag{Name: "sendfile", Category: requests, Usage: "`DIR` whose files X-Sendfile may name"},
		&cli.StringSliceFlag{Name: "accel", Category: requests, Usage: "`/PREFIX=DIR` for X-Accel-Redirect"},
		&cli.StringFlag{Name: "explain", Category: requests, Usage: "print which variables a request for `/PATH`, " +
			"HOST/PATH or http://HOST/PATH gets and why, and exit"},

		&cli.StringFlag{Name: "access-log", Category: "Logs", Usage: "`FILE`, or - for standard output"},
		&cli.StringFlag{Name: "log-format", Category: "Logs", Value: "text", Usage: "`text|json` on standard error"},
		&cli.StringFlag{Name: "log-level", Category: "Logs", Value: "info", Usage: "`debug|info|warn|error`"},
	}
}
