// Package adapters carries requests between any HTTP frontend and any application that speaks a gateway protocol.
//
// Everything that answers is a [Handler]: the backends (packages fastcgi, scgi, cgi, egi and adapters/proxy), files
// (adapters/static), middleware (adapters/middleware), a pool of processes (adapters/pool) and the [Dispatcher].
// Everything that asks is a frontend and takes a Handler: [HTTPFrontend], fastcgi.Server, scgi.Server and cgi.Serve.
// A request is described in the terms of CGI (RFC 3875, https://www.rfc-editor.org/rfc/rfc3875): meta-variables, a
// message-body, a script; so no pair of frontend and backend loses what the other one said.
//
// Begin with Handler, [Request] and [Response]. Then
//
//	php := &fastcgi.Client{Network: "unix", Address: "/run/php/php-fpm.sock"}
//	http.ListenAndServe(":8080", adapters.HTTP(&adapters.ScriptResolver{Root: root, To: php, Files: static.Dir(root)}))
//
// serves PHP from any Go program.
package adapters

import "context"

// A Handler answers requests. It must be safe for concurrent use.
type Handler interface {
	// Serve starts req and returns when the response header is known. The caller reads and closes Response.Body.
	// Cancelling ctx, or closing Body before io.EOF, aborts the request. ctx must live until Body is closed.
	//
	// Serve must not change *req or anything it points to, Body apart: to pass on a changed request, copy it first.
	// It must not wait for a pending Request.Body.Read before it returns. With a nil error the response is complete
	// but for its Body, which is never nil. An error means that no response exists; [StatusOf] gives its HTTP status.
	// [ErrDeclined] means "not mine, ask the next one": then Serve has not read Request.Body.
	Serve(ctx context.Context, req *Request) (*Response, error)
}

// HandlerFunc lets a function be a [Handler].
type HandlerFunc func(ctx context.Context, req *Request) (*Response, error)

// Serve calls f.
func (f HandlerFunc) Serve(ctx context.Context, req *Request) (*Response, error) { return f(ctx, req) }

// Middleware wraps a [Handler] into another one.
type Middleware func(Handler) Handler

// Chain wraps h so that a request meets the middleware in the order given, the first one outermost.
func Chain(h Handler, mw ...Middleware) Handler {
	for i := len(mw) - 1; i >= 0; i-- {
		h = mw[i](h)
	}
	return h
}
