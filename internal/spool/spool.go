// Package spool keeps bodies that somebody else is not ready to take: a short one in memory, a longer one in a
// temporary file without a name. A [Spool] takes a request body, for applications that must be told an exact
// CONTENT_LENGTH before the body, or that shall not wait for a slow client; begin with [Read]. A [Queue] takes a
// response on its way to a client that is slower than the application. A [Budget] bounds what all of them take
// together.
package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// DefaultMemory is the usual size up to which a body stays in memory. A buffer of 64 KiB then shows that it has ended.
const DefaultMemory = 64<<10 - 1

var (
	// ErrTooLarge reports a body over the limit.
	ErrTooLarge = errors.New("spool: body too large")

	// ErrStorage reports that the temporary file failed, for instance because the disk is full: our fault, not that of
	// the client. The error of the file system is wrapped too.
	ErrStorage = errors.New("spool: cannot store the body")

	// ErrBudget reports that all bodies together take what they may. Nothing is lost, and there may be room later.
	ErrBudget = errors.New("spool: no room for the body now")
	// ErrMemory is the ErrBudget of a body that could not begin.
	ErrMemory = fmt.Errorf("%w in memory", ErrBudget)
)

// Body is a body that is complete and can be read again. It is not safe for concurrent use. The zero value is no body;
// to close it does nothing.
type Body struct {
	// ReadSeeker is a *bytes.Reader or an *os.File, at its beginning. It, rather than the Body around it, is what to hand
	// on: a process can have the file as its standard input, and both know how to write themselves.
	io.ReadSeeker
	Size int64

	spool *Spool
}

// Close gives the storage back. The ReadSeeker must not be used any more.
func (b Body) Close() error {
	if b.spool == nil {
		return nil
	}
	return b.spool.Close()
}

// Read reads r to io.EOF. A body of up to memory bytes stays in memory; a longer one goes to a temporary file, in
// TMPDIR where the system has that, which nobody else can open and which does not outlive the process.
//
// The errors are those of [Spool.Fill]; after one nothing is left to close.
func Read(r io.Reader, memory, limit int64) (Body, error) {
	s := &Spool{Memory: memory, Limit: limit}
	err := s.Fill(r, math.MaxInt64)
	if err == io.EOF {
		var body Body
		if body, err = s.Body(); err == nil {
			return body, nil
		}
	}
	return Body{}, errors.Join(err, s.Close())
}

// A Spool takes a body as it comes. Memory and Limit are to be set before the first Fill.
type Spool struct {
	Budget *Budget
	Memory int64 // bytes up to which the body stays in memory
	Limit  int64 // bytes of the whole body

	buf   []byte   // all of the body, or what is not in the file yet
	taken int64    // of the Budget's memory
	file  *os.File // nil until there is one
	disk  int64    // bytes in it
	size  int64
	err   error // what ended the body: it is not read any more
}

// The sizes of the buffer: it grows as a body comes, so that those that have just begun take little.
const (
	firstBuffer = 4 << 10
	fileBuffer  = 16 << 10 // before the file
)

// Size returns how much of the body there is.
func (s *Spool) Size() int64 { return s.size }

// Fill reads r until there are upTo bytes of the body, and returns nil; or io.EOF if the body has ended.
//
// An error of r is returned wrapped; a reader that goes on returning nothing and no error ends in [io.ErrNoProgress]. A
// body of more than Limit bytes is [ErrTooLarge], and what r still holds is not read; a failing temporary file is
// [ErrStorage]. After [ErrBudget] Fill may be called again.
func (s *Spool) Fill(r io.Reader, upTo int64) error {
	const maxEmpty = 100 // as package bufio
	for empty := 0; s.err == nil && s.size < upTo; {
		if len(s.buf) == cap(s.buf) {
			if err := s.makeRoom(); err != nil {
				return err
			}
		}
		room := s.buf[len(s.buf):cap(s.buf)]
		n, err := r.Read(room[:min(int64(len(room)), upTo-s.size)])
		s.buf = s.buf[:len(s.buf)+n]
		s.size += int64(n)
		if empty++; n > 0 {
			empty = 0
		}
		switch {
		case s.size > s.Limit:
			s.err = fmt.Errorf("%w: more than %d bytes", ErrTooLarge, s.Limit)
		case err == io.EOF:
			s.err = io.EOF
		case err != nil:
			s.err = fmt.Errorf("spool: body: %w", err)
		case empty == maxEmpty:
			s.err = fmt.Errorf("spool: body: %w", io.ErrNoProgress)
		}
	}
	return s.err
}

// makeRoom lets the buffer, which is full, take more.
func (s *Spool) makeRoom() error {
	size := int64(cap(s.buf))
	if s.file == nil && (size == 0 || size <= s.Memory) {
		larger := max(firstBuffer, min(4*size, s.Memory+1))
		if s.Budget.TakeMemory(larger - size) {
			s.taken = larger
			s.buf = append(make([]byte, 0, larger), s.buf...)
			return nil
		}
		if size == 0 {
			return ErrMemory
		}
	}
	if err := s.store(); err != nil {
		return err
	}
	if size > fileBuffer {
		s.buf = make([]byte, 0, fileBuffer)
		s.shrink(fileBuffer)
	}
	return nil
}

func (s *Spool) shrink(taken int64) {
	s.Budget.TakeMemory(taken - s.taken)
	s.taken = taken
}

// store writes the buffer to the file.
func (s *Spool) store() error {
	n := int64(len(s.buf))
	if !s.Budget.takeDisk(n) {
		return ErrBudget
	}
	if s.file == nil {
		var err error
		if s.file, err = create(); err != nil {
			s.Budget.takeDisk(-n)
			return s.broken(err)
		}
	}
	s.disk += n
	if _, err := s.file.Write(s.buf); err != nil {
		return s.broken(err)
	}
	s.buf = s.buf[:0]
	return nil
}

func (s *Spool) broken(err error) error {
	s.err = fmt.Errorf("%w: %w", ErrStorage, err)
	return s.err
}

// Body returns what has come, at its beginning. The Spool is not filled any more. The error is [ErrStorage], or
// [ErrBudget] if the rest of the body has no room in the file; then Body may be called again.
func (s *Spool) Body() (Body, error) {
	if s.file == nil && s.size <= s.Memory {
		return Body{bytes.NewReader(s.buf), s.size, s}, nil
	}
	if err := s.store(); err != nil {
		return Body{}, err
	}
	s.buf = nil
	s.shrink(0)
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return Body{}, s.broken(err)
	}
	return Body{s.file, s.size, s}, nil
}

// Begun returns a reader of what has come, instead of Body, for one that is passed on before its end. It takes no room
// besides.
func (s *Spool) Begun() io.Reader {
	if s.file == nil {
		return bytes.NewReader(s.buf)
	}
	return io.MultiReader(io.NewSectionReader(s.file, 0, s.disk), bytes.NewReader(s.buf))
}

// Close gives the storage back. Bytes in memory stay what they are for a reader that still looks at them.
func (s *Spool) Close() error {
	s.Budget.takeDisk(-s.disk)
	s.shrink(0)
	s.disk, s.buf = 0, nil
	if f := s.file; f != nil {
		s.file = nil
		return discard(f)
	}
	return nil
}
