//go:build unix

package faulttest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/egi"
	"github.com/gangway-go/gangway/internal/peer"
	"github.com/gangway-go/gangway/internal/smuggling"
	scgiwire "github.com/gangway-go/gangway/scgi/wire"
)

// A carrier is an application behind gangway, by its protocol; each writes down what it was asked, with all that came
// to it as the body, and what CONTENT_LENGTH said. It tells the length of its answer: else that may come in pieces, and
// a client of HTTP/1.0 has to be left to end it.
type carrier struct {
	protocol, application string
	start                 func(*testing.T, open.ListenOptions) (site, func() []string)
}

var carriers = []carrier{
	{"FastCGI", "the scripted one", scriptedCarrier},
	{"FastCGI", "PHP in php-fpm", phpCarrier},
	{"FastCGI", "net/http/fcgi", goCarrier},
	{"SCGI", "by its letters", scgiCarrier},
	{"CGI", "a program in sh", cgiCarrier},
	{"EGI", "an http.Handler", egiCarrier},
	{"HTTP", "by its letters", httpCarrier},
}

func scriptedCarrier(t *testing.T, lo open.ListenOptions) (site, func() []string) {
	a := startApp(t)
	return gangwayOn(t, lo, "fcgi+unix://"+a.socket, open.AppOptions{}), a.asked
}

// httpCarrier's application has its own address for a Host where the client gave none.
func httpCarrier(t *testing.T, lo open.ListenOptions) (site, func() []string) {
	address, asked := httpOrigin(t)
	return gangwayOn(t, lo, "http://"+address, open.AppOptions{}), func() []string {
		list := asked()
		for i := range list {
			list[i] = strings.Replace(list[i], " "+address+" ", "  ", 1)
		}
		return list
	}
}

// reading is smuggling.Reading with what contradicts it: a length that is not the body's.
func reading(method, uri, host string, body []byte, length string) string {
	if host == "localhost" { // the server's own name, which some put there if the client gave none
		host = ""
	}
	text := smuggling.Reading(method, smuggling.OriginForm(uri), host, string(body))
	if n, err := strconv.ParseUint(length, 10, 64); length != "" && (err != nil || n != uint64(len(body))) {
		text += fmt.Sprintf(" (CONTENT_LENGTH is %q)", length)
	}
	return text
}

// noteFile returns a file for lines of base64 words: method, target, host, body and CONTENT_LENGTH.
func noteFile(t *testing.T) (path string, asked func() []string) {
	path = peer.Dir(t) + "/notes"
	read := 0
	return path, func() (list []string) {
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		require.NoError(t, err)
		for line := range strings.Lines(string(text[read:])) {
			var words [5]string
			for i, word := range strings.Split(strings.TrimSpace(line), ",") {
				b, err := base64.StdEncoding.DecodeString(word)
				require.NoError(t, err, line)
				words[i] = string(b)
			}
			list = append(list, reading(words[0], words[1], words[2], []byte(words[3]), words[4]))
		}
		read = len(text)
		return list
	}
}

func phpCarrier(t *testing.T, lo open.ListenOptions) (site, func() []string) {
	path, asked := noteFile(t)
	script := peer.Dir(t) + "/note.php"
	require.NoError(t, os.WriteFile(script, fmt.Appendf(nil, `<?php
		$words = [$_SERVER["REQUEST_METHOD"], $_SERVER["REQUEST_URI"], $_SERVER["HTTP_HOST"] ?? "",
			file_get_contents("php://input"), $_SERVER["CONTENT_LENGTH"] ?? ""];
		file_put_contents("%s", implode(",", array_map("base64_encode", $words)) . "\n", FILE_APPEND);
		header("Content-Length: 5");
		echo "hello";`, path), 0o644))
	_, socket := peer.PHPFPM(t, "")
	return gangwayOn(t, lo, "fcgi+unix://"+socket, open.AppOptions{Script: script}), asked
}

func cgiCarrier(t *testing.T, lo open.ListenOptions) (site, func() []string) {
	path, asked := noteFile(t)
	script := newScript(t, fmt.Sprintf(`word() { printf %%s "$1" | base64 -w 0; }
		line="$(word "$REQUEST_METHOD"),$(word "$REQUEST_URI"),$(word "$HTTP_HOST"),$(base64 -w 0),$(word "$CONTENT_LENGTH")"
		echo "$line" >>%s
		printf 'Content-Type: text/plain\nContent-Length: 5\n\nhello'`, path))
	return gangwayOn(t, lo, "cgi:"+script, open.AppOptions{}), asked
}

// note is a handler that writes down what it was asked, and reads all there is.
func (q *questions) note(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	length, uri := "", r.RequestURI
	if r.ContentLength >= 0 {
		length = strconv.FormatInt(r.ContentLength, 10)
	}
	switch {
	case uri == "" && strings.HasSuffix(r.URL.Host, "*"): // what net/http/fcgi makes of it
		uri = "*"
	case uri == "":
		uri = r.URL.RequestURI()
	}
	q.add(reading(r.Method, uri, r.Host, body, length))
	w.Header().Set("Content-Length", "5")
	io.WriteString(w, "hello")
}

