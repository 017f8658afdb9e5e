package adaptertest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gangway-go/gangway/adapters"
)

// App returns the reference application. The last segment of the path says what it does, the query how.
func App() adapters.Handler { return adapters.HandlerFunc(serve) }

type action func(ctx context.Context, req *adapters.Request, query url.Values) (*adapters.Response, error)

// actions are what the application can do, by the last segment of the path.
var actions = map[string]action{
	"vars":         vars,
	"echo":         echo,
	"what":         what,
	"range":        ranged,
	"found":        found,
	"status":       status,
	"fields":       fields,
	"big":          big,
	"events":       events,
	"quick-events": quickEvents,
	"noread":       noRead,
	"truncated":    truncated,
	"silent":       silent,
	"upload":       upload,
	"stderr":       stderr,
	"hints":        hints,
	"local":        local,
	"busy":         busy,
	"trailer":      trailer,
}

func serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	path := req.Path()
	act, ok := actions[path[strings.LastIndexByte(path, '/')+1:]]
	if !ok {
		return adapters.Reply(404, "text/plain", "no such action\n"), nil
	}
	query, err := url.ParseQuery(req.Query)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", adapters.ErrBadRequest, err)
	}
	return act(ctx, req, query)
}

func body(req *adapters.Request) io.Reader {
	if req.Body == nil {
		return strings.NewReader("")
	}
	return req.Body
}

// vars answers with the variables, NAME="value" as Go strings, sorted.
func vars(_ context.Context, req *adapters.Request, _ url.Values) (*adapters.Response, error) {
	var lines []string
	for name, value := range req.All() {
		lines = append(lines, fmt.Sprintf("%s=%q\n", name, value))
	}
	slices.Sort(lines)
	return adapters.Reply(200, "text/plain", strings.Join(lines, "")), nil
}

// echo sends the body back as it comes.
func echo(_ context.Context, req *adapters.Request, _ url.Values) (*adapters.Response, error) {
	h := adapters.Header{{Name: "Content-Type", Value: "application/octet-stream"}}
	return &adapters.Response{Status: 200, Header: h, Body: io.NopCloser(body(req))}, nil
}

// what answers with what every protocol carries: method, path, query, some fields, length and hash of the body. A web
// server that must be told a name for its script is told /app.cgi.
func what(_ context.Context, req *adapters.Request, _ url.Values) (*adapters.Response, error) {
	sum := sha256.New()
	n, err := io.Copy(sum, body(req))
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("%s %q ?%s %d %x\n", req.Method, strings.TrimPrefix(req.Path(), "/app.cgi"), req.Query, n,
		sum.Sum(nil))
	for _, name := range []string{"Accept", "Accept-Language", "Authorization", "Content-Type", "Cookie", "Range",
		"Referer", "User-Agent", "X-Empty", "X-High", "X-Long", "X-Odd", "X-Two"} {
		if values := req.Header.Values(name); len(values) > 0 {
			separator := ", "
			if name == "Cookie" {
				separator = "; "
			}
			text += fmt.Sprintf("%s: %q\n", name, strings.Join(values, separator))
		}
	}
	return adapters.Reply(200, "text/plain; charset=utf-8", text), nil
}

// ranged answers with bytes 2 to 5 of ten.
func ranged(_ context.Context, req *adapters.Request, _ url.Values) (*adapters.Response, error) {
	if req.Header.Get("Range") != "bytes=2-5" {
		return adapters.Reply(200, "text/plain", "0123456789"), nil
	}
	resp := adapters.Reply(206, "text/plain", "2345")
	resp.Header.Add("Content-Range", "bytes 2-5/10")
	return resp, nil
}

