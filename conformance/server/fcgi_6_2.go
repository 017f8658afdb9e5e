package server

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

const early = "The application must wait to finish reading FCGI_PARAMS before it begins writing FCGI_STDOUT " +
	"and FCGI_STDERR, but it " +
	"needn't finish reading from FCGI_STDIN before it begins writing these two streams."

// fcgi62 are the cases of FastCGI 1.0 section 6.2, "Responder".
var fcgi62 = []conformance.Case{
	{
		Name: "fcgi-client/6.2/early-response-keep-reading", Level: conformance.Must, Quote: early,
		Sends:  "POST /app/x with 2 MB; the application writes its response, reads the body and ends the request",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			_, r := t.Do(t.Request("POST", "/app/x", strings.Repeat("b", 2<<20)), func(x *Exchange) {
				x.Write(text + "good")
				x.Body()
				x.End()
			})
			t.Intact(r, 200, "good")
		}),
	},
	{
		Name: "fcgi-client/6.2/early-response-then-close", Level: conformance.Must, Quote: early,
		Sends: "POST /app/x with 16 MB; the application ends the request with a response and closes the connection, and " +
			"reads nothing",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			_, r := t.Do(t.Request("POST", "/app/x", strings.Repeat("b", 16<<20)), func(x *Exchange) {
				x.Send(join(x.out(text+"good"), x.normal()))
				x.Close()
			})
			t.Intact(r, 200, "good")
		}),
	},
	{
		Name: "fcgi-client/6.2/early-end-then-next", Level: conformance.Security, Needs: []string{"keepconn"},
		Quote: "While a request ID R is inactive, the application ignores records with requestId == R, except for " +
			"FCGI_BEGIN_REQUEST records (section 3.3): the rest of a body must not become part of the next request.",
		Sends:  "POST /app/x with 32 MB, which the application answers without reading, and then POST /app/y with 3 bytes",
		Passes: "sends the second request with its own body, on the same connection or another",
		Run: test(func(t *T) {
			_, r := t.try(t.Request("POST", "/app/x", strings.Repeat("b", 32<<20)), Early(text+"good"))
			t.Info("the first response: %v", r)
			x := t.Post("/app/y", "abc")
			t.Check(x.Body() == "abc", "the second body is %s", excerpt(x.Body()))
		}),
	},
	{
		Name: "fcgi-client/6.2/response-10mb", Level: conformance.Must,
		Quote:  "The Responder application sends CGI/1.1 stdout data to the Web server over FCGI_STDOUT",
		Sends:  "a response of 10 MiB",
		Passes: "delivers the response as it is",
		Run: test(func(t *T) {
			body := strings.Repeat("0123456789abcdef", 10<<16)
			_, r := t.Do(t.Request("GET", "/app/x", ""), CGI(text+body))
			t.Intact(r, 200, body)
		}),
	},
	{
		Name: "fcgi-client/6.2/post-10mb", Level: conformance.Must,
		Quote:  "Next the Responder application receives CGI/1.1 stdin data from the Web server over FCGI_STDIN.",
		Sends:  "POST /app/x with 10 MiB",
		Passes: "hands all of it to the application",
		Run: test(func(t *T) {
			body := strings.Repeat("0123456789abcdef", 10<<16)
			x := t.Post("/app/x", body)
			t.Check(x.Body() == body, "%d bytes, which are not those that were sent", len(x.Body()))
		}),
	},
	{
		Name: "fcgi-client/6.2/response-stream-first-byte", Level: conformance.May, Timing: true,
		Quote: "But the FastCGI application may be delayed communicating with another system, or performing a server " +
			"push. (section 5.4)",
		Sends:  "the beginning of a response, and the rest a moment later",
		Passes: "delivers the beginning without waiting for the rest",
		Run: test(func(t *T) {
			c := t.Send(t.Request("GET", "/app/x", ""))
			x := t.Accept()
			x.ReadBody(-1)
			x.Write(text + "go")
			t.Check(c.Got("go", t.Patience()/2), "nothing of the body within %v", t.Patience()/2)
			x.Write("od")
			x.End()
			t.Intact(c.Response(), 200, "good")
		}),
	},
	{
		Name: "fcgi-client/6.2/post-stream-unbuffered", Level: conformance.May, Timing: true, Quote: early,
		Sends: "the first half of a POST, and the second half when the application has the first or nothing happens for " +
			"a moment",
		Passes: "hands over the first half before the second comes",
		Run: test(func(t *T) {
			c := t.Client()
			c.Send(t.Request("POST", "/app/x", "", "Content-Length: 20000") + Request(strings.Repeat("a", 10000)))
			x := t.Arrival(t.Patience() / 2)
			half := ""
			if x != nil {
				half, _ = x.ReadBody(10000)
			}
			t.Check(len(half) == 10000, "the application has %d of 10000 bytes", len(half))
			c.Write(strings.Repeat("b", 10000))
			OK(x)
			t.Intact(c.Response(), 200, t.token)
		}),
	},
	{
		Name: "fcgi-client/6.2/slow-client-no-memory-blowup", Level: conformance.Robustness,
		Serial: true, Needs: []string{"pid"},
		Quote:  "A client that reads slowly must not make the server keep all of a large response in its memory.",
		Sends:  "a response of 100 MiB, of which the client reads nothing",
		Passes: "grows by less than 64 MiB while the application sends as much as it may",
		Run: test(func(t *T) {
			conn := t.Dial("tcp", t.host())
			conn.Write([]byte(t.Request("GET", "/app/x", "")))
			x := t.Accept()
			x.ReadBody(-1)
			before := t.memory()
			x.Write(text)
			sent := x.push(100<<20, t.Patience())
			grown := t.memory() - before
			t.Info("the application could send %d MiB, and the server grew by %d MiB", sent>>20, grown>>20)
			t.Check(grown < 64<<20, "the server grew by %d MiB", grown>>20)
		}),
	},
	{
		Name: "fcgi-client/6.2/concurrency-100", Level: conformance.Robustness, Serial: true,
		Quote: "The Web server re-uses FastCGI request IDs; the application keeps track of the current state of each " +
			"request ID on a given transport connection. (section 3.3)",
		Sends:  "100 requests at once, each answered with its own path when all have arrived",
		Passes: "serves all of them, and mixes none up",
		Run: test(func(t *T) {
			t.Grace(t.Patience())
			var clients []*Client
			for i := range 100 {
				clients = append(clients, t.Send(t.Request("GET", fmt.Sprintf("/app/%d", i), "")))
			}
			for range clients {
				t.Accept()
			}
			for _, x := range t.Exchanges {
				CGI(text + x.Get("PATH_INFO"))(x)
			}
			for i, c := range clients {
				t.Intact(c.Response(), 200, fmt.Sprintf("/%d", i))
			}
		}),
	},
}

