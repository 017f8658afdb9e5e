package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/internal/sockio"
)

func callCommand(std streams) *cli.Command {
	return &cli.Command{
		Name:            "call",
		Usage:           "ask an application and print its answer",
		UsageText:       "gangway call URL [PATH] [flags]",
		Description:     callHelp,
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "request", Usage: "`METHOD` (default: GET, or POST with --data)"},
			&cli.StringSliceFlag{Name: "header", Usage: "`'NAME: VALUE'`; may repeat"},
			&cli.StringFlag{Name: "data", Usage: "`BODY`, @FILE, or @- for standard input"},
			&cli.StringFlag{Name: "role", Value: "responder", Usage: "`responder|authorizer|filter` of FastCGI"},
			&cli.StringFlag{Name: "filter-data", Usage: "`FILE` that a filter gets"},
			&cli.BoolFlag{Name: "include", Usage: "print status and header too"},
			&cli.BoolFlag{Name: "verbose", Usage: "trace what is sent and received to standard error"},
			&cli.DurationFlag{Name: "timeout", Value: 30 * time.Second, Usage: "`TIME` for the whole answer"},
		}, mappingFlags(), appFlags()),
		Action: func(c *cli.Context) error { return call(c, std) },
	}
}

const callHelp = `a script of php-fpm:
   gangway call --root /srv/www --include fcgi+unix:///run/php/php-fpm.sock /index.php

a health check:
   gangway call scgi://127.0.0.1:4000 /health || echo "exit code $?"

Applications: ` + open.AppForms + `.

The body goes to standard output, what the application writes to its error stream to standard error. Exit codes:
0  a complete answer below 400
4  a complete answer with a status of 4xx
5  a complete answer with a status of 5xx
3  no connection
6  the protocol broken, or an answer cut short
7  time-out
2  a wrong command line
1  anything else`

// A caller is one call.
type caller struct {
	std     streams
	diag    *diagnostics
	include bool
	verbose bool
	fastCGI bool // what verbose traces are records

	connected atomic.Bool
	refused   atomic.Bool // a connection could not be made
}

func call(c *cli.Context, std streams) error {
	if c.NArg() < 1 || c.NArg() > 2 {
		return usage("write gangway call URL [PATH]; the URL is the application's, such as fcgi://127.0.0.1:9000")
	}
	if limit := c.Duration("timeout"); limit <= 0 {
		return usage("--timeout %v: write a time above 0, such as 30s", limit)
	}
	diag := &diagnostics{w: std.err}
	defer diag.end()
	std.err = wholeLines{diag}
	slog.SetDefault(slog.New(slog.NewTextHandler(std.err, nil)))
	x := &caller{std: std, diag: diag, include: c.Bool("include"), verbose: c.Bool("verbose")}
	o, err := appOptions(c)
	if err != nil {
		return err
	}
	m, err := readMappings(c, nil)
	if err != nil {
		return err
	}
	addMapping(c, m, &o)
	o.Dial, o.Timeout = x.dial, -1 // for there is --timeout
	app, err := open.Open(c.Args().First(), o)
	if err != nil {
		return err
	}
	x.fastCGI = app.Address.Scheme == "fcgi"
	req, closeFiles, err := callRequest(c, std, app.Address)
	if err != nil {
		return err
	}
	defer closeFiles()
	interrupted, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	defer stop()
	ctx, cancel := context.WithTimeout(interrupted, c.Duration("timeout"))
	defer cancel()
	defer app.Close(ctx)
	if err := app.Start(ctx); err != nil {
		return fmt.Errorf("%s: %w; run the command by hand to see why", app.Address, err)
	}
	return x.ask(ctx, app, req)
}

