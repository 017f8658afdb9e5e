package faulty

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	fcgi "github.com/gangway-go/gangway/fastcgi/wire"
	scgi "github.com/gangway-go/gangway/scgi/wire"
)

// An Actor is an application that plays whenever it is asked, until it is told to behave. Serve and Close may be called
// once, the other methods at any time.
type Actor struct {
	Protocol string // fcgi, scgi or http
	Play     Play

	behaves atomic.Bool
	asked   atomic.Int64 // requests
	last    atomic.Int64 // which connection the last one came on
	opened  atomic.Int64 // connections

	mu     sync.Mutex
	ln     net.Listener
	conns  map[net.Conn]bool
	served sync.WaitGroup
}

// Behave makes the application answer the requests from now on, with their queries.
func (a *Actor) Behave() { a.behaves.Store(true) }

// Behaves reports whether it was told to.
func (a *Actor) Behaves() bool { return a.behaves.Load() }

// Asked returns how many requests have come, and on which connection the last one did, counted from 1.
func (a *Actor) Asked() (requests, conn int) { return int(a.asked.Load()), int(a.last.Load()) }

// Open returns how many connections have not ended.
func (a *Actor) Open() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.conns)
}

// Serve serves the connections of ln, which it closes, until Close.
func (a *Actor) Serve(ln net.Listener) {
	a.mu.Lock()
	a.ln, a.conns = ln, map[net.Conn]bool{}
	a.mu.Unlock()
	for {
		c, err := ln.Accept()
		if err != nil {
			a.served.Wait()
			return
		}
		a.mu.Lock()
		a.conns[c] = true
		a.mu.Unlock()
		number := a.opened.Add(1)
		a.served.Go(func() {
			a.serve(c, number)
			c.Close()
			a.mu.Lock()
			delete(a.conns, c)
			a.mu.Unlock()
		})
	}
}

// Close ends everything.
func (a *Actor) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ln != nil {
		a.ln.Close()
	}
	for c := range a.conns {
		c.Close()
	}
}

// serve answers the requests of a connection.
func (a *Actor) serve(c net.Conn, number int64) {
	br := bufio.NewReader(c)
	for {
		s := &scene{conn: c, br: br, protocol: a.Protocol, id: 1}
		deaf := a.Play.Deaf() && !a.behaves.Load()
		if !deaf && s.take() != nil {
			return
		}
		a.asked.Add(1)
		a.last.Store(number)
		play := a.Play
		if a.behaves.Load() {
			play = s.right()
		}
		for i := range play {
			if s.play(&play[i]) != nil {
				return
			}
		}
		if !s.finish() {
			return
		}
	}
}

// A scene is a request and what an [Actor] does about it.
type scene struct {
	conn     net.Conn
	br       *bufio.Reader
	protocol string
	query    string
	id       uint16 // of FastCGI
	keep     bool   // FastCGI's FCGI_KEEP_CONN
	spoke    bool   // said something
	framed   bool   // said how long an HTTP response is
	ended    bool   // sent FCGI_END_REQUEST
}

