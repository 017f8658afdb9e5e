package cli

import (
	"bytes"
	"fmt"
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
// what an application leaves behind. Until the function it returns is called, which ends them, they may go on. The
// process whose id is in successor, if any, is none of them.
func adoptOrphans(successor *atomic.Int64) (end func()) {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); errno != 0 {
		return func() {}
	}
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGCHLD)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		var dead []int
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
		killChildren(int(successor.Load()))
	}
}

// children returns the processes whose parent this one is, but for one.
func children(but int) (pids []int) {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil && pid != but {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// reapOrphans takes notice of orphans that have ended. What we have started ourselves leads a process group in our
// session, and whoever started it waits for it. So what leads one is an orphan if it was dead at the last look; those
// that are dead now are returned for the next one.
func reapOrphans(successor int, before []int) (dead []int) {
	_, session, err := look(os.Getpid())
	if err != nil {
		return nil
	}
	for _, pid := range children(successor) {
		group, err := syscall.Getpgid(pid)
		if err != nil {
			continue
		}
		switch state, its, err := look(pid); {
		case err != nil:
		case group != pid || its != session || slices.Contains(before, pid):
			syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		case state == "Z":
			dead = append(dead, pid)
		}
	}
	return dead
}

// look returns the state of a process, proc(5), and its session.
func look(pid int) (state string, session int, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // state, ppid, pgrp, session
	if len(fields) < 4 {
		return "", 0, os.ErrInvalid
	}
	session, err = strconv.Atoi(fields[3])
	return fields[0], session, err
}

// killTime bounds the killing of orphans, which as long as it lasts may have children.
const killTime = 2 * time.Second

// killChildren ends every child but one, and theirs, which become ours.
func killChildren(but int) {
	for deadline := time.Now().Add(killTime); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		pids := children(but)
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGKILL)
			syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
}
