package faulty

import (
	"context"
	"io"
)

// uwsgiBackend is an application that speaks uwsgi.
type uwsgiBackend struct{ dialer }

func (b *uwsgiBackend) RoundTrip(ctx context.Context, vars []Var, body io.Reader) (io.ReadCloser, error) {
	return nil, &Refusal{502, "not done"}
}

func (b *uwsgiBackend) Close() {}
