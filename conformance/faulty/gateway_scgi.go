package faulty

import (
	"context"
	"io"

	"github.com/gangway-go/gangway/scgi/wire"
)

// scgiBackend is an application that speaks SCGI.
type scgiBackend struct{ dialer }

// RoundTrip is that of backend.
func (b *scgiBackend) RoundTrip(ctx context.Context, vars []Var, body io.Reader) (io.ReadCloser, error) {
	return b.exchange(ctx, vars, b.head(vars), body)
}

// Close is that of backend.
func (b *scgiBackend) Close() {}

// head is the netstring of a request.
func (b *scgiBackend) head(vars []Var) []byte {
	length := value(vars, "CONTENT_LENGTH")
	if length == "" {
		length = "0"
	}
	vars = append([]Var{{"CONTENT_LENGTH", length}, {"SCGI", "1"}}, vars...)
	var head []byte
	for _, v := range b.mis.variables(unique(vars)) {
		head = wire.AppendPair(head, v.Name, v.Value)
	}
	return b.mis.before(vars, wire.Enclose(head, 0))
}
