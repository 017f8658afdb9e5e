package middleware

import (
	"context"

	"github.com/gangway-go/gangway/adapters"
)

// Basic asks the client for a user name and a password (HTTP Basic authentication, RFC 7617) and answers 401 until
// they are right. The application gets REMOTE_USER and AUTH_TYPE. The password crosses the network in clear: use it
// with TLS. The fields must not change once Wrap is called.
type Basic struct {
	// Realm names to the client what it gets access to.
	Realm string
	// Users knows the passwords.
	Users Passwords
	// PassAuthorization gives the application the Authorization field too. It holds the password and the application
	// has no use for it (RFC 3875 4.1.18 and 9.2), so it is removed from requests that were authenticated here.
	PassAuthorization bool
}

// Passwords verifies passwords; a [*Htpasswd] does. It must be safe for concurrent use.
type Passwords interface {
	Verify(user, password string) bool
}

// Wrap is the [adapters.Middleware].
func (b *Basic) Wrap(next adapters.Handler) adapters.Handler {
	challenge := "Basic realm=" + quote(b.Realm) + `, charset="UTF-8"`
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		user, password, ok := basicCredentials(req.Header)
		if !ok || !b.Users.Verify(user, password) {
			return unauthorized(challenge), nil
		}
		return next.Serve(ctx, authenticated(req, "Basic", user, b.PassAuthorization))
	})
}
