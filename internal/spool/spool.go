// Package spool reads a message-body of unknown length to its end, for applications that must be told an exact
// CONTENT_LENGTH before the body: a short one into memory, a longer one into a temporary file without a name. Begin
// with [Read].
package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
)

// DefaultMemory is the usual size up to which a body stays in memory.
const DefaultMemory = 64 << 10

var (
	// ErrTooLarge reports a body over the limit.
	ErrTooLarge = errors.New("spool: body too large")

	// ErrStorage reports that the temporary file failed, for instance because the disk is full: our fault, not that of
	// the client. The error of the file system is wrapped too.
	ErrStorage = errors.New("spool: cannot store the body")
)

// Body is a body that is complete and can be read again. It is not safe for concurrent use. The zero value is no body;
// to close it does nothing.
type Body struct {
	// ReadSeeker is a *bytes.Reader or an *os.File, at its beginning. It, rather than the Body around it, is what to hand
	// on: a process can have the file as its standard input, and both know how to write themselves.
	io.ReadSeeker
	Size int64
}

// Close gives the storage back. The ReadSeeker must not be used any more.
func (b Body) Close() error {
	if f, ok := b.ReadSeeker.(*os.File); ok {
		return discard(f)
	}
	return nil
}

// buffers holds *[]byte that are in use during Read only: what a Body keeps is a copy of the right size, because a
// backend may still look at a body that its owner has closed.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, DefaultMemory)
	return &b
}}

// Read reads r to io.EOF. A body of up to memory bytes stays in memory; a longer one goes to a temporary file, in
// TMPDIR where the system has that, which nobody else can open and which does not outlive the process.
//
// An error of r is returned wrapped; a reader that goes on returning nothing and no error ends in [io.ErrNoProgress]. A
// body of more than limit bytes is [ErrTooLarge], and what r still holds is not read; a failing temporary file is
// [ErrStorage]. After an error nothing is left to close.
func Read(r io.Reader, memory, limit int64) (Body, error) {
	pooled := buffers.Get().(*[]byte)
	defer buffers.Put(pooled)
	in := input{r: r, limit: limit}
	b, err := in.fill((*pooled)[:0])
	for err == nil && int64(len(b)) <= memory {
		b, err = in.fill(slices.Grow(b, len(b)))
	}
	if err != nil && err != io.EOF {
		return Body{}, err
	}
	if int64(len(b)) <= memory {
		return Body{bytes.NewReader(bytes.Clone(b)), in.size}, nil
	}
	f, err := create()
	if err != nil {
		return Body{}, fmt.Errorf("%w: %w", ErrStorage, err)
	}
	if err := in.store(f, b); err != nil {
		return Body{}, errors.Join(err, discard(f))
	}
	return Body{f, in.size}, nil
}

// input reads a body and holds its reader to the rules.
type input struct {
	r           io.Reader
	size, limit int64
	err         error // what ended the body; r is not asked again
}

// store writes b and the rest of the body to f and goes back to its beginning. It reads through b.
func (in *input) store(f *os.File, b []byte) error {
	for {
		if _, err := f.Write(b); err != nil {
			return fmt.Errorf("%w: %w", ErrStorage, err)
		}
		if in.err == io.EOF {
			break
		}
		var err error
		if b, err = in.fill(b[:0]); err != nil && err != io.EOF {
			return err
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("%w: %w", ErrStorage, err)
	}
	return nil
}

// fill reads into the spare capacity of b until it is used up or the body ends, with io.EOF or another error.
func (in *input) fill(b []byte) ([]byte, error) {
	const maxEmpty = 100 // as package bufio
	for empty := 0; in.err == nil && len(b) < cap(b); {
		n, err := in.r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if empty++; n > 0 {
			empty = 0
		}
		in.size += int64(n)
		switch {
		case in.size > in.limit:
			in.err = fmt.Errorf("%w: more than %d bytes", ErrTooLarge, in.limit)
		case err == io.EOF:
			in.err = io.EOF
		case err != nil:
			in.err = fmt.Errorf("spool: body: %w", err)
		case empty == maxEmpty:
			in.err = fmt.Errorf("spool: body: %w", io.ErrNoProgress)
		}
	}
	return b, in.err
}
