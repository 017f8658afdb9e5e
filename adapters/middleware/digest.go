package middleware

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"hash"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// Digest asks the client to prove that it knows a password (HTTP Digest authentication, RFC 7616) and answers 401
// until it does: SHA-256 and MD5, with qop "auth", so the older form without a count (RFC 2069) is refused. The
// application gets REMOTE_USER and AUTH_TYPE. The fields must not change once Wrap is called; a Digest must not be
// copied then.
//
// A nonce is good for a while and each of its counts once: what was overheard cannot be sent again. Requests may
// overtake each other by up to 64 counts. A client whose proof is right but whose nonce is not good any more, be it
// that another process made it, gets a new one with stale=true, and repeats the request without asking its user.
type Digest struct {
	// Users knows the users of the realm, whose name clients are shown.
	Users *Htdigest
	// UserHash asks clients to send a hash of the user's name (RFC 7616 3.4.4).
	UserHash bool
	// NonceLifetime is how long a nonce is good at least; it may be twice as long. 0 means 5 minutes.
	NonceLifetime time.Duration
	// PassAuthorization gives the application the Authorization field too, see Basic.
	PassAuthorization bool

	nonces nonces
}

// Wrap is the [adapters.Middleware].
func (d *Digest) Wrap(next adapters.Handler) adapters.Handler {
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		user, stale, err := d.verify(req)
		switch {
		case err != nil:
			return nil, fmt.Errorf("middleware: digest: %w", err)
		case user == "":
			return unauthorized(d.challenges(stale)...), nil
		}
		return next.Serve(ctx, authenticated(req, "Digest", user, d.PassAuthorization))
	})
}

// challenges returns a WWW-Authenticate value for each algorithm, RFC 7616 3.3 and 3.7.
func (d *Digest) challenges(stale bool) []string {
	var challenges []string
	nonce := d.nonces.issue(d.NonceLifetime)
	for _, a := range d.Users.file.get().algorithms {
		c := "Digest realm=" + quote(d.Users.realm) + `, qop="auth", algorithm=` + a.name +
			`, nonce="` + nonce + `", opaque="` + opaque(d.Users.realm) + `", charset=UTF-8`
		if d.UserHash {
			c += ", userhash=true"
		}
		if stale {
			c += ", stale=true"
		}
		challenges = append(challenges, c)
	}
	return challenges
}

// opaque returns the string that a client has to give back: the same in every process, so that a nonce of another one
// is seen as stale.
func opaque(realm string) string { return algorithmMD5.hash("opaque", realm) }

// verify returns the user who made the proof, or whether it was right but for the nonce. The error is that of a request
// that no client may send.
func (d *Digest) verify(req *adapters.Request) (user string, stale bool, err error) {
	rest, ok := credentials(req.Header, "Digest")
	if !ok {
		return "", false, nil
	}
	var p proof
	if !parseParams(rest, p.set) || !p.complete() {
		return "", false, fmt.Errorf("%w: malformed credentials", adapters.ErrBadRequest)
	}
	if p.uri != req.URI {
		return "", false, fmt.Errorf("%w: credentials for %.80q", adapters.ErrBadRequest, p.uri)
	}
	if p.realm != d.Users.realm || p.opaque != opaque(p.realm) {
		return "", false, nil
	}
	name, ha1 := d.Users.file.get().find(&p)
	want := p.algorithm.response(ha1, &p, req.Method)
	if subtle.ConstantTimeCompare([]byte(want), []byte(p.response)) != 1 || ha1 == "" {
		return "", false, nil
	}
	if !d.nonces.use(p.nonce, p.count, d.NonceLifetime) {
		return "", true, nil
	}
	return name, false, nil
}

// find returns name and HA1 of the user that p is from; HA1 is "" if there is none.
func (d *digestUsers) find(p *proof) (name, ha1 string) {
	name = p.user
	if p.userHash {
		name = d.hashes[strings.ToLower(p.user)]
	}
	return name, d.users[name][p.algorithm]
}

// A proof is what a client sends in Authorization, RFC 7616 3.4.
type proof struct {
	user, realm, nonce, uri, response, cnonce, opaque, qop string

	algorithm *algorithm
	userHash  bool
	nc        string
	count     uint32 // nc

	seen uint32 // parameters, as bits
}

var proofParams = []string{
	"username", "realm", "nonce", "uri", "response", "cnonce", "opaque", "qop", "nc", "algorithm", "userhash", "username*",
}

// set takes one parameter and reports whether it may be so. Unknown ones are skipped, none may come twice.
func (p *proof) set(name, value string) bool {
	for i, known := range proofParams {
		if name != known {
			continue
		}
		if p.seen&(1<<i) != 0 {
			return false
		}
		p.seen |= 1 << i
	}
	switch name {
	case "nc":
		n, err := strconv.ParseUint(value, 16, 32)
		p.nc, p.count = value, uint32(n)
		return err == nil && len(value) == 8
	case "algorithm":
		p.algorithm = algorithmNamed(value)
		return p.algorithm != nil
	case "userhash":
		p.userHash = value == "true"
	case "username*": // RFC 8187
		raw, ok := strings.CutPrefix(value, "UTF-8''")
		var err error
		p.user, err = url.PathUnescape(raw)
		return ok && err == nil && p.user != ""
	default:
		if field := p.field(name); field != nil {
			*field = value
		}
	}
	return true
}

func (p *proof) field(name string) *string {
	fields := [...]*string{&p.user, &p.realm, &p.nonce, &p.uri, &p.response, &p.cnonce, &p.opaque, &p.qop}
	for i, field := range fields {
		if proofParams[i] == name {
			return field
		}
	}
	return nil
}

// complete reports whether all that is needed is there.
func (p *proof) complete() bool {
	const username, extUsername = 1, 1 << 11
	names := p.seen & (username | extUsername)
	if p.algorithm == nil {
		p.algorithm = algorithmMD5
	}
	return (names == username || names == extUsername && !p.userHash) && p.user != "" && p.nonce != "" && p.uri != "" &&
		p.response != "" && p.cnonce != "" && p.nc != "" && p.qop == "auth"
}

// An algorithm is a hash function with its name in RFC 7616 6.1.
type algorithm struct {
	name string
	size int // in hexadecimal digits
	new  func() hash.Hash
}

var (
	algorithmMD5    = &algorithm{"MD5", 2 * md5.Size, md5.New}
	algorithmSHA256 = &algorithm{"SHA-256", 2 * sha256.Size, sha256.New}

	algorithms = []*algorithm{algorithmSHA256, algorithmMD5} // the better one first
)

func algorithmNamed(name string) *algorithm {
	for _, a := range algorithms {
		if adapters.EqualName(a.name, name) {
			return a
		}
	}
	return nil
}

func algorithmOfSize(size int) *algorithm {
	for _, a := range algorithms {
		if a.size == size {
			return a
		}
	}
	return nil
}

// hash returns the hash of parts joined by colons, in hexadecimal.
func (a *algorithm) hash(parts ...string) string {
	h := a.new()
	h.Write([]byte(strings.Join(parts, ":")))
	return hex.EncodeToString(h.Sum(nil))
}

// response returns the request-digest, RFC 7616 3.4.1.
func (a *algorithm) response(ha1 string, p *proof, method string) string {
	return a.hash(ha1, p.nonce, p.nc, p.cnonce, p.qop, a.hash(method, p.uri))
}
