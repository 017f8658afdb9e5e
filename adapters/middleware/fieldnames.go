package middleware

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// FieldNames drops the header fields of requests whose names have another character than letter, digit and hyphen:
// X_Forwarded_For, X-Forwarded.For and X-Forwarded-For are one variable to CGI, HTTP_X_FORWARDED_FOR, and to many
// applications of HTTP, so that a client could pass by who looks at the last one only. The names are logged.
type FieldNames struct {
	allow []string // by rank
	log   nameLog
}

// NewFieldNames returns the FieldNames that let the fields of the given names through, but not beside one whose name is
// the same with hyphens, and of several names that are the same with hyphens the first one that is there. A nil log is
// [slog.Default]. The error says which name cannot be allowed.
func NewFieldNames(allow []string, log *slog.Logger) (*FieldNames, error) {
	for _, name := range allow {
		switch folded := foldedName(name); {
		case !adapters.ValidName(name):
			return nil, fmt.Errorf("%q is no name of a header field", name)
		case plainName(name):
			return nil, fmt.Errorf("%s is let through anyway: it has letters, digits and hyphens only", name)
		case !plainName(folded):
			return nil, fmt.Errorf("%s has a character that no variable can have", name)
		case slices.ContainsFunc(reservedNames, func(r string) bool { return adapters.EqualName(r, folded) }):
			return nil, fmt.Errorf("%s could be taken for %s", name, folded)
		}
	}
	return &FieldNames{allow: allow, log: nameLog{log: log}}, nil
}

// reservedNames are those by which a message is delimited, routed or its client known.
var reservedNames = []string{
	"Authorization", "Connection", "Content-Length", "Content-Type", "Forwarded", "Host", "Proxy", "Proxy-Authorization",
	"TE", "Transfer-Encoding", "Upgrade", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto",
	"X-Real-Ip",
}

var plainByte = func() (plain [256]bool) {
	for _, c := range []byte("-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		plain[c] = true
	}
	return plain
}()

func plainName(s string) bool {
	for i := range len(s) {
		if !plainByte[s[i]] {
			return false
		}
	}
	return true
}

// foldedName returns a name with the hyphens for which it can be taken.
func foldedName(s string) string { return strings.NewReplacer("_", "-", ".", "-").Replace(s) }

// Wrap is the [adapters.Middleware].
func (n *FieldNames) Wrap(next adapters.Handler) adapters.Handler {
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		for i := range req.Header {
			if !plainName(req.Header[i].Name) {
				return next.Serve(ctx, n.request(ctx, req))
			}
		}
		return next.Serve(ctx, req)
	})
}

// request returns what is passed on. A field that is allowed keeps its name for applications of HTTP and is a variable
// for the others.
func (n *FieldNames) request(ctx context.Context, req *adapters.Request) *adapters.Request {
	c := *req
	c.Vars = slices.Clip(c.Vars)
	passed := n.passed(req.Header)
	for _, name := range passed {
		env := "HTTP_" + strings.ToUpper(strings.ReplaceAll(foldedName(name), "-", "_"))
		c.Vars = append(c.Vars, adapters.Var{Name: env, Value: strings.Join(req.Header.Values(name), ", ")})
	}
	c.Header = make(adapters.Header, 0, len(req.Header))
	for _, f := range req.Header {
		same := func(name string) bool { return adapters.EqualName(name, f.Name) }
		if plainName(f.Name) || slices.ContainsFunc(passed, same) {
			c.Header = append(c.Header, f)
		} else {
			n.log.dropped(ctx, f.Name, req.ID)
		}
	}
	return &c
}

// passed returns those of the list that are in h and stay: no field that could be taken for one goes before it.
func (n *FieldNames) passed(h adapters.Header) (names []string) {
	for _, name := range n.allow {
		folded := foldedName(name)
		before := func(other string) bool { return adapters.EqualName(foldedName(other), folded) }
		if h.Has(name) && !h.Has(folded) && !slices.ContainsFunc(names, before) {
			names = append(names, name)
		}
	}
	return names
}

// A nameLog logs names that clients choose: each once, a few in a minute.
type nameLog struct {
	log *slog.Logger

	mu     sync.Mutex
	known  map[string]bool
	left   int       // that may be logged before until
	until  time.Time // when the minute is over
	silent int       // dropped without a line
}

const (
	namesPerMinute = 10
	mostNames      = 1000 // that are remembered
	longestName    = 64
)

func (l *nameLog) dropped(ctx context.Context, name, request string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(name) > longestName {
		name = name[:longestName]
	}
	name = strings.ToLower(name)
	if l.known[name] {
		return
	}
	if now := time.Now(); now.After(l.until) {
		l.left, l.until = namesPerMinute, now.Add(time.Minute)
	}
	if l.left == 0 {
		l.silent++
		return
	}
	l.left--
	if l.known == nil || len(l.known) >= mostNames {
		l.known = map[string]bool{}
	}
	l.known[name] = true
	attrs := []any{"name", name, "request", request}
	if l.silent > 0 {
		attrs = append(attrs, "others", l.silent)
	}
	l.silent = 0
	logger(l.log).WarnContext(ctx, "header field dropped, others could be taken for it (--allow-header)", attrs...)
}
