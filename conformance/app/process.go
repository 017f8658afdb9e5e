package app

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// canMeasure says whether memory and descriptors of a process can be looked at.
func canMeasure(pid int) bool {
	_, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return pid > 0 && err == nil
}

// memory is the resident memory of a process and its descendants in bytes.
func memory(pid int) (size int64) {
	for _, p := range family(pid) {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p))
		if words := strings.Fields(string(data)); len(words) > 1 {
			pages, _ := strconv.ParseInt(words[1], 10, 64)
			size += pages * int64(os.Getpagesize())
		}
	}
	return size
}

// descriptors counts the open descriptors of a process and its descendants.
func descriptors(pid int) (n int) {
	for _, p := range family(pid) {
		entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p))
		n += len(entries)
	}
	return n
}

// ticks is the processor time that a process and its descendants have used, in hundredths of a second.
func ticks(pid int) (n int64) {
	for _, p := range family(pid) {
		if stat := statOf(p); len(stat) > 12 {
			user, _ := strconv.ParseInt(stat[11], 10, 64)
			system, _ := strconv.ParseInt(stat[12], 10, 64)
			n += user + system
		}
	}
	return n
}

// family is a process and all its descendants; nobody if the process is not known.
func family(pid int) []int {
	if pid <= 0 {
		return nil
	}
	children := map[int][]int{}
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, entry := range entries {
		p, _ := strconv.Atoi(filepath.Base(entry))
		if stat := statOf(p); len(stat) > 1 {
			parent, _ := strconv.Atoi(stat[1])
			children[parent] = append(children[parent], p)
		}
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// statOf are the fields of /proc/PID/stat that follow the program's name, the state first.
func statOf(pid int) []string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
}
