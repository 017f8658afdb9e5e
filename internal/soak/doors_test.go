//go:build linux

package soak

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gangway-go/gangway/internal/peer"
)

// A door is a way into gangway.
type door struct {
	name, base string
	fresh, h2  bool // each request has a new connection; HTTP/2
}

// openDoors returns the doors of the gangway, one for each fifth of the clients.
func (s *soak) openDoors() []door {
	https, scgi := s.gangway.addresses[1], strings.TrimPrefix(s.gangway.addresses[3], "scgi://")
	const common = `client_body_buffer_size 4m; location / { include /etc/nginx/%[1]s_params;
		%[1]s_param SCRIPT_NAME $uri; %[1]s_read_timeout 100s;
		%[1]s_send_timeout 100s; %[1]s_pass %[2]s; %[3]s }`
	fcgi := peer.Nginx(s.t, fmt.Sprintf(common, "fastcgi", "gangway",
		"fastcgi_keep_conn on; fastcgi_request_buffering off;"),
		"upstream gangway { server unix:"+s.dir+"/front; keepalive 8; keepalive_timeout 5s; }")
	return []door{
		{name: "http", base: s.gangway.addresses[0]},
		{name: "http, new connections", base: s.gangway.addresses[0], fresh: true},
		{name: "h2", base: https, h2: true},
		{name: "nginx fastcgi_pass", base: "http://" + fcgi},
		{name: "nginx scgi_pass", base: "http://" + peer.Nginx(s.t, fmt.Sprintf(common, "scgi", scgi, ""))},
	}
}

// client returns a client that comes by the door.
func (d door) client() *http.Client {
	t := &http.Transport{DisableKeepAlives: d.fresh, DisableCompression: true, IdleConnTimeout: 10 * time.Second}
	if d.h2 {
		t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
		t.ForceAttemptHTTP2 = true
	}
	return &http.Client{Transport: t}
}

// leave makes a request and goes away at some point, which no answer can be wrong for.
func (c *client) leave(v *visit) {
	if c.door.h2 {
		c.leaveStream(v)
	} else {
		c.leaveConn(v)
	}
	c.s.add(v.name, c.door.name, left)
}

// leaveStream gives up a request, which resets its stream.
func (c *client) leaveStream(v *visit) {
	ctx, cancel := context.WithTimeout(context.Background(), c.patience())
	defer cancel()
	if resp, err := c.http.Do(v.request(ctx, c.door.base)); err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

// patience is how long a client that leaves stays.
func (c *client) patience() time.Duration {
	return time.Duration(c.random.IntN(c.random.IntN(2500)+1)) * time.Millisecond
}

// leaveConn sends a part of the request, reads a part of what comes, and closes or resets the connection.
func (c *client) leaveConn(v *visit) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.door.base, "http://"))
	if err != nil {
		c.s.violate("connect", err.Error())
		return
	}
	defer conn.Close()
	var sent bytes.Buffer
	req := v.request(context.Background(), c.door.base)
	req.Write(&sent)
	n := sent.Len()
	if c.random.IntN(2) == 0 {
		n = c.random.IntN(n + 1)
	}
	conn.SetDeadline(time.Now().Add(c.patience()))
	conn.Write(sent.Bytes()[:n])
	if c.random.IntN(4) == 0 {
		conn.(*net.TCPConn).CloseWrite()
	}
	io.CopyN(io.Discard, conn, int64(c.random.IntN(c.random.IntN(100_000)+1)))
	if c.random.IntN(2) == 0 {
		conn.(*net.TCPConn).SetLinger(0)
	}
}
