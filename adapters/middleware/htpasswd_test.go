package middleware

import (
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tg123/go-htpasswd"
)

// Made by Apache's htpasswd, all of "secret".
const (
	bcryptHash = "$2y$05$c/vsNVPHbtcaIRhqliy4BuiJvGIUJbEwh4MrCGk9LA74Lnv2MqcgK"
	sha1Hash   = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="
	md5Hash    = "$apr1$AKs2i8JG$R.YJhDONDbcaP7PzrwGCg1"
	sha256Hash = "$5$ISbIqyjWXGKIdrrW$UxTkMkdGKhoEYxIpefGMKsrou2YCKnpWrQuUS24ojt."
	sha512Hash = "$6$MgGki6TjBOSv.NwR$PUBi0d5Z4V9rhxVR7MKqsS/.IZS6fK5zRy/yJHe11/" +
		"nlIQWyPtqsSUbbYFXJgnLC00Hw.trCgVBlYjjDW/Q.u/"
	desHash = "pEF9RdbKh9ksU"
)

func TestHtpasswd(t *testing.T) {
	file, err := OpenHtpasswd(writeFile(t, strings.Join([]string{
		"# a comment: with a colon", "", "bcrypt:" + bcryptHash, "sha1:" + sha1Hash, "md5:" + md5Hash,
		"sha256:" + sha256Hash, "sha512:" + sha512Hash, "plain:{PLAIN}secret\r", "spaces:{PLAIN} se:cret ",
		"twice:{PLAIN}old", "twice:{PLAIN}secret",
	}, "\n")))
	require.NoError(t, err)
	for _, user := range []string{"bcrypt", "sha1", "md5", "sha256", "sha512", "plain", "twice"} {
		for range 2 { // the second time from memory
			assert.True(t, file.Verify(user, "secret"), user)
			assert.False(t, file.Verify(user, "Secret"), user)
			assert.False(t, file.Verify(user, ""), user)
		}
	}
	assert.True(t, file.Verify("spaces", " se:cret "))
	assert.False(t, file.Verify("plain", "{PLAIN}secret"))
	assert.False(t, file.Verify("md5", md5Hash))
	assert.False(t, file.Verify("nobody", "secret"))
	assert.False(t, file.Verify("# a comment", " with a colon"))
	assert.False(t, file.Verify("", ""))
}

func TestHtpasswdEmpty(t *testing.T) {
	file, err := OpenHtpasswd(writeFile(t, "# nobody yet\n"))
	require.NoError(t, err)
	assert.False(t, file.Verify("bob", "secret"))
}

func TestHtpasswdErrors(t *testing.T) {
	tests := []struct{ name, line, err string }{
		{"DES crypt, which would pass as a plain password", "bob:" + desHash, `line 2: "bob": the hash is of no known kind`},
		{"plain without a mark", "bob:secret", `line 2: "bob": the hash is of no known kind`},
		{"unknown method", "bob:$y$j9T$abc", `line 2: "bob": the hash is of no known kind`},
		{"damaged SHA", "bob:{SHA}abc", `line 2: "bob": the hash is of no known kind, or damaged`},
		{"damaged MD5", "bob:$apr1$abc", `line 2: "bob": the hash is of no known kind, or damaged`},
		{"wrong rounds", "bob:$5$rounds=x$salt$" + strings.Repeat("a", 43), `line 2: "bob": the hash is of no known kind`},
		{"no colon", "bob", "line 2: not USER:HASH"},
		{"no user", ":" + sha1Hash, "line 2: not USER:HASH"},
		{"no hash", "bob:", "line 2: not USER:HASH"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := writeFile(t, "amy:"+sha1Hash+"\n"+tt.line+"\n")
			_, err := OpenHtpasswd(path)
			require.ErrorContains(t, err, "htpasswd: "+path+": "+tt.err)
			if _, hash, _ := strings.Cut(tt.line, ":"); hash != "" {
				assert.NotContains(t, err.Error(), hash)
			}
		})
	}
	_, err := OpenHtpasswd(t.TempDir() + "/none")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestHtpasswdReload(t *testing.T) {
	log := captureLog(t)
	path := writeFile(t, "bob:{PLAIN}one\n")
	synctest.Test(t, func(t *testing.T) {
		file, err := OpenHtpasswd(path)
		require.NoError(t, err)
		change := func(content string) {
			require.NoError(t, os.Remove(path))
			if content != "" {
				require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			}
			time.Sleep(recheck)
		}
		assert.True(t, file.Verify("bob", "one"))

		change("bob:{PLAIN}two\n")
		assert.False(t, file.Verify("bob", "one"), "also not from memory")
		assert.True(t, file.Verify("bob", "two"))
		assert.Empty(t, log.String())

		change("bob\n")
		assert.True(t, file.Verify("bob", "two"), "the old content stays")
		assert.Equal(t, 1, strings.Count(log.String(), "line 1: not USER:HASH"), log.String())
		time.Sleep(recheck)
		assert.True(t, file.Verify("bob", "two"))
		assert.Equal(t, 1, strings.Count(log.String(), "\n"), "logged once: %s", log.String())

		change("")
		assert.True(t, file.Verify("bob", "two"))
		time.Sleep(recheck)
		assert.True(t, file.Verify("bob", "two"))
		assert.Equal(t, 2, strings.Count(log.String(), "\n"), "logged once: %s", log.String())

		require.NoError(t, os.WriteFile(path, []byte("bob:{PLAIN}three\n"), 0o600))
		assert.True(t, file.Verify("bob", "two"), "not looked at more than once a second")
		time.Sleep(recheck)
		assert.True(t, file.Verify("bob", "three"))
	})
}

