package faulty

import (
	"context"
	"io"

	"github.com/gangway-go/gangway/scgi/uwsgi"
)

// uwsgiBackend is an application that speaks uwsgi.
type uwsgiBackend struct{ dialer }

// RoundTrip is that of backend.
func (b *uwsgiBackend) RoundTrip(ctx context.Context, vars []Var, body io.Reader) (io.ReadCloser, error) {
	head, err := b.head(vars)
	if err != nil {
		return nil, err
	}
	return b.exchange(ctx, vars, head, body)
}

// Close is that of backend.
func (b *uwsgiBackend) Close() {}

// head is the packet of a request.
func (b *uwsgiBackend) head(vars []Var) ([]byte, error) {
	var block []byte
	for _, v := range b.mis.variables(unique(vars)) {
		if len(v.Name)+len(v.Value) > uwsgi.MaxBlock {
			return nil, &Refusal{431, "a variable does not fit into a packet"}
		}
		block = uwsgi.AppendPair(block, v.Name, v.Value)
	}
	if b.fault.is("cuts-the-block") {
		block = block[:min(len(block), uwsgi.MaxBlock)]
	}
	packet, err := uwsgi.Enclose(block, 0, uwsgi.Modifier, 0)
	if err != nil {
		return nil, &Refusal{431, err.Error()}
	}
	return b.mis.before(vars, packet), nil
}
