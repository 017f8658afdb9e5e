package middleware

import (
	"encoding/base64"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

func basicField(pair string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

func TestBasicCredentials(t *testing.T) {
	tests := []struct {
		name           string
		fields         []string
		user, password string
		ok             bool
	}{
		{"RFC 7617 section 2", []string{"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, "Aladdin", "open sesame", true},
		{"RFC 7617 section 2.1", []string{"Basic dGVzdDoxMjPCow=="}, "test", "123£", true},
		{"case of the scheme", []string{"bASIC QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, "Aladdin", "open sesame", true},
		{"several blanks", []string{"Basic   QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, "Aladdin", "open sesame", true},
		{"colon in the password", []string{basicField("a:b:c")}, "a", "b:c", true},
		{"empty password", []string{basicField("a:")}, "a", "", true},
		{"no field", nil, "", "", false},
		{"two fields", []string{basicField("a:b"), basicField("a:b")}, "", "", false},
		{"other scheme", []string{"Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, "", "", false},
		{"scheme alone", []string{"Basic"}, "", "", false},
		{"no blank", []string{"BasicQWxhZGRpbjpvcGVuIHNlc2FtZQ=="}, "", "", false},
		{"not base64", []string{"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ="}, "", "", false},
		{"something after it", []string{basicField("a:b") + " x"}, "", "", false},
		{"no colon", []string{basicField("ab")}, "", "", false},
		{"no user", []string{basicField(":b")}, "", "", false},
		{"control byte in the user", []string{basicField("a\n:b")}, "", "", false},
		{"control byte in the password", []string{basicField("a:\x00b")}, "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h adapters.Header
			for _, f := range tt.fields {
				h.Add("authorization", f)
			}
			user, password, ok := basicCredentials(h)
			assert.Equal(t, tt.ok, ok)
			if tt.ok {
				assert.Equal(t, tt.user, user)
				assert.Equal(t, tt.password, password)
			}
		})
	}
}

func params(s string) (map[string]string, bool) {
	got := make(map[string]string)
	ok := parseParams(s, func(name, value string) bool {
		_, twice := got[name]
		got[name] = value
		return !twice
	})
	return got, ok
}

func TestParseParams(t *testing.T) {
	tests := []struct {
		name, in string
		want     map[string]string // nil: refused
	}{
		{"empty", "", map[string]string{}},
		{"token", "a=b", map[string]string{"a": "b"}},
		{"quoted", `a="b c, d=e"`, map[string]string{"a": "b c, d=e"}},
		{"escapes", `a="\"\\\x"`, map[string]string{"a": `"\x`}},
		{"empty value", `a=""`, map[string]string{"a": ""}},
		{"beyond ASCII", `a="é"`, map[string]string{"a": "é"}},
		{"several", `A=b,C="d" , e = f`, map[string]string{"a": "b", "c": "d", "e": "f"}},
		{"empty elements", `, a=b,,c=d ,`, map[string]string{"a": "b", "c": "d"}},
		{"ext-value", `username*=UTF-8''J%C3%A4s`, map[string]string{"username*": "UTF-8''J%C3%A4s"}},
		{"no value", "a", nil},
		{"empty token", "a=", nil},
		{"empty token, then more", "a=,b=c", nil},
		{"no name", "=a", nil},
		{"blank in the name", "a b=c", nil},
		{"no comma", `a="b"c=d`, nil},
		{"no comma but a blank", `a=b c=d`, nil},
		{"open quote", `a="b`, nil},
		{"open escape", `a="b\`, nil},
		{"escaped end", `a="b\"`, nil},
		{"control byte", "a=\"b\x00\"", nil},
		{"token68", "QWxhZGRpbg==", nil},
		{"set refuses", "a=b,A=c", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := params(tt.in)
			assert.Equal(t, tt.want != nil, ok)
			if tt.want != nil {
				assert.Equal(t, tt.want, got)
			}
		})
	}
}

// Every strict prefix is refused, or is a list that ends before a comma.
func TestParseParamsPrefixes(t *testing.T) {
	const whole = `username="Mufasa", qop=auth, nc=00000001, response="75\"3"`
	for n := range len(whole) {
		got, ok := params(whole[:n])
		if ok {
			all, _ := params(whole)
			for name, value := range got {
				assert.True(t, strings.HasPrefix(all[name], value), whole[:n])
			}
		}
	}
	_, ok := params(whole[:len(whole)-1])
	assert.False(t, ok)
}

func FuzzAuthorization(f *testing.F) {
	f.Add(`Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==`)
	f.Add(`Digest username="Mufasa", realm="r", uri="/", algorithm=SHA-256, nonce="n", nc=00000001, cnonce="c", ` +
		`qop=auth, response="753927fa", opaque="o"`)
	f.Add(`Digest username*=UTF-8''J%C3%A4s, userhash=true`)
	f.Add(`Digest a="\"", b="`)
	f.Fuzz(func(t *testing.T, field string) {
		h := adapters.Header{{Name: "Authorization", Value: field}}
		if user, password, ok := basicCredentials(h); ok {
			h[0].Value = basicField(user + ":" + password)
			again, secret, ok := basicCredentials(h)
			require.True(t, ok)
			assert.Equal(t, user, again)
			assert.Equal(t, password, secret)
			assert.NotContains(t, user, ":")
		}
		rest, ok := credentials(h, "Digest")
		if !ok {
			return
		}
		got, ok := params(rest)
		if ok {
			var list []string
			for name, value := range got {
				list = append(list, name+"="+quote(value))
			}
			again, ok := params(strings.Join(list, ", "))
			require.True(t, ok, "%q", list)
			assert.True(t, maps.Equal(got, again), "%q: %q, %q", list, got, again)
		}
		var p proof
		if parseParams(rest, p.set) && p.complete() {
			assert.Contains(t, algorithms, p.algorithm)
			assert.Len(t, p.nc, 8)
			assert.True(t, utf8.ValidString(p.nc))
		}
	})
}
