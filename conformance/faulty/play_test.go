package faulty

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParsePlay(t *testing.T) {
	p, err := ParsePlay(`deaf; say "a;\" b\x00"; err "x"*3;  record type=3 id=+1 "";end 0 1; send "y"*0 ;stall`)
	require.NoError(t, err)
	assert.Equal(t, Play{
		{"deaf", []string{}, "", 1}, {"say", []string{}, "a;\" b\x00", 1}, {"err", []string{}, "x", 3},
		{"record", []string{"type=3", "id=+1"}, "", 1}, {"end", []string{"0", "1"}, "", 1}, {"send", []string{}, "y", 0},
		{"stall", []string{}, "", 1},
	}, p)
	assert.True(t, p.Deaf())
	for _, text := range []string{
		"dance", "say", `say "`, `say "a`, `close "a"`, "say a", `say "a"*`, `say "a"*b`, "end 1 2 3", `"a"`, "; close", "stall 1",
	} {
		_, err := ParsePlay(text)
		assert.Error(t, err, text)
	}
}

func TestPlayAct(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	p, err := ParsePlay(`read "go\n"; send "ab"*20000; drip "cd"; close; send "not any more"`)
	require.NoError(t, err)
	acted := make(chan error, 1)
	go func() { acted <- p.Act(theirs) }()
	_, err = io.WriteString(ours, "ready, go\n")
	require.NoError(t, err)
	got, err := io.ReadAll(ours)
	assert.NoError(t, err)
	assert.Len(t, got, 40_002)
	assert.Equal(t, "abcd", string(got[len(got)-4:]))
	assert.Equal(t, io.EOF, <-acted)
	assert.Error(t, Play{{Verb: "say"}}.Act(theirs), "which needs a protocol")
}

func TestPlayShell(t *testing.T) {
	p, err := ParsePlay(`say "50%\r\n"; err "x"*3; nap; half; exit 1`)
	require.NoError(t, err)
	text, err := p.Shell()
	require.NoError(t, err)
	assert.Contains(t, text, "\nprintf -- '50%%\\015\\012'\n{ printf -- 'x%.0s' $(seq 3); } >&2\nsleep 0.05\nexec >&-\nexit 1\n")
	_, err = Play{{Verb: "record"}}.Shell()
	assert.Error(t, err)
}
