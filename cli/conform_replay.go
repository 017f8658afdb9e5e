package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/url"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/report"
)

func conformReplayCommand(std streams) *cli.Command {
	return &cli.Command{
		Name:            "replay",
		Usage:           "send again what a report says was sent",
		UsageText:       "gangway conform replay FILE --case CASE [--to URL] [flags]",
		Description:     "FILE is a report as JSON or JSON lines. What comes back is printed beside what came back then.",
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "case", Usage: "name of the `CASE`"},
			&cli.StringFlag{Name: "to", Usage: "`URL` of the target (default: where it was)"},
			&cli.DurationFlag{Name: "timeout", Value: time.Second, Usage: "`TIME` to wait for an answer"},
		},
		Action: func(c *cli.Context) error {
			x, events, err := newReplay(c, std)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
			defer stop()
			return x.run(ctx, events)
		},
	}
}

// A replay sends again what a wire log has.
type replay struct {
	std              streams
	network, address string // where to, if not where it was
	patience         time.Duration
	start            time.Time
	before           time.Duration // when the last event was
	conns            map[int]*replayed
}

// replayed is one connection, then and now.
type replayed struct {
	net.Conn
	then, now bytes.Buffer
	ended     string // how it ended now
}

func newReplay(c *cli.Context, std streams) (*replay, []conformance.Event, error) {
	if c.NArg() != 1 || c.String("case") == "" {
		return nil, nil, usage("write gangway conform replay FILE --case CASE")
	}
	r, err := readReport(c.Args().First())
	if err != nil {
		return nil, nil, usage("%w", err)
	}
	i := slices.IndexFunc(r.Results, func(r conformance.Result) bool { return r.Name == c.String("case") })
	switch {
	case i < 0:
		return nil, nil, usage("the report has no case %q", c.String("case"))
	case r.Target.Role == "script":
		return nil, nil, usage("a script is not replayed; run the case again")
	case len(r.Results[i].Wire) == 0:
		return nil, nil, usage("the report has no wire log of the case: cases that pass have one with --all-wire only")
	}
	if r.Target.Role == "server" {
		fmt.Fprintln(std.err, "gangway: conform replay: nobody is the application now, which matters where the server asked it")
	}
	x := &replay{std: std, patience: c.Duration("timeout"), start: time.Now(), conns: map[int]*replayed{}}
	if to := c.String("to"); to != "" {
		if x.network, x.address, err = dialAddress(to); err != nil {
			return nil, nil, err
		}
	}
	return x, r.Results[i].Wire, nil
}

// dialAddress splits the URL of a target.
func dialAddress(to string) (network, address string, err error) {
	if scheme, path, ok := strings.Cut(to, "+unix://"); ok && scheme != "" {
		return "unix", path, nil
	}
	u, err := url.Parse(to)
	if err != nil || u.Port() == "" {
		return "", "", usage("--to %q is neither SCHEME://HOST:PORT nor SCHEME+unix://PATH", to)
	}
	return "tcp", u.Host, nil
}

// run does what the suite did, and prints both what came then and what comes now.
func (x *replay) run(ctx context.Context, events []conformance.Event) error {
	defer func() {
		for _, conn := range x.conns {
			conn.Close()
		}
	}()
	for i := range events {
		if err := x.step(ctx, &events[i]); err != nil {
			return err
		}
		x.before = events[i].At
	}
	for id, conn := range x.conns {
		x.receive(conn, id, math.MaxInt, x.patience) // unless it was closed
	}
	differs := false
	for _, id := range slices.Sorted(maps.Keys(x.conns)) {
		conn := x.conns[id]
		then, now := conn.then.Bytes(), conn.now.Bytes()
		if bytes.Equal(then, now) {
			fmt.Fprintf(x.std.out, "connection %d: the same %d bytes as then%s\n", id, len(now), conn.ended)
			continue
		}
		differs = true
		same := 0
		for same < min(len(then), len(now)) && then[same] == now[same] {
			same++
		}
		fmt.Fprintf(x.std.out, "connection %d: %d bytes then, %d now, the first %d the same%s\n", id, len(then), len(now), same,
			conn.ended)
	}
	if differs {
		return &failure{code: exitFailure}
	}
	return nil
}

func (x *replay) step(ctx context.Context, e *conformance.Event) error {
	if e.Kind == conformance.Opened {
		return x.open(ctx, e)
	}
	conn := x.conns[e.Conn]
	if conn == nil {
		return nil // a note, or a connection that the target made
	}
	x.print("then", e)
	switch e.Kind {
	case conformance.Sent:
		if e.Size > len(e.Data) {
			return fmt.Errorf("the report has only %d of %d bytes that were sent", len(e.Data), e.Size)
		}
		conn.SetWriteDeadline(time.Now().Add(x.patience))
		if _, err := conn.Write(e.Data); err != nil {
			conn.ended = ", and then: " + err.Error()
		}
	case conformance.Received:
		conn.then.Write(e.Data)
		x.receive(conn, e.Conn, conn.then.Len()-conn.now.Len(), x.patience)
	case conformance.Ended, conformance.Broken:
		x.receive(conn, e.Conn, math.MaxInt, x.patience)
	case conformance.Closed:
		wait := e.At - x.before
		if wait > brief {
			wait = x.patience
		}
		x.receive(conn, e.Conn, math.MaxInt, wait)
		if half, ok := conn.Conn.(interface{ CloseWrite() error }); ok && len(e.Data) > 0 {
			half.CloseWrite()
		} else {
			conn.Close()
		}
	}
	return nil
}

// open opens a connection that the suite opened.
func (x *replay) open(ctx context.Context, e *conformance.Event) error {
	network, address, _ := strings.Cut(string(e.Data), " ")
	if network != "tcp" && network != "unix" {
		return nil
	}
	x.print("then", e)
	ctx, cancel := context.WithTimeout(ctx, x.patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, cmp.Or(x.network, network), cmp.Or(x.address, address))
	if err != nil {
		return &failure{exitUnreachable, err}
	}
	x.conns[e.Conn] = &replayed{Conn: conn}
	return nil
}

// brief is how long at most the suite does something else than to wait for the target.
const brief = 100 * time.Millisecond

// receive reads up to n bytes, for wait, and prints them.
func (x *replay) receive(conn *replayed, id, n int, wait time.Duration) {
	if n <= 0 || conn.ended != "" {
		return
	}
	conn.SetReadDeadline(time.Now().Add(wait))
	data, err := io.ReadAll(io.LimitReader(conn, int64(n)))
	conn.now.Write(data)
	if len(data) > 0 {
		x.print("now", &conformance.Event{At: time.Since(x.start), Conn: id, Kind: conformance.Received, Data: data})
	}
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		conn.ended = fmt.Sprintf(", and then nothing for %v", wait.Round(time.Millisecond))
	case err != nil:
		conn.ended = ", and then: " + err.Error()
	case len(data) < n:
		conn.ended = ", and then the end"
	}
}

func (x *replay) print(when string, e *conformance.Event) {
	fmt.Fprintf(x.std.out, "%-5s", when)
	report.Dump(x.std.out, []conformance.Event{*e}, dumpLimit)
}
