package app

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/conformance/echo"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

// Filtered sends a request in the role Filter and returns what the echo application saw, or nil if it refused the
// request. It skips the case if the target does not play the role.
func (t *T) Filtered(r *request, data []byte) *echo.Reply {
	c := t.Connect()
	c.Send(r.Bytes(), data)
	response := c.Response(1)
	if !t.played(response) {
		t.Skip("no Filter")
	}
	if !t.accepted(response) {
		return nil
	}
	e := t.Echo(response.stdout)
	if !e.DataRead {
		t.Skip("the application does not read FCGI_DATA")
	}
	return e
}

// checkData fails unless the application read exactly this file.
func (t *T) checkData(e *echo.Reply, data string) {
	t.Check(e != nil, "it refused the request")
	t.Check(e.DataLength == int64(len(data)), "a file of %d bytes, not %d", e.DataLength, len(data))
	sum := sha256.Sum256([]byte(data))
	t.Check(e.DataSHA256 == hex.EncodeToString(sum[:]), "a file of the right length with other bytes")
}

// fcgi64 has the cases of FastCGI 1.0 section 6.4, Filter.
func fcgi64() []conformance.Case {
	return []conformance.Case{{
		Name: "fcgi/6.4/filter-data-stream", Level: conformance.May, Echo: true,
		Quote:  "Next the Filter application receives the file data from the Web server over FCGI_DATA.",
		Sends:  "a request in the role Filter with a file of 1 MiB",
		Passes: "gets the file",
		Run: test(func(t *T) {
			data := strings.Repeat("filtered", 1<<17)
			t.checkData(t.Filtered(t.Filter("", data)), data)
		}),
	}, {
		Name: "fcgi/6.4/filter-streams-apart", Level: conformance.Must, Echo: true,
		Quote: "The server presents the Filter with environment variables first, then standard input (normally form " +
			"POST data), finally the data file input",
		Sends:  "a request in the role Filter with a body and a file",
		Passes: "gets both, each as it is",
		Run: test(func(t *T) {
			e := t.Filtered(t.Filter("body", "the file"))
			t.checkData(e, "the file")
			t.CheckBody(e, []byte("body"))
		}),
	}, {
		Name: "fcgi/6.4/filter-data-short", Level: conformance.Should, Echo: true,
		Quote: "If the numbers don't match and the Filter is a query, the Filter response should provide an " +
			"indication that data is missing.",
		Sends:  "a request in the role Filter with FCGI_DATA_LENGTH 1000 and a file of 500 bytes",
		Passes: "shows that it has 500 bytes only, or refuses the request",
		Run: test(func(t *T) {
			r, _ := t.Filter("", strings.Repeat("x", 1000))
			data := strings.Repeat("x", 500)
			if e := t.Filtered(r, wire.AppendEnd(rec(wire.TypeData, 1, data), wire.TypeData, 1)); e != nil {
				t.checkData(e, data)
			}
		}),
	}, {
		Name: "fcgi/6.4/filter-data-long", Level: conformance.Must, Echo: true,
		Quote: "The application reads at most FCGI_DATA_LENGTH bytes from this stream before receiving the " +
			"end-of-stream indication.",
		Sends:  "a request in the role Filter with FCGI_DATA_LENGTH 4 and a file of eight bytes",
		Passes: "gets four bytes at the most, or refuses the request",
		Run: test(func(t *T) {
			r, _ := t.Filter("", "four")
			e := t.Filtered(r, wire.AppendEnd(rec(wire.TypeData, 1, "fourmore"), wire.TypeData, 1))
			if e != nil {
				t.Check(e.DataLength <= 4, "%s", fmt.Sprintf("a file of %d bytes", e.DataLength))
			}
		}),
	}}
}
