package echo_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/conformance/echo"
	fastcgi "github.com/gangway-go/gangway/fastcgi/wire"
)

// behaviour is one sentence of the contract.
type behaviour struct {
	name  string
	ask   question
	only  []string // the protocols that have it; none for all
	fresh bool     // asks an application that was not asked before, nor is afterwards
	check func(t assert.TestingT, a answer)
}

var special = []echo.Var{
	{Name: "X_SPECIAL", Value: " a=b%2F\xff\n\t+&\xc3\xa4"}, {Name: "X_EMPTY"},
	{Name: "X_LONG", Value: strings.Repeat("0123456789", 1000)},
}

var (
	long  = string(echo.Pattern(100_000))
	modes = []behaviour{
		{name: "lines", check: func(t assert.TestingT, a answer) {
			if r := replyIn(t, a); r != nil {
				assert.True(t, r.BodyRead)
				assert.Equal(t, []any{int64(0), sumOfNothing}, []any{r.BodyLength, r.BodySHA256})
				assert.False(t, r.DataRead)
				assert.Equal(t, []string{"GET"}, r.Values("REQUEST_METHOD"))
			}
		}},
		{name: "values", ask: question{vars: special}, check: func(t assert.TestingT, a answer) {
			for _, v := range special {
				assert.Equal(t, []string{v.Value}, valuesIn(t, a, v.Name), v.Name)
			}
		}},
		{name: "order", ask: question{vars: []echo.Var{
			{Name: "X_C", Value: "1"}, {Name: "X_A", Value: "2"}, {Name: "X_D", Value: "3"}, {Name: "X_B", Value: "4"},
		}}, check: func(t assert.TestingT, a answer) {
			if r := replyIn(t, a); r != nil {
				got := slices.DeleteFunc(r.Vars, func(v echo.Var) bool { return !strings.HasPrefix(v.Name, "X_") })
				assert.Equal(t, "[{X_C 1} {X_A 2} {X_D 3} {X_B 4}]", fmt.Sprint(got))
			}
		}},
		{name: "twice", ask: question{vars: []echo.Var{{Name: "X_TWICE", Value: "1"}, {Name: "X_TWICE", Value: "2"}}},
			check: func(t assert.TestingT, a answer) {
				assert.Equal(t, []string{"1", "2"}, valuesIn(t, a, "X_TWICE"))
			}},
		{name: "body", ask: question{body: long}, check: func(t assert.TestingT, a answer) {
			if r := replyIn(t, a); r != nil {
				assert.True(t, r.BodyRead)
				assert.EqualValues(t, len(long), r.BodyLength)
				assert.Equal(t, fmt.Sprintf("%x", sha256.Sum256([]byte(long))), r.BodySHA256)
			}
		}},
		{name: "noread", ask: question{query: "noread", body: "abc"}, check: func(t assert.TestingT, a answer) {
			if r := replyIn(t, a); r != nil {
				assert.False(t, r.BodyRead)
			}
		}},
		{name: "unknown", ask: question{query: "foo&noreads&exit=x&exit=&crash=-1&sleep=1s&a=b&&noread", body: "abc"},
			check: func(t assert.TestingT, a answer) {
				if r := replyIn(t, a); r != nil {
					assert.False(t, r.BodyRead)
				}
			}},
		{name: "args", ask: question{args: []string{"-x", "", "a b%\n\xff"}}, only: []string{"CGI"},
			check: func(t assert.TestingT, a answer) {
				if r := replyIn(t, a); r != nil {
					assert.Equal(t, []string{"-x", "", "a b%\n\xff"}, r.Args)
				}
			}},
		{name: "no descriptors", only: []string{"CGI"}, check: func(t assert.TestingT, a answer) {
			if r := replyIn(t, a); r != nil {
				assert.Empty(t, r.FDs)
			}
		}},
		{name: "descriptor", ask: question{inherited: true}, only: []string{"CGI"},
			check: func(t assert.TestingT, a answer) {
				if r := replyIn(t, a); r != nil {
					assert.Equal(t, []int{3}, r.FDs)
				}
			}},
		{name: "sleep", ask: question{query: "sleep=300"}, check: func(t assert.TestingT, a answer) {
			replyIn(t, a)
			assert.GreaterOrEqual(t, a.took, 300*time.Millisecond)
		}},
		{name: "exit", ask: question{query: "exit=3"}, only: []string{"CGI", "FastCGI"}, fresh: true,
			check: func(t assert.TestingT, a answer) {
				assert.Equal(t, 3, a.status)
				a.status = 0
				replyIn(t, a)
			}},
		{name: "stderr", ask: question{query: "stderr=1024"}, only: []string{"CGI", "FastCGI"},
			check: func(t assert.TestingT, a answer) {
				assert.Equal(t, strings.Repeat(strings.Repeat("e", 63)+"\n", 16), a.stderr)
				a.stderr = ""
				replyIn(t, a)
			}},
		{name: "no stderr", check: func(t assert.TestingT, a answer) { assert.Empty(t, a.stderr) }},
		{name: "large", ask: question{query: "large=100000"}, check: large(100_000)},
		{name: "large=0", ask: question{query: "large=0"}, check: large(0)},
		{name: "large=65", ask: question{query: "large=65&stderr=64"}, check: large(65)},
		{name: "binary", ask: question{query: "binary"}, check: func(t assert.TestingT, a answer) {
			typeIn(t, a, "application/octet-stream")
			if assert.Len(t, a.body, 256) {
				for i := range 256 {
					assert.Equal(t, byte(i), a.body[i])
				}
			}
		}},
		{name: "flush", ask: question{query: "flush=1000"}, check: func(t assert.TestingT, a answer) {
			typeIn(t, a, "text/x-gangway-echo")
			assert.Equal(t, "tick 1\ntick 2\ntick 3\n", a.body)
			assert.GreaterOrEqual(t, a.lasted, 500*time.Millisecond)
		}},
		{name: "empty", ask: question{query: "empty"}, check: func(t assert.TestingT, a answer) {
			assert.Equal(t, []string{"", ""}, []string{a.header, a.body})
			assert.False(t, a.died)
		}},
		{name: "authorizer", ask: question{
			query: "large=5", role: fastcgi.RoleAuthorizer, vars: []echo.Var{{Name: "FCGI_ROLE", Value: "AUTHORIZER"}},
		}, check: func(t assert.TestingT, a answer) {
			assert.Contains(t, a.header, " 200")
			assert.Contains(t, a.header, "Variable-ECHO: 1")
			assert.Empty(t, a.body)
			assert.False(t, a.died)
		}},
		{name: "filter", only: []string{"FastCGI"}, ask: question{
			body: "abc", role: fastcgi.RoleFilter, data: "abc", vars: []echo.Var{{Name: "FCGI_DATA_LENGTH", Value: "3"}},
		}, check: func(t assert.TestingT, a answer) {
			if r := replyIn(t, a); r != nil {
				assert.Equal(t, []any{int64(3), sumOfABC}, []any{r.BodyLength, r.BodySHA256})
				assert.Equal(t, []any{true, int64(3), sumOfABC}, []any{r.DataRead, r.DataLength, r.DataSHA256})
			}
		}},
		{name: "crash", ask: question{query: "crash"}, fresh: true, check: func(t assert.TestingT, a answer) {
			assert.True(t, a.died || a.hidden)
			assert.Equal(t, []string{"", ""}, []string{a.header, a.body})
		}},
		{name: "crash=1000", ask: question{query: "crash=1000"}, fresh: true, check: func(t assert.TestingT, a answer) {
			assert.True(t, a.died || a.hidden)
			a.died = false
			large(1000)(t, a)
		}},
	}
)

