package spool_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/spool"
)

// write writes content to q in parts of that size, and ends it.
func write(q *spool.Queue, content []byte, part int) error {
	for len(content) > 0 {
		n := min(part, len(content))
		if _, err := q.Write(content[:n]); err != nil {
			return err
		}
		content = content[n:]
	}
	q.End()
	return nil
}

// readAll reads q to its end, and rests before each piece.
func readAll(q *spool.Queue, rest time.Duration) ([]byte, error) {
	var got []byte
	for {
		time.Sleep(rest)
		b, err := q.Next()
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		got = append(got, b...)
	}
}

func TestQueue(t *testing.T) {
	tempDir(t)
	for _, test := range []struct {
		name string
		size int
		part int
		rest time.Duration
	}{
		{"nothing", 0, 1, 0},
		{"a byte", 1, 1, 0},
		{"small parts", 100000, 7, 0},
		{"a large part", 3 << 20, 3 << 20, 0},
		{"much to a slow reader", 3 << 20, 100000, time.Second},
		{"as much as there is in memory, to a slow reader", 256 << 10, 4 << 10, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				budget := &spool.Budget{Memory: 1 << 20, Disk: 4 << 20}
				q := spool.NewQueue(budget, 4<<20)
				want := pattern(test.size)
				go func() { assert.NoError(t, write(q, want, test.part)) }()
				got, err := readAll(q, test.rest)
				require.NoError(t, err)
				assert.True(t, bytes.Equal(want, got))
				require.NoError(t, q.Close())
				memory, disk := budget.Used()
				assert.Zero(t, memory)
				assert.Zero(t, disk)
			})
		})
	}
}

// The writer of 3 MiB is free long before the slow reader has them, by way of the file.
func TestQueueFreesTheWriter(t *testing.T) {
	tempDir(t)
	synctest.Test(t, func(t *testing.T) {
		budget := &spool.Budget{Memory: 1 << 20, Disk: 4 << 20}
		q := spool.NewQueue(budget, 4<<20)
		began := time.Now()
		require.NoError(t, write(q, pattern(3<<20), 64<<10)) // nobody reads
		assert.Less(t, time.Since(began), time.Second)
		memory, disk := budget.Used()
		assert.LessOrEqual(t, memory, int64(256<<10))
		assert.Greater(t, disk, int64(2<<20))
		got, err := readAll(q, 0)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(pattern(3<<20), got))
		require.NoError(t, q.Close())
	})
}

// The race detector looks on while the file is written at its end and read at its beginning.
func TestQueueFileAtBothEnds(t *testing.T) {
	tempDir(t)
	const size = 32 << 20
	q := spool.NewQueue(&spool.Budget{Memory: 1 << 20, Disk: size}, size)
	begun := make(chan struct{})
	go func() {
		_, err := q.Write(make([]byte, 1<<20)) // of which the file takes some, as nobody reads
		assert.NoError(t, err)
		close(begun)
		assert.NoError(t, write(q, make([]byte, size-1<<20), 4<<10))
	}()
	<-begun
	got, err := readAll(q, time.Microsecond)
	require.NoError(t, err)
	assert.Len(t, got, size)
	require.NoError(t, q.Close())
}

// A reader that keeps up needs no file.
func TestQueueStaysInMemory(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/missing")
	synctest.Test(t, func(t *testing.T) {
		q := spool.NewQueue(&spool.Budget{Memory: 1 << 20}, 4<<20)
		go func() { assert.NoError(t, write(q, pattern(3<<20), 64<<10)) }()
		got, err := readAll(q, time.Millisecond)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(pattern(3<<20), got))
		require.NoError(t, q.Close())
	})
}

// Whatever is used up, the writer waits and nothing is lost.
func TestQueueHoldsTheWriter(t *testing.T) {
	for _, test := range []struct {
		name         string
		memory, disk int64
		limit        int64
		tmp          string
	}{
		{"no memory", 0, 1 << 20, 1 << 20, ""},
		{"no disk", 1 << 20, 0, 1 << 20, ""},
		{"neither", 0, 0, 1 << 20, ""},
		{"limit of the file", 1 << 20, 1 << 30, 100000, ""},
		{"no limit's worth", 1 << 20, 1 << 30, 0, ""},
		{"no directory", 1 << 20, 1 << 30, 1 << 20, "/missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("TMPDIR", tempDir(t)+test.tmp)
			synctest.Test(t, func(t *testing.T) {
				budget := &spool.Budget{Memory: test.memory, Disk: test.disk}
				q := spool.NewQueue(budget, test.limit)
				want, written := pattern(3<<20), make(chan struct{})
				go func() {
					defer close(written)
					assert.NoError(t, write(q, want, 64<<10))
				}()
				time.Sleep(time.Minute)
				select {
				case <-written:
					t.Error("the writer was not held")
				default:
				}
				memory, disk := budget.Used()
				assert.LessOrEqual(t, memory, test.memory)
				assert.LessOrEqual(t, disk, min(test.disk, test.limit))
				got, err := readAll(q, 20*time.Millisecond)
				require.NoError(t, err)
				assert.True(t, bytes.Equal(want, got))
				<-written
				require.NoError(t, q.Close())
			})
		})
	}
}

