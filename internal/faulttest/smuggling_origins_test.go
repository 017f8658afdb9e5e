//go:build unix

package faulttest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/smuggling"
)

// asked returns what the application was asked since asked was called before. Requests whose bodies never ended do not
// count.
func (a *app) asked() (list []string) {
	for {
		c := a.call(0)
		if c == nil {
			return list
		}
		if c.body(); !isClosed(c.whole) {
			continue
		}
		body := c.stdin.String()
		host := c.params["HTTP_HOST"]
		if host == "localhost" { // the server's own name, which some put there if the client gave none
			host = ""
		}
		reading := smuggling.Reading(c.params["REQUEST_METHOD"], smuggling.OriginForm(c.params["REQUEST_URI"]), host, body)
		if n, err := strconv.ParseUint(c.params["CONTENT_LENGTH"], 10, 64); err == nil && n != uint64(len(body)) {
			reading += fmt.Sprintf(" (CONTENT_LENGTH is %d)", n)
		}
		for name, value := range c.params {
			if strings.ContainsAny(name+value, "\r\n\x00") && name != "REQUEST_URI" {
				reading += fmt.Sprintf(" (%q is %q)", name, value)
			}
		}
		list = append(list, reading)
	}
}

// questions are what an application was asked.
type questions struct {
	mu   sync.Mutex
	list []string
}

func (q *questions) add(reading string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append(q.list, reading)
}

func (q *questions) asked() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.list
	q.list = nil
	return list
}

// plainHandler is a net/http server with a handler and nothing behind it.
func plainHandler(t *testing.T) (site, func() []string) {
	q := new(questions)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		q.add(smuggling.Reading(r.Method, smuggling.OriginForm(r.RequestURI), r.Host, string(body)))
		fmt.Fprint(w, "hello")
	}))
	s.Config.ErrorLog = stdlog.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return tcp(s.Listener.Addr().String()), q.asked
}

// httpOrigin is an HTTP server that takes whatever it is sent by its letters, for proxies that speak HTTP. It returns
// its address.
func httpOrigin(t *testing.T) (address string, asked func() []string) {
	q := new(questions)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				defer context.AfterFunc(t.Context(), func() { conn.Close() })()
				for r := bufio.NewReader(conn); answerByLetters(conn, r, q) == nil; {
				}
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		serving.Wait()
	})
	return ln.Addr().String(), q.asked
}

// answerByLetters reads one request and answers it.
func answerByLetters(w io.Writer, r *bufio.Reader, q *questions) error {
	var lines []string
	for len(lines) == 0 || lines[len(lines)-1] != "" {
		text, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		lines = append(lines, strings.TrimSuffix(text, "\r\n"))
	}
	fields := map[string][]string{}
	for _, text := range lines[1:] {
		name, value, _ := strings.Cut(text, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		fields[name] = append(fields[name], strings.TrimSpace(value))
	}
	faults := ""
	if i := slices.IndexFunc(lines, func(l string) bool { return strings.ContainsAny(l, "\r\n\x00") }); i >= 0 {
		faults = fmt.Sprintf(" (line %q)", lines[i])
	}
	body, err := bodyByLetters(r, fields["content-length"], fields["transfer-encoding"])
	if errors.Is(err, errFraming) {
		faults += " (" + err.Error() + ")"
	} else if err != nil {
		return err
	}
	method, rest, _ := strings.Cut(lines[0], " ")
	target := smuggling.OriginForm(rest[:max(0, strings.LastIndexByte(rest, ' '))])
	q.add(smuggling.Reading(method, target, strings.Join(fields["host"], ","), string(body)) + faults)
	if err == nil {
		_, err = io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
	}
	return err
}

var errFraming = errors.New("framing that a proxy must not pass on")

// bodyByLetters reads a body that is framed in one of the two ways, and as strictly as they can be said.
func bodyByLetters(r *bufio.Reader, lengths, codings []string) (body []byte, err error) {
	switch {
	case len(lengths)+len(codings) == 0:
		return nil, nil
	case len(lengths)+len(codings) > 1 || len(codings) > 0 && !strings.EqualFold(codings[0], "chunked"):
		return nil, fmt.Errorf("%w: %q, %q", errFraming, lengths, codings)
	case len(codings) > 0:
		body, err = io.ReadAll(httputil.NewChunkedReader(r))
		for text := ""; text != "\r\n" && err == nil; {
			text, err = r.ReadString('\n')
		}
		return body, err
	}
	n, err := strconv.ParseInt(lengths[0], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: %q", errFraming, lengths)
	}
	body, err = io.ReadAll(io.LimitReader(r, n))
	if err == nil && int64(len(body)) < n {
		err = io.ErrUnexpectedEOF
	}
	return body, err
}
