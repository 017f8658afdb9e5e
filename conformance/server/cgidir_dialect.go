package server

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Process is what a CGI program says of itself.
type Process struct {
	File  string   // of the program, as the process was given it
	Env   []string // the entries of the environment as they are, in order
	Dir   string   // working directory
	FDs   []string // the open descriptors above 2: number, space, what it is
	Umask int

	UID, GID, PID, Parent, Group int

	asked bool // for standard input
	input error
}

// processes is the dialect of CGI: the probe, which the server starts, is at the other end. A probe reads and writes
// nothing until it is told to, and dies of SIGKILL when the connection to it is closed.
type processes struct{}

func (processes) sniff(raw []byte) (text []byte, done bool) {
	kind := frameKind(0)
	for kind != toldReady {
		var data []byte
		var err error
		if kind, data, raw, err = parseFrame(raw); err != nil {
			return text, errors.Is(err, errFrame)
		}
		text = append(text, data...)
	}
	return text, true
}

func (processes) chat([]byte) ([]byte, int) { return nil, 0 }

func (processes) refuse([]byte) []byte {
	return appendFrame(appendFrame(nil, doStdout, []byte(refusal)), doExit, []byte{0})
}

// frame reads the next frame.
func (processes) frame(x *Exchange) (frameKind, []byte, error) {
	for {
		kind, data, rest, err := parseFrame(x.in)
		if err == nil {
			x.in = rest
			return kind, data, nil
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, nil, err
		}
		if err := x.fill(); err != nil {
			return 0, nil, err
		}
	}
}

func (d processes) begin(x *Exchange) {
	x.Process = &Process{}
	x.Vars = []Var{}
	for {
		kind, data, err := d.frame(x)
		if err != nil {
			x.t.Fail("the CGI program did not live to report its environment: %v", err)
		}
		text := string(data)
		switch kind {
		case toldArg:
			x.Args = append(x.Args, text)
		case toldVar:
			x.Process.Env = append(x.Process.Env, text)
			if name, value, ok := strings.Cut(text, "="); ok {
				x.Vars = append(x.Vars, Var{name, value})
			}
		case toldFact:
			name, value, _ := strings.Cut(text, " ")
			x.Process.learn(name, value)
		case toldReady:
			return
		}
	}
}

func (p *Process) learn(fact, value string) {
	texts := map[string]*string{"file": &p.File, "cwd": &p.Dir}
	numbers := map[string]*int{"umask": &p.Umask, "uid": &p.UID, "gid": &p.GID, "pid": &p.PID, "ppid": &p.Parent,
		"pgid": &p.Group}
	switch {
	case fact == "fd":
		p.FDs = append(p.FDs, value)
	case texts[fact] != nil:
		*texts[fact] = value
	case numbers[fact] != nil:
		*numbers[fact], _ = strconv.Atoi(value)
	}
}

// more reads no more than CONTENT_LENGTH bytes, as RFC 3875 section 4.2 demands of a program.
func (d processes) more(x *Exchange) (bool, error) {
	length, _ := strconv.Atoi(x.Get("CONTENT_LENGTH"))
	return d.read(x, length)
}

// read reads a piece of standard input, and says whether there is more before limit.
func (d processes) read(x *Exchange, limit int) (bool, error) {
	if len(x.body) >= limit || x.Process.input == io.EOF {
		return false, nil
	}
	if x.Process.input != nil {
		return false, x.Process.input
	}
	if want := limit - len(x.body); !x.Process.asked {
		x.Process.asked = true
		if err := x.Send(appendFrame(nil, doRead, []byte(strconv.Itoa(want)))); err != nil {
			return false, err
		}
	}
	kind, data, err := d.frame(x)
	switch {
	case err != nil:
		return false, err
	case kind == toldInput:
		x.body = append(x.body, data...)
		return len(x.body) < limit, nil
	case kind == toldEnd && len(data) > 0:
		x.Process.input = fmt.Errorf("standard input: %s", data)
		return false, x.Process.input
	case kind == toldEnd:
		x.Process.input = io.ErrUnexpectedEOF
		return false, x.Process.input
	}
	return true, nil
}

func (processes) stdout(_ *Exchange, b []byte) []byte { return appendPieces(nil, doStdout, b) }
func (processes) stderr(_ *Exchange, b []byte) []byte { return appendPieces(nil, doStderr, b) }
func (processes) end(*Exchange) []byte                { return appendFrame(nil, doExit, []byte{0}) }

// order tells a CGI program what to do.
func (x *Exchange) order(kind frameKind, data ...byte) error {
	return x.Send(appendFrame(nil, kind, data))
}
