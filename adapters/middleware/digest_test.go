package middleware

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// RFC 7616 section 3.9.1.
func TestDigestVectors(t *testing.T) {
	tests := []struct {
		algorithm *algorithm
		want      string
	}{
		{algorithmMD5, "8ca523f5e9506fed4657c9700eebdbec"},
		{algorithmSHA256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
	}
	for _, tt := range tests {
		t.Run(tt.algorithm.name, func(t *testing.T) {
			field := `username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=` +
				tt.algorithm.name + `, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, ` +
				`cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="` + tt.want +
				`", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`
			var p proof
			require.True(t, parseParams(field, p.set))
			require.True(t, p.complete())
			assert.Same(t, tt.algorithm, p.algorithm)
			assert.Equal(t, uint32(1), p.count)
			ha1 := tt.algorithm.hash("Mufasa", "http-auth@example.org", "Circle of Life")
			assert.Equal(t, tt.want, tt.algorithm.response(ha1, &p, "GET"))
			assert.NotEqual(t, tt.want, tt.algorithm.response(ha1, &p, "POST"))
		})
	}
}

const testRealm = "pri\"vate"

// digestLine is what htdigest would write, for either algorithm.
func digestLine(a *algorithm, user, password string) string {
	return user + ":" + testRealm + ":" + a.hash(user, testRealm, password) + "\n"
}

func newDigest(t *testing.T, content string) *Digest {
	users, err := OpenHtdigest(writeFile(t, content), testRealm)
	require.NoError(t, err)
	return &Digest{Users: users}
}

var challengeParam = regexp.MustCompile(`nonce="([^"]*)"`)

// A digestClient makes the proofs that a browser makes.
type digestClient struct {
	a                    *algorithm
	user, password, uri  string
	nonce, opaque, extra string
	count                uint32
}

func (c *digestClient) field() string {
	p := proof{nonce: c.nonce, nc: fmt.Sprintf("%08x", c.count), cnonce: "c", qop: "auth", uri: c.uri}
	return "Digest " + c.extra + "username=" + quote(c.user) + ", realm=" + quote(testRealm) + `, nonce="` + c.nonce +
		`", uri="` + c.uri + `", algorithm=` + c.a.name + `, cnonce="c", qop=auth, nc=` + p.nc + `, opaque="` + c.opaque +
		`", response="` + c.a.response(c.a.hash(c.user, testRealm, c.password), &p, "GET") + `"`
}

// newClient takes a nonce from a challenge.
func newClient(t *testing.T, h adapters.Handler) *digestClient {
	resp, _, err := serve(t, h, get("/x"))
	require.NoError(t, err)
	require.Equal(t, 401, resp.Status)
	nonce := challengeParam.FindStringSubmatch(resp.Header.Get("WWW-Authenticate"))
	require.NotNil(t, nonce)
	return &digestClient{
		a: algorithmMD5, user: "bob", password: "secret", uri: "/x", nonce: nonce[1], opaque: opaque(testRealm), count: 1,
	}
}

func TestDigestChallenge(t *testing.T) {
	both := digestLine(algorithmMD5, "bob", "secret") + digestLine(algorithmSHA256, "bob", "secret")
	tests := []struct {
		name, content string
		userHash      bool
		want          []string
	}{
		{"MD5", digestLine(algorithmMD5, "bob", "secret"), false, []string{"MD5"}},
		{"SHA-256 first", both, false, []string{"SHA-256", "MD5"}},
		{"what all have", both + digestLine(algorithmSHA256, "amy", "x"), false, []string{"SHA-256"}},
		{"userhash", digestLine(algorithmMD5, "bob", "secret"), true, []string{"MD5"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDigest(t, tt.content)
			d.UserHash = tt.userHash
			a := &app{}
			resp, body, err := serve(t, d.Wrap(a), get("/"))
			require.NoError(t, err)
			assert.Equal(t, 401, resp.Status)
			assert.Equal(t, "401 Unauthorized\n", body)
			assert.Empty(t, a.requests)
			end := ""
			if tt.userHash {
				end = ", userhash=true"
			}
			challenges := resp.Header.Values("WWW-Authenticate")
			require.Len(t, challenges, len(tt.want))
			for i, name := range tt.want {
				got := challengeParam.ReplaceAllString(challenges[i], `nonce="N"`)
				assert.Equal(t, `Digest realm="pri\"vate", qop="auth", algorithm=`+name+`, nonce="N", opaque="`+
					opaque(testRealm)+`", charset=UTF-8`+end, got)
			}
		})
	}
}

func TestDigest(t *testing.T) {
	type change = func(*digestClient)
	tests := []struct {
		name   string
		change change
		edit   func(string) string
		status int
		stale  bool
	}{
		{name: "right", status: 200},
		{name: "SHA-256", change: func(c *digestClient) { c.a = algorithmSHA256 }, status: 200},
		{name: "without algorithm, which is MD5", edit: drop(`algorithm=MD5, `), status: 200},
		{name: "unknown parameter", change: func(c *digestClient) { c.extra = `x="y", ` }, status: 200},
		{name: "wrong password", change: func(c *digestClient) { c.password = "Secret" }, status: 401},
		{name: "unknown user", change: func(c *digestClient) { c.user = "eve" }, status: 401},
		{name: "proof of an empty HA1", change: func(c *digestClient) { c.user = "eve" }, edit: emptyHA1, status: 401},
		{name: "other realm", edit: swap(`realm="pri\"vate"`, `realm="public"`), status: 401},
		{name: "other opaque", change: func(c *digestClient) { c.opaque = "x" }, status: 401},
		{name: "no opaque", edit: drop(`opaque="` + opaque(testRealm) + `", `), status: 401},
		{name: "nonce of another process", change: func(c *digestClient) { c.nonce = new(nonces).issue(0) }, status: 401,
			stale: true},
		{name: "made-up nonce", change: func(c *digestClient) { c.nonce = "x" }, status: 401, stale: true},
		{name: "count 0", change: func(c *digestClient) { c.count = 0 }, status: 401, stale: true},
		{name: "other uri", change: func(c *digestClient) { c.uri = "/y" }, status: 400},
		{name: "RFC 2069", edit: drop("qop=auth, "), status: 400},
		{name: "auth-int", edit: swap("qop=auth", "qop=auth-int"), status: 400},
		{name: "twice", change: func(c *digestClient) { c.extra = `username="bob", ` }, status: 400},
		{name: "two names", change: func(c *digestClient) { c.extra = `username*=UTF-8''bob, ` }, status: 400},
		{name: "short count", edit: swap("nc=00000001", "nc=1"), status: 400},
		{name: "count of no digits", edit: swap("nc=00000001", "nc=0000000g"), status: 400},
		{name: "unknown algorithm", edit: swap("algorithm=MD5", "algorithm=MD5-sess"), status: 400},
		{name: "garbage", edit: func(string) string { return "Digest x" }, status: 400},
		{name: "nothing", edit: func(string) string { return "Digest" }, status: 400},
		{name: "other scheme", edit: func(string) string { return basicField("bob:secret") }, status: 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newDigest(t, digestLine(algorithmMD5, "bob", "secret")+digestLine(algorithmSHA256, "bob", "secret"))
			a := &app{}
			h := d.Wrap(a)
			c := newClient(t, h)
			if tt.change != nil {
				tt.change(c)
			}
			field := c.field()
			if tt.edit != nil {
				field = tt.edit(field)
			}
			resp, _, err := serve(t, h, get("/x", "Authorization", field))
			if tt.status == 400 {
				assert.Equal(t, 400, adapters.StatusOf(err))
				assert.Empty(t, a.requests)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.status, resp.Status)
			assert.Equal(t, tt.stale, strings.Contains(resp.Header.Get("WWW-Authenticate"), "stale=true"))
			if tt.status == 200 {
				assert.Equal(t, "bob", a.last(t).User)
				assert.Equal(t, "Digest", a.last(t).AuthType)
				assert.False(t, a.last(t).Header.Has("Authorization"))
			} else {
				assert.Empty(t, a.requests)
			}
		})
	}
}

