package fastcgi

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/adapters"
)

// Another goroutine may abort a request while its streams are opened.
func TestServerInputAbortedAtOpen(t *testing.T) {
	var in serverInput
	aborted := make(chan bool)
	go func() {
		defer close(aborted)
		in.abort(adapters.ErrAborted)
	}()
	in.open(0)
	<-aborted
	_, err := in.Read(make([]byte, 1))
	assert.ErrorIs(t, err, adapters.ErrAborted)
	assert.NotErrorIs(t, err, io.EOF)
}
