package open

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A program takes the place of the shell, which runs all else.
func TestShellCommand(t *testing.T) {
	for command, want := range map[string]string{
		"sh -e script": "exec sh -e script",
		"exit 3":       "exit 3", "no-such-program": "no-such-program", " ": " ",
		"sh -c 'exit 3'": "sh -c 'exit 3'", "cd /; sh": "cd /; sh", "A=1 sh": "A=1 sh", "sh $X": "sh $X",
	} {
		assert.Equal(t, want, shellCommand(command))
	}
}
