package cgi

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What a script has written is read also by a reader whose time was over before it could run; but no more than that.
func TestOutputReadLate(t *testing.T) {
	for name, write := range map[string]string{"something": strings.Repeat("x", 50_000), "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe()
			require.NoError(t, err)
			defer r.Close()
			defer w.Close() // somebody holds the pipe
			_, err = io.WriteString(w, write)
			require.NoError(t, err)
			o := &output{file: r, waited: lingerTime}
			long := time.Now().Add(-time.Minute)
			o.ended.Store(&long)
			r.SetReadDeadline(long)
			got, err := io.ReadAll(o)
			assert.NoError(t, err)
			assert.Equal(t, write, string(got))
			_, err = io.WriteString(w, "too late")
			require.NoError(t, err)
			_, err = o.Read(make([]byte, 10))
			assert.Equal(t, io.EOF, err)
		})
	}
}
