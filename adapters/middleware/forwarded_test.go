package middleware

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gangway-go/gangway/adapters"
)

func prefixes(list ...string) (p []netip.Prefix) {
	for _, s := range list {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}

// fields makes a Header of "Name: value" lines.
func fields(lines ...string) (h adapters.Header) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

func TestForwarded(t *testing.T) {
	usual := Forwarded{Trusted: prefixes("10.0.0.0/8", "2001:db8:1::/48"), Proto: true, Host: true, Port: true}
	all, only := usual, Forwarded{Trusted: usual.Trusted}
	all.ServerNames = []string{"first.example", "example.org"}
	standard := Forwarded{Trusted: usual.Trusted, Standard: true}
	type want struct{ remote, port, scheme, host, local string }
	from := func(remote string) want { return want{remote: remote, scheme: "http", host: "front", local: "8080"} }
	tests := []struct {
		name   string
		f      Forwarded
		peer   string
		header adapters.Header
		want   want
		left   adapters.Header
	}{
		{"nobody says anything", all, "10.0.0.1", fields("A: 1"), from("10.0.0.1"), fields("A: 1")},
		{"not trusted", all, "192.0.2.1", fields("X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "x-forwarded-host: evil",
			"Forwarded: for=1.2.3.4", "X-Real-IP: 1.2.3.4", "X-Forwarded-Prefix: /x", "A: 1"), from("192.0.2.1"), fields("A: 1")},
		{"one hop", all, "10.0.0.1", fields("X-Forwarded-For: 192.0.2.7"), from("192.0.2.7"), fields("X-Forwarded-For: 192.0.2.7")},
		{"peer mapped into IPv6", all, "::ffff:10.0.0.1", fields("X-Forwarded-For: 192.0.2.7"), from("192.0.2.7"),
			fields("X-Forwarded-For: 192.0.2.7")},
		{"what the client made up", all, "10.0.0.1", fields("X-Forwarded-For: 1.1.1.1, 192.0.2.7"), from("192.0.2.7"),
			fields("X-Forwarded-For: 192.0.2.7")},
		{"a trusted address made up", all, "10.0.0.1", fields("X-Forwarded-For: 10.0.0.9, 192.0.2.7"), from("192.0.2.7"),
			fields("X-Forwarded-For: 192.0.2.7")},
		{"two hops", all, "10.0.0.1", fields("X-Forwarded-For: 192.0.2.7, 10.0.0.2"), from("192.0.2.7"),
			fields("X-Forwarded-For: 192.0.2.7, 10.0.0.2")},
		{"two fields", all, "10.0.0.1", fields("X-Forwarded-For: 9.9.9.9,192.0.2.7", "X-Forwarded-For:  10.0.0.2 ,10.0.0.3"),
			from("192.0.2.7"), fields("X-Forwarded-For: 192.0.2.7, 10.0.0.2, 10.0.0.3")},
		{"all trusted", all, "10.0.0.1", fields("X-Forwarded-For: 10.0.0.3, 10.0.0.2"), from("10.0.0.3"),
			fields("X-Forwarded-For: 10.0.0.3, 10.0.0.2")},
		{"an untrusted hop hides those before", all, "10.0.0.1", fields("X-Forwarded-For: 192.0.2.7, 198.51.100.1, 10.0.0.2"),
			from("198.51.100.1"), fields("X-Forwarded-For: 198.51.100.1, 10.0.0.2")},
		{"not an address", all, "10.0.0.1", fields("X-Forwarded-For: unknown"), from("10.0.0.1"), nil},
		{"not an address behind one", all, "10.0.0.1", fields("X-Forwarded-For: 192.0.2.7, unknown, 10.0.0.2"),
			from("10.0.0.2"), fields("X-Forwarded-For: 10.0.0.2")},
		{"a port", all, "10.0.0.1", fields("X-Forwarded-For: 192.0.2.7:4711"),
			want{"192.0.2.7", "4711", "http", "front", "8080"}, fields("X-Forwarded-For: 192.0.2.7:4711")},
		{"IPv6", all, "2001:db8:1::1", fields("X-Forwarded-For: 2001:db8::7, 2001:db8:1::2"), from("2001:db8::7"),
			fields("X-Forwarded-For: 2001:db8::7, 2001:db8:1::2")},
		{"IPv6 with port", all, "10.0.0.1", fields("X-Forwarded-For: [2001:db8::7]:1"),
			want{"2001:db8::7", "1", "http", "front", "8080"}, fields("X-Forwarded-For: [2001:db8::7]:1")},
		{"IPv6 in brackets", all, "10.0.0.1", fields("X-Forwarded-For: [2001:db8::7]"), from("2001:db8::7"),
			fields("X-Forwarded-For: [2001:db8::7]")},
		{"https", all, "10.0.0.1", fields("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: HTTPS"),
			want{"192.0.2.7", "", "https", "front", "443"}, fields("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https")},
		{"https alone", all, "10.0.0.1", fields("X-Forwarded-Proto: https"),
			want{"10.0.0.1", "", "https", "front", "443"}, fields("X-Forwarded-Proto: https")},
		{"proto of the hop", all, "10.0.0.1", fields("X-Forwarded-For: 192.0.2.7, 10.0.0.2", "X-Forwarded-Proto: https, http"),
			want{"192.0.2.7", "", "https", "front", "443"},
			fields("X-Forwarded-For: 192.0.2.7, 10.0.0.2", "X-Forwarded-Proto: https")},
		{"proto of another number", all, "10.0.0.1", fields("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https, http"),
			want{"192.0.2.7", "", "http", "front", "80"}, fields("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: http")},
		{"odd proto", all, "10.0.0.1", fields("X-Forwarded-Proto: javascript"), from("10.0.0.1"), nil},
		{"host", all, "10.0.0.1", fields("X-Forwarded-Host: example.org:444", "X-Forwarded-Proto: https"),
			want{"10.0.0.1", "", "https", "example.org:444", "444"},
			fields("X-Forwarded-Proto: https", "X-Forwarded-Host: example.org:444")},
		{"odd host", all, "10.0.0.1", fields("X-Forwarded-Host: a/b"), from("10.0.0.1"), nil},
		{"port", all, "10.0.0.1", fields("X-Forwarded-Port: 8443", "X-Forwarded-Proto: https"),
			want{"10.0.0.1", "", "https", "front", "8443"}, fields("X-Forwarded-Proto: https", "X-Forwarded-Port: 8443")},
		{"odd port", all, "10.0.0.1", fields("X-Forwarded-Port: 0"), from("10.0.0.1"), nil},
		{"not named", only, "10.0.0.1", fields("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil",
			"X-Forwarded-Port: 1", "Forwarded: for=1.1.1.1", "X-Real-IP: 192.0.2.7"), from("192.0.2.7"),
			fields("X-Real-IP: 192.0.2.7", "X-Forwarded-For: 192.0.2.7")},
		{"usual, standard sent", all, "10.0.0.1", fields("Forwarded: for=1.1.1.1;proto=https"), from("10.0.0.1"), nil},

		{"standard", standard, "10.0.0.1", fields("Forwarded: for=192.0.2.7;proto=https;by=10.0.0.1;host=example.org"),
			want{"192.0.2.7", "", "https", "example.org", "443"},
			fields("Forwarded: for=192.0.2.7;proto=https;by=10.0.0.1;host=example.org")},
		{"standard, usual sent", standard, "10.0.0.1", fields("X-Forwarded-For: 1.1.1.1", "X-Forwarded-Proto: https"),
			from("10.0.0.1"), nil},
		{"standard, not trusted", standard, "192.0.2.1", fields("Forwarded: for=1.1.1.1"), from("192.0.2.1"), nil},
		{"standard, made up", standard, "10.0.0.1", fields("Forwarded: for=1.1.1.1;proto=https, For=192.0.2.7, for=10.0.0.2"),
			from("192.0.2.7"), fields("Forwarded: For=192.0.2.7, for=10.0.0.2")},
		{"standard, IPv6", standard, "10.0.0.1", fields(`Forwarded: for="[2001:db8::7]:4711" ; proto=http , for=10.0.0.2`),
			want{"2001:db8::7", "4711", "http", "front", "80"}, fields(`Forwarded: for="[2001:db8::7]:4711" ; proto=http, for=10.0.0.2`)},
		{"standard, two fields", standard, "10.0.0.1", fields("Forwarded: for=192.0.2.7", `Forwarded: for="10.0.0.2"`),
			from("192.0.2.7"), fields(`Forwarded: for=192.0.2.7, for="10.0.0.2"`)},
		{"standard, obfuscated", standard, "10.0.0.1", fields("Forwarded: for=_hidden, for=10.0.0.2"), from("10.0.0.2"),
			fields("Forwarded: for=10.0.0.2")},
		{"standard, unknown", standard, "10.0.0.1", fields("Forwarded: for=unknown"), from("10.0.0.1"), nil},
		{"standard, a comma in quotes", standard, "10.0.0.1", fields(`Forwarded: by="a,for=1.1.1.1";for=192.0.2.7`),
			from("192.0.2.7"), fields(`Forwarded: by="a,for=1.1.1.1";for=192.0.2.7`)},
		{"standard, malformed", standard, "10.0.0.1", fields(`Forwarded: for="1.1.1.1, for=192.0.2.7`), from("10.0.0.1"), nil},
		{"standard, twice the same", standard, "10.0.0.1", fields("Forwarded: for=1.1.1.1;for=192.0.2.7"), from("10.0.0.1"), nil},
		{"standard, odd proto", standard, "10.0.0.1", fields("Forwarded: for=192.0.2.7;proto=x"), from("10.0.0.1"), nil},
		{"standard, no equals sign", standard, "10.0.0.1", fields("Forwarded: for"), from("10.0.0.1"), nil},
		{"standard, junk behind quotes", standard, "10.0.0.1", fields(`Forwarded: for="192.0.2.7"x`), from("10.0.0.1"), nil},
		{"standard, blanks within", standard, "10.0.0.1", fields("Forwarded: for=192.0.2.7 x"), from("10.0.0.1"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := &adapters.Request{Host: "front", Scheme: "http", Header: tt.header.Clone()}
			req.Remote = adapters.Endpoint{Addr: tt.peer, Port: "1000", Name: "proxy"}
			req.Local = adapters.Endpoint{Addr: "10.1.1.1", Port: "8080", Name: "first.example"}
			got := tt.f.request(req)
			if tt.want.remote == tt.peer && tt.want.port == "" {
				tt.want.port = "1000"
			}
			assert.Equal(t, tt.want, want{got.Remote.Addr, got.Remote.Port, got.Scheme, got.Host, got.Local.Port})
			assert.ElementsMatch(t, tt.left, got.Header)
			assert.Equal(t, tt.header, req.Header, "the request itself stays")
			if got.Remote.Addr == tt.peer {
				assert.Empty(t, got.Vars)
			} else {
				assert.Equal(t, []adapters.Var{{Name: "REALIP_REMOTE_ADDR", Value: tt.peer},
					{Name: "REALIP_REMOTE_PORT", Value: "1000"}}, got.Vars)
				assert.Empty(t, got.Remote.Name)
			}
			name := "first.example"
			if tt.f.ServerNames != nil && strings.HasPrefix(got.Host, "example.org") {
				name = "example.org"
			}
			assert.Equal(t, name, got.Local.Name)
		})
	}
}

func FuzzForwarded(f *testing.F) {
	f.Add("for=192.0.2.7;proto=https, for=10.0.0.2", true)
	f.Add(`for="[2001:db8::7]:4711"; by="a\",b"`, true)
	f.Add("192.0.2.7, 10.0.0.2", false)
	f.Fuzz(func(t *testing.T, value string, standard bool) {
		mw := Forwarded{Trusted: prefixes("10.0.0.0/8"), Standard: standard, Proto: true, Host: true, Port: true}
		name := "X-Forwarded-For"
		if standard {
			name = "Forwarded"
		}
		req := &adapters.Request{Scheme: "http", Header: adapters.Header{
			{Name: name, Value: value}, {Name: "X-Forwarded-Proto", Value: value}, {Name: "X-Forwarded-Host", Value: value},
			{Name: "X-Forwarded-Port", Value: value},
		}}
		req.Remote.Addr = "10.0.0.1"
		got := mw.request(req)
		if _, err := netip.ParseAddr(got.Remote.Addr); err != nil {
			t.Fatal(err)
		}
		again := mw.request(&adapters.Request{Scheme: "http", Header: got.Header, Remote: req.Remote})
		if again.Remote != got.Remote && len(got.Header) > 0 {
			t.Fatalf("%q: %v, of what is passed on %v", value, got.Remote, again.Remote)
		}
	})
}
