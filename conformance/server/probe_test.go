package server

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFrame(t *testing.T) {
	wire := []byte("O\x00\x00\x00\x04bodyX\x00\x00\x00\x01\x03")
	kind, data, rest, err := parseFrame(wire)
	require.NoError(t, err)
	assert.Equal(t, doStdout, kind)
	assert.Equal(t, "body", string(data))
	assert.Equal(t, "X\x00\x00\x00\x01\x03", string(rest))
	assert.Equal(t, wire, appendFrame(appendFrame(nil, doStdout, []byte("body")), doExit, []byte{3}))
	for n := range 9 {
		_, _, _, err := parseFrame(wire[:n])
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d bytes", n)
	}
	_, _, _, err = parseFrame([]byte("O\xff\x00\x00\x00"))
	assert.ErrorIs(t, err, errFrame)
}

func TestPieces(t *testing.T) {
	assert.Empty(t, appendPieces(nil, doStdout, nil))
	text := strings.Repeat("x", 2*pieceSize+1)
	b, joined := appendPieces(nil, doStdout, []byte(text)), ""
	for n := 0; len(b) > 0; n++ {
		_, data, rest, err := parseFrame(b)
		require.NoError(t, err)
		joined, b = joined+string(data), rest
	}
	assert.Equal(t, text, joined)
}

func TestProbeSocket(t *testing.T) {
	file := filepath.Join(t.TempDir(), "probe.cgi")
	for name, tt := range map[string]struct{ content, socket string }{
		"probe": {probeFile("/bin/gangway", "/tmp/s"), "/tmp/s"},
		"other": {"#!/bin/sh\n/tmp/s\n", ""},
		"short": {"#!/bin/gangway conform-probe", ""},
		"empty": {"", ""},
	} {
		require.NoError(t, os.WriteFile(file, []byte(tt.content), 0o644))
		socket, err := probeSocket(file)
		assert.Equal(t, tt.socket, socket, name)
		assert.Equal(t, tt.socket == "", err != nil, name)
	}
	_, err := probeSocket(file + ".none")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestProcessLearns(t *testing.T) {
	p := &Process{}
	for fact, value := range map[string]string{"cwd": "/d", "pid": "7", "ppid": "1", "fd": "9 /f", "umask": "18", "news": "x"} {
		p.learn(fact, value)
	}
	assert.Equal(t, &Process{Dir: "/d", PID: 7, Parent: 1, FDs: []string{"9 /f"}, Umask: 18}, p)
}

func TestSignalSets(t *testing.T) {
	blocked, ignored := signalSets("SigQ:\t0/1\nSigBlk:\t0000000000000002\nSigIgn:\t0000000000001000\n")
	assert.EqualValues(t, 2, blocked)
	assert.EqualValues(t, 1<<12, ignored, "SIGPIPE is 13")
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte("O\x00\x00\x00\x04body"))
	f.Add([]byte("r\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, data, rest, err := parseFrame(b)
		if err != nil {
			assert.Equal(t, b, rest)
			return
		}
		assert.Equal(t, b, append(appendFrame(nil, kind, data), rest...))
	})
}
