package middleware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"path/filepath"
	"strings"

	"github.com/gangway-go/gangway/adapters"
)

// Sendfile lets an application answer with the name of a file instead of its bytes. Its own body is dropped, and the
// file's comes with ranges, conditions and HEAD. Each of the two lists turns on fields of the application's response,
// which then never reach the client; what is nil is off, and its fields pass unchanged to whoever stands in front of
// us.
//
// The application's fields stay, but for those that describe the bytes: Content-Length, Content-Range,
// Content-Encoding, Accept-Ranges, ETag and Last-Modified are the file's, against which a request's conditions are
// judged. If its status is neither 200 nor 206, or the method neither GET nor HEAD, the file is sent whole and with that
// status.
//
// A file outside of the lists is [adapters.ErrForbidden], one that is not there [adapters.ErrNotFound]; both are
// logged. The client's own X-Sendfile-Type and X-Accel-Mapping, by which Rack applications choose, are removed.
type Sendfile struct {
	// Paths are the folders for X-Sendfile and X-LIGHTTPD-send-file, whose values are absolute paths as they are.
	Paths []FileRoot
	// URIs are the prefixes for X-Accel-Redirect, whose value is a path that is %-encoded, as for nginx's "location
	// PREFIX { internal; alias DIR; }". No client can ask for them.
	URIs []FileRoot
	// Log takes what could not be sent; nil is slog.Default.
	Log *slog.Logger
}

// A FileRoot gives the files beneath a prefix to the application.
type FileRoot struct {
	Prefix string     // whole segments; the longest one counts
	Files  FileServer // knows the files by the rest of the path
}

// A FileServer answers a request, whatever its path, with the file that is called name beneath its root, a path with
// slashes; package adapters/static has one. It does not lead out of its root. To a method other than GET and HEAD the
// answer is the whole file.
type FileServer interface {
	ServeFile(req *adapters.Request, name string) (*adapters.Response, error)
}

// Wrap is the [adapters.Middleware].
func (s *Sendfile) Wrap(next adapters.Handler) adapters.Handler {
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		if req.Header.Has("X-Sendfile-Type") || req.Header.Has("X-Accel-Mapping") {
			c := *req
			c.Header = c.Header.Without("X-Sendfile-Type", "X-Accel-Mapping")
			req = &c
		}
		resp, err := next.Serve(ctx, req)
		if err != nil {
			return nil, err
		}
		for _, field := range sendfileFields {
			if field.roots(s) != nil && resp.Header.Has(field.name) {
				return s.replace(ctx, req, resp)
			}
		}
		return resp, nil
	})
}

var sendfileFields = []struct {
	name  string
	roots func(*Sendfile) []FileRoot
	path  func(value string) (string, error)
}{
	{"X-Sendfile", func(s *Sendfile) []FileRoot { return s.Paths }, cleanFile},
	{"X-LIGHTTPD-send-file", func(s *Sendfile) []FileRoot { return s.Paths }, cleanFile},
	{"X-Accel-Redirect", func(s *Sendfile) []FileRoot { return s.URIs }, cleanURI},
}

func cleanFile(value string) (string, error) {
	return path.Clean(filepath.ToSlash(value)), nil
}

func cleanURI(value string) (string, error) {
	value, _, _ = strings.Cut(value, "?")
	if adapters.EncodedSeparator(value) {
		return "", fmt.Errorf("%w: encoded separator in %.80q", adapters.ErrForbidden, value)
	}
	return adapters.CanonicalPath(value)
}

// replace answers with the file that resp names in the first of its fields, if it has a value.
func (s *Sendfile) replace(ctx context.Context, req *adapters.Request, resp *adapters.Response) (
	*adapters.Response, error,
) {
	header := resp.Header
	for _, field := range sendfileFields {
		if field.roots(s) != nil {
			resp.Header = resp.Header.Without(field.name)
		}
	}
	for _, field := range sendfileFields {
		value := header.Get(field.name)
		if value == "" || field.roots(s) == nil || !adapters.BodyAllowed(http.MethodGet, resp.Status) {
			continue
		}
		adapters.Drain(resp.Body, sendfileDrain)
		file, err := open(fileRequest(req, resp.Status), field.roots(s), value, field.path)
		if err != nil {
			logger(s.Log).WarnContext(ctx, "file not sent", "request", req.ID, "field", field.name, "file", value,
				"error", err)
			return nil, fmt.Errorf("middleware: %s: %w", field.name, err)
		}
		return withFile(resp, file), nil
	}
	return resp, nil
}

// sendfileDrain is how much of a body is read that nobody gets.
const sendfileDrain = 1 << 20

func open(req *adapters.Request, roots []FileRoot, value string, clean func(string) (string, error)) (
	*adapters.Response, error,
) {
	name, err := clean(value)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", adapters.ErrForbidden, err) // it is not the client's fault
	}
	var files FileServer
	var prefix, rest string
	for _, root := range roots {
		script, ok := adapters.Script{PathInfo: name}.Mount(filepath.ToSlash(root.Prefix))
		if ok && len(script.PathInfo) > 1 && (files == nil || len(script.Name) > len(prefix)) {
			files, prefix, rest = root.Files, script.Name, script.PathInfo
		}
	}
	if files == nil {
		return nil, fmt.Errorf("%w: %q lies in no root", adapters.ErrForbidden, name)
	}
	resp, err := files.ServeFile(req, rest[1:])
	if errors.Is(err, adapters.ErrDeclined) { // no other Handler may answer: the body may have been read
		return nil, fmt.Errorf("%w: %q", adapters.ErrNotFound, name)
	}
	return resp, err
}

// fileRequest returns the request that a FileServer gets for a response of that status.
func fileRequest(req *adapters.Request, status int) *adapters.Request {
	c := withoutBody(req)
	if status != http.StatusOK && status != http.StatusPartialContent {
		c.Header = c.Header.Without(conditionFields...)
	}
	return c
}

// conditionFields ask for less than a whole file, RFC 9110 13.1 and 14.2.
var conditionFields = []string{
	"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range",
}

// withoutBody returns a copy of req that asks for something else with the same header.
func withoutBody(req *adapters.Request) *adapters.Request {
	c := *req
	c.Body, c.ContentLength, c.Trailer = nil, 0, nil
	return &c
}

// withFile puts the file in the place of what the application sent.
func withFile(app, file *adapters.Response) *adapters.Response {
	switch file.Status {
	case http.StatusOK:
		if app.Status != http.StatusPartialContent { // which the file is not
			file.Status = app.Status
		}
	case http.StatusPartialContent, http.StatusNotModified:
	default:
		return file // 416 or 412 has a body of its own
	}
	header := app.Header.Without("Content-Length", "Content-Range", "Content-Encoding", "Accept-Ranges", "ETag",
		"Last-Modified")
	parts := strings.HasPrefix(file.Header.Get("Content-Type"), "multipart/byteranges")
	if parts {
		header.Del("Content-Type")
	}
	own := len(header)
	for _, f := range file.Header {
		if !header[:own].Has(f.Name) || adapters.EqualName(f.Name, "Vary") {
			header = append(header, f)
		}
	}
	file.Header, file.AppStatus = header, app.AppStatus
	return file
}
