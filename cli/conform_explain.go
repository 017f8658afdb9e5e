package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/app"
	"github.com/gangway-go/gangway/conformance/faulty"
	"github.com/gangway-go/gangway/conformance/report"
	"github.com/gangway-go/gangway/conformance/server"
)

func conformExplainCommand(std streams) *cli.Command {
	return &cli.Command{
		Name:            "explain",
		Usage:           "say what a case checks, what it sends and what passes",
		UsageText:       "gangway conform explain CASE...",
		Description:     "Of one case the bytes are shown too, as they go to and fro with a peer that is right.",
		HideHelpCommand: true,
		OnUsageError:    usageError,
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return usage("write gangway conform explain CASE")
			}
			selected, err := conformance.Select(allCases(), c.Args().Slice())
			if err != nil {
				return conformError(err)
			}
			for i := range selected {
				explainCase(std, &selected[i])
			}
			if len(selected) == 1 {
				return showBytes(std, &selected[0])
			}
			return nil
		},
	}
}

func explainCase(std streams, c *conformance.Case) {
	fmt.Fprintf(std.out, "%s (%s)\n  %s: %s\n", c.Name, c.Level, c.Source(), c.Quote)
	fmt.Fprintf(std.out, "  The suite sends %s\n  The target %s\n", c.Sends, c.Passes)
	notes := []struct {
		holds bool
		text  string
	}{
		{c.Echo, "It needs the echo application (gangway conform echo)."},
		{len(c.Needs) > 0, "It needs: " + strings.Join(c.Needs, ", ") + "."},
		{len(c.DependsOn) > 0, "It says nothing if one of these fails: " + strings.Join(c.DependsOn, ", ") + "."},
		{c.Serial, "It runs alone."},
		{c.Timing, "A failure has to show twice."},
	}
	for _, note := range notes {
		if note.holds {
			fmt.Fprintf(std.out, "  %s\n", note.text)
		}
	}
}

// dumpLimit is how many bytes of each direction explain and replay show.
const dumpLimit = 8 << 10

// A rightPeer is one of package faulty, with no fault.
type rightPeer interface {
	Serve(net.Listener) error
	Close()
}

// showBytes runs a case with a peer that is right, and prints what went over the connections.
func showBytes(std streams, c *conformance.Case) error {
	dir, err := os.MkdirTemp("", "gangway-conform-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	peer, target, err := rightPeerFor(c, ln.Addr().String(), dir)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	if peer == nil {
		return ln.Close() // a program, which has an environment rather than bytes
	}
	if closer, ok := target.(io.Closer); ok {
		defer closer.Close()
	}
	served := make(chan error, 1)
	go func() { served <- peer.Serve(ln) }()
	r, err := conformance.Run(context.Background(), target, []conformance.Case{*c}, conformance.Options{AllWire: true})
	peer.Close()
	<-served
	switch {
	case err != nil:
		return err
	case len(r.Results[0].Wire) == 0:
		fmt.Fprintf(std.out, "  The bytes cannot be shown: %s\n", r.Results[0].Got)
	default:
		fmt.Fprintf(std.out, "  With a peer that is right (%s):\n", r.Results[0].Outcome)
		report.Dump(std.out, r.Results[0].Wire, dumpLimit)
	}
	return nil
}

// rightPeerFor returns the peer for the role that a case is about, and that peer as a target; none for scripts.
func rightPeerFor(c *conformance.Case, address, dir string) (rightPeer, conformance.Target, error) {
	apps := map[string]rightPeer{"fcgi": &faulty.FCGIApp{}, "scgi": &faulty.SCGIApp{}, "uwsgi": &faulty.UWSGIApp{}}
	protocol := c.Protocol()
	if peer := apps[protocol]; peer != nil {
		return peer, app.New(protocol + "://" + address), nil
	}
	if protocol == "script" {
		return nil, nil, nil
	}
	scheme := "fcgi"
	if client, ok := strings.CutSuffix(protocol, "-client"); ok {
		scheme = client
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	listen := scheme + "://" + free.Addr().String()
	if err := free.Close(); err != nil {
		return nil, nil, err
	}
	for name, content := range map[string]string{"static.txt": server.StaticText, "a.php": "", "img.jpg": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return nil, nil, err
		}
	}
	target := server.New("http://"+address, listen)
	target.Timeout = time.Second
	return &faulty.Gateway{App: listen, Root: dir, Timeout: target.Timeout}, target, target.Listen()
}
