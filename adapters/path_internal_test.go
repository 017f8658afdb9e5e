package adapters

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWindowsAlias(t *testing.T) {
	for path, want := range map[string]bool{
		"/x.php": false, "/a/x~": false, "/~user/x": false, "/x.php::$DATA": true, "/x:y": true, "/x.php.": true,
		"/x.php /y": true, "/PROGRA~1/x": true, "/x~1.PHP": true, "/a~b~1": false,
	} {
		assert.Equal(t, want, windowsAlias(path), path)
	}
}

func FuzzWindowsAlias(f *testing.F) {
	for _, path := range []string{"/a/b", "/a.php::$DATA", "/a. /b", "/PROGRA~1", "/a~/b"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		assert.Equal(t, regexp.MustCompile(`:|[. ](/|$)|^[^/~]*~[0-9]|/[^/~]*~[0-9]`).MatchString(path), windowsAlias(path))
	})
}
