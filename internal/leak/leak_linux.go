package leak

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// addDescriptors adds every open descriptor from 3 on but the runtime's own, which it opens at the first need.
func addDescriptors(s snapshot) {
	const dir = "/proc/self/fd"
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		fd, _ := strconv.Atoi(entry.Name())
		target, err := os.Readlink(filepath.Join(dir, entry.Name()))
		if err != nil || fd <= 2 || target == "anon_inode:[eventpoll]" || target == "anon_inode:[eventfd]" {
			continue
		}
		s[fmt.Sprintf("descriptor %d %s", fd, target)] = socket(fd)
	}
}

// socket describes the ends of the socket fd; it returns "" if fd is none.
func socket(fd int) string {
	local, err := syscall.Getsockname(fd)
	if err != nil {
		return ""
	}
	peer, err := syscall.Getpeername(fd)
	if err != nil {
		return "socket of " + address(local)
	}
	return "socket from " + address(local) + " to " + address(peer)
}

func address(sa syscall.Sockaddr) string {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)).String()
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)).String()
	case *syscall.SockaddrUnix:
		return strconv.Quote(sa.Name)
	default:
		return fmt.Sprintf("%T", sa)
	}
}

// addChildren adds every child process, ended or not, that nobody has waited for.
func addChildren(s snapshot) {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		pids, _ := os.ReadFile(list)
		for _, pid := range strings.Fields(string(pids)) {
			stat, _ := os.ReadFile("/proc/" + pid + "/stat")
			command, _ := os.ReadFile("/proc/" + pid + "/cmdline")
			look := strings.ReplaceAll(string(command), "\x00", " ")
			if look == "" {
				look = "ended: " + string(stat)
			}
			s["child process "+pid] = strings.TrimSpace(look)
		}
	}
}