func large(n int) func(assert.TestingT, answer) {
	return func(t assert.TestingT, a answer) {
		typeIn(t, a, "application/octet-stream")
		assert.True(t, string(echo.Pattern(n)) == a.body, "%d bytes %.100q", len(a.body), a.body)
		assert.False(t, a.died)
	}
}

func typeIn(t assert.TestingT, a answer, contentType string) {
	header := strings.ToLower(a.header) + "\r\n"
	assert.Contains(t, header, "content-type: "+contentType+"\r\n")
}

// replyIn returns the reply of a complete response, or nil after a failure.
func replyIn(t assert.TestingT, a answer) *echo.Reply {
	typeIn(t, a, "text/x-gangway-echo")
	assert.False(t, a.died)
	assert.Zero(t, a.status)
	r, err := echo.Parse([]byte(a.body))
	if !assert.NoError(t, err, "%.500q, stderr %.500q", a.body, a.stderr) {
		return nil
	}
	if a.pid != 0 {
		assert.Equal(t, a.pid, r.Pid)
	}
	assert.True(t, strings.HasPrefix(r.Cwd, "/"), r.Cwd)
	return r
}

func valuesIn(t assert.TestingT, a answer, name string) []string {
	if r := replyIn(t, a); r != nil {
		return r.Values(name)
	}
	return nil
}
