package adapters_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
)

func dialError(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }

// TestErrorType has the table of docs/errors.md.
func TestErrorType(t *testing.T) {
	failed := func(kind, err error) error { return adapters.Failed(context.Background(), "test", "app", kind, err) }
	long := new(adapters.HeaderReader)
	long.Limit = 4
	_, _, tooLong := long.Feed([]byte("Content-Type"))
	tests := []struct {
		name   string
		err    error
		status int
		want   string
	}{
		{"no route", adapters.ErrDeclined, 404, "destination_not_found"},
		{"no file", adapters.ErrNotFound, 404, "http_request_error"},
		{"bad request", adapters.ErrBadRequest, 400, "http_request_error"},
		{"body too large", adapters.ErrTooLarge, 413, "http_request_error"},
		{"client too slow", &adapters.Error{Op: "x", Status: 408, Err: adapters.ErrTimeout}, 408, "http_request_error"},
		{"forbidden", adapters.ErrForbidden, 403, "http_request_denied"},
		{"loop", adapters.ErrRedirectLoop, 500, "proxy_loop_detected"},
		{"upgrade", adapters.ErrUpgrade, 501, "http_upgrade_failed"},
		{"busy", adapters.ErrBusy, 503, "destination_unavailable"},
		{"backlog full", failed(adapters.ErrUnreachable, dialError(syscall.EAGAIN)), 503, "destination_unavailable"},
		{"app not started", &adapters.Error{Op: "pool", Status: 503, Err: errors.New("exit status 1")}, 503,
			"destination_unavailable"},
		{"refused", failed(adapters.ErrUnreachable, dialError(os.NewSyscallError("connect", syscall.ECONNREFUSED))), 502,
			"connection_refused"},
		{"no socket", failed(adapters.ErrUnreachable, dialError(syscall.ENOENT)), 502, "destination_unavailable"},
		{"unroutable", failed(adapters.ErrUnreachable, dialError(syscall.EHOSTUNREACH)), 502, "destination_unavailable"},
		{"connect time-out", failed(adapters.ErrUnreachable, dialError(os.ErrDeadlineExceeded)), 504, "connection_timeout"},
		{"no such name", failed(adapters.ErrUnreachable, dialError(&net.DNSError{IsNotFound: true})), 502, "dns_error"},
		{"name server silent", failed(adapters.ErrUnreachable, dialError(&net.DNSError{IsTimeout: true})), 504, "dns_timeout"},
		{"no answer", new(adapters.HeaderReader).EndError(io.EOF), 502, "connection_terminated"},
		{"reset", failed(adapters.ErrUnreachable, syscall.ECONNRESET), 502, "connection_terminated"},
		{"truncated", adapters.ErrTruncated, 502, "http_response_incomplete"},
		{"bad response", adapters.ErrBadResponse, 502, "http_protocol_error"},
		{"header too long", tooLong, 502, "http_response_header_section_size"},
		{"time-out", adapters.ErrTimeout, 504, "http_response_timeout"},
		{"deadline", context.DeadlineExceeded, 504, "http_response_timeout"},
		{"disk full", &adapters.Error{Op: "spool", Status: 507, Err: syscall.ENOSPC}, 507, "proxy_internal_error"},
		{"panic", errors.New("odd"), 500, "proxy_internal_error"},
		{"client gone", adapters.ErrAborted, 499, ""},
		{"client gone", context.Canceled, 499, ""},
	}
	doc, err := os.ReadFile("../docs/errors.md")
	require.NoError(t, err)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Contains(t, string(doc), strings.TrimRight(fmt.Sprintf("\n| %s | %d | %s", tt.name, tt.status, tt.want), " "))
			err := fmt.Errorf("outer: %w", tt.err)
			assert.Equal(t, tt.status, adapters.StatusOf(err))
			assert.Equal(t, tt.want, adapters.ErrorType(err))
		})
	}
}

func TestReport(t *testing.T) {
	trusted := func(e adapters.Endpoint) bool { return e.Addr == "127.0.0.1" }
	req := func(id, addr string) *adapters.Request {
		return &adapters.Request{ID: id, Remote: adapters.Endpoint{Addr: addr}}
	}
	r := &adapters.Reporter{Name: "gangway", Trusted: trusted}
	tests := []struct {
		name         string
		reporter     *adapters.Reporter
		req          *adapters.Request
		err          error
		status, body string
	}{
		{"trusted", r, req("0f-1", "127.0.0.1"), adapters.ErrBusy,
			`gangway; error=destination_unavailable; details="id=0f-1"`, "503 Service Unavailable\nerror id 0f-1\n"},
		{"not trusted", r, req("0f-1", "192.0.2.1"), adapters.ErrBusy, "", "503 Service Unavailable\nerror id 0f-1\n"},
		{"nobody trusted", &adapters.Reporter{Name: "gangway"}, req("0f-1", "127.0.0.1"), adapters.ErrBusy, "",
			"503 Service Unavailable\nerror id 0f-1\n"},
		{"no reporter", nil, req("0f-1", "127.0.0.1"), adapters.ErrBusy, "", "503 Service Unavailable\n"},
		{"odd id", r, req("a\"b\\c\r\nd\xff", "127.0.0.1"), adapters.ErrBusy,
			`gangway; error=destination_unavailable; details="id=a?b?c??d?"`, "503 Service Unavailable\nerror id a?b?c??d?\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.reporter.Report(tt.req, tt.err)
			assert.ErrorIs(t, err, tt.err)
			assert.Equal(t, tt.err.Error(), err.Error())
			resp := adapters.Failure(err)
			body, _ := io.ReadAll(resp.Body)
			assert.Equal(t, tt.status, resp.Header.Get("Proxy-Status"))
			assert.Equal(t, tt.body, string(body))
		})
	}
	t.Run("no id", func(t *testing.T) {
		err := r.Report(new(adapters.Request), adapters.ErrBusy)
		id := adapters.ErrorID(err)
		assert.NotEmpty(t, id)
		body, _ := io.ReadAll(adapters.Failure(err).Body)
		assert.Contains(t, string(body), "error id "+id+"\n")
	})
	t.Run("no error", func(t *testing.T) {
		require.NoError(t, r.Report(new(adapters.Request), nil))
		assert.Empty(t, adapters.ErrorID(adapters.ErrBusy))
	})
	t.Run("retry", func(t *testing.T) {
		err := r.Report(req("1", "127.0.0.1"), &adapters.Error{Op: "x", RetryAfter: 1, Err: adapters.ErrBusy})
		assert.Equal(t, "1", adapters.Failure(err).Header.Get("Retry-After"))
	})
}

func TestPeerVars(t *testing.T) {
	r, err := http.NewRequest("GET", "http://a/", http.NoBody)
	require.NoError(t, err)
	r = r.WithContext(adapters.WithPeer(t.Context(), adapters.Endpoint{Addr: "192.0.2.1", Port: "5"}))
	req, err := adapters.FromHTTP(r)
	require.NoError(t, err)
	var all []string
	for name, value := range req.All() {
		if strings.HasPrefix(name, "REALIP_") {
			all = append(all, name+"="+value)
		}
	}
	assert.Equal(t, []string{"REALIP_REMOTE_ADDR=192.0.2.1", "REALIP_REMOTE_PORT=5"}, all)
}
