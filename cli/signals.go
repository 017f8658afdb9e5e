package cli

import (
	"context"
	"maps"
	"os"
	"os/signal"
	"slices"
)

// A wish is what a signal asks for.
type wish int

const (
	toStop    wish = iota
	toReopen       // the log files
	toUpgrade      // to be replaced by the program as it is on disk now
)

// A signalled is what signals ask of this process.
type signalled struct {
	stop    context.Context // over with the first signal to stop
	cut     context.Context // over with the second
	upgrade <-chan struct{} // has something when it was asked for
	release func()
}

// notify takes over the signals of this process until release is called. reopen is called for the one that asks to open
// log files anew.
func notify(reopen func()) *signalled {
	wishes := otherWishes()
	ch := make(chan os.Signal, 8)
	signal.Notify(ch, slices.AppendSeq(stopSignals(), maps.Keys(wishes))...)
	unpipe := ignorePipes()
	stop, stopNow := context.WithCancel(context.Background())
	cut, cutNow := context.WithCancel(context.Background())
	upgrade := make(chan struct{}, 1)
	go func() {
		for s := range ch {
			switch {
			case wishes[s] == toReopen:
				reopen()
			case wishes[s] == toUpgrade:
				select {
				case upgrade <- struct{}{}:
				default: // one is asked for
				}
			case stop.Err() == nil:
				stopNow()
			default:
				cutNow()
			}
		}
	}()
	return &signalled{stop, cut, upgrade, func() {
		unpipe()
		signal.Stop(ch)
		close(ch)
		stopNow()
		cutNow()
	}}
}
