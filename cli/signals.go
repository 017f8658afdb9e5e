package cli

import (
	"context"
	"os"
	"os/signal"
)

// A signalled is what signals ask of this process.
type signalled struct {
	stop    context.Context // over with the first signal to stop
	cut     context.Context // over with the second
	release func()
}

// notify takes over the signals of this process until release is called. reopen is called for the one that asks to open
// log files anew.
func notify(reopen func()) *signalled {
	ch := make(chan os.Signal, 8)
	signal.Notify(ch, append(reopenSignals, stopSignals()...)...)
	unpipe := ignorePipes()
	stop, stopNow := context.WithCancel(context.Background())
	cut, cutNow := context.WithCancel(context.Background())
	go func() {
		for s := range ch {
			switch {
			case len(reopenSignals) > 0 && s == reopenSignals[0]:
				reopen()
			case stop.Err() == nil:
				stopNow()
			default:
				cutNow()
			}
		}
	}()
	return &signalled{stop, cut, func() {
		unpipe()
		signal.Stop(ch)
		close(ch)
		stopNow()
		cutNow()
	}}
}
