package faulty

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Play is what a scripted peer does with a connection, or a CGI program with its output: steps with a semicolon between
// two.
//
//	say TEXT     a part of the response in the framing of the protocol; HTTP gets a status line before the first
//	err TEXT     FCGI_STDERR, or the standard error of a program
//	send TEXT    bytes as they are
//	drip TEXT    the same, with a pause before each of them
//	record TEXT  a record of FCGI_STDOUT; words before TEXT make its header lie: version=N, type=N, id=N (id=+N is N more
//	             than the request's), length=N, padding=N
//	end P A      FCGI_END_REQUEST with protocolStatus P and appStatus A, both 0 if not given
//	nap          a pause
//	read TEXT    waits until TEXT has come
//	stall        nothing more, until the other side ends the connection
//	deaf         only as the first step: the request is not read
//	half         ends one's own direction of the connection, or closes the standard output
//	close        ends the connection, or the program with status 0
//	reset        resets the connection, or kills the program
//	exit N       ends the program with status N
//
// TEXT is a string as in Go; *N behind it repeats it N times, *0 for ever. A peer whose play ends without an end of the
// connection goes on as its protocol has it: an application ends the response and takes the next request.
type Play []Step

// A Step is one of a [Play].
type Step struct {
	Verb  string
	Args  []string // words before Text
	Text  string
	Count int // of Text; 0 for ever
}

// playVerbs are the verbs with how many words they take at most, and whether they take a text.
var playVerbs = map[string]struct {
	words int
	text  bool
}{
	"say": {0, true}, "err": {0, true}, "send": {0, true}, "drip": {0, true}, "record": {5, true}, "read": {0, true},
	"end": {2, false}, "exit": {1, false}, "nap": {}, "stall": {}, "deaf": {}, "half": {}, "close": {}, "reset": {},
}

// ParsePlay parses the text of a play.
func ParsePlay(text string) (Play, error) {
	var p Play
	for rest := strings.TrimSpace(text); rest != ""; {
		var s Step
		var err error
		if s, rest, err = parseStep(rest); err != nil {
			return nil, fmt.Errorf("faulty: play %.80q: %w", text, err)
		}
		p = append(p, s)
	}
	return p, nil
}

// parseStep parses the first step of text, and the semicolon behind it.
func parseStep(text string) (s Step, rest string, err error) {
	s.Count = 1
	quoted := false
	for rest = text; rest != "" && rest[0] != ';'; rest = strings.TrimLeft(rest, " ") {
		if rest[0] == '"' {
			quoted = true
			if rest, err = s.parseText(rest); err != nil {
				return s, "", err
			}
			continue
		}
		n := strings.IndexAny(rest+";", " ;\"")
		s.Args, rest = append(s.Args, rest[:n]), rest[n:]
	}
	if len(s.Args) == 0 {
		return s, "", fmt.Errorf("a step without a verb before %.20q", rest)
	}
	s.Verb, s.Args = s.Args[0], s.Args[1:]
	verb, ok := playVerbs[s.Verb]
	if !ok || quoted != verb.text || len(s.Args) > verb.words {
		return s, "", fmt.Errorf("there is no such step: %s", strings.TrimSuffix(text, rest))
	}
	return s, strings.TrimLeft(strings.TrimPrefix(rest, ";"), " "), nil
}

func (s *Step) parseText(text string) (rest string, err error) {
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", err
	}
	s.Text, _ = strconv.Unquote(quoted)
	rest, repeated := strings.CutPrefix(text[len(quoted):], "*")
	if repeated {
		n := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		s.Count, err = strconv.Atoi(rest[:n])
		rest = rest[n:]
	}
	return rest, err
}

// Deaf reports whether the request is not to be read.
func (p Play) Deaf() bool { return len(p) > 0 && p[0].Verb == "deaf" }

// napTime is how long a nap takes, and dripTime the pause before each byte of a drip.
const (
	napTime  = 50 * time.Millisecond
	dripTime = 2 * time.Millisecond
)

