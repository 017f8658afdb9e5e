package app

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/gangway-go/gangway/conformance/echo"
)

// Echo is what the echo application says that it saw. It fails if the response is none of its.
func (t *T) Echo(response []byte) *echo.Reply {
	r := t.Reply(response)
	e, err := echo.Parse(r.body)
	t.Check(err == nil, "not the echo (%v): status %d, %s, %.80q", err, r.status, r.field("Content-Type"), r.body)
	return e
}

// Echoes sends a request over a new FastCGI connection and returns what the echo application saw.
func (t *T) Echoes(r *request) *echo.Reply { return t.Echo(t.Connect().Ask(r).stdout) }

// CheckVar fails unless the application saw the variable once, with this value.
func (t *T) CheckVar(e *echo.Reply, name, value string) {
	values := e.Values(name)
	t.Check(len(values) > 0, "the variable %.60q did not arrive", name)
	t.Check(len(values) == 1, "the variable %.60q arrived %d times", name, len(values))
	t.Check(values[0] == value, "%.60q arrived as %d bytes %.80q", name, len(values[0]), values[0])
}

// CheckBody fails unless the application read exactly this body.
func (t *T) CheckBody(e *echo.Reply, body []byte) {
	t.Check(e.BodyRead, "the body was not read")
	t.Check(e.BodyLength == int64(len(body)), "a body of %d bytes, not %d", e.BodyLength, len(body))
	sum := sha256.Sum256(body)
	t.Check(e.BodySHA256 == hex.EncodeToString(sum[:]), "a body of the right length with other bytes")
}
