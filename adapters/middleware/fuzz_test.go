package middleware

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tg123/go-htpasswd"
)

// FuzzHtpasswd: a file is refused, or each of its users can be asked for a password without a panic.
func FuzzHtpasswd(f *testing.F) {
	for _, hash := range []string{sha1Hash, md5Hash, sha256Hash, sha512Hash, "{PLAIN}secret", desHash, "$5$x", "{SHA}x"} {
		f.Add("user:" + hash + "\n")
	}
	f.Add("# comment\r\n\nuser:" + bcryptHash)
	for _, line := range []string{":x", "x:", "x"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, content string) {
		p, err := parseHtpasswd(content)
		if err != nil {
			assert.ErrorContains(t, err, "line ")
			return
		}
		for name, hash := range p.users {
			assert.NotContains(t, name, ":")
			if strings.Count(content, "rounds=") == 0 && !isBcrypt(hash) { // which may take long by design
				hash.MatchesPassword("secret")
			}
		}
		assert.Equal(t, len(p.users) == 0, p.decoy == nil)
	})
}

func isBcrypt(hash htpasswd.EncodedPasswd) bool {
	return strings.Contains(fmt.Sprintf("%T", hash), "bcrypt")
}

// FuzzHtdigest: a file is refused, or every user has a hash of each algorithm that is offered.
func FuzzHtdigest(f *testing.F) {
	md5, sha256 := strings.Repeat("0", 32), strings.Repeat("A", 64)
	f.Add("u:r:"+md5+"\nu:r:"+sha256+"\nv:r:"+md5+"\n", "r")
	f.Add("u:r:"+sha256+"\nv:r:"+md5, "r")
	f.Add("u:s:"+sha256, "r")
	f.Add("u:r:"+md5[1:], "r")
	f.Add("u:r:x", "r")
	f.Fuzz(func(t *testing.T, content, realm string) {
		d, err := parseHtdigest(content, realm)
		if err != nil {
			return
		}
		require.NotEmpty(t, d.algorithms)
		for _, user := range d.users {
			for _, a := range d.algorithms {
				assert.Len(t, user[a], a.size)
			}
		}
	})
}

// FuzzSendfilePath: what an application may name has no dot segments left when it is looked up.
func FuzzSendfilePath(f *testing.F) {
	for _, value := range []string{"/a/../b", "a/./b", "/a%2fb", "/a?b", "../../x", "/%2e%2e/x", ""} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if file, err := cleanFile(value); assert.NoError(t, err) && strings.HasPrefix(file, "/") {
			assert.NotRegexp(t, `/\.\.?(/|$)`, file)
		}
		if uri, err := cleanURI(value); err == nil {
			assert.Regexp(t, `^/`, uri)
			assert.NotRegexp(t, `/\.\.?(/|$)|\x00`, uri)
		}
	})
}
