package scgi_test

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/scgi"
	"github.com/gangway-go/gangway/scgi/wire"
)

// pieces is a connection on which what is sent comes bit by bit.
type pieces struct {
	net.Conn // nil
	io.Reader
	most int
}

func (p *pieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), p.most)]) }

func (p *pieces) SetReadDeadline(time.Time) error { return nil }

// FuzzReadRequest: the server makes the same of a request's head in pieces as the codec does of the whole.
func FuzzReadRequest(f *testing.F) {
	for _, sent := range []string{
		"24:CONTENT_LENGTH\x005\x00SCGI\x001\x00,hello", "24:CONTENT_LENGTH\x000\x00SCGI\x001\x00,", "0:,", "x", "5:abc",
		"201:", "3:abc.", "", "18:CONTENT_LENGTH\x00-1\x00,", "24:CONTENT_LENGTH\x000\x00SCGI\x002\x00,",
		"52:CONTENT_LENGTH\x000\x00SCGI\x001\x00REQUEST_METHOD\x00GET\x00HTTP_A\x001\x00,",
		"34:CONTENT_LENGTH\x000\x00CONTENT_LENGTH\x000\x00,", "7:SCGI\x001\x00,",
		"35:CONTENT_LENGTH\x00\x00REQUEST_METHOD\x00GET\x00,", "19:CONTENT_LENGTH\x000\x00A\x00,",
	} {
		f.Add([]byte(sent), uint8(3))
	}
	f.Fuzz(func(t *testing.T, sent []byte, step uint8) {
		s := &scgi.Server{HeaderLimit: 200}
		req, rest, err := s.ReadRequest(&pieces{Reader: bytes.NewReader(sent), most: int(step) + 1})
		content, behind, codec := wire.ParseNetstring(sent, 200)
		switch codec {
		case nil:
			want, bad := scgi.ParseHeader(string(content))
			require.Equal(t, bad == nil, err == nil)
			require.Equal(t, want, req)
			require.True(t, bytes.HasPrefix(behind, rest))
		case wire.ErrShort:
			require.ErrorIs(t, err, adapters.ErrAborted)
		case wire.ErrTooLong:
			assert.Equal(t, 431, adapters.StatusOf(err))
		default:
			require.ErrorIs(t, err, adapters.ErrBadRequest)
		}
	})
}
