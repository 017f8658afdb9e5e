package faulty

import (
	"context"
	"io"
)

// scgiBackend is an application that speaks scgi.
type scgiBackend struct{ dialer }

func (b *scgiBackend) RoundTrip(ctx context.Context, vars []Var, body io.Reader) (io.ReadCloser, error) {
	return nil, &Refusal{502, "not done"}
}

func (b *scgiBackend) Close() {}
