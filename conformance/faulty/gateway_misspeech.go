package faulty

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// misspeech is a fault in how the gateway speaks with an application over FastCGI, SCGI or uwsgi. What is nil is right.
type misspeech struct {
	slug, does, breaks string

	vars   func(vars []Var) []Var                                           // the meta-variables
	head   func(vars []Var, head []byte) []byte                             // all that comes before the body
	body   func(vars []Var, piece []byte, last bool) []byte                 // a piece of the body
	sent   func(vars []Var, record []byte) []byte                           // records of FCGI_STDIN
	record func(x *fcgiExchange, h *wire.Header, content []byte) []byte     // a record from the application
	end    func(x *fcgiExchange, err error) error                           // how a request over FastCGI ends
	first  func(response []byte) []byte                                     // of SCGI and uwsgi: what is read first
	heard  func(x *streamExchange, p []byte, n int, err error) (int, error) // of SCGI and uwsgi: what is read
}

// misspeechOf is the misspeech with that name, or one that is right. What it does to bytes before the body it does in
// the protocol that it breaks.
func misspeechOf(f fault, protocol string) *misspeech {
	for _, m := range slices.Concat(misspeechSent, misspeechRecords, misspeechEnds, misspeechStreams) {
		if f.is(m.slug) {
			if !strings.Contains(m.breaks, protocol+"-client/") {
				m.head = nil
			}
			return &m
		}
	}
	return &misspeech{}
}

// speechFault makes a fault of a backend.
func speechFault(slug, does, breaks string) Fault {
	return Fault{Name: "gateway/" + slug, Does: does, Breaks: strings.Fields(breaks)}
}

// gatewaySpeechFaults are the faults of the backends.
func gatewaySpeechFaults() []Fault {
	faults := slices.Clone(gatewayConnectionFaults)
	for _, m := range slices.Concat(misspeechSent, misspeechRecords, misspeechEnds, misspeechStreams) {
		faults = append(faults, speechFault(m.slug, m.does, m.breaks))
	}
	return faults
}

func (m *misspeech) variables(vars []Var) []Var {
	if m.vars == nil {
		return vars
	}
	return m.vars(vars)
}

func (m *misspeech) before(vars []Var, head []byte) []byte {
	if m.head == nil {
		return head
	}
	return m.head(vars, head)
}

func (m *misspeech) piece(vars []Var, b []byte, last bool) []byte {
	if m.body == nil {
		return b
	}
	return m.body(vars, b, last)
}

func (x *fcgiExchange) misrecord(b []byte) []byte {
	if sent := x.conn.backend.mis.sent; sent != nil {
		return sent(x.vars, b)
	}
	return b
}

func (x *fcgiExchange) mistake(h *wire.Header, content []byte) []byte {
	if record := x.conn.backend.mis.record; record != nil {
		return record(x, h, content)
	}
	return content
}

func (x *fcgiExchange) misend(err error) error {
	if end := x.conn.backend.mis.end; end != nil && err != nil {
		return end(x, err)
	}
	if errors.Is(err, io.EOF) && x.conn.backend.fault.is("must-send-all") {
		if <-x.sent; x.failed.Load() {
			return errors.New("the request could not be sent")
		}
	}
	return err
}