func drop(part string) func(string) string { return swap(part, "") }

func swap(part, other string) func(string) string {
	return func(field string) string {
		if !strings.Contains(field, part) {
			panic(part + " is not in " + field)
		}
		return strings.Replace(field, part, other, 1)
	}
}

// emptyHA1 proves that the client knows the HA1 of a user who has none.
func emptyHA1(field string) string {
	rest, _ := strings.CutPrefix(field, "Digest ")
	var p proof
	parseParams(rest, p.set)
	return strings.Replace(field, p.response, p.algorithm.response("", &p, "GET"), 1)
}

func TestDigestReplay(t *testing.T) {
	a := &app{}
	h := newDigest(t, digestLine(algorithmMD5, "bob", "secret")).Wrap(a)
	c := newClient(t, h)
	for i, step := range []struct {
		count  uint32
		status int
	}{
		{1, 200}, {1, 401}, {2, 200}, {10, 200}, {3, 200}, {3, 401}, {10, 401}, {11, 200}, {200, 200}, {137, 200},
		{136, 401}, {137, 401}, {0, 401}, {1<<32 - 1, 200}, {1<<32 - 1, 401},
	} {
		c.count = step.count
		resp, _, err := serve(t, h, get("/x", "Authorization", c.field()))
		require.NoError(t, err)
		assert.Equal(t, step.status, resp.Status, "step %d: %d", i, step.count)
		assert.Equal(t, step.status == 401, strings.Contains(resp.Header.Get("WWW-Authenticate"), "stale=true"))
	}
}

