package middleware

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gangway-go/gangway/adapters"
)

// Authorize asks a FastCGI Authorizer (FastCGI 1.0 section 6.3) about every request. The authorizer gets all of the
// request but its body, CONTENT_LENGTH, SCRIPT_NAME, PATH_INFO and PATH_TRANSLATED.
//
// If its status is 200 the request goes on with the variables that it gave in fields such as "Variable-AUTH_METHOD",
// which win over what was there before; REMOTE_USER and AUTH_TYPE also become Request.User and AuthType. They are
// never header fields, and no field of the client can take their place. The rest of that response is dropped. Any other
// response goes to the client as it is. If the authorizer fails, or breaks off even after a 200, the request fails with
// a status of 500 or more.
func Authorize(authorizer adapters.Handler) adapters.Middleware {
	return func(next adapters.Handler) adapters.Handler {
		return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
			resp, err := authorizer.Serve(ctx, authorizerRequest(req))
			if err != nil {
				return nil, authorizerError(ctx, err)
			}
			if resp.Status != http.StatusOK {
				return resp, nil
			}
			if err := adapters.Drain(resp.Body, authorizerDrain); err != nil {
				return nil, authorizerError(ctx, err)
			}
			return next.Serve(ctx, authorized(req, resp.Header))
		})
	}
}

// authorizerDrain is how much of an authorizer's body is read, and dropped, before its connection is given up instead.
const authorizerDrain = 1 << 20

func authorizerRequest(req *adapters.Request) *adapters.Request {
	c := withoutBody(req)
	c.Role = adapters.Authorizer
	c.Script.Name, c.Script.PathInfo = "", ""
	c.Vars = withoutVars(c.Vars, "CONTENT_LENGTH", "SCRIPT_NAME", "PATH_INFO", "PATH_TRANSLATED")
	c.Informational = nil // it speaks to us, not to the client
	c.Trace = nil
	return c
}

// authorizerError makes of err one that denies: whatever else it meant, no Dispatcher may ask another Handler instead.
func authorizerError(ctx context.Context, err error) error {
	status := adapters.StatusOf(err)
	switch {
	case status < 500 && ctx.Err() != nil:
		status = adapters.StatusClientGone
	case status < 500:
		status = http.StatusBadGateway
	}
	return &adapters.Error{
		Op: "middleware: authorizer", Status: status, RetryAfter: adapters.RetryAfter(err), Err: errors.New(err.Error()),
	}
}

// authorized returns the request with the variables of an authorizer's response. Their names are made upper-case, since
// case counts neither in the names of fields nor in those of variables (RFC 3875 4.1), and Go changes that of fields.
func authorized(req *adapters.Request, header adapters.Header) *adapters.Request {
	c := *req
	c.Vars = slices.Clip(c.Vars)
	for _, f := range header {
		const prefix = "Variable-"
		if len(f.Name) <= len(prefix) || !adapters.EqualName(f.Name[:len(prefix)], prefix) {
			continue
		}
		v := adapters.Var{Name: strings.ToUpper(f.Name[len(prefix):]), Value: f.Value}
		c.Vars = append(c.Vars, v)
		switch v.Name {
		case "REMOTE_USER":
			c.User = v.Value
			c.Trace.Authenticated(v.Value)
		case "AUTH_TYPE":
			c.AuthType = v.Value
		}
	}
	return &c
}