// Got says whether text comes within d.
func (c *Client) Got(text string, d time.Duration) bool {
	for end := time.Now().Add(d); time.Now().Before(end); c.t.Sleep(d / 100) {
		c.mu.Lock()
		in := string(c.in)
		c.mu.Unlock()
		if _, body, _ := strings.Cut(in, "\r\n\r\n"); strings.Contains(body, text) {
			return true
		}
	}
	return false
}

// push sends at most n bytes of FCGI_STDOUT, until the server has read nothing for d. It returns how many were sent.
func (x *Exchange) push(n int, d time.Duration) (sent int) {
	piece := record(wire.TypeStdout, x.ID, strings.Repeat("x", 32<<10))
	conn := x.lease.appConn // 100 MiB are nothing for a log
	for sent < n {
		conn.SetWriteDeadline(time.Now().Add(d))
		m, err := conn.Write(piece)
		if sent += m; err != nil {
			return sent
		}
	}
	return sent
}

// memory is how many bytes of memory the server has, with the processes that it has started.
func (t *T) memory() (sum int) {
	processes := []int{t.target.PID}
	for len(processes) > 0 {
		pid := strconv.Itoa(processes[0])
		processes = processes[1:]
		statm, err := os.ReadFile("/proc/" + pid + "/statm")
		if err != nil {
			t.Skip("memory: %v", err)
		}
		fields := strings.Fields(string(statm))
		pages, _ := strconv.Atoi(fields[1])
		shared, _ := strconv.Atoi(fields[2])
		sum += (pages - shared) * os.Getpagesize()
		children, _ := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
		for _, child := range strings.Fields(string(children)) {
			n, _ := strconv.Atoi(child)
			processes = append(processes, n)
		}
	}
	return sum
}
