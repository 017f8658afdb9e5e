package server

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) {
	Probe() // when a CGI program of the suite runs this binary
	if !slices.ContainsFunc(os.Args, func(arg string) bool { return strings.HasPrefix(arg, "-test.fuzz") }) {
		flag.Set("test.parallel", "6") // the tests wait most of the time; workers of the fuzzing engine do not
	}
	leak.Main(m)
}
