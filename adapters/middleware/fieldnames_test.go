package middleware

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

// passed returns what a Handler behind n gets.
func passed(t *testing.T, n *FieldNames, req *adapters.Request) (got *adapters.Request) {
	t.Helper()
	h := n.Wrap(adapters.HandlerFunc(func(_ context.Context, r *adapters.Request) (*adapters.Response, error) {
		got = r
		return nil, adapters.ErrDeclined
	}))
	_, err := h.Serve(t.Context(), req)
	require.ErrorIs(t, err, adapters.ErrDeclined)
	return got
}

func TestFieldNames(t *testing.T) {
	tests := []struct {
		name   string
		allow  []string
		header adapters.Header
		want   adapters.Header
		vars   string // HTTP_*
	}{
		{"plain", nil, fields("X-A: 1", "X-B1: 2"), fields("X-A: 1", "X-B1: 2"), "HTTP_X_A=1 HTTP_X_B1=2"},
		{"underscore", nil, fields("X_A: 1", "X-B: 2"), fields("X-B: 2"), "HTTP_X_B=2"},
		{"beside the hyphen", nil, fields("X_A: 1", "X-A: 2", "X.A: 3"), fields("X-A: 2"), "HTTP_X_A=2"},
		{"others", nil, fields("X!A: 1", "X~: 2", "X'a: 3", "A|b: 4"), adapters.Header{}, ""},
		{"httpoxy", nil, fields("Proxy: 1", "PROXY: 2", "P_roxy: 3", "A: 1"), fields("Proxy: 1", "PROXY: 2", "A: 1"), "HTTP_A=1"},
		{"allowed", []string{"x_a"}, fields("X_A: 1"), fields("X_A: 1"), "HTTP_X_A=1"},
		{"allowed twice", []string{"X_A"}, fields("X_A: 1", "x_a: 2"), fields("X_A: 1", "x_a: 2"), "HTTP_X_A=1, 2"},
		{"allowed beside the hyphen", []string{"X_A"}, fields("X_A: 1", "x-a: 2"), fields("x-a: 2"), "HTTP_X_A=2"},
		{"allowed behind the hyphen", []string{"X_A"}, fields("X-a: 2", "X_A: 1"), fields("X-a: 2"), "HTTP_X_A=2"},
		{"allowed first", []string{"X.A", "X_A"}, fields("X_A: 1", "X.A: 2"), fields("X.A: 2"), "HTTP_X_A=2"},
		{"allowed second", []string{"X.A", "X_A"}, fields("X_A: 1"), fields("X_A: 1"), "HTTP_X_A=1"},
		{"another allowed", []string{"X_B"}, fields("X_A: 1"), adapters.Header{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := NewFieldNames(tt.allow, slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			req := &adapters.Request{Header: tt.header.Clone()}
			got := passed(t, n, req)
			assert.Equal(t, tt.want, got.Header)
			assert.Equal(t, tt.header, req.Header)
			var vars []string
			for name, value := range got.All() {
				if strings.HasPrefix(name, "HTTP_") {
					vars = append(vars, name+"="+value)
				}
			}
			assert.Equal(t, tt.vars, strings.Join(vars, " "))
		})
	}
}

// A client that sends many such fields must not make each cost as much.
func TestManyFieldNames(t *testing.T) {
	n, err := NewFieldNames([]string{"x_a", "x.a"}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	many := func(name string) *adapters.Request {
		return &adapters.Request{Header: slices.Repeat(fields(name+": 1"), 100000)}
	}
	began := time.Now()
	assert.Len(t, passed(t, n, many("X_A")).Header, 100000)
	assert.Empty(t, passed(t, n, many("X_B")).Header)
	assert.Less(t, time.Since(began), 10*time.Second)
}

func TestNewFieldNamesRefuses(t *testing.T) {
	for _, name := range []string{
		"", "X A", "X-A", "X:A", "X!A", "Content_Length", "content.type", "Transfer_Encoding", "Proxy_Authorization",
	} {
		_, err := NewFieldNames([]string{name}, nil)
		assert.Error(t, err, name)
	}
}

func TestFieldNamesLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		n, err := NewFieldNames(nil, slog.New(slog.NewTextHandler(&log, nil)))
		require.NoError(t, err)
		send := func(name string) {
			passed(t, n, &adapters.Request{ID: "7", Header: adapters.Header{{Name: name, Value: "1"}}})
		}
		for range 3 {
			send("X_A")
			send("x_a")
		}
		assert.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
		assert.Contains(t, log.String(), `msg="header field dropped, others could be taken for it (--allow-header)" name=x_a request=7`)
		for i := range 5000 {
			send(fmt.Sprintf("X_%d", i))
		}
		assert.Equal(t, namesPerMinute, strings.Count(log.String(), "\n"))
		time.Sleep(time.Minute + time.Second)
		send("X_" + strings.Repeat("y", 1000))
		assert.Equal(t, namesPerMinute+1, strings.Count(log.String(), "\n"))
		assert.Contains(t, log.String(), "name=x_"+strings.Repeat("y", longestName-2)+" request=7 others=4991\n")
	})
}

func TestFieldNamesCostNothing(t *testing.T) {
	n, err := NewFieldNames(nil, nil)
	require.NoError(t, err)
	h := n.Wrap(adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) { return nil, nil }))
	req := &adapters.Request{Header: fields("Accept: a", "User-Agent: b", "Cookie: c")}
	assert.Zero(t, testing.AllocsPerRun(100, func() { h.Serve(t.Context(), req) }))
}
