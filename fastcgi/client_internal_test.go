package fastcgi

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi/wire"
	"github.com/gangway-go/gangway/internal/sockio"
)

// TestClientRequestIDs: a connection counts its requests, and comes back to 1 behind the largest id.
func TestClientRequestIDs(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	c := new(Client)
	defer c.Close()
	var got []uint16
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := far.Read(b)
			if err != nil {
				return
			}
			if b[1] == byte(wire.TypeBeginRequest) {
				h, _ := wire.ParseHeader(b[:n])
				got = append(got, h.RequestID)
				answer := wire.AppendRecord(nil, wire.TypeStdout, h.RequestID, []byte("X: y\n\n"))
				far.Write(wire.EndRequest{}.Append(answer, h.RequestID))
			}
		}
	}()
	cn := &conn{Conn: sockio.New(near), opened: time.Now(), id: 30}
	for range 4 {
		x := &exchange{c: c, conn: cn, ctx: t.Context(), req: &adapters.Request{Method: "GET"}, keep: true}
		require.NoError(t, x.start())
		_, err := x.response()
		require.NoError(t, err)
		_, err = x.Read(nil)
		require.Equal(t, io.EOF, err)
	}
	assert.Equal(t, []uint16{31, 32, 1, 2}, got)
}

// TestClientWaitsWithoutBuffer: a request that waits for its application holds little memory, before the header and
// within a stream.
func TestClientWaitsWithoutBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		go io.Copy(io.Discard, far)
		nc := &roomConn{Conn: near}
		x := &exchange{
			c: new(Client), conn: &conn{Conn: sockio.New(nc)}, ctx: t.Context(),
			req: &adapters.Request{Method: "GET"},
		}
		x.c.conns.open = 1
		require.NoError(t, x.start())
		done := make(chan error, 1)
		go func() {
			_, err := x.response()
			done <- err
		}()
		time.Sleep(time.Second)
		assert.LessOrEqual(t, nc.room.Load(), int64(waitSize))
		far.Write(wire.AppendStream(nil, wire.TypeStdout, 1, []byte("X: y\n\n")))
		require.NoError(t, <-done)

		go func() {
			_, err := x.WriteTo(&flushes{})
			done <- err
		}()
		far.Write(wire.AppendStream(nil, wire.TypeStdout, 1, make([]byte, 400_000)))
		synctest.Wait()
		assert.Equal(t, int64(largeSize), nc.room.Load())
		time.Sleep(time.Second)
		assert.LessOrEqual(t, nc.room.Load(), int64(waitSize))
		far.Write(wire.EndRequest{}.Append(nil, 1))
		require.NoError(t, <-done)
		assert.Nil(t, x.in.buf)
	})
}

// A roomConn notes how large the buffer of the last Read is.
type roomConn struct {
	net.Conn
	room atomic.Int64
}

func (c *roomConn) Read(b []byte) (int, error) {
	c.room.Store(int64(len(b)))
	return c.Conn.Read(b)
}

type flushes struct{ bytes.Buffer }

func (*flushes) Flush() {}

// asked is what a naive reader makes of an application's bytes: all of FCGI_STDOUT and FCGI_STDERR, and whether and how
// the request ended.
func asked(b []byte, id uint16) (stdout, stderr []byte, end *wire.EndRequest, bad bool) {
	ended := false
	for len(b) >= wire.HeaderLen {
		version, t, at := b[0], wire.Type(b[1]), uint16(b[2])<<8|uint16(b[3])
		content, padding := int(b[4])<<8|int(b[5]), int(b[6])
		management := at == 0 && (t == wire.TypeGetValuesResult || t == wire.TypeUnknownType)
		ours := at == id && (t == wire.TypeStdout || t == wire.TypeStderr || t == wire.TypeEndRequest && content == 8)
		late := ours && t == wire.TypeStdout && content > 0 && ended
		if version != 1 || !management && !ours || late {
			return stdout, stderr, nil, true
		}
		ended = ended || ours && t == wire.TypeStdout && content == 0
		b = b[wire.HeaderLen:]
		whole := len(b) >= content+padding
		part := b[:min(content, len(b))]
		switch {
		case t == wire.TypeStdout:
			stdout = append(stdout, part...)
		case t == wire.TypeStderr:
			stderr = append(stderr, part...)
		case t == wire.TypeEndRequest && whole:
			e, _ := wire.ParseEndRequest(part)
			return stdout, stderr, &e, false
		}
		if !whole {
			break
		}
		b = b[content+padding:]
	}
	return stdout, stderr, nil, false
}