// What others give back is there for a writer that waits.
func TestQueueGetsFreedBudget(t *testing.T) {
	tempDir(t)
	synctest.Test(t, func(t *testing.T) {
		budget := &spool.Budget{Memory: 0, Disk: 1 << 20}
		first, second := spool.NewQueue(budget, 1<<20), spool.NewQueue(budget, 1<<20)
		require.NoError(t, write(first, pattern(1<<20), 64<<10))
		written := make(chan error)
		go func() { written <- write(second, pattern(512<<10), 64<<10) }()
		time.Sleep(time.Minute)
		require.NoError(t, first.Close())
		require.NoError(t, <-written)
		require.NoError(t, second.Close())
	})
}

func TestQueueFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := spool.NewQueue(&spool.Budget{}, 0)
		q.Flush()
		b, err := q.Next()
		require.NoError(t, err)
		assert.Empty(t, b)
		_, err = q.Write([]byte("event"))
		require.NoError(t, err)
		q.Flush()
		b, err = q.Next()
		require.NoError(t, err)
		assert.Equal(t, "event", string(b))
		b, err = q.Next()
		require.NoError(t, err)
		assert.Empty(t, b, "to be flushed, once")
		q.End()
		_, err = q.Next()
		assert.Equal(t, io.EOF, err)
		require.NoError(t, q.Close())
	})
}

func TestQueueAbort(t *testing.T) {
	dir := tempDir(t)
	gone := errors.New("client gone")
	for _, size := range []int{0, 100, 3 << 20} {
		synctest.Test(t, func(t *testing.T) {
			q := spool.NewQueue(&spool.Budget{Memory: 1 << 20, Disk: 1 << 20}, 1<<20)
			written := make(chan error)
			go func() {
				_, err := q.Write(pattern(size))
				for err == nil {
					_, err = q.Write([]byte("x"))
					time.Sleep(time.Millisecond)
				}
				written <- err
			}()
			time.Sleep(time.Second)
			q.Abort(gone)
			assert.Equal(t, gone, <-written)
			_, err := q.Next()
			assert.Equal(t, gone, err)
			require.NoError(t, q.Close())
		})
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

// A Spool whose budget is used up goes on when there is room.
func TestSpoolBudget(t *testing.T) {
	tempDir(t)
	budget := &spool.Budget{Memory: 100 << 10, Disk: 100 << 10}
	one := &spool.Spool{Budget: budget, Memory: spool.DefaultMemory, Limit: 1 << 20}
	two := &spool.Spool{Budget: budget, Memory: spool.DefaultMemory, Limit: 1 << 20}
	require.Equal(t, io.EOF, one.Fill(bytes.NewReader(pattern(70<<10)), 1<<20))
	memory, disk := budget.Used()
	assert.Equal(t, int64(16<<10), memory)
	assert.Equal(t, int64(64<<10), disk)
	r := bytes.NewReader(pattern(200 << 10))
	require.ErrorIs(t, two.Fill(r, 1<<20), spool.ErrBudget)
	require.ErrorIs(t, two.Fill(r, 1<<20), spool.ErrBudget)
	begun, err := io.ReadAll(two.Begun())
	require.NoError(t, err)
	assert.True(t, bytes.Equal(pattern(200 << 10)[:two.Size()], begun))
	require.NoError(t, one.Close())
	require.NoError(t, two.Close())
	memory, disk = budget.Used()
	assert.Zero(t, memory)
	assert.Zero(t, disk)
}

// The beginning of a body that is partly in the file.
func TestSpoolBegun(t *testing.T) {
	tempDir(t)
	for _, size := range []int64{1, 4096, 64 << 10, 100001} {
		s := &spool.Spool{Memory: spool.DefaultMemory, Limit: 1 << 20}
		require.NoError(t, s.Fill(strings.NewReader(strings.Repeat("x", 1<<20)), size))
		assert.Equal(t, size, s.Size())
		begun, err := io.ReadAll(s.Begun())
		require.NoError(t, err)
		assert.Len(t, begun, int(size))
		require.NoError(t, s.Close())
	}
}
