package pool

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/internal/testlog"
)

// TestDroppedLines: what was dropped is told when its second is over, though nothing follows.
func TestDroppedLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log testlog.Buffer
		o := &output{log: log.Logger(), limit: 1}
		r, w := io.Pipe()
		go o.copy(r)
		say := func(text string) string {
			io.WriteString(w, text)
			synctest.Wait()
			return log.String()
		}
		assert.NotContains(t, say("a\nb\nc\n"), "dropped")
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Contains(t, log.String(), `line="2 more lines dropped (limit stderr-lines)" limit=stderr-lines`)
		assert.Contains(t, say("d\n"), "line=d")
		assert.Equal(t, 1, strings.Count(say("e\n"), "dropped"))
		time.Sleep(time.Second / 2)
		w.Close()
		time.Sleep(time.Hour)
		assert.Equal(t, 1, strings.Count(log.String(), `"1 more lines dropped`))
		assert.Equal(t, 2, strings.Count(log.String(), "dropped"))
	})
}
