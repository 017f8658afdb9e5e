package app

import (
	"fmt"
	"net"
	"time"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/echo"
)

// mostAtOnce is how many connections at once the preflight tries.
const mostAtOnce = 16

// slowAnswer is how long any target may take for the first plain request, by which the patience for others is set.
const slowAnswer = 2500 * time.Millisecond

// slowStart is how long a program that the suite has started may take for its first answer.
const slowStart = 5 * time.Second

// slowEnd is how long it may take from the end of its socket to its own.
const slowEnd = 100 * time.Millisecond

// Preflight makes one plain request. Then it finds out whether the target is the echo application, keeps connections,
// and how many of them it serves at once.
func (t *Target) Preflight(ct *conformance.T) {
	if t.err != nil {
		ct.Broken(t.err)
	}
	if err := t.start(); err != nil {
		ct.Broken(err)
	}
	tt := &T{T: ct, target: t, least: slowAnswer}
	if t.command != "" && !tt.within(slowStart, (*T).Serves) && t.program.ended(slowEnd) {
		ct.Fail("%q ended before it answered (%v). Its output is closed (FastCGI 1.0 section 2.2): if it cannot do without, "+
			"add >/dev/null 2>&1 to it; to see what it says, start it by hand", t.command, t.program.cmd.ProcessState)
	}
	start := time.Now()
	r := tt.ask("")
	took := time.Since(start)
	tt.least = 0
	ct.Pace(took)
	_, err := echo.Parse(r.body)
	t.echo, t.version = err == nil, r.field("X-Powered-By")
	t.plain = fmt.Sprintf("status %d, %s", r.status, r.field("Content-Type"))
	t.keeps = t.scheme == "fcgi" && tt.keeps()
	t.atOnce = 1
	ct.Try(ct.Patience(), test(func(tt *T) { t.atOnce = tt.countAtOnce(max(20*took, ct.Patience()/5)) }))
	tt.revive()
}

// revive starts the program anew if it did not survive connections that break off.
func (t *T) revive() {
	if t.target.command == "" || t.within(slowStart, (*T).Serves) {
		return
	}
	if err := t.target.Restart(t.Context()); err != nil {
		t.Broken(err)
	}
	t.within(slowStart, (*T).Serves)
}

// countAtOnce holds more and more connections with requests that are not complete until a complete one beside them is
// not answered in time.
func (t *T) countAtOnce(patience time.Duration) int {
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	for len(held) < mostAtOnce-1 {
		c := t.Open()
		held = append(held, c)
		c.Write([]byte(t.target.protocol.begin))
		if !t.within(patience, (*T).Serves) {
			return len(held)
		}
	}
	return mostAtOnce
}

// within says whether run passes when the target has less time than usual.
func (t *T) within(patience time.Duration, run func(*T)) bool {
	outcome := t.Try(patience, test(run))
	return outcome == conformance.Pass
}
