package middleware

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/gangway-go/gangway/adapters"
)

// Recover turns a panic in Serve into an error with status 500, and logs it with its stack in one record; a nil log is
// [slog.Default]. It does not see a panic in another goroutine or while a body is read.
func Recover(log *slog.Logger) adapters.Middleware {
	return func(next adapters.Handler) adapters.Handler {
		serve := func(ctx context.Context, req *adapters.Request) (resp *adapters.Response, err error) {
			defer func() {
				if v := recover(); v != nil {
					logger(log).ErrorContext(ctx, "panic", "request", req.ID, "method", req.Method,
						"uri", adapters.LoggedURI(req.URI), "panic", v, "stack", string(debug.Stack()))
					resp, err = nil, panicError(v)
				}
			}()
			return next.Serve(ctx, req)
		}
		return adapters.HandlerFunc(serve)
	}
}

// panicError does not wrap v: what an error that was thrown means to others does not count here.
func panicError(v any) error {
	return &adapters.Error{
		Op: "middleware: panic", Status: http.StatusInternalServerError, Err: fmt.Errorf("%v", v),
	}
}
