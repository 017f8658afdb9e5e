//go:build !linux

package pool

func (r *running) setDeathSignal() {}

// reap waits for the process and kills what is left of its group, whose id is not free before it is empty.
func (r *running) reap() error {
	err := r.cmd.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	kill.send(r.cmd.Process)
	r.reaped = true
	return err
}
