//go:build unix

package faulttest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/smuggling"
)

// A verdict is what a server has made of a form.
type verdict int

const (
	refused verdict = iota // by an error or silence, and the connection has ended
	right                  // read as the specifications let it
	wrong                  // read otherwise; or the canary was swallowed, or read where it must not
)

// An exchange is what came of a form and the canary behind it.
type exchange struct {
	answers []int    // statuses of the complete responses
	stays   bool     // the server has not ended the connection
	asked   []string // what the application was asked, as smuggling.Reading writes it
}

// judge says what an exchange means, and why if it is wrong.
func judge(f smuggling.Form, x exchange) (verdict, string) {
	canaries := 0
	own := slices.DeleteFunc(slices.Clone(x.asked), func(r string) bool {
		if r == smuggling.CanaryRead {
			canaries++
		}
		return r == smuggling.CanaryRead
	})
	switch {
	case canaries > 1 || len(own) > 1:
		return wrong, "more requests than were sent"
	case len(own) > 0 && !slices.Contains(f.Read, own[0]):
		return wrong, "read otherwise"
	case len(own) > 0 && x.asked[0] != own[0]:
		return wrong, "in another order"
	case canaries > 0 && f.Last && (len(own) > 0 || !f.Framed):
		return wrong, "the connection should have ended"
	case canaries == 0 && x.stays && !f.Open:
		return wrong, "canary swallowed"
	case canaries > 0 && len(f.Read) == 0 && !f.Framed:
		return wrong, "read on behind what cannot be read"
	case len(own) > 0:
		return right, ""
	case f.Open && x.stays:
		return right, "" // waits for the rest
	case len(x.answers) > 0 && x.answers[0] < 300 && len(f.Read) == 0:
		return wrong, "answered"
	case len(x.answers) > 0 && x.answers[0] < 300:
		return right, "" // by the server itself, which some do to OPTIONS *
	}
	return refused, ""
}

// try sends the form and the canary to the site, and waits so long for what may come. asked says what its application
// was asked since the last time.
func (s site) try(t *testing.T, f smuggling.Form, wait time.Duration, asked func() []string) (x exchange) {
	t.Helper()
	conn, err := net.Dial(s.network, s.address)
	require.NoError(t, err)
	defer conn.Close()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		io.WriteString(conn, f.Sent+smuggling.Canary)
	}()
	method, _, _ := strings.Cut(f.Sent, " ")
	var raw bytes.Buffer
	for piece := make([]byte, 64<<10); len(x.answers) < 2 && err == nil; x.answers = statuses(raw.Bytes(), method) {
		conn.SetReadDeadline(time.Now().Add(wait))
		var n int
		n, err = conn.Read(piece)
		raw.Write(piece[:n])
	}
	x.stays = errors.Is(err, os.ErrDeadlineExceeded)
	conn.(*net.TCPConn).CloseWrite()
	conn.SetDeadline(time.Now().Add(wait))
	io.Copy(&raw, conn)
	x.answers = statuses(raw.Bytes(), method)
	conn.Close()
	<-sent
	x.asked = asked()
	return x
}

// statuses returns those of the complete final responses in raw.
func statuses(raw []byte, method string) (list []int) {
	for r := bufio.NewReader(bytes.NewReader(raw)); ; {
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return list
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return list
		}
		if resp.StatusCode >= 200 {
			list = append(list, resp.StatusCode)
		}
		method = http.MethodGet
	}
}

func TestJudge(t *testing.T) {
	const a, b, next = "GET /a h ", "GET /b h ", "GET /canary canary "
	wentOn := exchange{answers: []int{400, 200}, asked: []string{next}}
	must := smuggling.Form{}
	framed := smuggling.Form{Framed: true}
	may := smuggling.Form{Read: []string{a}}
	last := smuggling.Form{Read: []string{a}, Last: true}
	open := smuggling.Form{Open: true}
	tests := []struct {
		name string
		form smuggling.Form
		seen exchange
		want verdict
	}{
		{"refused", must, exchange{answers: []int{400}}, refused},
		{"closed in silence", must, exchange{}, refused},
		{"redirected", may, exchange{answers: []int{301, 200}, asked: []string{next}}, refused},
		{"refused, and went on", must, wentOn, wrong},
		{"refused, and went on at the end of the header", framed, wentOn, refused},
		{"refused, and went on behind what is the last", last, wentOn, wrong},
		{"refused, and waits", must, exchange{answers: []int{400}, stays: true}, wrong},
		{"waits", must, exchange{stays: true}, wrong},
		{"waits for what was announced", open, exchange{stays: true}, right},
		{"answered", must, exchange{answers: []int{200}}, wrong},
		{"answered by the server", may, exchange{answers: []int{200, 200}, asked: []string{next}}, right},
		{"read", may, exchange{answers: []int{200, 200}, asked: []string{a, next}}, right},
		{"read and closed", may, exchange{answers: []int{200}, asked: []string{a}}, right},
		{"read, canary swallowed", may, exchange{answers: []int{200}, stays: true, asked: []string{a}}, wrong},
		{"read, canary twice", may, exchange{answers: []int{200, 200, 200}, asked: []string{a, next, next}}, wrong},
		{"read otherwise", may, exchange{answers: []int{200, 200}, asked: []string{b, next}}, wrong},
		{"read though it must not be", must, exchange{answers: []int{200}, asked: []string{a}}, wrong},
		{"hidden request", may, exchange{answers: []int{200, 200, 200}, asked: []string{a, b, next}}, wrong},
		{"another order", may, exchange{answers: []int{200, 200}, asked: []string{next, a}}, wrong},
		{"read as the last", last, exchange{answers: []int{200}, asked: []string{a}}, right},
		{"read as the last, and went on", last, exchange{answers: []int{200, 200}, asked: []string{a, next}}, wrong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, why := judge(tt.form, tt.seen)
			assert.Equal(t, tt.want, got, why)
			assert.Equal(t, tt.want == wrong, why != "")
		})
	}
}
