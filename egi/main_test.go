package egi_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func newRequest(method, uri string) *adapters.Request {
	path, query, _ := strings.Cut(uri, "?")
	return &adapters.Request{
		Method: method, URI: uri, Proto: "HTTP/1.1", Host: "example.org", Scheme: "http",
		Query:  query,
		Script: adapters.Script{PathInfo: path},
		Remote: adapters.Endpoint{Addr: "192.0.2.1", Port: "4711"},
		Local:  adapters.Endpoint{Addr: "192.0.2.2", Port: "80", Name: "example.org"},
	}
}

// fields makes a header of names and values.
func fields(pairs ...string) adapters.Header {
	h := adapters.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// ask sends req to h and reads the whole response.
func ask(t *testing.T, h adapters.Handler, req *adapters.Request) (resp *adapters.Response, body string, err error) {
	t.Helper()
	resp, err = h.Serve(t.Context(), req)
	if err != nil {
		require.Nil(t, resp)
		return nil, "", err
	}
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, resp.Body.Close())
	return resp, string(b), err
}

func cause(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}
