package adapters_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

type pieces struct {
	io.Reader
	err    error
	closed int
}

func (b *pieces) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && b.err != nil {
		err = b.err
	}
	return n, err
}
func (b *pieces) Close() error { b.closed++; return nil }

type readWriter struct {
	pieces
	io.Writer
}

type brokenWriter struct{ left int }

var errBroken = errors.New("broken pipe")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return w.left, errBroken
	}
	w.left -= len(p)
	return len(p), nil
}

func TestOnEnd(t *testing.T) {
	tests := []struct {
		name string
		err  error
		use  func(body io.ReadCloser)
		n    int64
		end  error
	}{
		{"read whole", nil, func(b io.ReadCloser) { io.ReadAll(b) }, 6, io.EOF},
		{"copied whole", nil, func(b io.ReadCloser) { adapters.Copy(io.Discard, b) }, 6, io.EOF},
		{"not read", nil, func(io.ReadCloser) {}, 0, nil},
		{"closed early", nil, func(b io.ReadCloser) { b.Read(make([]byte, 4)) }, 4, nil},
		{"cut short", adapters.ErrTruncated, func(b io.ReadCloser) { io.ReadAll(b) }, 6, adapters.ErrTruncated},
		{"copied and cut short", adapters.ErrTruncated, func(b io.ReadCloser) { adapters.Copy(io.Discard, b) }, 6,
			adapters.ErrTruncated},
		{"client gone", nil, func(b io.ReadCloser) { adapters.Copy(&brokenWriter{left: 2}, b) }, 2, errBroken},
		{"the first error counts", adapters.ErrTruncated, func(b io.ReadCloser) {
			io.ReadAll(b)
			adapters.Copy(&brokenWriter{}, b)
		}, 6, adapters.ErrTruncated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inner := &pieces{Reader: strings.NewReader("abcdef"), err: tt.err}
			calls := 0
			body := adapters.OnEnd(inner, func(n int64, err error) {
				calls++
				assert.Equal(t, tt.n, n)
				assert.Equal(t, tt.end, err)
			})
			tt.use(body)
			assert.Zero(t, calls)
			body.Close()
			body.Close()
			assert.Equal(t, 1, calls)
			assert.Equal(t, 2, inner.closed)
		})
	}
}

func TestOnCloseKeepsWrite(t *testing.T) {
	var to bytes.Buffer
	closed := false
	body := adapters.OnClose(&readWriter{pieces{Reader: strings.NewReader("in")}, &to}, func() { closed = true })
	w, ok := body.(io.Writer)
	require.True(t, ok)
	io.WriteString(w, "out")
	assert.Equal(t, "out", to.String())
	_, ok = body.(io.WriterTo)
	assert.True(t, ok)
	require.NoError(t, body.Close())
	assert.True(t, closed)

	_, ok = adapters.OnClose(adapters.NoBody, func() {}).(io.Writer)
	assert.False(t, ok)
}
