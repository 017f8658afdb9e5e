//go:build unix

package pool

import "os"

// own makes the folder the user's as whom the process is to run.
func (r *running) own() error {
	if user := r.cmd.SysProcAttr.Credential; user != nil {
		return os.Chown(r.dir.path, int(user.Uid), int(user.Gid))
	}
	return nil
}
