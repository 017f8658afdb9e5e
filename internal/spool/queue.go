package spool

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

const (
	pieceSize = 64 << 10
	window    = 4 // pieces that a Queue has in memory at most; the first one is not taken from the Budget

	// patience is how long a full window waits for the reader before the file is used.
	patience = 10 * time.Millisecond
	// retry is how often it is looked whether there is room in the Budget again.
	retry = 100 * time.Millisecond
)

type piece struct {
	bytes [pieceSize]byte
	n     int
}

var pieces = sync.Pool{New: func() any { return new(piece) }}

// A Queue carries bytes from one goroutine to another that may be slower: in memory as long as the reader keeps up,
// else in a file. When both are full, the writer waits. [NewQueue] makes one.
type Queue struct {
	budget *Budget
	limit  int64

	mu      sync.Mutex
	waiting []*piece // in memory; they come before what is in the file
	lent    *piece   // by Next
	pieces  int      // in memory
	file    *os.File // nil until there is one
	fileErr error    // it takes no more
	read    int64    // where in the file the reader is
	written int64
	flush   bool
	err     error // io.EOF after End

	filled, freed chan struct{} // signals
}

// NewQueue returns an empty Queue, of which a file may take limit bytes.
func NewQueue(budget *Budget, limit int64) *Queue {
	return &Queue{budget: budget, limit: limit, filled: make(chan struct{}, 1), freed: make(chan struct{}, 1)}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Write takes b, and waits if there is no room. Its error is that of Abort.
func (q *Queue) Write(b []byte) (taken int, err error) {
	slow := false
	for n := 0; taken < len(b); taken += n {
		if n, err = q.put(b[taken:], slow); err != nil {
			return taken, err
		}
		if n > 0 {
			signal(q.filled)
		} else if !q.awaitRoom(slow) {
			slow = true
		}
	}
	return taken, nil
}

// awaitRoom waits until the reader has taken something, and reports whether it has within the time.
func (q *Queue) awaitRoom(slow bool) bool {
	wait := patience
	if slow {
		wait = retry
	}
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case <-q.freed:
		return true
	case <-late.C:
		return false
	}
}

// put takes as much of b as there is room for: in the file only if the reader was slow.
func (q *Queue) put(b []byte, slow bool) (int, error) {
	q.mu.Lock()
	if q.err != nil {
		defer q.mu.Unlock()
		return 0, q.err
	}
	if q.read == q.written {
		q.emptyFile()
		if n := q.keep(b); n > 0 || !slow {
			q.mu.Unlock()
			return n, nil
		}
	}
	at := q.written
	q.mu.Unlock()
	return q.store(b, at)
}

// keep takes as much of b as there is room for in memory.
func (q *Queue) keep(b []byte) int {
	if last := len(q.waiting) - 1; last >= 0 && q.waiting[last].n < pieceSize {
		p := q.waiting[last]
		n := copy(p.bytes[p.n:], b)
		p.n += n
		return n
	}
	if q.pieces == window || q.pieces > 0 && !q.budget.TakeMemory(pieceSize) {
		return 0
	}
	q.pieces++
	p := pieces.Get().(*piece)
	p.n = copy(p.bytes[:], b)
	q.waiting = append(q.waiting, p)
	return p.n
}

// drop takes a piece back.
func (q *Queue) drop(p *piece) {
	if q.pieces--; q.pieces > 0 {
		q.budget.TakeMemory(-pieceSize)
	}
	pieces.Put(p)
}

// store writes to the file, of which only the writer changes the end.
func (q *Queue) store(b []byte, at int64) (int, error) {
	b = b[:min(int64(len(b)), max(0, q.limit-at))]
	size := int64(len(b))
	if size == 0 || q.fileErr != nil || !q.budget.takeDisk(size) {
		return 0, nil
	}
	if q.file == nil { // then the reader does not look at it
		q.file, q.fileErr = create()
	}
	if q.fileErr == nil {
		_, q.fileErr = q.file.WriteAt(b, at)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fileErr != nil || q.err != nil {
		q.budget.takeDisk(-size)
		return 0, q.err // what does not fit into the file waits for memory
	}
	q.written += size
	return len(b), nil
}

// emptyFile gives the room of a file back that has been read to its end.
func (q *Queue) emptyFile() {
	if q.written == 0 {
		return
	}
	if err := q.file.Truncate(0); err != nil {
		q.fileErr = err
	}
	q.budget.takeDisk(-q.written)
	q.read, q.written = 0, 0
}

// Flush has Next tell its caller to flush, once all that was written has been read.
func (q *Queue) Flush() {
	q.mu.Lock()
	q.flush = true
	q.mu.Unlock()
	signal(q.filled)
}

// End says that nothing more is written: Next returns io.EOF behind the last byte.
func (q *Queue) End() { q.Abort(io.EOF) }

// Abort has Write and Next return err, and nothing more is carried. The first one counts.
func (q *Queue) Abort(err error) {
	q.mu.Lock()
	if q.err == nil || q.err == io.EOF {
		q.err = err
	}
	q.mu.Unlock()
	signal(q.filled)
	signal(q.freed)
}

// Next waits for what comes next; it is valid until Next is called again. Nothing and no error means that it is time to
// flush.
func (q *Queue) Next() ([]byte, error) {
	for {
		b, inFile, err := q.next()
		switch {
		case inFile > 0:
			return q.load(inFile)
		case err != errEmpty:
			return b, err
		}
		<-q.filled
	}
}

var errEmpty = errors.New("spool: empty")

// next returns the next piece, or how many bytes to read from the file.
func (q *Queue) next() (b []byte, inFile int64, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lent != nil {
		q.drop(q.lent)
		q.lent = nil
		signal(q.freed)
	}
	switch {
	case q.err != nil && q.err != io.EOF:
		return nil, 0, q.err
	case len(q.waiting) > 0:
		q.lent = q.waiting[0]
		q.waiting = q.waiting[1:]
		return q.lent.bytes[:q.lent.n], 0, nil
	case q.read < q.written:
		return nil, min(q.written-q.read, pieceSize), nil
	case q.flush:
		q.flush = false
		return nil, 0, nil
	case q.err != nil:
		return nil, 0, io.EOF
	}
	return nil, 0, errEmpty
}

// load reads from the file, of which only the reader changes the beginning.
func (q *Queue) load(n int64) ([]byte, error) {
	p := pieces.Get().(*piece)
	p.n = int(n)
	_, err := q.file.ReadAt(p.bytes[:n], q.read)
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		pieces.Put(p)
		q.err = errors.Join(ErrStorage, err)
		return nil, q.err
	}
	q.pieces++ // the only one, since those in memory come first
	q.lent = p
	q.read += n
	signal(q.freed)
	return p.bytes[:n], nil
}

// Close gives the storage back. Nobody may write or read any more.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range q.waiting {
		q.drop(p)
	}
	if q.lent != nil {
		q.drop(q.lent)
	}
	q.waiting, q.lent = nil, nil
	if q.file == nil {
		return nil
	}
	q.budget.takeDisk(-q.written)
	return discard(q.file)
}
