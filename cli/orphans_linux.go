package cli

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// prSetChildSubreaper is PR_SET_CHILD_SUBREAPER of prctl(2).
const prSetChildSubreaper = 36

// reapPause is how long the end of an orphan may go unnoticed.
const reapPause = time.Second

// waitTime is enough, on a busy machine too, for whoever has started a process to wait for it.
const waitTime = 5 * time.Second

// adoptOrphans makes this process the parent of those whose parent has ended, also if they have left its process group:
// what an application leaves behind. Until the function it returns is called, which ends them, they may go on. Of the
// process whose id is in successor, if any, and of children that are there already, for whoever became this program may
// have started some, it ends none.
func adoptOrphans(successor *atomic.Int64) (end func()) {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); errno != 0 {
		return func() {}
	}
	inherited := children(0)
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGCHLD)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		var dead []process
		for {
			pause := waitTime // then another look tells whose they are
			if len(dead) == 0 {
				select {
				case <-ch:
				case <-stop:
					return
				}
				pause = reapPause // a burst is one look
			}
			select {
			case <-time.After(pause):
			case <-stop:
				return
			}
			dead = reapOrphans(int(successor.Load()), dead)
		}
	}()
	return func() {
		signal.Stop(ch)
		close(stop)
		<-stopped
		killChildren(int(successor.Load()), inherited)
	}
}

// A process is known by its id and, since another may get that, by when it began.
type process struct {
	pid   int
	start string
}

// children returns the processes whose parent this one is, but for one, with their states.
func children(but int) map[process]string {
	states := map[process]string{}
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil && pid != but {
				state, start := look(pid)
				states[process{pid, start}] = state
			}
		}
	}
	return states
}

// look returns the state of a process and when it began, proc(5), or nothing if that cannot be told.
func look(pid int) (state, start string) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 {
		return "", ""
	}
	return fields[0], fields[19]
}

// reapOrphans takes notice of orphans that have ended. Whoever has started a process here waits for it, so what was dead
// at the last look already is an orphan. Those that are dead now are returned for the next one.
func reapOrphans(successor int, before []process) (dead []process) {
	for p, state := range children(successor) {
		switch {
		case state != "Z":
		case slices.Contains(before, p):
			syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil)
		default:
			dead = append(dead, p)
		}
	}
	return dead
}

// killTime bounds the killing of orphans, which as long as it lasts may have children.
const killTime = 2 * time.Second

// killChildren ends every child but one and the inherited ones, and theirs, which become ours.
func killChildren(but int, inherited map[process]string) {
	for deadline := time.Now().Add(killTime); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		orphans := children(but)
		maps.DeleteFunc(orphans, func(p process, _ string) bool { _, ok := inherited[p]; return ok })
		if len(orphans) == 0 {
			return
		}
		for p := range orphans {
			syscall.Kill(p.pid, syscall.SIGKILL)
			syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil)
		}
	}
}
