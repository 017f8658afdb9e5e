package pool

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

const maxLine = 8 << 10 // longer lines are cut into pieces

// output logs what a process writes, by line.
type output struct {
	log   *slog.Logger
	limit int // lines in a second that are logged
	pid   int
	last  string // line that is not empty

	mu      sync.Mutex
	second  time.Time // when the current second began
	lines   int       // in it
	dropped int
	end     *time.Timer // of a second in which lines were dropped
}

func (o *output) copy(r io.Reader) {
	br := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := br.ReadSlice('\n')
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
			o.line(string(line))
		}
		if err != nil && err != bufio.ErrBufferFull {
			break
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reportDropped()
}

func (o *output) line(line string) {
	o.last = line
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := time.Now(); now.Sub(o.second) >= time.Second {
		o.reportDropped()
		o.second, o.lines = now, 0
	}
	if o.lines++; o.lines > o.limit {
		if o.dropped++; o.dropped == 1 {
			o.end = time.AfterFunc(time.Until(o.second.Add(time.Second)), o.endSecond)
		}
		return
	}
	o.log.Warn("stderr", "pid", o.pid, "line", line)
}

// endSecond tells what was dropped, though no line may follow for long.
func (o *output) endSecond() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Since(o.second) >= time.Second { // else a line has begun another one
		o.reportDropped()
	}
}

func (o *output) reportDropped() {
	if o.dropped > 0 {
		o.end.Stop()
		text := fmt.Sprintf("%d more lines dropped (limit stderr-lines)", o.dropped)
		o.log.Warn("stderr", "pid", o.pid, "line", text, "limit", "stderr-lines")
		o.dropped = 0
	}
}
