package middleware

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/static"
)

// upper is a Filter: the body, then the data in capitals.
var upper = adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
	if req.Role != adapters.Filter {
		return nil, errors.New("not the role Filter")
	}
	body := ""
	if req.Body != nil {
		b, _ := io.ReadAll(req.Body)
		body = string(b)
	}
	data, err := io.ReadAll(req.Data.Body)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != req.Data.Length {
		return nil, errors.New("data of another length")
	}
	vars := maps.Collect(req.All())
	return adapters.Reply(200, "text/plain",
		body+strings.ToUpper(string(data))+" "+vars["FCGI_DATA_LENGTH"]+" "+vars["FCGI_DATA_LAST_MOD"]), nil
})

func TestFilterOfFiles(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "a.txt")
	require.NoError(t, os.WriteFile(path, []byte("abc"), 0o600))
	require.NoError(t, os.Chtimes(path, time.Time{}, time.Unix(1234567890, 0)))
	h := adapters.Chain(upper, Filter(static.Dir(root)))
	req := get("/a.txt", "Range", "bytes=1-1", "If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT")
	req.Method = "POST"
	req.Body, req.ContentLength = strings.NewReader("body "), 5
	_, body, err := serve(t, h, req)
	require.NoError(t, err)
	assert.Equal(t, "body ABC 3 1234567890", body)

	_, _, err = serve(t, h, get("/none.txt"))
	assert.Equal(t, 404, adapters.StatusOf(err))
}

func TestFilterOfAnotherHandler(t *testing.T) {
	const modified = "Sun, 06 Nov 1994 08:49:37 GMT"
	for name, size := range map[string]int{"empty": 0, "in memory": 10, "in a file": 300 << 10} {
		for _, known := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				content := strings.Repeat("x", size)
				body := &testBody{Reader: strings.NewReader(content)}
				source := &app{resp: func() *adapters.Response {
					resp := &adapters.Response{Status: 200, Body: body}
					resp.Header.Add("Last-Modified", modified)
					if known {
						resp.Header.Add("Content-Length", strconv.Itoa(size))
					}
					return resp
				}}
				_, got, err := serve(t, adapters.Chain(upper, Filter(source)), post())
				require.NoError(t, err)
				assert.Equal(t, "body"+strings.ToUpper(content)+" "+strconv.Itoa(size)+" 784111777", got)
				assert.Equal(t, 1, body.closed)
				asked := source.last(t)
				assert.Equal(t, "GET", asked.Method)
				assert.Nil(t, asked.Body)
				assert.Equal(t, "/app/x", asked.Path())
			})
		}
	}
}

func TestFilterWithoutLastModified(t *testing.T) {
	a := &app{}
	before := time.Now()
	_, _, err := serve(t, adapters.Chain(a, Filter(&app{})), get("/"))
	require.NoError(t, err)
	assert.WithinRange(t, a.last(t).Data.LastMod, before, time.Now())
}

func TestFilterWithoutData(t *testing.T) {
	for _, source := range []*app{
		{resp: answers(404, "no", "X-From", "data")}, {resp: answers(302, "", "Location", "/x")}, {resp: answers(204, "")},
	} {
		a := &app{}
		resp, _, err := serve(t, adapters.Chain(a, Filter(source)), get("/"))
		require.NoError(t, err)
		assert.Equal(t, source.resp().Status, resp.Status)
		assert.Equal(t, source.resp().Header, resp.Header)
		assert.Empty(t, a.requests)
	}
	a := &app{}
	_, _, err := serve(t, adapters.Chain(a, Filter(&app{err: adapters.ErrDeclined})), get("/"))
	require.ErrorIs(t, err, adapters.ErrDeclined, "the next route may have it")
	assert.Empty(t, a.requests)
}

func TestFilterFails(t *testing.T) {
	body := &testBody{Reader: strings.NewReader("abc")}
	source := &app{resp: func() *adapters.Response {
		return &adapters.Response{Status: 200, Header: adapters.Header{{Name: "Content-Length", Value: "3"}}, Body: body}
	}}
	_, _, err := serve(t, adapters.Chain(&app{err: adapters.ErrBusy}, Filter(source)), get("/"))
	require.ErrorIs(t, err, adapters.ErrBusy)
	assert.Equal(t, 1, body.closed)

	broken := adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) { panic("odd") })
	assert.Panics(t, func() { adapters.Chain(broken, Filter(source)).Serve(t.Context(), get("/")) })
	assert.Equal(t, 2, body.closed)

	for data, want := range map[error]int{
		adapters.ErrTruncated: 502, adapters.ErrTimeout: 504, errors.New("disk error"): 500,
	} {
		body := &testBody{Reader: strings.NewReader("abc"), err: data}
		source := &app{resp: func() *adapters.Response { return &adapters.Response{Status: 200, Body: body} }}
		a := &app{}
		_, _, err := serve(t, adapters.Chain(a, Filter(source)), get("/"))
		assert.Equal(t, want, adapters.StatusOf(err), data)
		assert.Equal(t, 1, body.closed)
		assert.Empty(t, a.requests)
	}
}

// Filters chain: the data of one is what the other makes.
func TestFiltersChain(t *testing.T) {
	source := &app{resp: answers(200, "abc", "Last-Modified", "Thu, 01 Jan 1970 00:00:01 GMT")}
	inner := adapters.Chain(upper, Filter(source))
	again := adapters.HandlerFunc(func(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
		data, err := io.ReadAll(req.Data.Body)
		return adapters.Reply(200, "text/plain", "<"+string(data)+">"), err
	})
	_, body, err := serve(t, adapters.Chain(again, Filter(inner)), get("/"))
	require.NoError(t, err)
	assert.Equal(t, "<ABC 3 1>", body)
}
