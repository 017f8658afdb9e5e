package adapters_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"

	. "github.com/gangway-go/gangway/adapters"
)

func TestCanonicalPath(t *testing.T) {
	for raw, want := range map[string]string{
		"/":                 "/",
		"/a/b":              "/a/b",
		"/a%20b":            "/a b",
		"/a%252Fb":          "/a%2Fb", // decoded once
		"/a%2Fb":            "/a/b",
		"//a///b//":         "/a/b/",
		"/a/./b/.":          "/a/b/",
		"/a/../b":           "/b",
		"/a/b/..":           "/a/",
		"/a/%2e%2e/b":       "/b",
		"/a/b%2F..%2Fc":     "", // with dot segments an encoded slash has two readings,
		"/a/..%2fb":         "",
		"/a%5C..%5Cb":       "",
		"/a/../b%2Fc":       "",
		"/a/%2e%2e%5Cb":     "",
		"/a//../b":          "", // and so has an empty segment before "..",
		"/a///./../b":       "",
		"//..":              "",
		"/a/../b//":         "/b/",
		"/a/b/..//c":        "/a/c",
		"/a/..;/b":          "", // and parameters on the dots
		"/a/.;x=1/b":        "",
		"/a/%2e%2e%3bx/b":   "",
		"/a;..;/b":          "/a;..;/b",
		"/a..;/...;/b":      "/a..;/...;/b",
		"/.hidden":          "/.hidden",
		"/...":              "/...",
		"/a/..b":            "/a/..b",
		"/\xff%ff":          "/\xff\xff",
		"/a\\..\\b":         "",
		"/a\\..;x\\b":       "",
		"/a\\b..":           "/a\\b..",
		"/./":               "/",
		"/..":               "",
		"/a/../..":          "",
		"/%2e%2e/x":         "",
		"/a/../../x":        "",
		"":                  "",
		"a":                 "",
		"*":                 "",
		"/a%00b":            "",
		"/%":                "",
		"/%zz":              "",
		"http://x/y":        "",
		"/a/b/../../../etc": "",
	} {
		got, err := CanonicalPath(raw)
		assert.Equal(t, want, got, "%q", raw)
		if want == "" {
			assert.ErrorIs(t, err, ErrBadRequest, "%q", raw)
		} else {
			assert.NoError(t, err, "%q", raw)
		}
	}
}

func FuzzCanonicalPath(f *testing.F) {
	for _, s := range []string{"/", "/a/../b", "/%2e%2e/", "//", "/a/./.."} {
		f.Add(s)
	}
	separator := regexp.MustCompile(`(?i)^[^?]*%(2f|5c)`)
	f.Fuzz(func(t *testing.T, raw string) {
		path, err := CanonicalPath(raw)
		if err != nil {
			return
		}
		assert.Regexp(t, `^/`, path)
		assert.NotRegexp(t, `//|/\.(/|$)|/\.\.(/|$)|\x00`, path)
		assert.Equal(t, separator.MatchString(raw), EncodedSeparator(raw))
		if !HiddenPath(path) {
			assert.NotRegexp(t, `/\.[^w]|\\`, path)
		}
	})
}

// What took the place of a path that was sent with an encoded slash was not sent with one.
func TestRequestEncodedSeparator(t *testing.T) {
	for _, tt := range []struct {
		uri, name, info string
		want            bool
	}{
		{"/a%2Fb", "", "/a/b", true},
		{"/a%2Fb?q", "/a", "/b", true},
		{"/m/a%5Cb", "/m", `/a\b`, true},
		{"/a%2Fb", "", "/index.html", false},
		{"/x%2F..%2Fa.php", "", "/a.php", true},
		{"/ab?c%2Fd", "", "/ab", false},
	} {
		req := &Request{URI: tt.uri, Script: Script{Name: tt.name, PathInfo: tt.info}}
		assert.Equal(t, tt.want, req.EncodedSeparator(), "%s %s%s", tt.uri, tt.name, tt.info)
	}
}

func TestEncodedSeparator(t *testing.T) {
	for uri, want := range map[string]bool{
		"/a%2Fb": true, "/a%2fb": true, "/a%5Cb": true, "/%5c": true, "/a%20%2F": true,
		"/a": false, "/a?x=%2F": false, "/a%20b": false, "/a%2": false, "/%252F": false, "": false, "/a%": false,
	} {
		assert.Equal(t, want, EncodedSeparator(uri), uri)
	}
}

func TestHiddenPath(t *testing.T) {
	for path, want := range map[string]bool{
		"": false, "/": false, "/a.b/c": false, "/...": true, "/.git/config": true, "/a/.env": true, `/a\b`: true,
		"/.well-known": false, "/.well-known/x": false, "/.well-known/.x": true, "/.well-knownx": true, "/a/.well-known": true,
	} {
		assert.Equal(t, want, HiddenPath(path), path)
	}
}
