package adaptertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// told reports whether the application wrote the file.
func told(file string) func() bool {
	return func() bool {
		_, err := os.Stat(file)
		return err == nil
	}
}

const patience = 20 * time.Second

func closeTells(t *testing.T, r *runner) {
	resp := r.serve(t, r.get("/events?next=none"))
	_, err := io.ReadFull(resp.Body, make([]byte, 4))
	require.NoError(t, err)
	closed := make(chan struct{})
	go func() { resp.Body.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Error("Close waits for the application")
	}
}

func cancelTells(t *testing.T, r *runner) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	started, told1 := filepath.Join(dir, "started"), filepath.Join(dir, "told")
	failed := make(chan error, 1)
	go func() {
		resp, err := r.h.Serve(ctx, r.get("/silent?started="+started+"&told="+told1))
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		failed <- err
	}()
	require.Eventually(t, told(started), patience, time.Millisecond)
	cause := errors.New("nobody waits")
	cancel(cause)
	assert.ErrorIs(t, <-failed, cause)
	assert.Eventually(t, told(told1), patience, time.Millisecond, "the application was not told")
}

func brokenUpload(t *testing.T, r *runner) {
	dir, err := os.MkdirTemp("", "upload")
	require.NoError(t, err)
	defer os.RemoveAll(dir) // an application that is being ended may still write
	file := filepath.Join(dir, "how")
	body := io.MultiReader(bytes.NewReader(testBody(100_000)), brokenReader(told(file+".begun")))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	resp, err := r.h.Serve(ctx, r.request("POST", "/upload?file="+file, body, 200_000))
	if err == nil {
		assert.NotEqual(t, 200, resp.Status)
		resp.Body.Close()
	}
	if !r.lacks.Killed {
		require.Eventually(t, told(file), patience, time.Millisecond)
	}
	if how, err := os.ReadFile(file); err == nil {
		assert.Equal(t, "cut", string(how))
	}
}

// A brokenReader fails when the application has begun: one that was never asked has nothing to tell.
type brokenReader func() bool

func (begun brokenReader) Read([]byte) (int, error) {
	for end := time.Now().Add(patience); !begun() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	return 0, io.ErrUnexpectedEOF
}