// gatewayConnectionFaults are those of what the gateway does with connections.
var gatewayConnectionFaults = []Fault{
	speechFault("never-retries", "It does not send a request again if a kept connection turns out to be dead.",
		"fcgi-client/5.1/keepconn-app-closes-race"),
	speechFault("trusts-idle", "It sends a request on a kept connection without a look at it, and not again.",
		"fcgi-client/5.1/keepconn-app-closes-idle fcgi-client/3.3/unsolicited-response-on-idle "+
			"fcgi-client/5.1/keepconn-app-closes-race"),
	speechFault("retries-post", "It sends a POST again if a kept connection turns out to be dead.",
		"fcgi-client/5.1/keepconn-post-not-replayed"),
	speechFault("never-reuses", "It announces that it keeps connections, and does not.", "fcgi-client/5.1/keepconn-reuse"),
	speechFault("repeats-cut-requests", "It sends a GET again if the response is cut.",
		"fcgi-client/5.1/not-replayed-after-output"),
	speechFault("keeps-excess", "It takes what comes after a response for the next one's beginning.",
		"fcgi-client/3.3/records-after-end"),
	speechFault("keeps-half-sent", "It uses a connection again on which it has not sent a request to its end.",
		"fcgi-client/6.2/early-end-then-next"),
	speechFault("keeps-aborted", "It uses a connection again when the client of the request on it has gone.",
		"fcgi-client/5.4/late-output-not-delivered"),
	speechFault("aborts-all", "It closes all connections when a client has gone.",
		"fcgi-client/5.4/abort-not-on-kept-conn-of-others"),
	speechFault("works-for-nobody", "It waits for the response to a client that has gone.",
		"fcgi-client/5.4/client-disconnect-aborts scgi-client/2/client-disconnect uwsgi-client/packet/client-disconnect"),
	speechFault("multiplexes", "It sends a request for /at-once on a connection that is in use.",
		"fcgi-client/4.1/get-values-probe"),
	speechFault("fifty-at-once", "It serves fifty requests at once.", "fcgi-client/6.2/concurrency-100"),
	speechFault("buffers-responses", "It reads the response to its end before it sends anything of it.",
		"fcgi-client/6.2/response-stream-first-byte fcgi-client/6.2/slow-client-no-memory-blowup"),
	speechFault("buffers-requests", "It reads the body to its end before it connects to the application.",
		"fcgi-client/6.2/post-stream-unbuffered"),
	speechFault("connects-for-ever", "It waits for a connection without limit.", "fcgi-client/5.5/connect-timeout"),
	speechFault("nobody-is-404", "It answers 404 if nobody listens.", "fcgi-client/5.5/connect-refused"),
	speechFault("waits-for-ever", "It waits for a response without limit.",
		"fcgi-client/5.5/read-timeout fcgi-client/5.5/read-timeout-mid-body scgi-client/2/read-timeout "+
			"uwsgi-client/packet/read-timeout"),
	speechFault("one-limit-for-all", "It gives the application its time for the whole response.",
		"fcgi-client/5.5/slow-is-not-dead"),
	speechFault("must-send-all", "It gives up a response if the application did not read the body.",
		"fcgi-client/6.2/early-response-then-close"),
	speechFault("stops-sending", "It does not send the rest of the body once the response has begun.",
		"fcgi-client/6.2/early-response-keep-reading"),
	speechFault("short-body-ends-well", "It ends a body as if it were whole when the client has gone.",
		"fcgi-client/5.3/stdin-short-client-abort"),
	speechFault("zeros-for-missing", "It sends zeros for what the client did not send.",
		"scgi-client/2/upload-broken uwsgi-client/packet/upload-broken"),
	speechFault("half-closes", "It closes its end of the connection after a body of 3 bytes.",
		"fcgi-client/3.5/open-while-active scgi-client/2/open-while-active"),
	speechFault("logs-nothing", "It does not log the error stream.", "fcgi-client/6.1/stderr-to-log"),
	speechFault("logs-raw", "It logs the error stream as it is.", "fcgi-client/6.1/stderr-log-injection"),
	speechFault("any-record-version", "It takes records of any version.", "fcgi-client/3.3/version-2"),
	speechFault("passes-http", "It passes on what is no record.", "fcgi-client/3.3/http-instead-of-fcgi"),
	speechFault("whole-headers-only", "It takes a first byte that comes alone for a broken connection.",
		"fcgi-client/3.3/one-byte-segments"),
	speechFault("output-after-its-end", "It delivers FCGI_STDOUT that comes after the end of the stream.",
		"fcgi-client/3.3/stdout-after-eos"),
	speechFault("spends-body", "It sends a POST again that is rejected as too much, with what is left of its body.",
		"fcgi-client/5.5/overloaded-retry-next"),
	speechFault("overload-is-502", "It makes 502 of FCGI_OVERLOADED.", "fcgi-client/5.5/overloaded-503"),
	speechFault("cuts-the-block", "It cuts variables that do not fit into a packet.",
		"uwsgi-client/packet/vars-over-65535"),
	speechFault("unguarded-errors", "It allows access if the Authorizer fails.",
		"fcgi-client/6.3/authorizer-error-fails-closed"),
	speechFault("own-words-for-403", "It makes its own response of the Authorizer's.",
		"fcgi-client/6.3/authorizer-403-body"),
	speechFault("forgets-granted", "It forgets the variables that the Authorizer grants.",
		"fcgi-client/6.3/authorizer-variable-headers"),
	speechFault("field-grants", "It takes the client's fields Variable- for the Authorizer's.",
		"fcgi-client/6.3/authorizer-variable-spoof"),
	speechFault("authorizer-sees-all", "It gives the Authorizer PATH_INFO.",
		"fcgi-client/6.3/authorizer-no-content-length"),
	speechFault("authorizer-again", "It gives the Responder the role of the Authorizer.",
		"fcgi-client/6.3/authorizer-200-grants"),
	speechFault("authorizer-fields-stay", "It sends the fields of the Authorizer's 200 to the client.",
		"fcgi-client/6.3/authorizer-200-rest-ignored"),
	speechFault("filter-without-data", "It sends a Filter no file.", "fcgi-client/6.4/filter-data"),
}