// found redirects the client to ?to with ?code.
func found(_ context.Context, _ *adapters.Request, query url.Values) (*adapters.Response, error) {
	code, err := strconv.Atoi(query.Get("code"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", adapters.ErrBadRequest, err)
	}
	resp := adapters.Reply(code, "text/plain", "elsewhere")
	resp.Header.Add("Location", query.Get("to"))
	return resp, nil
}

// status answers with ?code.
func status(_ context.Context, req *adapters.Request, query url.Values) (*adapters.Response, error) {
	code, err := strconv.Atoi(query.Get("code"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", adapters.ErrBadRequest, err)
	}
	if !adapters.BodyAllowed(req.Method, code) {
		return &adapters.Response{Status: code, Header: adapters.Header{{Name: "ETag", Value: `"x"`}},
			Body: adapters.NoBody}, nil
	}
	return adapters.Reply(code, "text/plain", query.Get("code")), nil
}

// fields answers with fields that are often lost or changed.
func fields(context.Context, *adapters.Request, url.Values) (*adapters.Response, error) {
	resp := adapters.Reply(200, "text/x-odd; a=\"b c\"", "fields")
	resp.Header = append(resp.Header, oddFields...)
	return resp, nil
}

var oddFields = adapters.Header{
	{Name: "Set-Cookie", Value: "a=1; Path=/"}, {Name: "Set-Cookie", Value: "b=2"}, {Name: "X-Odd", Value: "a, b;c=\"d\""},
	{Name: "X-High", Value: "caf\xc3\xa9"}, {Name: "X-Long", Value: strings.Repeat("x", 3000)},
	{Name: "X_Under.Dot", Value: "1"},
}

// big answers with ?n bytes; with ?length it says so in Content-Length.
func big(_ context.Context, _ *adapters.Request, query url.Values) (*adapters.Response, error) {
	n, err := strconv.ParseInt(query.Get("n"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", adapters.ErrBadRequest, err)
	}
	resp := &adapters.Response{Status: 200, Body: io.NopCloser(io.LimitReader(new(pattern), n))}
	resp.Header.Add("Content-Type", "application/octet-stream")
	if query.Has("length") {
		resp.Header.Add("Content-Length", query.Get("n"))
	}
	return resp, nil
}

// A pattern is endless and does not repeat within what a buffer holds.
type pattern struct{ at uint64 }

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(p.at * 0x9e3779b97f4a7c15 >> 56)
		p.at++
	}
	return len(b), nil
}

func patternSum(n int64) string {
	sum := sha256.New()
	io.CopyN(sum, new(pattern), n)
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// waitFor waits until the file exists. A file works also where the application is a process of its own.
func waitFor(ctx context.Context, file string) error {
	for {
		if _, err := os.Stat(file); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// events sends an event and waits for ?next0 to exist, then another one and ?next1, and so on: three.
func events(ctx context.Context, _ *adapters.Request, query url.Values) (*adapters.Response, error) {
	pr, pw := io.Pipe()
	go func() {
		for i := range 3 {
			if _, err := fmt.Fprintf(pw, "data: %d\n\n", i); err != nil {
				return
			}
			if err := waitFor(ctx, query.Get("next")+strconv.Itoa(i)); err != nil {
				pw.CloseWithError(err)
				return
			}
		}
		pw.Close()
	}()
	return &adapters.Response{Status: 200, Header: adapters.Header{{Name: "Content-Type", Value: "text/event-stream"}},
		Body: pr}, nil
}

// quickEvents sends three events at once.
func quickEvents(context.Context, *adapters.Request, url.Values) (*adapters.Response, error) {
	body := io.MultiReader(strings.NewReader("data: 0\n\n"), strings.NewReader("data: 1\n\ndata: 2\n\n"))
	return &adapters.Response{Status: 200, Header: adapters.Header{{Name: "Content-Type", Value: "text/event-stream"}},
		Body: io.NopCloser(body)}, nil
}

// noRead answers without reading the body.
func noRead(context.Context, *adapters.Request, url.Values) (*adapters.Response, error) {
	return adapters.Reply(413, "text/plain", "not read"), nil
}

// truncated sends a part and fails.
func truncated(_ context.Context, _ *adapters.Request, query url.Values) (*adapters.Response, error) {
	resp := &adapters.Response{Status: 200, Header: adapters.Header{{Name: "Content-Type", Value: "text/plain"}}}
	if query.Has("length") {
		resp.Header.Add("Content-Length", "100000")
	}
	resp.Body = &failingBody{Reader: strings.NewReader(strings.Repeat("part ", 1000))}
	return resp, nil
}

type failingBody struct{ io.Reader }

func (b *failingBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = fmt.Errorf("%w: on purpose", adapters.ErrTruncated)
	}
	return n, err
}

func (*failingBody) Close() error { return nil }

// silent writes to ?started, says nothing until it is told that nobody waits any more, and then writes ?told.
func silent(ctx context.Context, _ *adapters.Request, query url.Values) (*adapters.Response, error) {
	if err := os.WriteFile(query.Get("started"), nil, 0o600); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), os.WriteFile(query.Get("told"), nil, 0o600))
	case <-time.After(time.Minute):
		return adapters.Reply(200, "text/plain", "not told"), nil
	}
}

// upload reads the body, writes to ?file how it ended, and answers its length and hash. ?file.begun comes first.
func upload(_ context.Context, req *adapters.Request, query url.Values) (*adapters.Response, error) {
	file := query.Get("file")
	if file != "" {
		if err := os.WriteFile(file+".begun", nil, 0o600); err != nil {
			return nil, err
		}
	}
	sum := sha256.New()
	n, err := io.Copy(sum, body(req))
	if file != "" {
		text := "whole"
		if err != nil {
			text = "cut"
		}
		err = errors.Join(err, os.WriteFile(file+".new", []byte(text), 0o600), os.Rename(file+".new", file))
	}
	if err != nil {
		return nil, err
	}
	return adapters.Reply(200, "text/plain", fmt.Sprintf("%d %x", n, sum.Sum(nil))), nil
}

// stderr writes diagnostics and ends with a status of its own.
func stderr(_ context.Context, req *adapters.Request, _ url.Values) (*adapters.Response, error) {
	if req.Stderr != nil {
		io.WriteString(req.Stderr, "a diagnostic line\n")
	}
	resp := adapters.Reply(200, "text/plain", "said")
	resp.AppStatus = func() int { return 7 }
	return resp, nil
}

// hints sends 103 Early Hints first.
func hints(_ context.Context, req *adapters.Request, _ url.Values) (*adapters.Response, error) {
	if req.Informational != nil {
		if err := req.Informational(103, adapters.Header{{Name: "Link", Value: "</style.css>; rel=preload"}}); err != nil {
			return nil, err
		}
	}
	return adapters.Reply(200, "text/plain", "after the hints"), nil
}

// local redirects to vars inside the server.
func local(context.Context, *adapters.Request, url.Values) (*adapters.Response, error) {
	return &adapters.Response{Status: 302, LocalRedirect: "/vars?from=local",
		Header: adapters.Header{{Name: "Location", Value: "/vars?from=local"}}, Body: adapters.NoBody}, nil
}

// busy says that there is no capacity.
func busy(context.Context, *adapters.Request, url.Values) (*adapters.Response, error) {
	return nil, &adapters.Error{Op: "adaptertest", Err: adapters.ErrBusy, RetryAfter: 3 * time.Second}
}

// trailer sends a trailer field behind the body.
func trailer(context.Context, *adapters.Request, url.Values) (*adapters.Response, error) {
	return &adapters.Response{Status: 200, Body: io.NopCloser(strings.NewReader("body")),
		Trailer: func() adapters.Header { return adapters.Header{{Name: "X-Sum", Value: "1"}} }}, nil
}
