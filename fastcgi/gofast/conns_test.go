package gofast_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	upstream "github.com/yookoala/gofast"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/egi"
	"github.com/gangway-go/gangway/fastcgi/gofast"
)

func TestConnFactory(t *testing.T) {
	h := egi.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Script", adapters.RequestOf(r.Context()).Script.Filename)
		fmt.Fprint(w, r.Method, " ", r.RequestURI, " ", n, err)
	}))
	connect, stop := gofast.ConnFactory(h)
	front := upstream.NewHandler(upstream.NewPHPFS("/srv")(upstream.BasicSession), upstream.SimpleClientFactory(connect))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			w := httptest.NewRecorder()
			front.ServeHTTP(w, httptest.NewRequest("POST", "/a.php/b?c", strings.NewReader(strings.Repeat("b", 1<<20))))
			assert.Equal(t, http.StatusOK, w.Code)
			assert.Equal(t, "/srv/a.php", w.Header().Get("X-Script"))
			assert.Equal(t, "POST /a.php/b?c 1048576 <nil>", w.Body.String())
		})
	}
	all.Wait()
	require.NoError(t, stop())
	require.NoError(t, stop())
	_, err := connect()
	assert.ErrorIs(t, err, net.ErrClosed)
}

// TestConnFactoryStops has stop end what is under way, and also a factory that was never used.
func TestConnFactoryStops(t *testing.T) {
	_, stop := gofast.ConnFactory(egi.Echo)
	require.NoError(t, stop())

	connect, stop := gofast.ConnFactory(egi.Echo)
	c, err := connect()
	require.NoError(t, err)
	assert.Equal(t, "pipe", c.RemoteAddr().Network())
	require.NoError(t, stop())
	_, err = c.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF)
	c.Close()
}

// TestWebServerAddrs has the list for sockets not matter to connections in memory.
func TestWebServerAddrs(t *testing.T) {
	t.Setenv("FCGI_WEB_SERVER_ADDRS", "192.0.2.1")
	connect, stop := gofast.ConnFactory(egi.Echo)
	defer stop()
	c, err := connect()
	require.NoError(t, err)
	defer c.Close()
	go io.WriteString(c, rec(9, 0, "\x0f\x00FCGI_MPXS_CONNS"))
	got := make([]byte, 8+18)
	_, err = io.ReadFull(c, got)
	require.NoError(t, err)
	assert.Equal(t, rec(tValues, 0, "\x0f\x01FCGI_MPXS_CONNS1"), string(got))
}