func TestDigestNonceExpires(t *testing.T) {
	content := digestLine(algorithmMD5, "bob", "secret")
	users, err := OpenHtdigest(writeFile(t, content), testRealm)
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		d := &Digest{Users: users, NonceLifetime: time.Minute}
		h := d.Wrap(&app{})
		ask := func(c *digestClient) (status int, stale bool) {
			resp, _, err := serve(t, h, get("/x", "Authorization", c.field()))
			require.NoError(t, err)
			c.count++
			return resp.Status, strings.Contains(resp.Header.Get("WWW-Authenticate"), "stale=true")
		}
		first := newClient(t, h)
		time.Sleep(30 * time.Second)
		second := newClient(t, h)
		time.Sleep(59 * time.Second)
		status, _ := ask(second)
		assert.Equal(t, 200, status, "after 59 s")
		old := *second
		old.count--
		status, stale := ask(&old)
		assert.Equal(t, 401, status, "counts of an earlier generation are remembered")
		assert.True(t, stale)

		time.Sleep(31 * time.Second)
		for _, c := range []*digestClient{first, second} {
			status, stale = ask(c)
			assert.Equal(t, 401, status, "after 120 s and 90 s")
			assert.True(t, stale)
		}
		third := newClient(t, h)
		status, _ = ask(third)
		assert.Equal(t, 200, status)
		time.Sleep(time.Hour)
		status, stale = ask(third)
		assert.Equal(t, 401, status, "after an hour in which nothing happened")
		assert.True(t, stale)
	})
}

func TestNoncesAreBounded(t *testing.T) {
	var n nonces
	first := n.issue(0)
	require.True(t, n.use(first, 1, 0))
	for i := range maxNonces - 1 {
		n.current.counts[nonceID{byte(i), byte(i >> 8), byte(i >> 16), 1}] = new(counts)
	}
	require.Len(t, n.current.counts, maxNonces)
	assert.True(t, n.use(first, 2, 0), "a known one")
	assert.False(t, n.use(n.issue(0), 1, 0), "one too many")
	assert.False(t, n.use(first, 3, 0), "all are stale")
	assert.True(t, n.use(n.issue(0), 1, 0), "and it goes on")
}

