package middleware

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

func TestRecover(t *testing.T) {
	tests := []struct {
		name  string
		value any
		text  string
	}{
		{"string", "out of ideas", "out of ideas"},
		{"error", errors.New("broken"), "broken"},
		{"an error that means something", adapters.ErrDeclined, "declined"},
		{"nil", nil, "panic called with nil argument"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			thrower := adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
				panic(tt.value)
			})
			h := adapters.Chain(thrower, Recover(slog.New(slog.NewJSONHandler(&log, nil))))
			_, _, err := serve(t, h, get("/"+strings.Repeat("x", 5000)))
			require.ErrorContains(t, err, tt.text)
			assert.Equal(t, 500, adapters.StatusOf(err))
			assert.NotErrorIs(t, err, adapters.ErrDeclined)
			assert.Equal(t, 1, strings.Count(log.String(), "\n"))
			assert.Contains(t, log.String(), `"request":"id-1"`)
			assert.Contains(t, log.String(), "recover_test.go")
			assert.Contains(t, log.String(), `xxx..."`, "not the whole target")
		})
	}
}

func TestRecoverPassesOn(t *testing.T) {
	_, body, err := serve(t, adapters.Chain(&app{}, Recover(nil)), get("/"))
	require.NoError(t, err)
	assert.Equal(t, "hello", body)
	_, _, err = serve(t, adapters.Chain(&app{err: adapters.ErrBusy}, Recover(nil)), get("/"))
	assert.Equal(t, adapters.ErrBusy, err)
}
