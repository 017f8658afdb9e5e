package gofast

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	upstream "github.com/yookoala/gofast"

	"github.com/gangway-go/gangway/adapters"
)

// Map returns h with the meta-variables that mw makes, be it one of gofast's middleware, a Chain of them, or one of the
// program's own. Params holds at first what [adapters.Request.All] yields, so mw says only what shall be different:
// what it sets wins, what it deletes is gone. Role, Stdin and Data count too; what mw puts there is closed after the
// response.
//
// Where gofast's own middleware goes wrong it is corrected. Each header field that mw sees has one value; Proxy, and
// what cannot be told from another field, is left out. CONTENT_LENGTH is that of the body. A path with a segment "..",
// and a SCRIPT_FILENAME outside of DOCUMENT_ROOT, is ErrForbidden; a PATH_INFO that does not begin with a slash
// ("/a.php.jpg" as the script "/a.php") is ErrNotFound. There is no PATH_TRANSLATED without PATH_INFO.
//
// mw describes a request and does not make it: there is no response yet when the inner SessionHandler returns, and the
// Client answers nothing. An error of mw is status 500, unless it wraps one of package adapters.
func Map(mw upstream.Middleware, h adapters.Handler) adapters.Handler {
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		m, err := newMapping(ctx, req)
		if err != nil {
			return nil, err
		}
		resp, err := m.serve(ctx, mw, h)
		if err != nil {
			m.close()
			return nil, err
		}
		if m.changed() {
			resp.Body = adapters.OnClose(resp.Body, m.close)
		}
		return resp, nil
	})
}

// A mapping is a request on its way through gofast's middleware.
type mapping struct {
	req  *adapters.Request
	sent *upstream.Request // what mw is given
	got  *upstream.Request // what mw passes on
	body *untouched        // Stdin and Data of sent
	data *untouched
}

// untouched is a stream that is closed by others.
type untouched struct{ io.Reader }

func (*untouched) Close() error { return nil }

func newMapping(ctx context.Context, req *adapters.Request) (*mapping, error) {
	if strings.Contains(req.Path()+"/", "/../") { // not from HTTP, which has canonical paths
		return nil, fmt.Errorf("%w: path %.200q", adapters.ErrForbidden, req.Path())
	}
	raw, err := req.HTTP(ctx)
	if err != nil {
		return nil, err
	}
	m := &mapping{req: req, body: &untouched{raw.Body}}
	raw.Body = m.body
	raw.URL.Scheme = req.Scheme // BasicParamsMap makes REQUEST_SCHEME of it
	raw.Header = http.Header{}
	m.sent = upstream.NewRequest(raw)
	m.sent.Role = upstream.RoleResponder + upstream.Role(req.Role)
	if req.Data != nil {
		m.data = &untouched{req.Data.Body}
		m.sent.Data = m.data
	}
	for name, value := range req.All() {
		m.sent.Params[name] = value
		field, ok := strings.CutPrefix(name, "HTTP_")
		if ok && field != "HOST" || name == "CONTENT_TYPE" {
			raw.Header.Set(strings.ReplaceAll(field, "_", "-"), value)
		}
	}
	return m, nil
}