func TestDigestUserNames(t *testing.T) {
	// User and hash as in RFC 7616 section 3.9.2, but for the algorithm.
	const name = "Jäsøn Doe"
	for _, a := range algorithms {
		t.Run(a.name, func(t *testing.T) {
			inner := &app{}
			h := newDigest(t, digestLine(a, name, "secret")).Wrap(inner)
			c := newClient(t, h)
			c.a, c.user = a, name
			plain := "username=" + quote(name)
			for _, form := range []string{
				plain, `username*=UTF-8''J%C3%A4s%C3%B8n%20Doe`, `username="` + a.hash(name, testRealm) + `", userhash=true`,
				plain + ", userhash=false",
			} {
				resp, _, err := serve(t, h, get("/x", "Authorization", swap(plain, form)(c.field())))
				require.NoError(t, err)
				assert.Equal(t, 200, resp.Status, form)
				assert.Equal(t, name, inner.last(t).User)
				c.count++
			}
			for _, form := range []string{
				`username*=ISO-8859-1''J%E4s%F8n%20Doe`, `username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, userhash=true`,
				`username*=UTF-8''%zz`, `username*=UTF-8''`, `username=""`, `userhash=true`,
			} {
				_, _, err := serve(t, h, get("/x", "Authorization", swap(plain, form)(c.field())))
				assert.Equal(t, 400, adapters.StatusOf(err), form)
			}
		})
	}
}

func TestHtdigestErrors(t *testing.T) {
	md5, sha256 := strings.Repeat("0", 32), strings.Repeat("0", 64)
	tests := []struct{ name, content, err string }{
		{"htpasswd", "bob:" + md5Hash, "line 1: not USER:REALM:HASH"},
		{"no user", ":r:" + md5, "line 1: not USER:REALM:HASH"},
		{"no digits", "#\nbob:r:" + md5[1:] + "g", "line 2: not USER:REALM:HASH"},
		{"wrong length", "bob:r:" + md5[1:], "line 1: 31 hexadecimal digits are neither MD5 nor SHA-256"},
		{"no hash", "bob:r:", "line 1: 0 hexadecimal digits"},
		{"no user of the realm", "bob:other:" + md5, `no user of realm "r"`},
		{"empty", "", `no user of realm "r"`},
		{"no common algorithm", "bob:r:" + md5 + "\namy:r:" + sha256, `neither MD5 nor SHA-256 is there for every user`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := writeFile(t, tt.content)
			_, err := OpenHtdigest(path, "r")
			require.ErrorContains(t, err, "htdigest: "+path+": "+tt.err)
		})
	}
	_, err := OpenHtdigest(filepath.Join(t.TempDir(), "none"), "r")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestDigestWithCurl(t *testing.T) {
	for _, a := range algorithms {
		for _, userHash := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, userhash %v", a.name, userHash), func(t *testing.T) {
				d := newDigest(t, digestLine(a, "bob", "secret"))
				d.UserHash = userHash
				url := newWhoami(t, d.Wrap)
				curl := func(args ...string) string {
					return command(t, "", "curl", append([]string{"-sS", "--digest", "-w", " %{http_code}\n"}, args...)...)
				}
				assert.Equal(t, "Digest bob  200\n", curl("-u", "bob:secret", url+"/a/b?c=d"))
				assert.Equal(t, "401 Unauthorized\n 401\n", curl("-u", "bob:wrong", url))
				assert.Equal(t, "401 Unauthorized\n 401\n", curl("-u", "eve:secret", url))
				assert.Equal(t, "Digest bob  200\n", curl("-u", "bob:secret", "-d", "a=b", url), "POST")
				assert.Equal(t, strings.Repeat("Digest bob  200\n", 3), curl("-u", "bob:secret", url+"/[1-3]"), "counts")
			})
		}
	}
}

func TestHtdigestOfApache(t *testing.T) {
	path := filepath.Join(t.TempDir(), "digests")
	// htdigest would ask at the terminal of whoever runs the tests.
	command(t, "secret\nsecret\n", "setsid", "--wait", "htdigest", "-c", path, "private", "bob")
	users, err := OpenHtdigest(path, "private")
	require.NoError(t, err)
	assert.Equal(t, algorithmMD5.hash("bob", "private", "secret"), users.file.get().users["bob"][algorithmMD5])
}
