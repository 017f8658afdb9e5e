package spool_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/leak"
	"github.com/gangway-go/gangway/internal/spool"
)

func TestMain(m *testing.M) { leak.Main(m) }

// pattern returns n bytes that differ from each other at any distance a buffer may have.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

// tempDir makes an empty directory the one for temporary files and checks at the end that it is empty again.
func tempDir(t *testing.T) string {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir) // Windows
	t.Cleanup(func() {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, entries, "left behind")
	})
	return dir
}

func TestRead(t *testing.T) {
	tempDir(t)
	for _, test := range []struct {
		name   string
		size   int
		memory int64
		inFile bool
	}{
		{"empty", 0, spool.DefaultMemory, false},
		{"empty without memory", 0, 0, false},
		{"one byte", 1, spool.DefaultMemory, false},
		{"one byte without memory", 1, 0, true},
		{"all the memory", 1000, 1000, false},
		{"a byte more", 1001, 1000, true},
		{"the usual memory", spool.DefaultMemory, spool.DefaultMemory, false},
		{"a byte more than usual", spool.DefaultMemory + 1, spool.DefaultMemory, true},
		{"much memory", 1 << 20, 1 << 20, false},
		{"a byte more than much", 1<<20 + 1, 1 << 20, true},
		{"much more", 5<<20 + 17, spool.DefaultMemory, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := pattern(test.size)
			for _, limit := range []int64{int64(test.size), math.MaxInt64} {
				body, err := spool.Read(bytes.NewReader(want), test.memory, limit)
				require.NoError(t, err)
				assert.Equal(t, int64(test.size), body.Size)
				if test.inFile {
					assert.IsType(t, (*os.File)(nil), body.ReadSeeker)
				} else {
					assert.IsType(t, (*bytes.Reader)(nil), body.ReadSeeker)
				}
				for range 2 { // as a retry does
					got, err := io.ReadAll(body)
					require.NoError(t, err)
					assert.True(t, bytes.Equal(want, got))
					_, err = body.Seek(0, io.SeekStart)
					require.NoError(t, err)
				}
				require.NoError(t, body.Close())
			}
		})
	}
}

// stutter returns nothing and no error so many times before each byte.
type stutter struct {
	r     io.Reader
	times int
	n     int
}

func (s *stutter) Read(p []byte) (int, error) {
	if s.n++; s.n <= s.times {
		return 0, nil
	}
	s.n = 0
	return s.r.Read(p[:1])
}

func TestOddReaders(t *testing.T) {
	tempDir(t)
	for name, reader := range map[string]func(io.Reader) io.Reader{
		"one byte at a time":        iotest.OneByteReader,
		"half of what is asked":     iotest.HalfReader,
		"EOF with the last byte":    iotest.DataErrReader,
		"nothing and no error":      func(r io.Reader) io.Reader { return &stutter{r: r, times: 99} },
		"EOF and then another body": func(r io.Reader) io.Reader { return &revived{r: iotest.DataErrReader(r)} },
	} {
		for _, memory := range []int64{0, 100, 1000} {
			t.Run(name, func(t *testing.T) {
				want := pattern(1000)
				body, err := spool.Read(reader(bytes.NewReader(want)), memory, 1000)
				require.NoError(t, err)
				got, err := io.ReadAll(body)
				require.NoError(t, err)
				assert.Equal(t, want, got)
				require.NoError(t, body.Close())
			})
		}
	}
}

// revived goes on after its io.EOF.
type revived struct {
	r     io.Reader
	ended bool
}

func (r *revived) Read(p []byte) (int, error) {
	if r.ended {
		return copy(p, "more"), nil
	}
	n, err := r.r.Read(p)
	r.ended = err == io.EOF
	return n, err
}

