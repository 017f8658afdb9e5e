package adaptertest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/gangway-go/gangway/adapters"
)

// Lint wraps h and reports to t what breaks the contract of package adapters: a request that was changed, a response
// that is incomplete, a body that is used after its end.
func Lint(t testing.TB, h adapters.Handler) adapters.Handler {
	return adapters.HandlerFunc(func(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
		before, header, vars := *req, req.Header.Clone(), slices.Clone(req.Vars)
		resp, err := h.Serve(ctx, req)
		if !sameRequest(&before, req) || !slices.Equal(header, req.Header) || !slices.Equal(vars, req.Vars) {
			t.Errorf("%s %s: the request was changed", req.Method, req.URI)
		}
		for _, fault := range responseFaults(resp, err) {
			t.Errorf("%s %s: %s", req.Method, req.URI, fault)
		}
		if err == nil && resp != nil && resp.Body != nil {
			if _, upgraded := resp.Body.(io.Writer); !upgraded {
				resp.Body = &lintBody{ReadCloser: resp.Body, t: t, name: req.Method + " " + req.URI}
			}
		}
		return resp, err
	})
}

// sameRequest compares what can be compared; functions and readers cannot.
func sameRequest(a, b *adapters.Request) bool {
	return a.Method == b.Method && a.URI == b.URI && a.Proto == b.Proto && a.Host == b.Host && a.Query == b.Query &&
		a.Scheme == b.Scheme && a.ID == b.ID && a.ContentLength == b.ContentLength && a.Script == b.Script &&
		a.Remote == b.Remote && a.Local == b.Local && a.TLS == b.TLS && a.AuthType == b.AuthType && a.User == b.User &&
		a.Role == b.Role && a.Data == b.Data && a.Trace == b.Trace
}

func responseFaults(resp *adapters.Response, err error) (faults []string) {
	switch {
	case err != nil && resp != nil:
		return []string{"both a response and an error"}
	case err != nil:
		return nil
	case resp == nil:
		return []string{"neither a response nor an error"}
	}
	if resp.Body == nil {
		faults = append(faults, "no Body")
	}
	if resp.LocalRedirect == "" && resp.Status != 101 && (resp.Status < 200 || resp.Status > 599) {
		faults = append(faults, fmt.Sprintf("status %d", resp.Status))
	}
	for _, f := range resp.Header {
		if !adapters.ValidName(f.Name) || !adapters.ValidValue(f.Value) {
			faults = append(faults, fmt.Sprintf("field %q: %q", f.Name, f.Value))
		}
	}
	return faults
}

type lintBody struct {
	io.ReadCloser
	t    testing.TB
	name string
}

func (b *lintBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n < 0 || n > len(p) || n == 0 && err == nil && len(p) > 0 {
		b.t.Errorf("%s: Body.Read returned %d, %v for %d bytes", b.name, n, err, len(p))
	}
	return n, err
}

func (b *lintBody) WriteTo(w io.Writer) (int64, error) {
	n, err := adapters.Copy(w, b.ReadCloser)
	if err == io.EOF {
		b.t.Errorf("%s: Body.WriteTo returned io.EOF", b.name)
	}
	return n, err
}
