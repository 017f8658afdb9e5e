package cgi_test

import (
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/cgi"
	"github.com/gangway-go/gangway/internal/peer"
)

// smallest is a program that does nothing but answer, in one system call.
const smallest = `#include <unistd.h>
int main() { return write(1, "Content-Type: text/plain\n\nhello", 31) != 31; }
`

// What a request costs when its program runs as another user, under limits, in a sandbox: make sandbox-cost.
func BenchmarkConfinement(b *testing.B) {
	dir := peer.Dir(b)
	require.NoError(b, os.WriteFile(dir+"/smallest.c", []byte(smallest), 0o644))
	build := exec.Command(peer.Need(b, "gcc"), "-O2", "-static", "-o", dir+"/smallest", dir+"/smallest.c")
	build.Stderr = os.Stderr
	require.NoError(b, build.Run())

	none := cgi.Limits{CPU: -1, Memory: -1, FileSize: -1, Files: -1, Processes: -1, Time: -1, Output: -1}
	limits := cgi.SandboxLimits()
	limits.Processes = -1 // which do not hold root
	other := cgi.Self
	if os.Getuid() == 0 {
		other = "40123:40123"
	}
	strict := cgi.Sandbox{Profile: cgi.Strict}
	for _, bb := range []struct {
		name, user string
		limits     cgi.Limits
		sandbox    cgi.Sandbox
	}{
		{"plain", "", none, cgi.Sandbox{}},
		{"user", other, none, cgi.Sandbox{}},
		{"limits", "", limits, cgi.Sandbox{}},
		{"sandbox", other, none, strict},
		{"limits and sandbox", other, limits, strict},
	} {
		b.Run(bb.name, func(b *testing.B) {
			s := closing(b, &cgi.Script{Path: dir + "/smallest", User: bb.user, Limits: bb.limits, Sandbox: bb.sandbox})
			if err := s.Check(); err != nil {
				b.Skip(err)
			}
			began := processorTime(b)
			for b.Loop() {
				resp, err := s.Serve(b.Context(), &adapters.Request{Method: "GET", URI: "/", Proto: "HTTP/1.1"})
				require.NoError(b, err)
				_, err = adapters.Copy(io.Discard, resp.Body)
				require.NoError(b, err)
				resp.Body.Close()
			}
			b.ReportMetric(float64((processorTime(b)-began).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// processorTime is that of this process and of its children.
func processorTime(b *testing.B) time.Duration {
	var sum int64
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var usage syscall.Rusage
		require.NoError(b, syscall.Getrusage(who, &usage))
		sum += usage.Utime.Nano() + usage.Stime.Nano()
	}
	return time.Duration(sum)
}
