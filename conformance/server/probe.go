package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
)

// The words that stand between the program's name and its other arguments in a process that a probe file starts.
const (
	probeWord = "conform-probe" // be a CGI program: the next argument is the probe file
	holdWord  = "conform-hold"  // keep what was inherited open until descriptor 3 ends
)

// Probe is the CGI program of this package. If this process was started by a probe file (see scripts), Probe tells
// the suite what it was given, does what the suite says and ends the process; else it does nothing. The program that
// runs the suite calls it first thing in main, as does a test in TestMain, for a probe file names that program as its
// interpreter.
func Probe() {
	if len(os.Args) < 2 {
		return
	}
	switch {
	case os.Args[1] == probeWord && len(os.Args) > 2:
		syscall.Exit(probe(os.Args[2], os.Args[3:])) // os.Exit waits a second if the race detector is on
	case os.Args[1] == holdWord:
		syscall.Exit(hold())
	}
}

// A frame goes between a probe and the suite: one byte that says what it is, the length in four bytes, and so many
// bytes.
type frameKind byte

// What the probe says.
const (
	toldArg    frameKind = 'a' // an argument after the program's name
	toldVar    frameKind = 'e' // an entry of the environment, as it is
	toldFact   frameKind = 'f' // name, space, value
	toldReady  frameKind = 'r' // that was all; the probe waits for orders
	toldInput  frameKind = 'i' // bytes of standard input
	toldEnd    frameKind = 'z' // the end of standard input; an error if there are bytes
	toldFailed frameKind = 'w' // output could not be written
	toldStuck  frameKind = 'k' // output has not been read for a while
)

// What the probe is told to do.
const (
	doRead       frameKind = 'I' // send so many bytes of standard input, in decimal
	doStdout     frameKind = 'O' // write the bytes to standard output
	doStderr     frameKind = 'E' // write the bytes to standard error
	doClose      frameKind = 'C' // close standard output
	doExit       frameKind = 'X' // exit with the status that is the byte
	doKill       frameKind = 'K' // send oneself the signal that is the byte
	doGrandchild frameKind = 'G' // start a process that keeps standard output open
)

// frameLimit is more than an entry of the environment can have; pieceSize is how much output a frame carries.
const (
	frameLimit = 1 << 20
	pieceSize  = 32 << 10
)

var errFrame = errors.New("server: not a frame of the probe")

func appendFrame(b []byte, kind frameKind, data []byte) []byte {
	b = append(b, byte(kind))
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

// appendPieces appends frames that carry data together, none if there is none.
func appendPieces(b []byte, kind frameKind, data []byte) []byte {
	for len(data) > 0 {
		n := min(len(data), pieceSize)
		b = appendFrame(b, kind, data[:n])
		data = data[n:]
	}
	return b
}

// parseFrame returns the first frame of b and what follows it. Its error is io.ErrUnexpectedEOF if more bytes are
// needed.
func parseFrame(b []byte) (kind frameKind, data, rest []byte, err error) {
	if len(b) < 5 {
		return 0, nil, b, io.ErrUnexpectedEOF
	}
	n := binary.BigEndian.Uint32(b[1:])
	switch {
	case n > frameLimit:
		return 0, nil, b, errFrame
	case len(b) < 5+int(n):
		return 0, nil, b, io.ErrUnexpectedEOF
	}
	return frameKind(b[0]), b[5 : 5+n], b[5+n:], nil
}

// probeFile is the contents of a probe file.
func probeFile(executable, socket string) string {
	return "#!" + executable + " " + probeWord + "\n" + socket + "\n"
}

// probeSocket finds the socket that a probe file names.
func probeSocket(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	lines := strings.Split(string(b), "\n")
	if len(lines) < 2 || !strings.HasSuffix(lines[0], " "+probeWord) {
		return "", fmt.Errorf("server: %s is no probe file", file)
	}
	return lines[1], nil
}

// inherited are the descriptors that this process has from the one that started it, as a probe reports them.
var inherited = sync.OnceValue(func() map[string]bool {
	set := map[string]bool{}
	for _, fd := range openDescriptors() {
		set[fd] = true
	}
	return set
})
