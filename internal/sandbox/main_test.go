package sandbox

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gangway-go/gangway/internal/leak"
)

// asChild names, in the environment, what this program, in their order, does instead of tests.
const asChild = "GANGWAY_SANDBOX_CHILD"

func TestMain(m *testing.M) {
	if names := os.Getenv(asChild); names != "" {
		for _, name := range strings.Split(names, ",") {
			fmt.Println(children[name]())
		}
		os.Exit(0)
	}
	leak.Main(m)
}