// admit does what some faults do before a request is sent.
func (b *fcgiBackend) admit(ctx context.Context, body io.Reader) (io.Reader, func(), error) {
	nothing := func() {}
	switch {
	case b.fault.is("buffers-requests"):
		all, err := io.ReadAll(body)
		return bytes.NewReader(all), nothing, err
	case b.fault.is("fifty-at-once"):
		b.mu.Lock()
		if b.places == nil {
			b.places = make(chan struct{}, 50)
		}
		b.mu.Unlock()
		select {
		case b.places <- struct{}{}:
			return body, func() { <-b.places }, nil
		case <-ctx.Done():
			return nil, nothing, ctx.Err()
		}
	}
	return body, nothing, nil
}

// insists says whether a request is to be sent again though the application has rejected it.
func (b *fcgiBackend) insists(vars []Var, err error) bool {
	var refused *Refusal
	return b.fault.is("spends-body") && value(vars, "REQUEST_METHOD") == "POST" && errors.As(err, &refused) &&
		refused.Status == 503
}

// again says whether a request is to be sent again though the response has begun, and buffers responses.
func (b *fcgiBackend) again(x *fcgiExchange) bool {
	limit := map[string]int{"repeats-cut-requests": 64, "buffers-responses": 1 << 30}[string(b.fault)]
	for x.err == nil && len(x.out) < limit {
		x.err = x.next()
	}
	return b.fault.is("repeats-cut-requests") && errors.Is(x.err, io.ErrUnexpectedEOF) && b.repeatable(x.vars)
}

// opened notes a connection, for faults.
func (b *fcgiBackend) opened(c *keptConn) {
	if b.fault.in("aborts-all", "multiplexes") {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.made = append(b.made, c)
	}
}

// misdirect sends a request for /at-once on a connection that is in use.
func (b *fcgiBackend) misdirect(vars []Var) error {
	if !b.fault.is("multiplexes") || value(vars, "PATH_INFO") != "/at-once" {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	begin := wire.BeginRequest{Role: wire.RoleResponder, Flags: wire.FlagKeepConn}
	b.made[len(b.made)-1].Write(begin.Append(nil, requestID+1))
	return &Refusal{502, "too many requests on a connection"}
}

// misabort does what some faults do instead of an abort.
func (x *fcgiExchange) misabort() bool {
	b := x.conn.backend
	switch {
	case b.fault.is("works-for-nobody"):
		return true
	case b.fault.is("keeps-aborted"):
		x.conn.SetReadDeadline(time.Unix(1, 0))
		return true
	case b.fault.is("aborts-all"):
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, c := range b.made {
			c.Close()
		}
	}
	return false
}

// miskeep says whether the connection is kept though it should not be.
func (x *fcgiExchange) miskeep() bool {
	ended := errors.Is(x.err, io.EOF)
	switch string(x.conn.backend.fault) {
	case "keeps-excess":
		return ended && x.whole
	case "keeps-half-sent":
		x.conn.SetWriteDeadline(time.Time{})
		if !x.whole { // at the latest now within a record
			h := wire.Header{Version: wire.Version1, Type: wire.TypeStdin, RequestID: requestID, ContentLength: 200}
			x.conn.Write(h.Append(nil))
		}
		return ended
	case "keeps-aborted":
		return !ended && x.whole && x.left()
	}
	return false
}

// left says whether the client has left, of which a write to it may tell a moment before it is seen.
func (x *fcgiExchange) left() bool {
	select {
	case <-x.gone:
		return true
	case <-time.After(100 * time.Millisecond):
		return false
	}
}

// stop ends the sending of the body.
func (x *fcgiExchange) stop() {
	if x.conn.backend.fault.is("keeps-half-sent") {
		x.conn.SetWriteDeadline(time.Unix(1, 0))
		return
	}
	x.conn.Close()
}

// stops does what some faults do after a piece of the body.
func (x *fcgiExchange) stops(last bool) bool {
	f := x.conn.backend.fault
	if last && f.is("half-closes") && value(x.vars, "CONTENT_LENGTH") == "3" {
		x.conn.Conn.(interface{ CloseWrite() error }).CloseWrite()
	}
	if f.is("stops-sending") && !last {
		time.Sleep(2 * time.Millisecond) // in which the response may begin
	}
	return f.in("stops-sending", "keeps-half-sent") && x.heard.Load()
}

// passes takes what is no record for output.
func (x *fcgiExchange) passes() (wire.Header, []byte) {
	if !x.conn.backend.fault.is("passes-http") || !strings.HasPrefix(string(x.conn.in), "HTTP/") {
		return wire.Header{}, nil
	}
	content := x.conn.in
	x.conn.in = nil
	return wire.Header{Version: wire.Version1, Type: wire.TypeStdout, RequestID: requestID}, content
}
