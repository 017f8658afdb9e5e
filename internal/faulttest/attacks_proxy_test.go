//go:build unix

package faulttest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/internal/attacks"
)

// readings are what HTTP servers take a path for, before they look it up.
var readings = map[string]func(string) string{
	"decoded, then resolved": func(raw string) string { return path.Clean(decoded(raw)) },
	"resolved by RFC 3986, then decoded": func(raw string) string {
		return decoded((&url.URL{Scheme: "http", Host: "h"}).ResolveReference(&url.URL{Path: removeDots(raw)}).Path)
	},
	"slashes merged, resolved, then decoded": func(raw string) string { return decoded(path.Clean(raw)) },
	"parameters of dot segments taken off": func(raw string) string {
		segments := strings.Split(decoded(raw), "/")
		for i, s := range segments {
			if name, _, _ := strings.Cut(s, ";"); name == "." || name == ".." {
				segments[i] = name
			}
		}
		return path.Clean(strings.Join(segments, "/"))
	},
	"backslashes at dot segments are slashes": func(raw string) string {
		p := decoded(raw)
		if slashes := strings.ReplaceAll(p, `\`, "/"); strings.Contains(slashes+"/", "/../") {
			p = slashes
		}
		return path.Clean(p)
	},
}

func decoded(raw string) string {
	if p, err := url.PathUnescape(raw); err == nil {
		return p
	}
	return raw
}

// removeDots is remove_dot_segments of RFC 3986 5.2.4, letter by letter.
func removeDots(in string) string {
	out := ""
	for in != "" {
		switch {
		case strings.HasPrefix(in, "/./"):
			in = in[2:]
		case in == "/.":
			in = "/"
		case strings.HasPrefix(in, "/../"), in == "/..":
			in = "/" + strings.TrimPrefix(in[3:], "/")
			out = out[:max(0, strings.LastIndexByte(out, '/'))]
		default:
			end := strings.IndexByte(in[1:], '/') + 1
			if end == 0 {
				end = len(in)
			}
			out, in = out+in[:end], in[end:]
		}
	}
	return out
}

// TestAttacksProxy: an HTTP application gets the target as it was sent, and however it reads that, no rule is got
// around. What some do beyond that, such as to take all parameters off or to decode twice, is their own matter.
func TestAttacksProxy(t *testing.T) {
	var targets []string
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		targets = append(targets, r.RequestURI)
		io.WriteString(w, "ok")
	}))
	defer origin.Close()
	for name, lo := range map[string]open.ListenOptions{"own": {}, "net": {NetHTTP: true}} {
		t.Run(name, func(t *testing.T) {
			targets = nil
			v := &visitor{t: t, site: gangwayOn(t, lo, origin.URL, open.AppOptions{}, guard), wait: patience}
			defer v.close()
			for _, c := range allClasses {
				for _, a := range c.Attacks {
					v.ask(a.Request())
				}
			}
			assert.Greater(t, len(targets), 100)
			for _, target := range targets {
				raw, _, _ := strings.Cut(target, "?")
				for how, read := range readings {
					got := read(raw) + "/"
					assert.False(t, strings.HasPrefix(got, attacks.Protected+"/"), "%.200q, %s: %.200s", target, how, got)
				}
			}
			t.Logf("%d targets", len(targets))
		})
	}
}
