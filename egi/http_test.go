package egi_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/egi"
)

func TestHTTP(t *testing.T) {
	tests := []struct {
		name    string
		method  string
		handler http.HandlerFunc
		status  int
		header  adapters.Header
		body    string
	}{
		{"nothing", "GET", func(w http.ResponseWriter, _ *http.Request) {},
			200, fields("Content-Length", "0"), ""},
		{"text", "GET", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") },
			200, fields("Content-Length", "5", "Content-Type", "text/plain; charset=utf-8"), "hello"},
		{"guessed type", "GET", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") },
			200, fields("Content-Length", "6", "Content-Type", "text/html; charset=utf-8"), "<html>"},
		{"no guess if nil", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			fmt.Fprint(w, "x")
		}, 200, fields("Content-Length", "1"), "x"},
		{"no guess if encoded", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			fmt.Fprint(w, "x")
		}, 200, fields("Content-Encoding", "br", "Content-Length", "1"), "x"},
		{"status and repeated fields", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Set-Cookie", "a=1")
			w.Header().Add("Set-Cookie", "b=2")
			w.WriteHeader(418)
			w.Header().Set("X-Late", "1")
		}, 418, fields("Content-Length", "0", "Set-Cookie", "a=1", "Set-Cookie", "b=2"), ""},
		{"no hop by hop", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "X-Mine")
			w.Header().Set("X-Mine", "1")
			w.Header().Set("Transfer-Encoding", "chunked")
			w.WriteHeader(http.StatusNoContent)
		}, 204, adapters.Header{}, ""},
		{"204", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
			_, err := w.Write([]byte("x"))
			assert.Equal(t, http.ErrBodyNotAllowed, err)
		}, 204, adapters.Header{}, ""},
		{"304", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"x"`)
			w.WriteHeader(http.StatusNotModified)
		}, 304, fields("Etag", `"x"`), ""},
		{"HEAD", "HEAD", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") },
			200, fields("Content-Length", "5", "Content-Type", "text/plain; charset=utf-8"), ""},
		{"HEAD, nothing", "HEAD", func(w http.ResponseWriter, _ *http.Request) {}, 200, adapters.Header{}, ""},
		{"HEAD, long", "HEAD", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/css")
			n, err := w.Write(make([]byte, 1<<20))
			assert.NoError(t, err)
			assert.Equal(t, 1<<20, n)
		}, 200, fields("Content-Type", "text/css"), ""},
		{"HEAD, declared", "HEAD", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
		}, 200, fields("Content-Length", "99"), ""},
		{"declared length", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "2")
			w.Header().Set("Content-Type", "x/y")
			n, err := fmt.Fprint(w, "ab")
			assert.NoError(t, err)
			assert.Equal(t, 2, n)
			_, err = fmt.Fprint(w, "c")
			assert.Equal(t, http.ErrContentLength, err)
		}, 200, fields("Content-Length", "2", "Content-Type", "x/y"), "ab"},
		{"bad length", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "-1")
			w.Header().Set("Content-Type", "x/y")
			fmt.Fprint(w, "abc")
		}, 200, fields("Content-Type", "x/y", "Content-Length", "3"), "abc"},
		{"superfluous WriteHeader", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			w.WriteHeader(200)
		}, 500, fields("Content-Length", "0"), ""},
		{"100", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusContinue)
			w.WriteHeader(201)
		}, 201, fields("Content-Length", "0"), ""},
		{"no hijack", "GET", func(w http.ResponseWriter, _ *http.Request) {
			rc := http.NewResponseController(w)
			_, _, err := rc.Hijack()
			assert.ErrorIs(t, err, http.ErrNotSupported)
			assert.NoError(t, rc.EnableFullDuplex())
			w.WriteHeader(501)
		}, 501, fields("Content-Length", "0"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, body, err := ask(t, egi.HTTP(tt.handler), newRequest(tt.method, "/"))
			require.NoError(t, err)
			assert.Equal(t, tt.status, resp.Status)
			assert.ElementsMatch(t, tt.header, resp.Header)
			assert.Equal(t, tt.body, body)
			assert.Nil(t, trailer(resp))
		})
	}
}

func trailer(resp *adapters.Response) adapters.Header {
	if resp.Trailer == nil {
		return nil
	}
	if t := resp.Trailer(); len(t) > 0 {
		return t
	}
	return nil
}

func TestHTTPFailures(t *testing.T) {
	logged := func(s string) func(*testing.T, string) {
		return func(t *testing.T, log string) { assert.Contains(t, log, s) }
	}
	silent := func(t *testing.T, log string) { assert.Empty(t, log) }
	tests := []struct {
		name    string
		handler http.HandlerFunc
		status  int // of the error of Serve; 0 if the response is cut short
		body    string
		is      error
		log     func(*testing.T, string)
	}{
		{"status too small", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(99) }, 502, "",
			adapters.ErrBadResponse, silent},
		{"status too large", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(1000)
			_, err := w.Write([]byte("x"))
			assert.ErrorIs(t, err, adapters.ErrBadResponse)
		}, 502, "", adapters.ErrBadResponse, silent},
		{"101", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(101) }, 501, "", adapters.ErrUpgrade, silent},
		{"panic", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "lost")
			panic("at the disco")
		}, 500, "", nil, func(t *testing.T, log string) {
			summary, stack, _ := strings.Cut(log, "\n")
			assert.Equal(t, "egi: GET /x: panic: at the disco", summary)
			assert.Contains(t, stack, "TestHTTPFailures")
		}},
		{"panic with an error", func(http.ResponseWriter, *http.Request) { panic(adapters.ErrNotFound) }, 500, "", nil,
			logged("panic: not found")},
		{"panic in the body", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "half")
			w.(http.Flusher).Flush()
			panic("at the disco")
		}, 0, "half", adapters.ErrTruncated, logged("at the disco")},
		{"abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 502, "",
			http.ErrAbortHandler, silent},
		{"abort in the body", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, 0, "half", adapters.ErrTruncated, silent},
		{"short", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			fmt.Fprint(w, "half")
		}, 502, "", adapters.ErrTruncated, silent},
		{"short in the body", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			fmt.Fprint(w, "half")
			w.(http.Flusher).Flush()
		}, 0, "half", adapters.ErrTruncated, silent},
		{"superfluous", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(200)
			w.WriteHeader(404)
			panic(http.ErrAbortHandler)
		}, 502, "", adapters.ErrTruncated, logged("egi: GET /x: superfluous WriteHeader(404)\n")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			req := newRequest("GET", "/x")
			req.Stderr = &log
			resp, body, err := ask(t, egi.HTTP(tt.handler), req)
			require.Error(t, err)
			if tt.status == 0 {
				assert.NotNil(t, resp)
			} else {
				assert.Equal(t, tt.status, adapters.StatusOf(err))
			}
			assert.Equal(t, tt.body, body)
			if tt.is != nil {
				assert.ErrorIs(t, err, tt.is)
			}
			tt.log(t, log.String())
		})
	}
}

func TestGoexit(t *testing.T) {
	_, _, err := ask(t, egi.HTTP(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		runtimeGoexit()
	})), newRequest("GET", "/"))
	assert.ErrorIs(t, err, adapters.ErrTruncated)
}

func TestBadURI(t *testing.T) {
	req := newRequest("GET", "/%zz")
	_, _, err := ask(t, egi.HTTP(http.NotFoundHandler()), req)
	assert.ErrorIs(t, err, adapters.ErrBadRequest)
}

func TestInformational(t *testing.T) {
	early := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Nil(t, adapters.RequestOf(r.Context()).Informational, "belongs to Serve")
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(103)
		w.Header().Set("X", "y")
		w.WriteHeader(103)
		w.WriteHeader(200)
		w.WriteHeader(103) // too late
	})
	t.Run("passed on", func(t *testing.T) {
		var got []string
		req := newRequest("GET", "/")
		req.Informational = func(status int, h adapters.Header) error {
			got = append(got, fmt.Sprint(status, h))
			return nil
		}
		resp, _, err := ask(t, egi.HTTP(early), req)
		require.NoError(t, err)
		assert.Equal(t, []string{"103 [{Link </a.css>; rel=preload}]", "103 [{Link </a.css>; rel=preload} {X y}]"}, got)
		assert.Equal(t, 200, resp.Status)
		assert.Equal(t, "y", resp.Header.Get("X"))
	})
	t.Run("dropped", func(t *testing.T) {
		resp, _, err := ask(t, egi.HTTP(early), newRequest("GET", "/"))
		require.NoError(t, err)
		assert.Equal(t, 200, resp.Status)
	})
	t.Run("refused", func(t *testing.T) {
		gone := errors.New("client has gone")
		req := newRequest("GET", "/")
		req.Informational = func(int, adapters.Header) error { return gone }
		_, _, err := ask(t, egi.HTTP(early), req)
		assert.ErrorIs(t, err, gone)
	})
}

func TestTrailer(t *testing.T) {
	for _, flush := range []bool{false, true} {
		t.Run(fmt.Sprintf("flush=%v", flush), func(t *testing.T) {
			resp, body, err := ask(t, egi.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Add("Trailer", "X-Sum, x-never")
				w.Header().Set(http.TrailerPrefix+"X-Early", "e")
				fmt.Fprint(w, "body")
				if flush {
					w.(http.Flusher).Flush()
				}
				w.Header().Set("X-Sum", "42")
				w.Header().Set("X-Unknown", "1")
				w.Header().Set(http.TrailerPrefix+"X-Late", "l")
			})), newRequest("GET", "/"))
			require.NoError(t, err)
			assert.Equal(t, "body", body)
			assert.Equal(t, fields("Content-Type", "text/plain; charset=utf-8"), resp.Header)
			assert.Equal(t, fields("X-Early", "e", "X-Late", "l", "X-Sum", "42"), resp.Trailer())
		})
	}
}

// TestLong sends more than the buffer holds in every way to write and to read.
func TestLong(t *testing.T) {
	content := make([]byte, 3<<20+17)
	for i := range content {
		content[i] = byte(i * i >> 7)
	}
	writers := map[string]func(w http.ResponseWriter){
		"one write": func(w http.ResponseWriter) { w.Write(content) },
		"io.Copy":   func(w http.ResponseWriter) { io.Copy(w, struct{ io.Reader }{bytes.NewReader(content)}) },
		"pieces": func(w http.ResponseWriter) {
			for rest, n := content, 1; len(rest) > 0; n = n%5000 + 7 {
				m, err := w.Write(rest[:min(n, len(rest))])
				if !assert.NoError(t, err) {
					return
				}
				rest = rest[m:]
			}
		},
		"flushed pieces": func(w http.ResponseWriter) {
			for rest := content; len(rest) > 0; {
				m, _ := w.Write(rest[:min(9999, len(rest))])
				rest = rest[m:]
				w.(http.Flusher).Flush()
			}
		},
	}
	readers := map[string]func(w io.Writer, r io.Reader) (int64, error){
		"WriteTo": adapters.Copy,
		"Read":    func(w io.Writer, r io.Reader) (int64, error) { return io.Copy(w, struct{ io.Reader }{r}) },
	}
	for from, write := range writers {
		for to, read := range readers {
			t.Run(from+", "+to, func(t *testing.T) {
				resp, err := egi.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					write(w)
				})).Serve(t.Context(), newRequest("GET", "/"))
				require.NoError(t, err)
				sum := sha256.New()
				n, err := read(sum, resp.Body)
				require.NoError(t, err)
				assert.EqualValues(t, len(content), n)
				assert.Equal(t, sha256.Sum256(content), [32]byte(sum.Sum(nil)))
				assert.NoError(t, resp.Body.Close())
			})
		}
	}
}

// TestWriters has several goroutines write at once, each more than the buffer holds.
func TestWriters(t *testing.T) {
	const writers, size = 8, 300_001
	resp, err := egi.HTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() { w.Write(make([]byte, size)) })
		}
		wg.Wait()
	})).Serve(t.Context(), newRequest("GET", "/"))
	require.NoError(t, err)
	n, err := adapters.Copy(io.Discard, resp.Body)
	assert.NoError(t, err)
	assert.EqualValues(t, writers*size, n)
	assert.NoError(t, resp.Body.Close())
}

// TestSameAsServer asks each handler directly and through EGI behind a real server.
func TestSameAsServer(t *testing.T) {
	handlers := map[string]http.HandlerFunc{
		"nothing":  func(http.ResponseWriter, *http.Request) {},
		"small":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!doctype html>") },
		"error":    func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "teapot", http.StatusTeapot) },
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "../x?y=z", http.StatusSeeOther) },
		"204":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"304":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) },
		"length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			w.Write(make([]byte, 100000))
		},
		"long": func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 100000)) },
		"content": func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "x.txt", sometime, strings.NewReader("0123456789"))
		},
		"trailer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			fmt.Fprint(w, "x")
			w.Header().Set("X-Sum", "1")
		},
		"request": func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %q %q %s %s %d %v %q %v %v %v", r.Method, r.RequestURI, r.URL.Path, r.URL.RawPath,
				r.URL.RawQuery, r.Host, r.ContentLength, r.TransferEncoding, body, err, r.Header, r.Trailer)
		},
	}
	for name, h := range handlers {
		direct := httptest.NewServer(h)
		t.Cleanup(direct.Close)
		through := httptest.NewServer(adapters.HTTP(egi.HTTP(h)))
		t.Cleanup(through.Close)
		for _, variant := range []string{"GET", "HEAD", "POST", "RANGE", "CHUNKED"} {
			t.Run(name+" "+variant, func(t *testing.T) {
				want, got := fetch(t, direct, variant), fetch(t, through, variant)
				assert.Equal(t, want, got)
			})
		}
	}
}

func fetch(t *testing.T, s *httptest.Server, variant string) string {
	method, body := variant, io.Reader(nil)
	switch variant {
	case "POST":
		body = strings.NewReader("some body")
	case "RANGE":
		method = "GET"
	case "CHUNKED":
		method, body = "PUT", io.MultiReader(strings.NewReader("some"), strings.NewReader(" body"))
	}
	req, err := http.NewRequest(method, s.URL+"/a%2Fb/c%20d?q=%2F", body)
	require.NoError(t, err)
	req.Host = "example.org"
	switch variant {
	case "RANGE":
		req.Header.Set("Range", "bytes=2-4")
	case "CHUNKED":
		req.Trailer = http.Header{"X-Trailed": {"t"}}
	}
	s.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := s.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	resp.Header.Del("Date")
	resp.Header.Del("Trailer")
	return fmt.Sprintf("%d %v %d %x %q %v", resp.StatusCode, resp.Header, resp.ContentLength, sha256.Sum256(b),
		b[:min(len(b), 1000)], resp.Trailer)
}
