package testlog_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/internal/leak"
	"github.com/gangway-go/gangway/internal/testlog"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestBuffer(t *testing.T) {
	var b testlog.Buffer
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 100 {
				fmt.Fprintln(&b, "line")
				assert.Contains(t, b.String(), "line\n")
			}
		})
	}
	writers.Wait()
	assert.Equal(t, strings.Repeat("line\n", 400), b.String())
}

func TestLogger(t *testing.T) {
	var b testlog.Buffer
	b.Logger().Debug("said", "by", "the test")
	assert.Contains(t, b.String(), `level=DEBUG msg=said by="the test"`)
}
