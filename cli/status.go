package cli

import (
	"log/slog"

	"github.com/urfave/cli/v2"

	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/adapters/status"
)

// parseStatus has everything counted if somebody may ask.
func (s *settings) parseStatus(c *cli.Context) error {
	s.statusURL = c.String("status")
	if s.statusURL == "" {
		return nil
	}
	a, err := open.ParseListener(s.statusURL)
	if err != nil || a.Scheme != "http" {
		return usage("--status %s: write http://HOST:PORT or http+unix://PATH", s.statusURL)
	}
	s.counters = status.New()
	s.log = slog.New(s.counters.Log(s.log.Handler()))
	slog.SetDefault(s.log)
	return nil
}

// countConns returns the states of the connections of those listeners that know them.
func (g *gateway) countConns() map[string]map[string]int {
	conns := map[string]map[string]int{}
	for _, l := range g.listeners {
		if states := l.Conns(); states != nil && l != g.statusListener {
			conns[l.String()] = states
		}
	}
	return conns
}

// listenStatus opens the listener of --status, behind all others: so a new process that takes over finds its socket.
func (g *gateway) listenStatus() error {
	if g.counters == nil {
		return nil
	}
	g.counters.Conns = g.countConns
	o := open.ListenOptions{
		Log: g.log, SocketMode: g.listener.SocketMode, SetOwner: g.listener.SetOwner, SocketUID: g.listener.SocketUID,
		SocketGID: g.listener.SocketGID, Inherited: g.predecessor.socket(g.statusURL),
	}
	l, err := open.Listen(g.statusURL, g.counters, o)
	if err != nil {
		return err
	}
	g.statusListener = l
	g.listeners, g.addresses = append(g.listeners, l), append(g.addresses, g.statusURL)
	return nil
}
