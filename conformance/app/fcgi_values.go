package app

import (
	"maps"
	"slices"
	"strconv"

	"github.com/gangway-go/gangway/fastcgi/wire"
)

// allValues are the variables that FastCGI 1.0 section 4.1 defines.
var allValues = []string{wire.MaxConns, wire.MaxReqs, wire.MpxsConns}

// query is the record FCGI_GET_VALUES for the names.
func query(names ...string) []byte {
	var content []byte
	for _, name := range names {
		content = wire.AppendPair(content, name, "")
	}
	return wire.AppendRecord(nil, wire.TypeGetValues, 0, content)
}

// Values sends FCGI_GET_VALUES and returns the result. Whether that comes at once is the matter of one case only: for
// the others an application that is silent gets a request behind the query, which makes libfcgi look.
func (c *conn) Values(names ...string) map[string]string { return c.result(query(names...)) }

// result is Values for a query that is made by hand.
func (c *conn) result(query []byte) map[string]string {
	c.Send(query)
	rec, err := c.next(c.patience / 2)
	if isTimeout(err) {
		c.Send(c.t.Get("").Keep().As(2).Bytes())
		rec, err = c.next(c.patience)
		c.t.Check(err != nil || rec.RequestID == 0, "it does not answer FCGI_GET_VALUES, but the request behind it")
	}
	if isTimeout(err) {
		c.t.Hang("no answer to FCGI_GET_VALUES within %v", c.patience)
	}
	c.t.Check(err == nil, "it closed the connection; before: %s", c.heard())
	return c.t.values(rec)
}

// values takes FCGI_GET_VALUES_RESULT apart.
func (t *T) values(r record) map[string]string {
	t.Check(r.Type == wire.TypeGetValuesResult, "the answer to FCGI_GET_VALUES is %v", r)
	t.Check(r.RequestID == 0, "FCGI_GET_VALUES_RESULT with request id %d", r.RequestID)
	values := map[string]string{}
	for b := r.content; len(b) > 0; {
		name, value, rest, err := wire.ParsePair(b)
		t.Check(err == nil, "FCGI_GET_VALUES_RESULT ends within a pair: %.80q", r.content)
		_, twice := values[string(name)]
		t.Check(!twice, "FCGI_GET_VALUES_RESULT has %.40q twice", name)
		values[string(name)] = string(value)
		b = rest
	}
	return values
}

// CheckNames fails unless the result has these variables and no others.
func (t *T) CheckNames(values map[string]string, names ...string) {
	got := slices.Sorted(maps.Keys(values))
	slices.Sort(names)
	t.Check(slices.Equal(got, names), "FCGI_GET_VALUES_RESULT has %q, not %q", got, names)
}

// number returns a value that is a decimal number from 1.
func (t *T) number(values map[string]string, name string) int {
	value, ok := values[name]
	t.Check(ok, "%s is not in the result, which has %q", name, values)
	n, err := strconv.Atoi(value)
	t.Check(err == nil && n > 0 && strconv.Itoa(n) == value, "%s is %.40q", name, value)
	return n
}

// multiplexes returns FCGI_MPXS_CONNS as it has to be.
func (t *T) multiplexes(values map[string]string) bool {
	value, ok := values[wire.MpxsConns]
	t.Check(ok, "%s is not in the result, which has %q", wire.MpxsConns, values)
	t.Check(value == "0" || value == "1", "%s is %.40q", wire.MpxsConns, value)
	return value == "1"
}

// ServedOrClosed sends a request over a connection that may have been broken before, and says whether it was served. It
// hangs if there is neither a response nor the end of the connection.
func (c *conn) ServedOrClosed(r *request) bool {
	c.Send(r.Bytes())
	return c.Settled(r.ID).served()
}
