//go:build linux

package soak

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// A target is an application.
type target struct {
	name, path string
	weight     int
	kind       string
}

// Kinds of targets.
const (
	honest = "honest" // answers right
	echo   = "echo"   // is egi:echo
	cut    = "cut"    // answers right as far as its connection lasts
	bad    = "bad"    // nothing is known of the answer
)

func targets() []target {
	list := []target{
		{"php", "/app.php", 20, honest}, {"fcgi", "/fcgi/x", 15, honest}, {"scgi", "/scgi/x", 15, honest},
		{"http", "/http/x", 15, honest}, {"cgi", "/cgi/x", 6, honest}, {"exec", "/exec/x", 8, honest},
		{"egi", "/egi/x", 8, echo},
		{"cut-fcgi", "/cut-fcgi/x", 5, cut}, {"cut-scgi", "/cut-scgi/x", 5, cut}, {"cut-http", "/cut-http/x", 5, cut},
		{"bad-cgi", "/bad-cgi/x", 2, bad},
	}
	for _, name := range mutantSlots() {
		list = append(list, target{name, "/" + name + "/x", 1, bad})
	}
	return list
}

// draw returns one of the targets by their weights.
func draw(list []target, random *rand.Rand) target {
	sum := 0
	for _, t := range list {
		sum += t.weight
	}
	n := random.IntN(sum)
	for _, t := range list {
		if n -= t.weight; n < 0 {
			return t
		}
	}
	panic("no weights")
}

// A client makes one request after the other.
type client struct {
	s      *soak
	number int
	door   door
	http   *http.Client
	random *rand.Rand
	made   int
}

func newClient(s *soak, number int) *client {
	c := &client{s: s, number: number, door: s.doors[number%len(s.doors)], random: s.random(uint64(number))}
	c.http = c.door.client()
	return c
}

// run makes requests until the run is over.
func (c *client) run() {
	defer c.http.CloseIdleConnections()
	list := targets()
	for {
		mean := float64(*pause)
		if time.Since(c.s.began) < *duration/warmUp {
			mean /= 3 // so that everything is as large as it gets
		}
		select {
		case <-c.s.over:
			return
		case <-time.After(time.Duration(min(c.random.ExpFloat64(), 4) * mean)):
		}
		v := c.visit(draw(list, c.random))
		if v.target.kind == bad || c.random.IntN(8) == 0 {
			c.leave(v)
			continue
		}
		c.stay(v)
	}
}

// A visit is a request and what is to be answered.
type visit struct {
	target
	nonce, query string
	body         []byte
	chunked      bool
	slowly       string // "", "up" or "down"
	repeat       int
}

// noise is what bodies are parts of.
var noise = func() []byte {
	b := make([]byte, 8<<20)
	for i, random := 0, rand.New(rand.NewPCG(1, 1)); i < len(b); i++ {
		b[i] = byte(random.Uint32())
	}
	return b
}()

func (c *client) visit(t target) *visit {
	r := c.random
	c.made++
	v := &visit{target: t, nonce: fmt.Sprintf("%d.%d.%08x", c.number, c.made, r.Uint32())}
	if r.IntN(2) == 0 {
		n := r.IntN(20_000)
		if r.IntN(8) == 0 {
			n = r.IntN(3 << 20)
		}
		at := r.IntN(len(noise) - n)
		v.body, v.chunked = noise[at:at+n], r.IntN(3) == 0
	}
	pieces, pause := 1, 0
	v.repeat = r.IntN(100)
	switch r.IntN(10) {
	case 0:
		v.repeat = 4000 * r.IntN(20)
	case 1:
		pieces, pause = 1+r.IntN(5), r.IntN(60)
		v.repeat -= v.repeat % pieces
	}
	switch r.IntN(30) {
	case 0:
		v.slowly = "down"
	case 1:
		v.slowly = "up"
	}
	length := ""
	if r.IntN(2) == 0 || t.name == "cut-scgi" { // which has no other way to tell where the answer ends
		length = "&length"
	}
	v.query = fmt.Sprintf("nonce=%s&repeat=%d&pieces=%d&pause=%d%s", v.nonce, v.repeat, pieces, pause, length)
	if t.kind == bad {
		v.query += "&mode=" + badModes[r.IntN(len(badModes))]
	}
	return v
}

