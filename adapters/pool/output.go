package pool

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"time"
)

const maxLine = 8 << 10 // longer lines are cut into pieces

// output logs what a process writes, by line.
type output struct {
	log   *slog.Logger
	limit int // lines in a second that are logged
	pid   int
	last  string // line that is not empty

	second  time.Time // when the current second began
	lines   int       // in it
	dropped int
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
	o.reportDropped()
}

func (o *output) line(line string) {
	o.last = line
	if now := time.Now(); now.Sub(o.second) > time.Second {
		o.reportDropped()
		o.second, o.lines = now, 0
	}
	if o.lines++; o.lines > o.limit {
		o.dropped++
		return
	}
	o.log.Warn("stderr", "pid", o.pid, "line", line)
}

func (o *output) reportDropped() {
	if o.dropped > 0 {
		text := fmt.Sprintf("%d more lines dropped (limit stderr-lines)", o.dropped)
		o.log.Warn("stderr", "pid", o.pid, "line", text, "limit", "stderr-lines")
		o.dropped = 0
	}
}
