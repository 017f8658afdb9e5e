package sockio

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
)

// NoSocket returns err, with which a dial to address failed, and has it say if something else than a socket is at the
// path of a Unix socket: the system calls that a connection refused. It is said where others look for the reason of a
// [net.OpError].
func NoSocket(address string, err error) error {
	op := (*net.OpError)(nil)
	if errors.Is(err, syscall.ECONNREFUSED) && errors.As(err, &op) && op.Net == "unix" {
		if info, missing := os.Stat(address); missing == nil && info.Mode()&fs.ModeSocket == 0 {
			op.Err = fmt.Errorf("%w: %s is no socket", op.Err, address)
		}
	}
	return err
}

// Passing reports whether err, with which Accept failed, says nothing of the listening socket: the system is short of
// something, or the connection has gone. See accept(2), "Error handling".
func Passing(err error) bool {
	var temporary interface{ Temporary() bool }
	return errors.As(err, &temporary) && temporary.Temporary() ||
		slices.ContainsFunc(passing, func(e error) bool { return errors.Is(err, e) })
}

var passing = []error{
	syscall.ENOMEM, syscall.ENOBUFS, syscall.EPERM, syscall.EPROTO, syscall.ECONNABORTED, syscall.ENETDOWN,
	syscall.ENOPROTOOPT, syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.EOPNOTSUPP, syscall.ENETUNREACH,
}

// Network returns the network of an address that may be given without one: "unix" if it begins with "/" or "@", which
// no host does, else "tcp".
func Network(network, address string) string {
	switch {
	case network != "":
		return network
	case strings.HasPrefix(address, "/"), strings.HasPrefix(address, "@"):
		return "unix"
	}
	return "tcp"
}
