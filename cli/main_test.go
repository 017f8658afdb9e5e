package cli

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gangway-go/gangway/internal/leak"
)

// TestMain puts this program into PATH as gangway.
func TestMain(m *testing.M) {
	testscript.Main(leak.Check(m), map[string]func(){"gangway": func() { os.Exit(Main()) }})
}
