package cgi_test

import (
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// A script that sends its header first is fed before its response goes out: nginx stops sending a body at a header.
func TestScriptIsFedFirst(t *testing.T) {
	var sent atomic.Bool
	body := io.MultiReader(strings.NewReader("he"), pause{}, note{&sent}, strings.NewReader("llo"))
	resp, err := sh(t, head+"cat").Serve(t.Context(), put(body, 5))
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.True(t, sent.Load(), "the response came before the body was sent")
	got, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(got))
}

// A pause is an empty part of a body that takes its time.
type pause struct{}

func (pause) Read([]byte) (int, error) {
	time.Sleep(200 * time.Millisecond)
	return 0, io.EOF
}

// A note is an empty part of a body that tells that it was read.
type note struct{ read *atomic.Bool }

func (n note) Read([]byte) (int, error) {
	n.read.Store(true)
	return 0, io.EOF
}

// What does not get on without the client is not held.
func TestScriptIsNotHeld(t *testing.T) {
	tests := []struct{ name, script string }{
		{"much to say", head + "head -c 40000 /dev/zero; sleep 60"},
		{"ended", head + "echo ok"},
		{"closed its input", "exec <&-\n" + head + "echo ok; sleep 60"},
		{"waits for more of the body", head + "cat"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			body := &stuck{make(chan struct{})}
			defer close(body.release)
			s := sh(t, tt.script)
			served := make(chan *adapters.Response)
			go func() {
				resp, err := s.Serve(t.Context(), put(io.MultiReader(strings.NewReader("some"), body), 10))
				assert.NoError(t, err)
				served <- resp
			}()
			within(t, served, "the response").Body.Close()
		})
	}
}