// ask sends the request and prints the answer.
func (x *caller) ask(ctx context.Context, app *open.App, req *adapters.Request) error {
	req.Stderr = x.diag
	if x.include {
		req.Informational = x.printHeader
	}
	backend := app.Backend
	if x.verbose && app.Address.Network == "" {
		backend = x.traceVars(backend)
	}
	resp, err := app.Map(backend).Serve(ctx, req)
	if err != nil {
		return x.failed(ctx, err)
	}
	defer resp.Body.Close()
	if x.include {
		if err := x.printHeader(resp.Status, resp.Header); err != nil {
			return err
		}
	}
	if err := x.printBody(ctx, req, resp); err != nil {
		return err
	}
	switch {
	case resp.Status >= 500:
		return &failure{code: exitServerError}
	case resp.Status >= 400:
		return &failure{code: exitClientError}
	}
	return nil
}

func (x *caller) printHeader(status int, h adapters.Header) error {
	text := fmt.Sprintf("HTTP/1.1 %d %s\n", status, http.StatusText(status))
	for _, f := range h {
		text += f.Name + ": " + f.Value + "\n"
	}
	_, err := io.WriteString(x.std.out, text+"\n")
	return err
}

// printBody copies the body, which must be as long as the header says.
func (x *caller) printBody(ctx context.Context, req *adapters.Request, resp *adapters.Response) error {
	if !adapters.BodyAllowed(req.Method, resp.Status) {
		adapters.Drain(resp.Body, math.MaxInt64)
		return nil
	}
	out := &output{Writer: x.std.out}
	n, err := adapters.Copy(out, resp.Body)
	switch {
	case out.err != nil:
		return fmt.Errorf("standard output: %w", out.err)
	case err != nil:
		return x.failed(ctx, err)
	}
	length, err := adapters.ParseLength(resp.Header.Get("Content-Length"))
	if err == nil && length != n {
		return x.failed(ctx, fmt.Errorf("%w: %d bytes instead of %d", adapters.ErrTruncated, n, length))
	}
	return nil
}

// Diagnostics are what the application writes to its error stream, whose last line ends in any case.
type diagnostics struct {
	mu   sync.Mutex
	w    io.Writer
	open bool // the last line
}

func (d *diagnostics) Write(b []byte) (int, error) { return d.add(b, false) }

func (d *diagnostics) end() { d.add(nil, true) }

// add writes b, apart at the beginning of a line.
func (d *diagnostics) add(b []byte, apart bool) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if apart && d.open {
		d.open = false
		io.WriteString(d.w, "\n")
	}
	if len(b) == 0 {
		return 0, nil
	}
	d.open = b[len(b)-1] != '\n'
	return d.w.Write(b)
}

// wholeLines are what gangway writes among diagnostics.
type wholeLines struct{ among *diagnostics }

func (l wholeLines) Write(b []byte) (int, error) { return l.among.add(b, true) }

// An output tells its own errors from those of what is written to it.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	o.err = err
	return n, err
}

// failed returns the failure for a request that has no complete answer.
func (x *caller) failed(ctx context.Context, err error) error {
	is := func(kinds ...error) bool {
		return slices.ContainsFunc(kinds, func(kind error) bool { return errors.Is(err, kind) })
	}
	code := exitFailure
	switch status := adapters.StatusOf(err); {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		code = exitTimeout
	case ctx.Err() != nil:
		err = errors.New("interrupted")
	case x.refused.Load() && !x.connected.Load():
		code = exitNoConnection
	case is(adapters.ErrTimeout):
		code = exitTimeout
	case status == http.StatusInternalServerError: // what could not be started: no fault of the protocol
	case is(adapters.ErrTruncated, adapters.ErrBadResponse, adapters.ErrUnreachable):
		code = exitProtocol
	case is(adapters.ErrBusy):
		code = exitServerError
	case status >= 400 && status < 500: // what a web server would answer without asking the application
		code = exitClientError
	}
	return &failure{code, err}
}

// dial notes whether there was a connection, and traces what goes through it.
func (x *caller) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		x.refused.Store(true)
		return nil, sockio.NoSocket(address, err)
	}
	x.connected.Store(true)
	if x.verbose {
		conn = traced(conn, x.std.err, x.fastCGI)
	}
	return conn, nil
}
