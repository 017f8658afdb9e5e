package adapters_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

func TestRequestHTTPURL(t *testing.T) {
	tests := []struct {
		name, uri, path, query string
		url, urlPath           string
		err                    error
	}{
		{"plain", "/a/b?c=d", "/a/b", "c=d", "/a/b?c=d", "/a/b", nil},
		{"encoded separator kept", "/a%2Fb", "/a/b", "", "/a%2Fb", "/a/b", nil},
		{"space", "/a%20b", "/a b", "", "/a%20b", "/a b", nil},
		{"not canonical", "/x/..//a%2Fb", "/a/b", "", "/a/b", "/a/b", nil},
		{"rewritten", "/a%2Fb?c=d", "/new path", "e=f", "/new%20path?e=f", "/new path", nil},
		{"query rewritten", "/a?c=d", "/a", "e=f", "/a?e=f", "/a", nil},
		{"no authority", "//evil.example/a", "/evil.example/a", "", "/evil.example/a", "/evil.example/a", nil},
		{"asterisk", "*", "", "", "*", "*", nil},
		{"no URI", "", "/a b", "c", "/a%20b?c", "/a b", nil},
		{"bad", "/%zz", "/", "", "", "", adapters.ErrBadRequest},
		{"control byte", "/\n", "/", "", "", "", adapters.ErrBadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := &adapters.Request{Method: "GET", URI: tt.uri, Query: tt.query, Script: adapters.Script{PathInfo: tt.path}}
			r, err := req.HTTP(t.Context())
			require.ErrorIs(t, err, tt.err)
			if err != nil {
				return
			}
			assert.Equal(t, tt.url, r.URL.String())
			assert.Equal(t, tt.urlPath, r.URL.Path)
			assert.Equal(t, tt.uri, r.RequestURI)
		})
	}
}

func TestRequestHTTPFields(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "value")
	req := &adapters.Request{
		Method: "PATCH", URI: "/app/x", Proto: "HTTP/2.0", Host: "example.org", Scheme: "https",
		Header:        adapters.Header{{Name: "x-a", Value: "1"}, {Name: "X-A", Value: "2"}},
		ContentLength: 4,
		Body:          strings.NewReader("body"),
		Script:        adapters.Script{Name: "/app", PathInfo: "/x"},
		Remote:        adapters.Endpoint{Addr: "2001:db8::1", Port: "4711"},
		User:          "joe",
	}
	r, err := req.HTTP(ctx)
	require.NoError(t, err)
	assert.Equal(t, "PATCH", r.Method)
	assert.Equal(t, "/app/x", r.URL.Path)
	assert.Equal(t, "HTTP/2.0", r.Proto)
	assert.True(t, r.ProtoAtLeast(2, 0))
	assert.Equal(t, "example.org", r.Host)
	assert.Equal(t, "[2001:db8::1]:4711", r.RemoteAddr)
	assert.Equal(t, http.Header{"X-A": {"1", "2"}, "Content-Length": {"4"}}, r.Header)
	assert.EqualValues(t, 4, r.ContentLength)
	assert.True(t, r.TLS.HandshakeComplete)
	assert.Equal(t, "value", r.Context().Value(key{}))
	assert.Same(t, req, adapters.RequestOf(r.Context()))
	assert.Nil(t, adapters.RequestOf(ctx))
	body, err := io.ReadAll(r.Body)
	assert.NoError(t, err)
	assert.Equal(t, "body", string(body))
	assert.NoError(t, r.Body.Close())
	r.Header.Set("X-A", "3")
	assert.Equal(t, "1", req.Header.Get("X-A"), "the header is not shared")
}

func TestRequestHTTPRemote(t *testing.T) {
	tests := []struct {
		remote adapters.Endpoint
		want   string
	}{
		{adapters.Endpoint{}, ""},
		{adapters.Endpoint{Addr: "192.0.2.1"}, "192.0.2.1:0"},
		{adapters.Endpoint{Addr: "192.0.2.1", Port: "1"}, "192.0.2.1:1"},
	}
	for _, tt := range tests {
		r, err := (&adapters.Request{Method: "GET", URI: "/", Remote: tt.remote}).HTTP(t.Context())
		require.NoError(t, err)
		assert.Equal(t, tt.want, r.RemoteAddr)
		assert.Nil(t, r.TLS)
		assert.True(t, r.ProtoAtLeast(1, 1))
	}
	state := &tls.ConnectionState{ServerName: "example.org"}
	r, err := (&adapters.Request{Method: "GET", URI: "/", Scheme: "https", TLS: state}).HTTP(t.Context())
	require.NoError(t, err)
	assert.Same(t, state, r.TLS)
}

func TestRequestHTTPBody(t *testing.T) {
	tests := []struct {
		name     string
		body     io.Reader
		length   int64
		want     string
		encoding []string
	}{
		{"none", nil, 0, "", nil},
		{"empty", strings.NewReader(""), 0, "", nil},
		{"none of unknown length", nil, -1, "", nil},
		{"unknown length", strings.NewReader("body"), -1, "body", []string{"chunked"}},
		{"known length", strings.NewReader("body"), 4, "body", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := (&adapters.Request{Method: "PUT", URI: "/", Body: tt.body, ContentLength: tt.length}).HTTP(t.Context())
			require.NoError(t, err)
			if tt.body == nil || tt.length == 0 {
				assert.Equal(t, http.NoBody, r.Body)
				assert.Zero(t, r.ContentLength)
			} else {
				assert.Equal(t, tt.length, r.ContentLength)
			}
			assert.Equal(t, tt.encoding, r.TransferEncoding)
			body, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			assert.Equal(t, tt.want, string(body))
			assert.Nil(t, r.Trailer)
		})
	}
}

func TestRequestHTTPTrailer(t *testing.T) {
	req := &adapters.Request{
		Method: "PUT", URI: "/", Body: strings.NewReader("body"), ContentLength: -1,
		Trailer: func() adapters.Header {
			return adapters.Header{{Name: "x-sum", Value: "1"}, {Name: "X-Sum", Value: "2"}}
		},
	}
	r, err := req.HTTP(t.Context())
	require.NoError(t, err)
	early := r.WithContext(t.Context()) // as middleware does
	assert.Empty(t, r.Trailer)
	for range 2 { // each Read after the end ends again
		_, err = io.ReadAll(r.Body)
		require.NoError(t, err)
		assert.Equal(t, http.Header{"X-Sum": {"1", "2"}}, early.Trailer)
	}
	assert.NoError(t, r.Body.Close())
}
