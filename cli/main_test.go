package cli

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gangway-go/gangway/conformance/server"
	"github.com/gangway-go/gangway/internal/leak"
)

// TestMain puts this program into PATH as gangway.
func TestMain(m *testing.M) {
	server.Probe()                              // the probes of conform name this program by its own name
	os.Setenv(raceOptions, "atexit_sleep_ms=0") // a second for each process otherwise
	testscript.Main(leak.Check(m), map[string]func(){"gangway": func() { os.Exit(Main()) }})
}

// raceOptions is where the race detector finds its options.
const raceOptions = "GORACE"
