package middleware

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/gangway-go/gangway/adapters"
)

// credentials returns what follows the scheme in the Authorization field (RFC 9110 11.4). Two such fields, which two
// programs could read differently, are none.
func credentials(h adapters.Header, scheme string) (rest string, ok bool) {
	for _, f := range h {
		if !adapters.EqualName(f.Name, "Authorization") {
			continue
		}
		if ok {
			return "", false
		}
		rest, ok = f.Value, true
	}
	name, rest, _ := strings.Cut(rest, " ")
	return strings.TrimLeft(rest, " "), ok && adapters.EqualName(name, scheme)
}

// basicCredentials decodes user-id and password, RFC 7617 section 2.
func basicCredentials(h adapters.Header) (user, password string, ok bool) {
	rest, ok := credentials(h, "Basic")
	if !ok {
		return "", "", false
	}
	pair, err := base64.StdEncoding.DecodeString(rest)
	if err != nil {
		return "", "", false
	}
	user, password, ok = strings.Cut(string(pair), ":")
	return user, password, ok && user != "" && !hasControl(user) && !hasControl(password)
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// parseParams parses a list of auth-params (RFC 9110 11.2): each goes to set, its name in lower case, its value without
// quotes, until set returns false. It reports whether all of s is such a list and set took it.
func parseParams(s string, set func(name, value string) bool) bool {
	for {
		s = strings.TrimLeft(s, " \t,")
		if s == "" {
			return true
		}
		name, rest, ok := strings.Cut(s, "=")
		name = strings.TrimRight(name, " \t")
		if !ok || !adapters.ValidName(name) {
			return false
		}
		value, rest, ok := paramValue(strings.TrimLeft(rest, " \t"))
		if !ok || !set(strings.ToLower(name), value) {
			return false
		}
		if s = strings.TrimLeft(rest, " \t"); s != "" && s[0] != ',' {
			return false
		}
	}
}

// paramValue parses a token or quoted-string (RFC 9110 5.6.4) at the front of s.
func paramValue(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		end := strings.IndexAny(s, " \t,")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], adapters.ValidName(s[:end])
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], adapters.ValidValue(b.String())
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// quote makes s a quoted-string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// unauthorized is the answer to a request without valid credentials.
func unauthorized(challenges ...string) *adapters.Response {
	status := http.StatusUnauthorized
	resp := adapters.Reply(status, "text/plain; charset=utf-8", adapters.ErrorText(status))
	for _, c := range challenges {
		resp.Header.Add("WWW-Authenticate", c)
	}
	return resp
}

// withoutVars returns vars, which it leaves as they are, without those of the given names.
func withoutVars(vars []adapters.Var, names ...string) []adapters.Var {
	named := func(v adapters.Var) bool { return slices.Contains(names, v.Name) }
	if !slices.ContainsFunc(vars, named) {
		return vars
	}
	return slices.DeleteFunc(slices.Clone(vars), named)
}

// WithoutFields removes the header fields of the given names from requests.
func WithoutFields(names ...string) adapters.Middleware {
	return func(next adapters.Handler) adapters.Handler {
		return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
			if slices.ContainsFunc(names, req.Header.Has) {
				c := *req
				c.Header = c.Header.Without(names...)
				req = &c
			}
			return next.Serve(ctx, req)
		})
	}
}

// authenticated returns the request of a user whose credentials were verified: no one that was named before counts.
func authenticated(req *adapters.Request, scheme, user string, passAuthorization bool) *adapters.Request {
	c := *req
	c.AuthType, c.User = scheme, user
	c.Vars = withoutVars(c.Vars, "AUTH_TYPE", "REMOTE_USER")
	c.Trace.Authenticated(user)
	if !passAuthorization {
		c.Header = c.Header.Without("Authorization")
	}
	return &c
}