// Act plays on a connection, without a protocol's framing. An error ends the play: that of the connection, or that a step
// has no meaning there.
func (p Play) Act(c net.Conn) error {
	for _, s := range p {
		if err := s.act(c); err != nil {
			return err
		}
	}
	return nil
}

// act does a step that is the same for all protocols.
func (s *Step) act(c net.Conn) error {
	switch s.Verb {
	case "send":
		return s.write(c)
	case "drip":
		return s.drip(c)
	case "nap":
		time.Sleep(napTime)
	case "read":
		return s.await(c)
	case "stall":
		io.Copy(io.Discard, c)
		return io.EOF
	case "half":
		return c.(interface{ CloseWrite() error }).CloseWrite()
	case "close":
		c.Close()
		return io.EOF
	case "reset":
		reset(c)
		return io.EOF
	case "deaf", "err":
	default:
		return fmt.Errorf("faulty: nobody can %s here", s.Verb)
	}
	return nil
}

// reset ends a connection at once. Over a Unix socket that is the usual end.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}

// texts yields what s says, in pieces of some size.
func (s *Step) texts(yield func(string) bool) {
	size := max(1, 16<<10/max(1, len(s.Text)))
	piece := strings.Repeat(s.Text, size)
	for n := 0; s.Count == 0 || n < s.Count; n += size {
		if s.Count > 0 && s.Count-n < size {
			piece = strings.Repeat(s.Text, s.Count-n)
		}
		if !yield(piece) {
			return
		}
	}
}

func (s *Step) write(w io.Writer) error {
	for text := range s.texts {
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}

func (s *Step) drip(w io.Writer) error {
	for text := range s.texts {
		for i := range len(text) {
			time.Sleep(dripTime)
			if _, err := io.WriteString(w, text[i:i+1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// await reads up to the text of s.
func (s *Step) await(r io.Reader) error {
	var got []byte
	for b := make([]byte, 1); !strings.HasSuffix(string(got), s.Text); {
		if _, err := io.ReadFull(r, b); err != nil {
			return err
		}
		got = append(got[max(0, len(got)-len(s.Text)):], b...)
	}
	return nil
}

// Shell returns the play as a CGI program for sh. As soon as there is a file called behave in its folder, it answers with
// QUERY_STRING instead.
func (p Play) Shell() (string, error) {
	var b strings.Builder
	b.WriteString("#!/bin/sh\nif [ -e behave ]; then\nprintf 'Content-Type: text/plain\\n\\n%s' \"$QUERY_STRING\"; exit\nfi\n")
	if !p.Deaf() {
		b.WriteString("[ \"${CONTENT_LENGTH:-0}\" = 0 ] || cat >/dev/null\n")
	}
	for _, s := range p {
		line, err := s.shell()
		if err != nil {
			return "", err
		}
		b.WriteString(line + "\n")
	}
	return b.String(), nil
}

func (s *Step) shell() (string, error) {
	switch s.Verb {
	case "say", "send":
		return s.print(), nil
	case "err":
		return "{ " + s.print() + "; } >&2", nil
	case "nap":
		return "sleep 0.05", nil
	case "stall":
		return "exec sleep 600", nil
	case "half":
		return "exec >&-", nil
	case "close":
		return "exit 0", nil
	case "reset":
		return "kill -9 $$", nil
	case "exit":
		return "exit " + slices.Concat(s.Args, []string{"0"})[0], nil
	case "deaf":
		return ":", nil
	}
	return "", fmt.Errorf("faulty: a CGI program cannot %s", s.Verb)
}

// print returns a command that writes the text.
func (s *Step) print() string {
	var b strings.Builder
	for i := range len(s.Text) {
		switch c := s.Text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(" :/,;=-.", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "\\%03o", c)
		}
	}
	text := strings.ReplaceAll(b.String(), "\\045", "%%")
	switch s.Count {
	case 0:
		return "while printf '" + text + "%.0s' 1 2 3 4 5 6 7 8; do :; done"
	case 1:
		return "printf -- '" + text + "'"
	}
	return fmt.Sprintf("printf -- '%s%%.0s' $(seq %d)", text, s.Count)
}
