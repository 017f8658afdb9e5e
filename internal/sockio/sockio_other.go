//go:build !unix

package sockio

const direct = false

func (*transfer) read(uintptr) bool { return true }

func (*transfer) write(uintptr) bool { return true }

func (*Conn) peek(uintptr) {}
