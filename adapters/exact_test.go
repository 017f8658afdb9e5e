package adapters_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

func TestExactBody(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name string
		r    io.Reader
		n    int64
		want string
		err  error
	}{
		{"exact", strings.NewReader("abc"), 3, "abc", nil},
		{"more there", strings.NewReader("abcdef"), 3, "abc", nil},
		{"nothing", strings.NewReader("abc"), 0, "", nil},
		{"ends early", strings.NewReader("abc"), 4, "abc", adapters.ErrAborted},
		{"end with the last bytes", iotest.DataErrReader(strings.NewReader("abc")), 3, "abc", nil},
		{"early end with bytes", iotest.DataErrReader(strings.NewReader("abc")), 4, "abc", adapters.ErrAborted},
		{"bytes one by one", iotest.OneByteReader(strings.NewReader("abcd")), 3, "abc", nil},
		{"broken", io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(broken)), 3, "ab", broken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := &adapters.ExactBody{R: tt.r, N: tt.n}
			got, err := io.ReadAll(b)
			assert.Equal(t, tt.want, string(got))
			assert.ErrorIs(t, err, tt.err)
			assert.ErrorIs(t, b.Err, tt.err)
			_, err = b.Read(make([]byte, 1))
			if tt.err == nil {
				assert.Equal(t, io.EOF, err)
			} else {
				assert.ErrorIs(t, err, tt.err, "stays")
			}
		})
	}
}

func TestReadableAtOnce(t *testing.T) {
	r := strings.NewReader("abc")
	r.ReadByte()
	assert.EqualValues(t, 2, adapters.ReadableAtOnce(r))
	assert.Zero(t, adapters.ReadableAtOnce(io.LimitReader(r, 1)))
	assert.Zero(t, adapters.ReadableAtOnce(nil))
}

func TestExactBodyShut(t *testing.T) {
	r, w := io.Pipe()
	b := &adapters.ExactBody{R: r, N: 10}
	go w.Write([]byte("abc"))
	_, err := b.Read(make([]byte, 10))
	require.NoError(t, err)
	read := make(chan error)
	go func() {
		_, err := b.Read(make([]byte, 10))
		read <- err
	}()
	b.Shut(w.Close)
	assert.ErrorIs(t, <-read, adapters.ErrAborted)
	assert.NoError(t, b.Err, "it was not the reader that failed")
	assert.Equal(t, int64(7), b.N)
	_, err = b.Read(make([]byte, 10))
	assert.ErrorIs(t, err, adapters.ErrAborted)
}

func TestExactBodyShutDoesNotWaitForTheUninterruptible(t *testing.T) {
	r, w := io.Pipe()
	b := &adapters.ExactBody{R: r, N: 10}
	read := make(chan error)
	go func() {
		_, err := b.Read(make([]byte, 10))
		read <- err
	}()
	b.Shut(func() error { return errors.ErrUnsupported })
	w.Close()
	assert.ErrorIs(t, <-read, adapters.ErrAborted)
}

func TestExactBodyDiscard(t *testing.T) {
	r := strings.NewReader("abcdef")
	b := &adapters.ExactBody{R: r, N: 4}
	_, err := b.Read(make([]byte, 1))
	require.NoError(t, err)
	b.Shut(func() error { return nil })
	b.Discard()
	assert.Equal(t, 2, r.Len())
	assert.Zero(t, b.N)
}
