package server

import (
	"flag"
	"testing"

	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) {
	Probe()                        // when a CGI program of the suite runs this binary
	flag.Set("test.parallel", "6") // the tests wait most of the time
	leak.Main(m)
}
