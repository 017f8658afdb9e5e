//go:build unix

package faulttest

import (
	"fmt"
	"strings"
	"time"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

const (
	plain = "Content-Type: text/plain\r\n"
	hello = plain + "\r\nhello"
)

// hints is an interim response and the final one.
const hints = "Status: 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nStatus: 200 OK\r\n" + hello

// large is more than a buffer of anybody holds.
var large = strings.Repeat("x", 100_000)

// scenes are what the application can do, by the path of the request; with any other path it says hello.
var scenes = map[string]func(*call){
	"/hello":             says(hello),
	"/long-line":         says("X-Long: " + strings.Repeat("x", 5000) + "\r\n" + hello),
	"/malformed":         says("Content-Type text\r\n\r\n" + strings.Repeat("x", 5000)),
	"/malformed-empty":   says("Content-Type text\r\n\r\n"),
	"/status-42":         says("Status: 42\r\n" + hello),
	"/status-1":          says("Status: 1\r\n" + hello),
	"/status-099":        says("Status: 099 x\r\n" + hello),
	"/status-word":       says("Status: OK then\r\n" + plain + "\r\n" + large),
	"/status-lower-case": says("status: 404 Not Found\r\n" + hello),
	"/nph":               says("HTTP/1.1 201 Created\r\n" + plain + "\r\n" + large),
	"/hints":             says(hints),
	"/redirect":          says("Location: /hello\r\n\r\n"),
	"/more-than-length":  says("Content-Length: 5\r\n" + hello + large),
	"/nul":               says("X-Nul: a\x00b\r\n" + hello),
	"/upgrade":           says("Status: 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello"),
	"/many-fields":       says(strings.Repeat("X-Field: "+strings.Repeat("x", 50)+"\r\n", 20_000) + hello),
	"/set-cookies":       says("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n" + hello),

	"/overloaded": ends(wire.StatusOverloaded),
	"/cant-mpx":   ends(wire.StatusCantMpxConn),
	"/role":       ends(wire.StatusUnknownRole),

	"/death":       dies(plain + "\r\n" + large),
	"/half-header": dies("Content-Type: text/pl"),
	"/foreign": func(c *call) {
		c.body()
		c.stdout(plain + "\r\nmine ")
		c.raw(wire.AppendRecord(nil, wire.TypeStdout, c.id+1, []byte("of another")))
		c.stdout("mine")
		c.end(wire.StatusRequestComplete)
	},
	"/events": func(c *call) {
		c.stdout("Content-Type: text/event-stream\r\n\r\ndata: 1\n\n")
		<-c.gone
	},
	"/silent": func(c *call) { <-c.gone },
	"/late": func(c *call) {
		select {
		case <-c.gone:
		case <-time.After(patience):
		}
	},
	"/deaf": func(c *call) {
		for !hungUp(c.conn) {
			time.Sleep(10 * time.Millisecond)
		}
		c.leave("close")
	},
	"/deaf-413": func(c *call) {
		c.stdout("Status: 413 Too Large\r\n" + hello)
		c.raw(wire.EndRequest{}.Append(nil, c.id))
		for !hungUp(c.conn) {
			time.Sleep(10 * time.Millisecond)
		}
	},
	"/stderr": func(c *call) {
		for range 16 << 20 / len(large) {
			c.stream(wire.TypeStderr, large)
		}
		c.stdout(hello)
		c.end(wire.StatusRequestComplete)
	},
	"/stderr-lines": func(c *call) {
		for range 40 {
			c.stream(wire.TypeStderr, strings.Repeat("x", 60_000))
		}
		c.stdout(hello)
		c.end(wire.StatusRequestComplete)
	},
	"/authorized": says("Status: 200\r\nVariable-Remote-User: bob\r\nVariable-REMOTE_USER: bob\r\n" + plain + "\r\n"),
	// The first request of a pair says the rest of its answer when the second came on the same connection.
	"/first": func(c *call) {
		c.stdout(plain + "\r\nstolen ")
		select {
		case <-c.gone:
		case <-c.next:
		}
		c.stdout(strings.Repeat("stolen ", 10))
		c.end(wire.StatusRequestComplete)
	},
	"/second": func(c *call) {
		if c.before != nil {
			<-c.before.ended
		}
		says(plain + "\r\n" + c.params["QUERY_STRING"])(c)
	},
	// 50 requests share a connection, as far as the web server wants.
	"/query": func(c *call) {
		c.stdout(plain + "\r\n")
		time.Sleep(20 * time.Millisecond)
		c.stdout(c.params["QUERY_STRING"])
		c.end(wire.StatusRequestComplete)
	},
	"/retires": func(c *call) {
		says(hello)(c)
		if c.nth == 5 {
			c.conn.Close()
		}
	},
}

// says is an application that reads the body and then answers.
func says(text string) func(*call) {
	return func(c *call) {
		if c.body() {
			c.stdout(text)
			c.end(wire.StatusRequestComplete)
		}
	}
}

// ends is an application that ends requests without an answer.
func ends(status wire.ProtocolStatus) func(*call) {
	return func(c *call) {
		c.body()
		c.end(status)
	}
}

// dies is an application that is killed while it answers.
func dies(text string) func(*call) {
	return func(c *call) {
		c.body()
		c.stdout(text)
		c.conn.Close()
	}
}

// get, post and chunked return a request as bytes.
func get(target string, fields ...string) string {
	return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", target, lines(fields))
}

func post(target, body string, fields ...string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n%s",
		target, len(body), lines(fields), body)
}

func chunked(target string, chunks ...string) string {
	text := "POST " + target +
		" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, c := range chunks {
		text += fmt.Sprintf("%x\r\n%s\r\n", len(c), c)
	}
	return text + "0\r\n\r\n"
}

func lines(fields []string) string {
	text := ""
	for _, f := range fields {
		text += f + "\r\n"
	}
	return text
}
