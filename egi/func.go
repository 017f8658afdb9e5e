package egi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gangway-go/gangway/adapters"
)

// A Func is an application in the form of a function. It reads the variables and the form of r and writes the response
// to w, of which all that is said about [HTTP] holds. An error before the response has begun becomes the status that
// [adapters.StatusOf] has for it, whatever was written before; a later one cuts the response short.
type Func func(w http.ResponseWriter, r *Request) error

// Serve runs f.
func (f Func) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	return serve(ctx, req, f)
}

func (f Func) answer(x *exchange) error { return f(x, &Request{Request: &x.req, ctx: &x.ctx}) }

// A Request is what a [Func] sees of a request. It is used by one goroutine, until the Func returns.
type Request struct {
	*adapters.Request
	ctx     context.Context
	form    url.Values
	formErr error
}

// Context is cancelled when the client has left and when the Func returns.
func (r *Request) Context() context.Context { return r.ctx }

// Var returns a meta-variable, as a CGI program finds it in its environment; "" if it does not exist.
func (r *Request) Var(name string) string {
	for n, value := range r.All() {
		if n == name {
			return value
		}
	}
	return ""
}

// FormLimit is the largest body that Form reads, in bytes (limit form).
const FormLimit = 10 << 20

// Form returns the form variables of a body of type application/x-www-form-urlencoded. It reads the body at the first
// call. For another type there are none and the body is not touched. The variables of the query are not among them.
// The error, which later calls return again, wraps [adapters.ErrTooLarge] or [adapters.ErrBadRequest], or is that of
// the body.
func (r *Request) Form() (url.Values, error) {
	if r.form == nil && r.formErr == nil {
		r.form, r.formErr = r.readForm()
	}
	return r.form, r.formErr
}

func (r *Request) readForm() (url.Values, error) {
	if !r.isForm() {
		return url.Values{}, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, FormLimit+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > FormLimit:
		return nil, fmt.Errorf("%w: form larger than %d bytes (limit form)", adapters.ErrTooLarge, FormLimit)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fmt.Errorf("%w: form: %w", adapters.ErrBadRequest, err)
	}
	return form, nil
}

func (r *Request) isForm() bool {
	mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	return r.HasBody() && adapters.EqualName(strings.TrimSpace(mediaType), "application/x-www-form-urlencoded")
}
