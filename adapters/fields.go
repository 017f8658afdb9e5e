package adapters

import (
	"iter"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// A Field is one header field, its name as the sender wrote it.
type Field struct{ Name, Value string }

// sendable reports whether f has the form of a field.
func (f Field) sendable() bool { return ValidName(f.Name) && ValidValue(f.Value) }

// Header is a list of fields in the order sent. Names are compared without regard to ASCII case. The zero value is an
// empty header. Copying the slice shares its fields: whoever changes a Header that others hold clones it first.
type Header []Field

// Get returns the value of the first field called name, or "".
func (h Header) Get(name string) string {
	for i := range h {
		if EqualName(h[i].Name, name) {
			return h[i].Value
		}
	}
	return ""
}

// Has reports whether a field called name exists.
func (h Header) Has(name string) bool {
	return slices.ContainsFunc(h, func(f Field) bool { return EqualName(f.Name, name) })
}

// HasToken reports whether one of the lists in the fields called name has token as an element, in either case.
func (h Header) HasToken(name, token string) bool {
	for _, f := range h {
		if !EqualName(f.Name, name) {
			continue
		}
		for element := range strings.SplitSeq(f.Value, ",") {
			if EqualName(strings.TrimSpace(element), token) {
				return true
			}
		}
	}
	return false
}

// Values returns the values of all fields called name, in order.
func (h Header) Values(name string) []string {
	var values []string
	for _, f := range h {
		if EqualName(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return values
}

// Add appends a field.
func (h *Header) Add(name, value string) { *h = append(*h, Field{name, value}) }

// Set replaces all fields called name by one. It must not be called on a Header that is shared.
func (h *Header) Set(name, value string) {
	h.Del(name)
	h.Add(name, value)
}

// Del removes all fields called name. It must not be called on a Header that is shared.
func (h *Header) Del(name string) {
	*h = slices.DeleteFunc(*h, func(f Field) bool { return EqualName(f.Name, name) })
}

// Without returns a Header without the fields of the given names. h itself stays unchanged.
func (h Header) Without(names ...string) Header {
	var set nameSet
	set.init(names)
	return slices.DeleteFunc(h.Clone(), set.has)
}

// A nameSet knows names of fields.
type nameSet struct {
	names []string
	index map[string]bool // by lower-case name; nil for a few
}

func (s *nameSet) init(names []string) {
	s.names = names
	if len(names) > scanLimit {
		s.index = make(map[string]bool, len(names))
		for _, name := range names {
			s.index[strings.ToLower(name)] = true
		}
	}
}

func (s *nameSet) has(f Field) bool {
	if s.index != nil {
		return s.index[strings.ToLower(f.Name)]
	}
	for _, name := range s.names {
		if EqualName(f.Name, name) {
			return true
		}
	}
	return false
}

// Clone returns a copy that shares nothing with h but the strings.
func (h Header) Clone() Header { return slices.Clone(h) }

// All yields name and value of each field.
func (h Header) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, f := range h {
			if !yield(f.Name, f.Value) {
				return
			}
		}
	}
}

// HTTP returns h as Go's map, with canonical names.
func (h Header) HTTP() http.Header {
	m := make(http.Header, len(h))
	for _, f := range h {
		m.Add(f.Name, f.Value)
	}
	return m
}

// HeaderFrom returns a Go header as a list. A map has no order, so the names are sorted: equal maps give equal lists.
func HeaderFrom(m http.Header) Header {
	n := 0
	for _, values := range m {
		n += len(values)
	}
	h := make(Header, 0, n)
	for name, values := range m {
		for _, v := range values {
			h = append(h, Field{name, v})
		}
	}
	slices.SortStableFunc(h, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return h
}

// EqualName reports whether two field names are the same. Unlike strings.EqualFold it knows only ASCII (RFC 9110 5.1).
func EqualName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i], b[i]
		if x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}

// ValidName reports whether s is a token (RFC 9110 5.6.2), the form of a field name and of a method.
func ValidName(s string) bool {
	for i := range len(s) {
		if !tokenByte[s[i]] {
			return false
		}
	}
	return s != ""
}

// ValidValue reports whether s may be sent as a field value: no NUL, CR, LF or other control byte but tab (RFC 9110
// 5.5).
func ValidValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// ValidHost reports whether s has the form HOST[:PORT], RFC 9110 7.2, RFC 3986 3.2.2.
func ValidHost(s string) bool {
	if s != "" && s[0] == '[' {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return false
		}
		if addr, err := netip.ParseAddr(s[1:end]); err != nil || !addr.Is6() || addr.Zone() != "" {
			return false
		}
		s = s[end+1:]
	} else {
		end := strings.IndexByte(s, ':')
		if end < 0 {
			end = len(s)
		}
		for i := range end {
			if !hostByte[s[i]] {
				return false
			}
		}
		s = s[end:]
	}
	return s == "" || s[0] == ':' && strings.Trim(s[1:], "0123456789") == ""
}

// hostByte has the bytes of a registered name, but for escapes, which nobody uses and some decode: unreserved and
// sub-delims.
var hostByte = func() (set [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=") {
		set[c] = true
	}
	return set
}()

var tokenByte = func() (t [256]bool) {
	for _, c := range "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		t[c] = true
	}
	return t
}()