func (m *mapping) serve(ctx context.Context, mw upstream.Middleware, h adapters.Handler) (*adapters.Response, error) {
	if _, err := mw(m.capture)(upstream.ClientFunc(noClient), m.sent); err != nil {
		return nil, fmt.Errorf("gofast: middleware: %w", err)
	}
	if m.got == nil {
		return nil, fmt.Errorf("gofast: middleware passes %s on to nobody", m.req.Path())
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	mapped, err := m.request()
	if err != nil {
		return nil, err
	}
	return h.Serve(ctx, mapped)
}

// capture is the SessionHandler behind mw.
func (m *mapping) capture(_ upstream.Client, r *upstream.Request) (*upstream.ResponsePipe, error) {
	m.got = r
	return ended, nil
}

// ended is the response of a request that is only described.
var ended = func() *upstream.ResponsePipe {
	pipe := upstream.NewResponsePipe()
	pipe.Close()
	return pipe
}()

func noClient(*upstream.Request) (*upstream.ResponsePipe, error) {
	return nil, errors.New("gofast: the client of Map answers nothing")
}

// check refuses what gofast's routers let through.
func (m *mapping) check() error {
	p := m.got.Params
	root, file := p["DOCUMENT_ROOT"], p["SCRIPT_FILENAME"]
	if root != "" && file != "" {
		if rest, err := filepath.Rel(root, file); err != nil || !filepath.IsLocal(rest) {
			return fmt.Errorf("%w: SCRIPT_FILENAME %.200q is outside of %.200q", adapters.ErrForbidden, file, root)
		}
	}
	if info := p["PATH_INFO"]; info != "" && info[0] != '/' {
		return fmt.Errorf("%w: %.200q follows the script %.200q", adapters.ErrNotFound, info, p["SCRIPT_NAME"])
	}
	return nil
}

// request returns what h is asked.
func (m *mapping) request() (*adapters.Request, error) {
	p := maps.Clone(m.got.Params)
	if p["PATH_INFO"] == "" {
		delete(p, "PATH_TRANSLATED") // RFC 3875 4.1.6
	}
	delete(p, "CONTENT_LENGTH")
	data, err := m.dataOf(p)
	if err != nil {
		return nil, err
	}
	mapped, err := adapters.ParseVars(func(yield func(name, value string) bool) {
		for _, name := range slices.Sorted(maps.Keys(p)) {
			if !yield(name, p[name]) {
				return
			}
		}
	})
	if err != nil {
		return nil, err
	}
	// Not from REQUEST_URI, if mw deleted both.
	mapped.Script.Name, mapped.Script.PathInfo = p["SCRIPT_NAME"], p["PATH_INFO"]
	mapped.Role = adapters.Role(m.got.Role - upstream.RoleResponder)
	mapped.Data = data
	mapped.TLS, mapped.Trace = m.req.TLS, m.req.Trace
	mapped.Stderr, mapped.Informational = m.req.Stderr, m.req.Informational
	switch m.got.Stdin {
	case m.body:
		mapped.Body, mapped.ContentLength, mapped.Trailer = m.req.Body, m.req.ContentLength, m.req.Trailer
	case nil:
		mapped.ContentLength = 0
	default:
		mapped.Body = m.got.Stdin // of unknown length, for CONTENT_LENGTH may be that of what was there before
	}
	return mapped, nil
}

// dataOf takes the data of a Filter and its variables.
func (m *mapping) dataOf(p map[string]string) (*adapters.Data, error) {
	const length, lastMod = "FCGI_DATA_LENGTH", "FCGI_DATA_LAST_MOD"
	n, lengthErr := adapters.ParseLength(p[length])
	seconds, lastModErr := adapters.ParseLength(p[lastMod])
	delete(p, length)
	delete(p, lastMod)
	switch m.got.Data {
	case nil:
		return nil, nil
	case m.data:
		return m.req.Data, nil
	}
	if lengthErr != nil || lastModErr != nil {
		return nil, fmt.Errorf("gofast: middleware: %s or %s is no number", length, lastMod)
	}
	return &adapters.Data{Body: m.got.Data, Length: n, LastMod: time.Unix(seconds, 0)}, nil
}

// changed reports whether there is something of mw's to close.
func (m *mapping) changed() bool {
	return m.got.Stdin != nil && m.got.Stdin != m.body || m.got.Data != nil && m.got.Data != m.data
}

func (m *mapping) close() {
	r := cmp.Or(m.got, m.sent)
	if r.Stdin != nil {
		r.Stdin.Close()
	}
	if r.Data != nil {
		r.Data.Close()
	}
}
