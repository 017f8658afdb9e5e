package adapters_test

import (
	"errors"
	"io"
	"net/http/httputil"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	. "github.com/gangway-go/gangway/adapters"
)

// FuzzUnchunked: the body of an application that says chunked is decoded as net/http does, passed on as it is if it
// does not begin with a size, and never looks complete when it is not.
func FuzzUnchunked(f *testing.F) {
	for _, body := range []string{
		"4\r\nbody\r\n0\r\n\r\n", "4\r\nbody\r\n", "4", "", "plain", "\r\nx", "01234567890123456789\r\n",
		"4;a=b\r\nbody\r\n0\r\n\r\nmore",
		"g", "1 \nx\n0\n\n", "4\r\nbodyx\r\n0\r\n\r\n", "ffffffffffffffff\r\n", "5",
	} {
		f.Add(body, "1")
	}
	f.Fuzz(func(t *testing.T, body, length string) {
		read := func(source io.Reader) (string, error) {
			resp := &Response{Status: 200, Header: Header{{Name: "Transfer-Encoding", Value: "chunked"},
				{Name: "Content-Length", Value: length}}}
			require.NoError(t, resp.SetBody(io.NopCloser(source)))
			got, err := io.ReadAll(resp.Body)
			return string(got), err
		}
		got, err := read(strings.NewReader(body))
		slow, slowErr := read(iotest.OneByteReader(strings.NewReader(body)))
		assert.Equal(t, got, slow)
		assert.Equal(t, err == nil, slowErr == nil)
		usual, usualErr := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(body)))
		switch {
		case err != nil:
			assert.True(t, errors.Is(err, ErrTruncated) || errors.Is(err, ErrBadResponse), err)
			assert.Error(t, usualErr)
		case got != body:
			assert.NoError(t, usualErr)
			assert.Equal(t, string(usual), got)
		}
		_, broken := read(io.MultiReader(strings.NewReader(body), iotest.ErrReader(iotest.ErrTimeout)))
		assert.Error(t, broken)
	})
}
