package open_test

import (
	"os"
	"testing"

	"github.com/gangway-go/gangway/internal/leak"
)

// programs is a folder for what tests build.
var programs string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "gangway-open")
	if err == nil {
		err = os.Chmod(dir, 0o755) // web servers run programs in it as other users
	}
	if err != nil {
		panic(err)
	}
	programs = dir
	code := leak.Check(m).Run()
	os.RemoveAll(dir)
	os.Exit(code)
}