func TestErrors(t *testing.T) {
	tempDir(t)
	gone := errors.New("client gone")
	fails := func(size int, err error) io.Reader {
		return io.MultiReader(bytes.NewReader(pattern(size)), iotest.ErrReader(err))
	}
	for _, test := range []struct {
		name          string
		r             io.Reader
		memory, limit int64
		is            error
		text          string
	}{
		{"client gone at once", fails(0, gone), 100, 1000, gone, "spool: body: client gone"},
		{"client gone in memory", fails(50, gone), 100, 1000, gone, "spool: body: client gone"},
		{"client gone in the file", fails(300000, gone), 100, 1 << 20, gone, "spool: body: client gone"},
		{"cut", fails(50, io.ErrUnexpectedEOF), 100, 1000, io.ErrUnexpectedEOF, "spool: body: unexpected EOF"},
		{"nothing for ever", &stutter{times: math.MaxInt}, 100, 1000, io.ErrNoProgress,
			"spool: body: multiple Read calls return no data or error"},
		{"over the limit in memory", bytes.NewReader(pattern(11)), 100, 10, spool.ErrTooLarge,
			"spool: body too large: more than 10 bytes"},
		{"over the limit in the file", bytes.NewReader(pattern(300001)), 100, 300000, spool.ErrTooLarge,
			"spool: body too large: more than 300000 bytes"},
		{"no byte allowed", bytes.NewReader(pattern(1)), 100, 0, spool.ErrTooLarge,
			"spool: body too large: more than 0 bytes"},
		{"over the limit with its EOF", iotest.DataErrReader(bytes.NewReader(pattern(11))), 0, 10, spool.ErrTooLarge,
			"spool: body too large: more than 10 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			body, err := spool.Read(test.r, test.memory, test.limit)
			require.ErrorIs(t, err, test.is)
			assert.EqualError(t, err, test.text)
			assert.NotErrorIs(t, err, spool.ErrStorage)
			assert.Zero(t, body)
			assert.NoError(t, body.Close())
		})
	}
}

func TestTooLargeStopsReading(t *testing.T) {
	tempDir(t)
	const limit = 1 << 20
	var endless zeros
	_, err := spool.Read(&endless, 10, limit)
	require.ErrorIs(t, err, spool.ErrTooLarge)
	assert.LessOrEqual(t, endless.read, limit+spool.DefaultMemory)
}

// zeros is a body without an end.
type zeros struct{ read int }

func (z *zeros) Read(p []byte) (int, error) {
	clear(p)
	z.read += len(p)
	return len(p), nil
}

func TestNoDirectory(t *testing.T) {
	missing := tempDir(t) + "/missing"
	t.Setenv("TMPDIR", missing)
	t.Setenv("TMP", missing)
	_, err := spool.Read(strings.NewReader("body"), 0, 100)
	require.ErrorIs(t, err, spool.ErrStorage)
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "spool: cannot store the body: open "+missing)
}

// A body in memory stays what it was while others are read, also when its owner has closed it.
func TestBodiesShareNothing(t *testing.T) {
	want := pattern(3000)
	body, err := spool.Read(bytes.NewReader(want), spool.DefaultMemory, math.MaxInt64)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	for range 10 {
		_, err := spool.Read(io.LimitReader(&zeros{}, 3000), spool.DefaultMemory, math.MaxInt64)
		require.NoError(t, err)
	}
	got, err := io.ReadAll(body)
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func TestAllocations(t *testing.T) {
	content := pattern(3000)
	r := bytes.NewReader(content)
	allocs := testing.AllocsPerRun(100, func() {
		r.Reset(content)
		body, err := spool.Read(r, spool.DefaultMemory, math.MaxInt64)
		if err != nil || body.Size != int64(len(content)) {
			t.Fatal(err)
		}
	})
	// What the body keeps and the reader around it; one more is for the buffer, should the collector take it away.
	assert.LessOrEqual(t, allocs, 3.0)
}

func BenchmarkRead(b *testing.B) {
	for name, size := range map[string]int{"1KB": 1 << 10, "64KB": 64 << 10, "10MB": 10 << 20} {
		b.Run(name, func(b *testing.B) {
			content := pattern(size)
			r := bytes.NewReader(content)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				r.Reset(content)
				body, err := spool.Read(r, spool.DefaultMemory, math.MaxInt64)
				if err != nil {
					b.Fatal(err)
				}
				if err := body.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
