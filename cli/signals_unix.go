//go:build unix

package cli

import (
	"os"
	"os/signal"
	"syscall"
)

// stopSignals leaves out SIGHUP if whoever started us (nohup) ignores it.
func stopSignals() []os.Signal {
	if signal.Ignored(syscall.SIGHUP) {
		return []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	}
	return []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP}
}

// otherWishes says what signals ask for that do not stop this process. SIGHUP comes when a terminal is closed; without
// one it is sent by people who want their service to look at its configuration again.
func otherWishes() map[os.Signal]wish {
	wishes := map[os.Signal]wish{syscall.SIGUSR1: toReopen, syscall.SIGUSR2: toUpgrade}
	if !signal.Ignored(syscall.SIGHUP) && !hasTerminal() {
		wishes[syscall.SIGHUP] = toUpgrade
	}
	return wishes
}

func hasTerminal() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	tty.Close()
	return true
}

// closeOnExec keeps a descriptor that was inherited from the programs that are started.
func closeOnExec(f *os.File) { syscall.CloseOnExec(int(f.Fd())) }

// ignorePipes keeps this process alive when nobody reads its standard output or error any more, until the function it
// returns is called. It catches SIGPIPE, since programs that are started inherit what is ignored.
func ignorePipes() func() {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGPIPE)
	return func() { signal.Stop(ch) }
}
