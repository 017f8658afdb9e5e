package app

import (
	"bytes"
	"fmt"

	"github.com/gangway-go/gangway/conformance"
)

// orders are packets with which a peer is told to do something. Each would be a way in if anybody could send it who reaches
// the port, and be it by a request that a web server was tricked into.
var orders = []struct {
	slug      string
	modifier1 byte
	modifier2 byte
	block     string
	does      string
}{
	{"10-management", 10, 0, "", "Management interface request: setup flag specified by modifier2."},
	{"17-spooler", 17, 0, "\x04\x00name\x01\x00x",
		"the block vars is converted to a dictionary/hash/table and passed to the spooler callable."},
	{"18-symbol", 18, 0, "\x04\x00exit", "direct call to c-like symbols"},
	{"22-eval", 22, 0, "import os\nprint('gangway')", "Raw Code evaluation."},
	{"22-eval-perl", 22, 5, "print 'gangway'", "Raw Code evaluation."},
	{"27-fastfunc", 27, 0, "", "call the FastFuncs specified by the modifier2 field"},
	{"97-brutal-reload", 97, 0, "", "brutal reload request (0 request -  1 confirmation)"},
	{"98-graceful-reload", 98, 0, "", "graceful reload request (0 request -  1 confirmation)"},
	{"99-configuration", 99, 0, "", "request configuration data from a uwsgi node (even via multicast)"},
	{"110-signal", 110, 1, "", "uwsgi_signal framework (payload is optional), modifier2 is the signal num"},
	{"111-cache-write", 111, 1, "\x01\x00k\x01\x00v", "Cache operations. 0: read, 1: write, 2: delete, 3: dict_based"},
	{"173-rpc", 173, 0, "\x04\x00exec",
		"RPC. The packet is an uwsgi array where the first item is the name of the function"},
	{"224-subscription", 224, 0, "\x03\x00key\x01\x00k\x07\x00address\x01\x00a", "Subscription packet."},
}

func uwsgiModifiers() []conformance.Case {
	cases := []conformance.Case{{
		Name:   "uwsgi/packet/modifier1-unknown",
		Quote:  "The first 4 bytes of a uwsgi packet describe the type of the data contained by the packet.",
		Level:  conformance.Robustness,
		Sends:  "a GET with modifier1 77, which means nothing",
		Passes: "serves or rejects the request",
		Run:    test(func(t *T) { t.begin(packet(77, 0, varBlock(t.variables("GET", "")))).settled() }),
	}, {
		Name:   "uwsgi/packet/ping-100",
		Quote:  "PING- PONG if modifier2 is 0 it is a PING request otherwise it is a PONG (a response).",
		Level:  conformance.May,
		Sends:  "a packet with modifier1 100, modifier2 0 and no block",
		Passes: "sends one with modifier1 100, modifier2 1",
		Run: test(func(t *T) {
			e := t.begin(packet(100, 0, nil)).end()
			pong := len(e.got) >= 4 && e.got[0] == 100 && e.got[3] == 1
			t.Check(pong, "%.20q", e.got)
		}),
	}}
	for _, order := range orders {
		cases = append(cases, conformance.Case{
			Name:  "uwsgi/packet/modifier1-" + order.slug,
			Quote: order.does,
			Level: conformance.Security,
			Sends: fmt.Sprintf("a packet with modifier1 %d, modifier2 %d and the block %q",
				order.modifier1, order.modifier2, order.block),
			Passes: "refuses it: closes the connection, or reports an error",
			Run: test(func(t *T) {
				t.notObeyed(t.begin(packet(order.modifier1, order.modifier2, []byte(order.block))).end())
			}),
		})
	}
	return cases
}

// notObeyed fails if the target answered with anything but an error of HTTP.
func (t *T) notObeyed(e *exchange) {
	if len(e.got) == 0 {
		return
	}
	t.Check(bytes.HasPrefix(e.got, []byte("HTTP/1.")), "the answer %.80q", e.got)
	status := t.Reply(e.got).status
	t.Check(status >= 400, "it obeyed: status %d, %.80q", status, e.got)
}