// FuzzClientRecords reads an application's bytes in pieces and compares with what a naive reader makes of the whole.
func FuzzClientRecords(f *testing.F) {
	stream := wire.AppendRecord(nil, wire.TypeStdout, 1, []byte("Content-Type: text/plain\r\n\r\nhello"))
	stream = wire.AppendRecord(stream, wire.TypeStderr, 1, []byte("oh"))
	f.Add(wire.EndRequest{AppStatus: 3}.Append(stream, 1), uint64(1), false)
	f.Add(wire.EndRequest{}.Append(wire.AppendUnknownType(stream, 99), 2), uint64(2), true)
	h := wire.Header{Version: 1, Type: wire.TypeStdout, RequestID: 1, ContentLength: 1, PaddingLength: 255}
	f.Add(append(h.Append(nil), stream...), uint64(3), false)
	f.Add(bytes.Repeat(stream, 5), uint64(4), true)
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, large bool) {
		if large { // so that the large buffer comes into use
			data = append(wire.AppendStream(nil, wire.TypeStdout, 1, make([]byte, 300_000)), data...)
		}
		checkRecords(t, data, &pieces{data: data, rand: rand.New(rand.NewPCG(seed, 0)), small: !large})
	})
}

// TestClientRecordsAtBorder: a record may begin anywhere at the end of a buffer.
func TestClientRecordsAtBorder(t *testing.T) {
	for _, size := range []int{smallSize, smallSize + largeSize} {
		for before := range 2 * wire.HeaderLen {
			var data []byte
			for len(data) < size-before {
				n := min(10_000, size-before-len(data)-wire.HeaderLen)
				data = wire.AppendRecord(data, wire.TypeStdout, 1, make([]byte, n))
			}
			data = wire.AppendRecord(data, wire.TypeStdout, 1, []byte("hello"))
			data = wire.EndRequest{}.Append(data, 1)
			checkRecords(t, data, &pieces{data: data})
		}
	}
}

// checkRecords compares what a client reads of data with what a naive reader does.
func checkRecords(t *testing.T, data []byte, from net.Conn) {
	stdout, stderr, end, bad := asked(data, 1)
	var gotOut, gotErr bytes.Buffer
	x := &exchange{
		c: new(Client), conn: &conn{Conn: sockio.New(from), id: 1}, req: &adapters.Request{Stderr: &gotErr}, ctx: t.Context(),
		inBody: true,
	}
	x.in.id = 1
	var err error
	for err == nil {
		var b []byte
		b, err = x.pull(false)
		gotOut.Write(b)
	}
	require.True(t, bytes.Equal(stdout, gotOut.Bytes()), "STDOUT")
	require.True(t, bytes.Equal(stderr, gotErr.Bytes()), "STDERR")
	switch {
	case bad:
		require.ErrorIs(t, err, adapters.ErrBadResponse)
	case end == nil:
		require.ErrorIs(t, err, adapters.ErrTruncated)
	case end.ProtocolStatus == wire.StatusRequestComplete:
		require.Equal(t, io.EOF, err)
		require.Equal(t, int(int32(end.AppStatus)), x.appStatus())
	default:
		require.Error(t, err)
		require.False(t, errors.Is(err, io.EOF))
	}
}

// pieces is a connection on which data arrives bit by bit.
type pieces struct {
	net.TCPConn // its methods do nothing without a connection
	data        []byte
	rand        *rand.Rand
	small       bool
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := len(b)
	if p.small {
		n = 1 + p.rand.IntN(min(n, 100))
	}
	n = copy(b[:n], p.data)
	p.data = p.data[n:]
	return n, nil
}
