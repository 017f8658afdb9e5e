//go:build unix

package main

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/app"
	"github.com/gangway-go/gangway/conformance/report"
	"github.com/gangway-go/gangway/conformance/script"
	"github.com/gangway-go/gangway/conformance/server"
)

// casesFor returns the cases that concern the target at all.
func casesFor(target conformance.Target) []conformance.Case {
	switch t := target.(type) {
	case *app.Target:
		return t.Cases()
	case *script.Target:
		return script.Cases()
	}
	behind := target.Subject().Protocol
	var cases []conformance.Case
	for _, c := range server.Cases() {
		client, is := strings.CutSuffix(c.Protocol(), "-client")
		if !is || client == map[string]string{"fastcgi": "fcgi"}[behind] || client == behind {
			cases = append(cases, c)
		}
	}
	return cases
}

// describe completes the report of a peer.
func (s *stage) describe(p peer, r *conformance.Report) {
	r.Suite = "gangway"
	clean := strings.NewReplacer(s.dir, "DIR")
	r.Target.Name, r.Target.Version = p.title, s.version
	r.Target.Config = clean.Replace(s.config.String())
	r.Target.Address = clean.Replace(r.Target.Address)
	r.Target.Command = "make conformance-peers PEERS=" + p.name
	for i := range r.Results {
		result := &r.Results[i]
		result.Got = clean.Replace(result.Got)
		for j := range result.Info {
			result.Info[j] = clean.Replace(result.Info[j])
		}
	}
}

// isOurs says whether a report is about a program of this repository.
func isOurs(r *conformance.Report) bool { return strings.HasPrefix(r.Target.Name, "gangway") }

// The most that a published wire log has.
const (
	wireBytes  = 1 << 10 // in each direction
	wireEvents = 40
)

// shorten returns the report as it is published: with short wire logs, and without the cases of level security if the
// program is another's.
func shorten(r *conformance.Report) *conformance.Report {
	if !isOurs(r) {
		r = report.Withhold(r)
	}
	for i := range r.Results {
		result := &r.Results[i]
		switch result.Outcome {
		case conformance.Pass, conformance.Skip, conformance.DependencyFailed:
			result.Wire = nil
		}
		result.Wire = shortWire(result.Wire)
		result.Duration = result.Duration.Round(time.Millisecond)
	}
	return r
}

func shortWire(events []conformance.Event) []conformance.Event {
	left := map[conformance.Kind]int{conformance.Sent: wireBytes, conformance.Received: wireBytes}
	for i := range events {
		e := &events[i]
		if i == wireEvents {
			return append(events[:i:i], conformance.Event{At: e.At, Kind: conformance.Noted, Data: []byte("and more events")})
		}
		e.At = e.At.Round(time.Microsecond)
		room, limited := left[e.Kind]
		if limited && len(e.Data) > room {
			e.Size = max(e.Size, len(e.Data))
			e.Data = e.Data[:room]
		}
		if limited {
			left[e.Kind] -= len(e.Data)
		}
	}
	return events
}

func save(path string, r *conformance.Report) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return create(path, func(w *bufio.Writer) error { return report.Write(w, "json", r, nil) })
}

// create writes a file.
func create(path string, write func(*bufio.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(write(w), w.Flush(), f.Close())
}

// publishAll makes RESULTS.md and the matrix of the reports that there are, in the order of peers.
func publishAll(dir string) error {
	var names []string
	var reports []*conformance.Report
	for _, p := range peers() {
		f, err := os.Open(filepath.Join(dir, "reports", p.name+".json"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		r, err := report.Read(f)
		f.Close()
		if err != nil {
			return err
		}
		names, reports = append(names, p.name), append(reports, r)
	}
	err := create(filepath.Join(dir, "reports", "index.html"), func(w *bufio.Writer) error {
		return report.Matrix(w, reports)
	})
	return errors.Join(err, create(filepath.Join(dir, "RESULTS.md"), func(w *bufio.Writer) error {
		writeResults(w, names, reports)
		return nil
	}))
}
