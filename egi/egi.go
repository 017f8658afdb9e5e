// Package egi runs applications in this process: the Embedded Gateway Interface of AppWeb, which is CGI without a
// process. An application sees the meta-variables of RFC 3875 (https://www.rfc-editor.org/rfc/rfc3875) that it would
// see as a CGI program, and no request is encoded to reach it.
//
// [HTTP] makes an application of any http.Handler, [Func] of a function. A [Registry] finds functions by the exact path
// of the request, as AppWeb does; [Define] adds to the [DefaultRegistry].
//
// What an application writes is kept in a bounded buffer until the buffer fills, until it calls Flush, or until it
// returns: as in net/http, and a small response gets its Content-Length. It runs in a goroutine of its own, which is
// not ended from outside: when the client has left, its context is cancelled and its writes fail with
// [adapters.ErrAborted]. A panic ends one response, not the process.
package egi

import (
	"context"
	"net/http"

	"github.com/gangway-go/gangway/adapters"
)

// HTTP returns h as an application. Its requests are made by [adapters.Request.HTTP], so [adapters.RequestOf] gives it
// the meta-variables. Its ResponseWriter supports Flush, 1xx responses and trailers; deadlines and Hijack are not
// supported. A status that is no final status of HTTP is [adapters.ErrBadResponse]. http.ErrAbortHandler is honoured.
func HTTP(h http.Handler) adapters.Handler { return httpApp{h} }

type httpApp struct{ handler http.Handler }

func (a httpApp) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	return serve(ctx, req, a)
}

func (a httpApp) answer(x *exchange) error {
	r, err := x.req.HTTP(&x.ctx)
	if err != nil {
		return err
	}
	a.handler.ServeHTTP(x, r)
	return nil
}
