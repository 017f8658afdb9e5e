package server

import (
	"testing"

	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) {
	Probe() // when a CGI program of the suite runs this binary
	leak.Main(m)
}
