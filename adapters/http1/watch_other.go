//go:build !linux

package http1

// A watcher is for Linux alone: elsewhere the server hears of a client that left when it reads or writes.
type watcher struct{}

func newWatcher() *watcher { return nil }

func (*watcher) close() {}

func (*watcher) add(*conn) (int32, bool) { return 0, false }

func (*watcher) remove(*conn, int32) {}
