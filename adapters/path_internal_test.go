package adapters

import (
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