// right is the play of an application without a fault.
func (s *scene) right() Play {
	text := fmt.Sprintf("Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len(s.query), s.query)
	return Play{{Verb: "say", Text: text, Count: 1}}
}

// take reads a request.
func (s *scene) take() error {
	switch s.protocol {
	case "fcgi":
		return s.takeFCGI()
	case "scgi":
		return s.takeSCGI()
	}
	req, err := http.ReadRequest(s.br)
	if err == nil {
		s.query = req.URL.RawQuery
		_, err = io.Copy(io.Discard, req.Body)
	}
	return err
}

func (s *scene) takeFCGI() error {
	var pairs []byte
	for {
		head := make([]byte, fcgi.HeaderLen)
		if _, err := io.ReadFull(s.br, head); err != nil {
			return err
		}
		h, err := fcgi.ParseHeader(head)
		if err != nil {
			return err
		}
		content := make([]byte, int(h.ContentLength)+int(h.PaddingLength))
		if _, err := io.ReadFull(s.br, content); err != nil {
			return err
		}
		content = content[:h.ContentLength]
		switch h.Type {
		case fcgi.TypeBeginRequest:
			begin, err := fcgi.ParseBeginRequest(content)
			if err != nil {
				return err
			}
			s.id, s.keep = h.RequestID, begin.Flags&fcgi.FlagKeepConn != 0
		case fcgi.TypeParams:
			pairs = append(pairs, content...)
		case fcgi.TypeStdin:
			if len(content) == 0 {
				return s.takePairs(pairs)
			}
		}
	}
}

func (s *scene) takePairs(pairs []byte) error {
	for len(pairs) > 0 {
		name, value, rest, err := fcgi.ParsePair(pairs)
		if err != nil {
			return err
		}
		if pairs = rest; string(name) == "QUERY_STRING" {
			s.query = string(value)
		}
	}
	return nil
}

func (s *scene) takeSCGI() error {
	digits, err := s.br.ReadString(':')
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(strings.TrimSuffix(digits, ":"))
	if err != nil {
		return err
	}
	block := make([]byte, n+1)
	if _, err := io.ReadFull(s.br, block); err != nil {
		return err
	}
	length := int64(0)
	for rest := string(block[:n]); rest != ""; {
		var name, value string
		if name, value, rest, err = scgi.ParsePair(rest); err != nil {
			return err
		}
		switch name {
		case "QUERY_STRING":
			s.query = value
		case "CONTENT_LENGTH":
			length, err = strconv.ParseInt(value, 10, 64)
		}
	}
	if err == nil {
		_, err = io.CopyN(io.Discard, s.br, length)
	}
	return err
}

// play does a step.
func (s *scene) play(p *Step) error {
	switch p.Verb {
	case "say":
		for text := range p.texts {
			if err := s.say(text); err != nil {
				return err
			}
		}
		return nil
	case "err":
		if s.protocol != "fcgi" {
			return nil
		}
		for text := range p.texts {
			if _, err := s.conn.Write(fcgi.AppendStream(nil, fcgi.TypeStderr, s.id, []byte(text))); err != nil {
				return err
			}
		}
		return nil
	case "record":
		return s.record(p)
	case "end":
		return s.end(p.Args)
	}
	return p.act(s.conn)
}

// say says a part of the response.
func (s *scene) say(text string) error {
	b := []byte(text)
	switch s.protocol {
	case "fcgi":
		b = fcgi.AppendStream(nil, fcgi.TypeStdout, s.id, b)
	case "http":
		first := "HTTP/1.1 200 OK\r\n"
		if status, ok := strings.CutPrefix(text, "Status: "); ok {
			first, text = "HTTP/1.1 ", status
		}
		s.framed = s.framed || strings.Contains(text, "Content-Length:") || strings.Contains(text, "chunked")
		if b = []byte(text); !s.spoke && !strings.HasPrefix(text, "HTTP/") {
			b = append([]byte(first), text...)
		}
	}
	s.spoke = true
	_, err := s.conn.Write(b)
	return err
}

// record sends a record whose header may lie.
func (s *scene) record(p *Step) error {
	content := strings.Repeat(p.Text, p.Count)
	field := map[string]int{"version": fcgi.Version1, "type": int(fcgi.TypeStdout), "id": int(s.id), "length": len(content)}
	for _, arg := range p.Args {
		name, value, _ := strings.Cut(arg, "=")
		n, err := strconv.Atoi(value)
		if err != nil {
			return err
		}
		if strings.HasPrefix(value, "+") {
			n += int(s.id)
		}
		field[name] = n
	}
	h := fcgi.Header{
		Version: uint8(field["version"]), Type: fcgi.Type(field["type"]), RequestID: uint16(field["id"]),
		ContentLength: uint16(field["length"]), PaddingLength: uint8(field["padding"]),
	}
	_, err := s.conn.Write(append(h.Append(nil), content...))
	return err
}

func (s *scene) end(args []string) error {
	var n [2]int
	for i, arg := range args {
		n[i], _ = strconv.Atoi(arg)
	}
	s.ended = true
	end := fcgi.EndRequest{ProtocolStatus: fcgi.ProtocolStatus(n[0]), AppStatus: uint32(n[1])}
	_, err := s.conn.Write(end.Append(nil, s.id))
	return err
}

// finish ends the response, and reports whether another request can come.
func (s *scene) finish() bool {
	switch s.protocol {
	case "fcgi":
		return (s.ended || s.end(nil) == nil) && s.keep
	case "http":
		return s.framed
	}
	return false
}
