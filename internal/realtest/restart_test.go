//go:build unix

package realtest

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/peer"
)

// A visit is a GET that was made.
type visit struct {
	begin, end time.Time
	status     int
	err        error // among others, that the response was cut short
}

// visitors make GETs one after the other until they are stopped.
type visitors struct {
	page   string
	mu     sync.Mutex
	visits []visit
	over   chan struct{}
	group  sync.WaitGroup
}

const pageText = "a page of a script that takes its time\n"

// visitPHP lets 4 clients ask gangway in front of a php-fpm for a page of so many lines.
func visitPHP(t *testing.T, socket string, lines int) *visitors {
	dir := peer.Dir(t)
	script := fmt.Sprintf(`<?php usleep(10000); echo str_repeat("%s\n", %d);`, strings.TrimSpace(pageText), lines)
	require.NoError(t, os.WriteFile(dir+"/index.php", []byte(script), 0o644))
	g := start(t, 1, "bridge", "--from", "http://127.0.0.1:0", "--to", "fcgi+unix://"+socket, "--root", dir)
	v := &visitors{page: strings.Repeat(pageText, lines), over: make(chan struct{})}
	stop := sync.OnceFunc(func() { close(v.over) })
	t.Cleanup(func() {
		stop()
		v.group.Wait()
	})
	for range 4 {
		b := newBrowser(t, g.addresses[0])
		v.group.Go(func() { v.run(b) })
	}
	return v
}

func (v *visitors) run(b *browser) {
	for {
		select {
		case <-v.over:
			return
		default:
		}
		got := visit{begin: time.Now()}
		got.status, got.err = v.get(b)
		got.end = time.Now()
		v.mu.Lock()
		v.visits = append(v.visits, got)
		v.mu.Unlock()
		if got.status != http.StatusOK {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func (v *visitors) get(b *browser) (int, error) {
	resp, err := b.Get(b.base + "/")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode == http.StatusOK && string(body) != v.page {
		err = io.ErrUnexpectedEOF
	}
	return resp.StatusCode, err
}

// since returns the visits that began after a time.
func (v *visitors) since(after time.Time) []visit {
	v.mu.Lock()
	defer v.mu.Unlock()
	var found []visit
	for _, got := range v.visits {
		if got.begin.After(after) {
			found = append(found, got)
		}
	}
	return found
}

// wait waits for n more visits that end well.
func (v *visitors) wait(t *testing.T, n int) {
	t.Helper()
	began := time.Now()
	require.Eventually(t, func() bool {
		well := 0
		for _, got := range v.since(began) {
			if got.err == nil && got.status == http.StatusOK {
				well++
			}
		}
		return well >= n
	}, patience, 20*time.Millisecond)
}

// A php-fpm that is told to begin anew while clients ask: they do not notice.
func TestPHPFPMReloads(t *testing.T) {
	tests := []struct {
		name, pool string
		lines      int
	}{
		// It lets its processes end what they do.
		{"graceful", "[global]\nprocess_control_timeout = 10s", 500},
		// It kills them at once: what had not begun to answer is asked again. One write is all that such a page takes.
		{"as installed", "", 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fpm, socket := peer.PHPFPM(t, tt.pool)
			v := visitPHP(t, socket, tt.lines)
			v.wait(t, 100)
			for i := range 3 {
				require.NoError(t, fpm.Cmd.Process.Signal(syscall.SIGUSR2))
				again := func() bool { return strings.Count(fpm.Log(), "ready to handle connections") == i+2 }
				require.Eventually(t, again, patience, 10*time.Millisecond)
				v.wait(t, 150)
			}
			visits := v.since(time.Time{})
			for _, got := range visits {
				assert.NoError(t, got.err)
				assert.Equal(t, http.StatusOK, got.status)
			}
			t.Logf("%d visits", len(visits))
		})
	}
}

// A php-fpm that is away for a while: there are errors only then, and soon.
func TestPHPFPMStopsAndStarts(t *testing.T) {
	fpm, socket := peer.PHPFPM(t, "")
	v := visitPHP(t, socket, 20)
	v.wait(t, 100)
	stopped := time.Now()
	fpm.Stop()
	time.Sleep(2 * time.Second)
	peer.Start(t, exec.Command(fpm.Path, fpm.Args[1:]...), "unix", socket)
	started := time.Now()
	v.wait(t, 100)
	away, well := 0, 0
	for _, got := range v.since(time.Time{}) {
		assert.NoError(t, got.err)
		assert.Less(t, got.end.Sub(got.begin), 10*time.Second)
		if got.status == http.StatusOK {
			well++
			continue
		}
		away++
		assert.Contains(t, []int{http.StatusBadGateway, http.StatusServiceUnavailable}, got.status)
		assert.True(t, got.end.After(stopped) && got.begin.Before(started), "%d outside of the time away", got.status)
	}
	assert.Greater(t, away, 50)
	t.Logf("%d visits ended well, %d while it was away with 502 or 503", well, away)
}
