package crowd

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestTally(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []int
		tally := &Tally{Tell: func(times int) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, times)
		}}
		defer tally.Stop()
		for _, step := range []struct {
			name    string
			happens int
			wait    time.Duration
			want    []int // all that was told
		}{
			{"at once", 3, 0, []int{1}},
			{"the rest after a second", 0, 1100 * time.Millisecond, []int{1, 2}},
			{"again", 5, time.Second, []int{1, 2, 5}},
			{"nothing happens", 0, 3 * time.Second, []int{1, 2, 5}},
			{"at once again", 2, 0, []int{1, 2, 5, 1}},
		} {
			for range step.happens {
				tally.Note()
			}
			time.Sleep(step.wait)
			synctest.Wait()
			mu.Lock()
			assert.Equal(t, step.want, told, step.name)
			mu.Unlock()
		}
		tally.Stop()
		tally.Stop()
		time.Sleep(2 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		assert.Equal(t, []int{1, 2, 5, 1, 1}, told)
	})
}

func TestClients(t *testing.T) {
	c := &Clients{Most: 1}
	for _, tt := range []struct {
		addr, port string
		admitted   bool
	}{
		{"2001:db8::1", "1", true}, {"2001:db8::ffff", "1", false}, {"2001:db8:0:1::1%eth0", "1", true},
		{"192.0.2.1", "1", true}, {"::ffff:192.0.2.1", "2", false}, {"192.0.2.2", "1", true},
		{"127.0.0.1", "", true}, {"127.0.0.1", "", true}, // from Unix sockets
	} {
		_, ok := c.Enter(tt.addr, tt.port)
		assert.Equal(t, tt.admitted, ok, tt.addr)
	}
	key, ok := c.Enter("192.0.2.9", "1")
	assert.True(t, ok)
	c.Leave(key)
	key, ok = c.Enter("192.0.2.9", "1")
	assert.True(t, ok)
	assert.Len(t, c.counts, 5)
	c.Leave(key)
	c.Leave(Client{})
	assert.Len(t, c.counts, 4)
	all := &Clients{}
	for range 3 {
		_, ok := all.Enter("192.0.2.9", "1")
		assert.True(t, ok)
	}
	assert.Empty(t, all.counts)
}
