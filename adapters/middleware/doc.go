// Package middleware wraps what a gateway does around any application into [adapters.Middleware]: logging, limits,
// authentication (HTTP Basic, RFC 7617, https://www.rfc-editor.org/rfc/rfc7617, and Digest, RFC 7616,
// https://www.rfc-editor.org/rfc/rfc7616), the roles Authorizer and Filter of FastCGI 1.0 (sections 6.3 and 6.4), and
// files that an application only names (X-Sendfile, X-Accel-Redirect).
//
// The first Middleware of a chain meets a request first, so their order is a decision. This one is right for most:
//
//	adapters.Chain(app,
//		names.Wrap,                // NewFieldNames
//		forwarded.Wrap,            // if there are proxies in front: the others see the client's address
//		middleware.AccessLog(log), // logs everything, what the others refuse too
//		middleware.Recover(nil),
//		limits.Wrap,
//		basic.Wrap,                // or digest.Wrap, or middleware.Authorize(app)
//		sendfile.Wrap,
//	)
//
// [OnAbort] goes around an application itself.
//
// Authentication runs before anything else that has an effect: the Middleware stands outside of the
// [adapters.Dispatcher] or the Handler that it protects, so that without credentials no route is matched, no file
// opened, no process started and no byte of the body read.
//
// Begin with [AccessLog], [Limits] and [Basic].
package middleware

import (
	"cmp"
	"log/slog"
)

// logger returns log, or the default one as it is now.
func logger(log *slog.Logger) *slog.Logger { return cmp.Or(log, slog.Default()) }
