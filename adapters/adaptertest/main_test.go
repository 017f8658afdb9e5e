package adaptertest_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/adapters"
	. "github.com/gangway-go/gangway/adapters/adaptertest"
	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// The application itself passes its list.
func TestApp(t *testing.T) { Run(t, Lint(t, App()), Lacks{}) }

// reports counts what Lint finds.
type reports struct {
	testing.TB
	n int
}

func (r *reports) Errorf(string, ...any) { r.n++ }

func TestLint(t *testing.T) {
	for name, h := range map[string]adapters.HandlerFunc{
		"changed field": func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			req.Query = "x"
			return adapters.Reply(200, "a/b", ""), nil
		},
		"changed header": func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			req.Header[0].Value = "x"
			return adapters.Reply(200, "a/b", ""), nil
		},
		"changed variable": func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
			req.Vars[0].Value = "x"
			return adapters.Reply(200, "a/b", ""), nil
		},
		"nothing": func(context.Context, *adapters.Request) (*adapters.Response, error) { return nil, nil },
		"both": func(context.Context, *adapters.Request) (*adapters.Response, error) {
			return adapters.Reply(200, "a/b", ""), adapters.ErrBusy
		},
		"no body": func(context.Context, *adapters.Request) (*adapters.Response, error) {
			return &adapters.Response{Status: 200}, nil
		},
		"odd status": func(context.Context, *adapters.Request) (*adapters.Response, error) {
			return adapters.Reply(99, "a/b", ""), nil
		},
		"split field": func(context.Context, *adapters.Request) (*adapters.Response, error) {
			return adapters.Reply(200, "a/b\r\nEvil: 1", ""), nil
		},
	} {
		r := &reports{TB: t}
		req := &adapters.Request{Method: "GET", Header: adapters.Header{{Name: "A", Value: "1"}},
			Vars: []adapters.Var{{Name: "A", Value: "1"}}}
		Lint(r, h).Serve(context.Background(), req)
		assert.Equal(t, 1, r.n, name)
	}
}
