package middleware

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/spool"
)

// Filter makes the Handler a FastCGI Filter (FastCGI 1.0 section 6.4) of what another one answers, usually files:
//
//	adapters.Chain(app, middleware.Filter(static.Dir(root)))
//
// data is asked first, for the whole of what the request names; behind an [adapters.ScriptResolver], which leaves nothing
// of the path, that is adapters.Mount("", static.Dir(root)). If its status is 200, its body is what the Filter gets as
// FCGI_DATA, with FCGI_DATA_LENGTH and FCGI_DATA_LAST_MOD; a body of unknown length is spooled for that (limit spool),
// and one without Last-Modified is as new as the request. Any other answer, and any error, is the answer to the client.
func Filter(data adapters.Handler) adapters.Middleware {
	return func(next adapters.Handler) adapters.Handler {
		return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (resp *adapters.Response, err error) {
			source, err := data.Serve(ctx, dataRequest(req))
			if err != nil || source.Status != http.StatusOK {
				return source, err
			}
			d, release, err := filterData(source)
			if err != nil {
				return nil, err
			}
			defer func() {
				if resp == nil { // also after a panic
					release()
				}
			}()
			c := *req
			c.Role, c.Data = adapters.Filter, d
			if resp, err = next.Serve(ctx, &c); err != nil {
				return nil, err
			}
			resp.Body = adapters.OnClose(resp.Body, release)
			return resp, nil
		})
	}
}

// dataRequest asks for the whole: conditions are for the Filter to judge, which knows FCGI_DATA_LAST_MOD.
func dataRequest(req *adapters.Request) *adapters.Request {
	c := withoutBody(req)
	c.Method = http.MethodGet
	c.Header = c.Header.Without(slices.Concat(conditionFields, []string{"Accept-Encoding", "Content-Type", "Expect"})...)
	c.Informational = nil
	c.Trace = nil
	return c
}

// filterData makes a response the data of a Filter; release is to be called once when it is not needed any more.
func filterData(source *adapters.Response) (d *adapters.Data, release func(), err error) {
	d = &adapters.Data{Body: source.Body, LastMod: time.Now()}
	if t, err := http.ParseTime(source.Header.Get("Last-Modified")); err == nil {
		d.LastMod = t
	}
	if d.Length, err = adapters.ParseLength(source.Header.Get("Content-Length")); err == nil {
		return d, func() { source.Body.Close() }, nil
	}
	defer source.Body.Close()
	body, err := spool.Read(source.Body, spool.DefaultMemory, adapters.DefaultSpoolLimit)
	if err != nil {
		return nil, nil, spoolError(err)
	}
	d.Body, d.Length = body.ReadSeeker, body.Size
	return d, func() { body.Close() }, nil
}

// spoolError says whose fault it is; the client's it never is.
func spoolError(err error) error {
	status := 0 // as the Handler that gave the data says
	switch {
	case errors.Is(err, spool.ErrTooLarge):
		status = http.StatusBadGateway
	case errors.Is(err, spool.ErrStorage):
		status = http.StatusInsufficientStorage
	}
	return &adapters.Error{Op: "middleware: filter data", Status: status, Err: err}
}
