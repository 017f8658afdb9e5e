package procgroup

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// The numbers of pidfd_open(2) and pidfd_send_signal(2), which are the same everywhere.
const (
	sysPidfdSendSignal = 424
	sysPidfdOpen       = 434
)

// A stray is a descendant of the leader that has left its group, held by a pidfd, for its id may become another's.
type stray struct{ pid, fd int }

// findStrays adds the descendants of the leader that are not in its group. One whose parents have ended cannot be
// found.
func (g *Group) findStrays() {
	if _, group, ok := family(g.Leader.Pid); !ok || group != g.Leader.Pid {
		return // a group of one
	}
	known := map[int]bool{}
	for _, s := range g.strays {
		known[s.pid] = true
	}
	parents := []int{g.Leader.Pid}
	for len(parents) > 0 {
		parent := parents[0]
		parents = parents[1:]
		for _, pid := range childrenOf(parent) {
			parents = append(parents, pid)
			if known[pid] {
				continue
			}
			fd, _, errno := syscall.Syscall(sysPidfdOpen, uintptr(pid), 0, 0)
			if errno != 0 {
				continue
			}
			syscall.CloseOnExec(int(fd))
			if ppid, group, ok := family(pid); !ok || ppid != parent || group == g.Leader.Pid {
				syscall.Close(int(fd))
				continue
			}
			known[pid] = true
			g.strays = append(g.strays, stray{pid, int(fd)})
		}
	}
}

func (g *Group) signalStrays(sig syscall.Signal) {
	for _, s := range g.strays {
		syscall.Syscall6(sysPidfdSendSignal, uintptr(s.fd), uintptr(sig), 0, 0, 0, 0)
	}
}

func (g *Group) forgetStrays() {
	for _, s := range g.strays {
		syscall.Close(s.fd)
	}
	g.strays = nil
}

func childrenOf(pid int) (pids []int) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	tasks, _ := os.ReadDir(dir)
	for _, task := range tasks {
		text, _ := os.ReadFile(dir + "/" + task.Name() + "/children")
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// family returns the parent and the process group of a process.
func family(pid int) (parent, group int, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, false
	}
	_, err = fmt.Sscan(string(text[bytes.LastIndexByte(text, ')')+len(") S"):]), &parent, &group)
	return parent, group, err == nil
}