// request returns the visit as a request.
func (v *visit) request(ctx context.Context, base string) *http.Request {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+v.path+"?"+v.query, nil)
	if err != nil {
		panic(err)
	}
	if v.body == nil {
		return req
	}
	req.Method, req.ContentLength = http.MethodPost, int64(len(v.body))
	var body io.Reader = bytes.NewReader(v.body)
	if v.slowly == "up" {
		body = &slowReader{body, max(len(v.body)/20, 1)}
	}
	req.Body = io.NopCloser(body)
	if v.chunked {
		req.ContentLength = -1
	}
	return req
}

// A slowReader takes its time.
type slowReader struct {
	io.Reader
	piece int
}

// Read implements io.Reader.
func (r *slowReader) Read(b []byte) (int, error) {
	time.Sleep(50 * time.Millisecond)
	return r.Reader.Read(b[:min(r.piece, len(b))])
}

// errAnswer is that an answer is whole and not what it must be.
var errAnswer = errors.New("wrong answer")

// stay makes the visit and judges the answer.
func (c *client) stay(v *visit) {
	began := time.Now()
	err := c.ask(v)
	ended := time.Now()
	outcome := right
	switch {
	case err == nil:
	case ended.Sub(began) > answerTime:
		err = fmt.Errorf("after %v: %w", ended.Sub(began), err)
		outcome = wrong
	case errors.Is(err, errAnswer):
		outcome = wrong
	case v.kind == cut:
		outcome = failed
	case v.name == "php" && c.s.php.excuses(began, ended, v.body != nil):
		outcome = excused
	default:
		outcome = wrong
	}
	c.s.add(v.name, c.door.name, outcome)
	if outcome == wrong {
		c.s.violate(v.name+" by "+c.door.name, fmt.Sprintf("client %d, request %d, %s, body %d, chunked %t, slowly %q, "+
			"begun %s: %v", c.number, c.made, v.query, len(v.body), v.chunked, v.slowly,
			began.UTC().Format("15:04:05.000"), err))
	}
}

// ask returns nil if the answer is right.
func (c *client) ask(v *visit) error {
	ctx, cancel := context.WithTimeout(context.Background(), answerTime+time.Second)
	defer cancel()
	resp, err := c.http.Do(v.request(ctx, c.door.base))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	from := io.Reader(resp.Body)
	if v.slowly == "down" {
		from = &slowReader{from, max(len(v.answer())/20, 1)}
	}
	body, err := io.ReadAll(from)
	field := resp.Header.Get("X-Nonce")
	if err == nil && resp.StatusCode == http.StatusOK && v.kind != echo && field == v.nonce && string(body) == v.answer() {
		return nil
	}
	if found := stranger(body, field, v.nonce); found != "" {
		return fmt.Errorf("%w: it has the nonce %s of another request", errAnswer, found)
	}
	switch {
	case err != nil:
		return err
	case resp.StatusCode >= 500:
		return fmt.Errorf("status %d: %.200q", resp.StatusCode, body)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%w: status %d: %.200q", errAnswer, resp.StatusCode, body)
	case v.kind == echo:
		return v.checkEcho(string(body))
	}
	return fmt.Errorf("%w: X-Nonce %q, %d bytes, not %d: %.200q … %q", errAnswer, field, len(body), len(v.answer()),
		body, body[max(0, len(body)-100):])
}

var nonces = regexp.MustCompile(`nonce=(\d+\.\d+\.[0-9a-f]{8})`)

// stranger returns a nonce that is not the request's.
func stranger(body []byte, field, nonce string) string {
	if field != "" && field != nonce {
		return field
	}
	for _, found := range nonces.FindAllSubmatch(body, -1) {
		if string(found[1]) != nonce {
			return string(found[1])
		}
	}
	return ""
}

// answer is the body that must come.
func (v *visit) answer() string {
	return firstLine(v.nonce, int64(len(v.body)), fmt.Sprintf("%x", sha256.Sum256(v.body))) +
		strings.Repeat(nonceLine(v.nonce), v.repeat)
}

// checkEcho checks an answer of egi:echo.
func (v *visit) checkEcho(body string) error {
	for _, line := range []string{
		"\nQUERY_STRING=" + v.query + "\n",
		fmt.Sprintf("\nBODY_LENGTH=%d\nBODY_SHA256=%x\n", len(v.body), sha256.Sum256(v.body)),
	} {
		if !strings.Contains(body, line) {
			return fmt.Errorf("%w: it lacks %q: %q", errAnswer, line, body)
		}
	}
	return nil
}