// What could not be read for a moment is read again, though it has not changed since.
func TestWatchedReadsAgain(t *testing.T) {
	captureLog(t)
	path := writeFile(t, "one")
	w, err := watch(path, func(content string) (string, error) { return content, nil })
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o700)) // which can be looked at, not read
	w.refresh()
	assert.Equal(t, "one", *w.value.Load())
	assert.Nil(t, w.info)
}

func TestHtpasswdConcurrent(t *testing.T) {
	path := writeFile(t, "bob:{PLAIN}one\n")
	file, err := OpenHtpasswd(path)
	require.NoError(t, err)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 200 {
				assert.True(t, file.Verify("bob", "one"))
				assert.False(t, file.Verify("bob", "two"))
				if i == 0 {
					file.file.due.Store(0)
					file.file.mu.Lock()
					file.file.info = nil
					file.file.mu.Unlock()
				}
			}
		})
	}
	group.Wait()
}

// A counted password counts how often its hash is computed.
type counted struct{ n int }

func (c *counted) MatchesPassword(pw string) bool { c.n++; return pw == "secret" }

func TestVerifyComputesHashes(t *testing.T) {
	bob, amy := new(counted), new(counted)
	p, err := parseHtpasswd("")
	require.NoError(t, err)
	p.users = map[string]htpasswd.EncodedPasswd{"bob": bob, "amy": amy}
	p.decoy = amy
	p.verify("bob", "secret")
	p.verify("bob", "secret")
	assert.Equal(t, 1, bob.n, "what was right is remembered")
	p.verify("bob", "wrong")
	p.verify("bob", "wrong")
	assert.Equal(t, 3, bob.n, "what was wrong is not")
	p.verify("eve", "wrong")
	assert.Equal(t, 1, amy.n, "time does not tell that there is no eve")
	assert.False(t, p.verify("eve", "secret"))
}

func TestHtpasswdOfApache(t *testing.T) {
	var content strings.Builder
	options := map[string]string{"bcrypt": "-nbB", "sha1": "-nbs", "md5": "-nbm", "sha256": "-nb2", "sha512": "-nb5"}
	for user, option := range options {
		content.WriteString(command(t, "", "htpasswd", option, user, "pässword"))
	}
	file, err := OpenHtpasswd(writeFile(t, content.String()))
	require.NoError(t, err)
	for user := range options {
		assert.True(t, file.Verify(user, "pässword"), user)
		assert.False(t, file.Verify(user, "password"), user)
	}
}

func BenchmarkVerify(b *testing.B) {
	p, err := parseHtpasswd("bob:" + bcryptHash)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		p.verify("bob", "secret")
	}
}
