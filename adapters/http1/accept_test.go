package http1

import "syscall"

// errTooMany is what accept(2) says when the process is out of descriptors.
const errTooMany = syscall.EMFILE
