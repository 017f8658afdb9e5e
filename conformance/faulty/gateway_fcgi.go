package faulty

import (
	"context"
	"io"
)

// fcgiBackend is an application that speaks FastCGI 1.0.
type fcgiBackend struct {
	dialer
	log io.Writer
}

func (b *fcgiBackend) RoundTrip(ctx context.Context, vars []Var, body io.Reader) (io.ReadCloser, error) {
	return nil, &Refusal{502, "not done"}
}

func (b *fcgiBackend) Close() {}
