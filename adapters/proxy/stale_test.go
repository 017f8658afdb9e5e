package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What an application sends behind a response never answers another request, although net/http lends such a connection.
func TestResponseBehindResponse(t *testing.T) {
	log.SetOutput(io.Discard) // net/http's
	defer log.SetOutput(os.Stderr)
	h := newProxy(t, "http://app", func(c net.Conn) {
		br := bufio.NewReader(c)
		for {
			req, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			const stray = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"
			query := req.URL.RawQuery
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s%s", len(query), query, stray)
		}
	})
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			for j := range 50 {
				query := fmt.Sprintf("%d-%d", i, j)
				_, body, err := ask(t, h, newRequest("GET", "/?"+query))
				assert.NoError(t, err)
				assert.Equal(t, query, body)
			}
		})
	}
	all.Wait()
}
