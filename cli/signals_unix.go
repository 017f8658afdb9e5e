//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

var reopenSignals = []os.Signal{syscall.SIGUSR1}

// stopSignals leaves out SIGHUP if whoever started us (nohup) ignores it.
func stopSignals() []os.Signal {
	if signal.Ignored(syscall.SIGHUP) {
		return []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	}
	return []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP}
}

// ignorePipes keeps this process alive when nobody reads its standard output or error any more, until the function it
// returns is called. It catches SIGPIPE, since programs that are started inherit what is ignored.
func ignorePipes() func() {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGPIPE)
	return func() { signal.Stop(ch) }
}