func goCarrier(t *testing.T, lo open.ListenOptions) (site, func() []string) {
	q, socket := new(questions), peer.Dir(t)+"/app"
	ln, err := net.Listen("unix", socket)
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() { fcgi.Serve(ln, http.HandlerFunc(q.note)) })
	t.Cleanup(func() {
		ln.Close()
		serving.Wait()
	})
	return gangwayOn(t, lo, "fcgi+unix://"+socket, open.AppOptions{}), q.asked
}

func egiCarrier(t *testing.T, lo open.ListenOptions) (site, func() []string) {
	q := new(questions)
	instead := func(adapters.Handler) adapters.Handler { return egi.HTTP(http.HandlerFunc(q.note)) }
	return gangwayOn(t, lo, "egi:echo", open.AppOptions{}, instead), q.asked
}

// scgiCarrier is an SCGI application that takes whatever it is sent by its letters, to the end of the connection.
func scgiCarrier(t *testing.T, lo open.ListenOptions) (site, func() []string) {
	q, socket := new(questions), peer.Dir(t)+"/app"
	ln, err := net.Listen("unix", socket)
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
				answerSCGI(conn, q)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		serving.Wait()
	})
	return gangwayOn(t, lo, "scgi+unix://"+socket, open.AppOptions{}), q.asked
}

// answerSCGI reads a request, answers it, and looks whether something comes behind it.
func answerSCGI(conn net.Conn, q *questions) {
	var raw []byte
	vars := map[string]string{}
	for piece := make([]byte, 64<<10); ; {
		block, body, err := scgiwire.ParseNetstring(raw, 1<<20)
		if err == nil {
			for rest := string(block); rest != ""; {
				var name, value string
				if name, value, rest, err = scgiwire.ParsePair(rest); err != nil {
					return
				}
				vars[name] = value
			}
			if n, err := strconv.Atoi(vars["CONTENT_LENGTH"]); err != nil || len(body) >= n {
				raw = bytes.Clone(body)
				break
			}
		}
		n, err := conn.Read(piece)
		if err != nil {
			return // it never was whole
		}
		raw = append(raw, piece[:n]...)
	}
	io.WriteString(conn, "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhel")
	q.add(reading(vars["REQUEST_METHOD"], vars["REQUEST_URI"], vars["HTTP_HOST"], raw, vars["CONTENT_LENGTH"]))
	io.WriteString(conn, "lo")
}

// A boundary counts what applications saw.
type boundary struct {
	hostile, legitimate tally
	canaries, bytes     int // that were read, each once; of bodies
}

// agree sends all forms and asserts that application and gangway are of one mind about where each begins and ends.
func (b carrier) agree(t *testing.T) (n boundary) {
	s, asked := b.start(t, open.ListenOptions{})
	for _, f := range forms {
		x := s.try(t, f, patience, asked)
		v, why := judge(f, x)
		require.NotEqual(t, wrong, v, "%s: %s: %.300q", f.Name, why, x)
		if f.Status == 0 {
			n.legitimate[v]++
			require.NotEmpty(t, x.asked, f.Name)
			require.Contains(t, f.Read, x.asked[0], f.Name)
			n.bytes += len(x.asked[0]) - strings.LastIndexByte(x.asked[0], ' ') - 1
		} else {
			n.hostile[v]++
		}
		for _, r := range x.asked {
			if r == smuggling.CanaryRead {
				n.canaries++
			}
		}
		expected := f.Status == 0 && !f.Last
		require.Equal(t, expected, slices.Contains(x.asked, smuggling.CanaryRead), "%s: the canary", f.Name)
	}
	return n
}

// carrierRows sends all forms through all carriers and returns a row of the table for each, without its end.
func carrierRows(t *testing.T) (rows []string) {
	for _, b := range carriers {
		t.Run(b.protocol+" "+b.application, func(t *testing.T) {
			n := b.agree(t)
			rows = append(rows, fmt.Sprintf("| %s | %s | %v | %v | %d | %d", b.protocol, b.application, n.hostile,
				n.legitimate, n.canaries, n.bytes))
		})
	}
	return rows
}

// TestSmugglingBackends: whatever the protocol behind gangway, the application gets each message whole, nothing of the
// next one, and the next one once; and the committed table says so.
func TestSmugglingBackends(t *testing.T) {
	committed, err := os.ReadFile("../../docs/smuggling.md")
	require.NoError(t, err)
	for _, row := range carrierRows(t) {
		assert.Contains(t, string(committed), row+" |", "make smuggling-table writes it anew")
	}
}

// TestSmugglingBackendsAgree: net/http reads some of the hostile forms about the length of a body. However it does,
// each application is given the body that a handler in this process is given.
func TestSmugglingBackendsAgree(t *testing.T) {
	var first []string
	for _, b := range append([]carrier{{"", "in this process", egiCarrier}}, carriers...) {
		t.Run(b.protocol+" "+b.application, func(t *testing.T) {
			s, asked := b.start(t, open.ListenOptions{NetHTTP: true})
			var all []string
			for _, f := range smuggling.Hostile {
				hides := strings.Contains(f.Sent, "GET /hidden") // for net/http a third request, whose turn may come too late
				if strings.HasPrefix(f.Sent, "POST / HTTP/1.") && !f.Open && !hides {
					all = append(all, fmt.Sprintf("%s: %q", f.Name, slices.Concat(s.try(t, f, patience, asked).asked,
						[]string{""})[0]))
				}
			}
			if first == nil {
				first = all
				t.Logf("%d forms", len(all))
			}
			assert.Equal(t, first, all)
		})
	}
}
