package cli

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
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
		for {
			select {
			case <-ch:
			case <-stop:
				return
			}
			select {
			case <-time.After(reapPause): // a burst is one look
			case <-stop:
				return
			}
			reapOrphans(int(successor.Load()))
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
// session, and is waited for by whoever started it.
func reapOrphans(successor int) {
	session, err := sessionOf(os.Getpid())
	if err != nil {
		return
	}
	for _, pid := range children(successor) {
		group, err := syscall.Getpgid(pid)
		if err != nil {
			continue
		}
		if its, err := sessionOf(pid); err == nil && (group != pid || its != session) {
			syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
}

func sessionOf(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
	fields := strings.Fields(rest) // state, ppid, pgrp, session
	if len(fields) < 4 {
		return 0, os.ErrInvalid
	}
	return strconv.Atoi(fields[3])
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
