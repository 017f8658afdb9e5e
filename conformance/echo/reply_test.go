package echo_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance/echo"
)

// The SHA-256 of nothing and of "abc", FIPS 180-4.
const (
	sumOfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	sumOfABC     = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
)

const whole = "echo 1\n" +
	"var A b%20c%0A\n" +
	"var EMPTY \n" +
	"var A %00%FF/-._~%25\n" +
	"var  no%20name\n" +
	"arg -x\n" +
	"arg \n" +
	"body 3 " + sumOfABC + "\n" +
	"data 0 " + sumOfNothing + "\n" +
	"fd 3\n" +
	"fd 12\n" +
	"cwd /tmp/a%20b\n" +
	"pid 4711\n" +
	"end\n"

func TestParse(t *testing.T) {
	got, err := echo.Parse([]byte(whole))
	require.NoError(t, err)
	assert.Equal(t, &echo.Reply{
		Vars: []echo.Var{{"A", "b c\n"}, {"EMPTY", ""}, {"A", "\x00\xff/-._~%"}, {"", "no name"}},
		Args: []string{"-x", ""}, BodyRead: true, BodyLength: 3, BodySHA256: sumOfABC,
		DataRead: true, DataSHA256: sumOfNothing, FDs: []int{3, 12}, Cwd: "/tmp/a b", Pid: 4711,
	}, got)
	assert.Equal(t, []string{"b c\n", "\x00\xff/-._~%"}, got.Values("A"))
	assert.Equal(t, []string{""}, got.Values("EMPTY"))
	assert.Empty(t, got.Values("B"))

	got, err = echo.Parse([]byte("echo 1\nbody - -\ncwd \npid 1\nend\n"))
	require.NoError(t, err)
	assert.Equal(t, &echo.Reply{Pid: 1}, got)
}

func TestParsePrefixes(t *testing.T) {
	for i := range len(whole) {
		got, err := echo.Parse([]byte(whole[:i]))
		require.ErrorIs(t, err, echo.ErrSyntax, "%q", whole[:i])
		require.Nil(t, got)
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ name, old, new, says string }{
		{"version", "echo 1", "echo 2", "line 1: not echo 1"},
		{"no version", "echo 1\n", "", `line 1: not the line "echo"`},
		{"CRLF", "echo 1\n", "echo 1\r\n", "line 1: not echo 1"},
		{"more", "end\n", "end\n\n", "line 14: more after the end"},
		{"two ends", "end\n", "end\nend\n", "line 14: more after the end"},
		{"a word more", "var A b", "var A b b", "line 2: 4 words, not 3"},
		{"a word less", "var EMPTY \n", "var EMPTY\n", "line 3: 2 words, not 3"},
		{"two spaces", "cwd /", "cwd  /", "line 12: 3 words, not 2"},
		{"unknown line", "pid 4711", "x 1\npid 4711", `line 13: not the line "pid"`},
		{"arg before var", "echo 1\n", "echo 1\narg a\n", `line 3: not the line "body"`},
		{"no body", "body 3 " + sumOfABC + "\n", "", `line 8: not the line "body"`},
		{"half a body", "body 3 " + sumOfABC, "body 3 -", `line 8: "-" is no SHA-256`},
		{"the other half", "body 3 ", "body - ", `line 8: "-" is no number from 0 on`},
		{"capital digest", "ba7816", "BA7816", "is no SHA-256"},
		{"long digest", "body 3 ", "body 3 0", "is no SHA-256"},
		{"negative length", "body 3", "body -3", `line 8: "-3" is no number from 0 on`},
		{"leading zero", "body 3", "body 03", `line 8: "03" is no number from 0 on`},
		{"huge length", "body 3", "body 99999999999999999999", "is no number from 0 on"},
		{"standard descriptor", "fd 3", "fd 2", `line 10: "2" is no number from 3 on`},
		{"no process", "pid 4711", "pid 0", `line 13: "0" is no number from 1 on`},
		{"not a number", "pid 4711", "pid +4711", "is no number from 1 on"},
		{"raw byte", "b%20c", "b\xffc", `line 2: "b\xffc%0A" is not percent-encoded`},
		{"plain byte encoded", "b%20c", "%62c", `line 2: "%62c%0A" is not percent-encoded`},
		{"small digits", "%FF", "%ff", "line 4: "},
		{"half an escape", "c%0A", "c%0", "line 2: "},
		{"no escape", "c%0A", "c%", "line 2: "},
		{"other digits", "%0A", "%0G", "line 2: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(whole, tt.old, tt.new, 1)
			require.NotEqual(t, whole, text)
			got, err := echo.Parse([]byte(text))
			require.ErrorIs(t, err, echo.ErrSyntax)
			assert.Nil(t, got)
			assert.Contains(t, err.Error(), tt.says)
		})
	}
}

func TestPattern(t *testing.T) {
	for n := range 200 {
		require.Len(t, echo.Pattern(n), n)
	}
	const line = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+\n"
	require.Len(t, line, 64)
	assert.Equal(t, line+line+"01", string(echo.Pattern(130)))
}

func TestSource(t *testing.T) {
	assert.Equal(t, []string{"c", "go", "perl", "php", "psgi", "python", "rack", "ruby", "sh"}, echo.Languages())
	for _, language := range echo.Languages() {
		name, text, err := echo.Source(language)
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(name, "echo."), name)
		assert.Contains(t, string(text), "SPDX-License-Identifier: Apache-2.0", name)
	}
	_, _, err := echo.Source("cobol")
	assert.EqualError(t, err, `echo: no program in "cobol", only in c, go, perl, php, psgi, python, rack, ruby, sh`)
}

// format writes a reply by the contract, as printf would.
func format(r *echo.Reply) string {
	var b strings.Builder
	b.WriteString("echo 1\n")
	for _, v := range r.Vars {
		b.WriteString("var " + word(v.Name) + " " + word(v.Value) + "\n")
	}
	for _, arg := range r.Args {
		b.WriteString("arg " + word(arg) + "\n")
	}
	if r.BodyRead {
		fmt.Fprintf(&b, "body %d %s\n", r.BodyLength, r.BodySHA256)
	} else {
		b.WriteString("body - -\n")
	}
	if r.DataRead {
		fmt.Fprintf(&b, "data %d %s\n", r.DataLength, r.DataSHA256)
	}
	for _, fd := range r.FDs {
		fmt.Fprintf(&b, "fd %d\n", fd)
	}
	fmt.Fprintf(&b, "cwd %s\npid %d\nend\n", word(r.Cwd), r.Pid)
	return b.String()
}

const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"

func word(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if strings.Contains(plain, s[i:i+1]) {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", s[i])
		}
	}
	return b.String()
}

// FuzzParse: what is a reply is written in one way only.
func FuzzParse(f *testing.F) {
	for _, s := range []string{whole, "echo 1\nbody - -\ncwd \npid 1\nend\n", "echo 1\n", "", "echo 1\nvar A %zz\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := echo.Parse([]byte(text))
		if err != nil {
			require.ErrorIs(t, err, echo.ErrSyntax)
			require.Nil(t, r)
			return
		}
		require.Equal(t, text, format(r))
	})
}
