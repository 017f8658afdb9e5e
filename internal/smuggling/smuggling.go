// Package smuggling is a corpus of HTTP/1 requests that the parties on the way to an application may read differently,
// and of odd ones that have a single meaning, with what RFC 9110 and RFC 9112 (June 2022) let become of each. It is
// data for tests: of gangway's own server, of what is behind it, and of other programs.
//
// Begin with [Hostile] and [Legitimate]. Send Form.Sent and [Canary] over one connection: whether a form is refused or
// read, the canary must be read whole or not at all, and nothing that was hidden in the form.
package smuggling

import (
	"fmt"
	"slices"
	"strings"
)

// A Form is a request as somebody sends it.
type Form struct {
	// Class says what is odd, and for hostile forms the section about it, of RFC 9112 if no other is named.
	Class string
	// Name is the class and a number within it.
	Name string
	Sent string
	// Status is with what a strict server refuses the form, and closes the connection; 0 for a legitimate one.
	Status int
	// Read are the requests that it may be taken for, as [Reading] writes them. The first of a legitimate form is the
	// message as it was sent. A hostile form without any must be refused.
	Read []string
	// Last forms end the connection if they are read: what follows must not be.
	Last bool
	// Framed forms end where their header does even if they must be refused: a server that does so may go on.
	Framed bool
	// Open forms announce more than they have: the canary is a part of them for who waits for that.
	Open bool
}

// Canary is a request to send behind a form.
const Canary = "GET /canary HTTP/1.1\r\nHost: canary\r\n\r\n"

// CanaryRead is the Reading of Canary.
var CanaryRead = Reading("GET", "/canary", "canary", "")

// Reading writes what an application was asked. The target is in origin form, or "*"; body is without its framing.
func Reading(method, target, host, body string) string {
	return method + " " + target + " " + host + " " + body
}

// OriginForm returns a target without scheme and authority, which it has in absolute form (3.2.2).
func OriginForm(target string) string {
	_, rest, absolute := strings.Cut(target, "://")
	if !absolute || target[0] == '/' {
		return target
	}
	switch i := strings.IndexAny(rest, "/?"); {
	case i < 0:
		return "/"
	case rest[i] == '?':
		return "/" + rest[i:]
	default:
		return rest[i:]
	}
}

// Hostile are the messages that parties on the way may read differently, or that are none.
//
// What they may be read as follows from the musts of the two texts. Who reads what it only should refuse is right if
// the message can mean nothing else: nobody finds its end, its target or its host elsewhere.
var Hostile = slices.Concat(framing, startLines, fieldLines, targets, chunks)

// class names the forms of a class and gives them their status.
func class(name string, status int, forms ...[]Form) []Form {
	all := slices.Concat(forms...)
	for i := range all {
		all[i].Class, all[i].Status = name, status
		all[i].Name = fmt.Sprintf("%s/%d", name, i+1)
	}
	return all
}

// never are forms that must be refused.
func never(sent ...string) (forms []Form) {
	for _, s := range sent {
		forms = append(forms, Form{Sent: s})
	}
	return forms
}

// may are forms that may be refused, or read like this.
func may(read string, sent ...string) []Form {
	return either([]string{read}, sent...)
}

// either are forms that may be refused, or read in one of these ways.
func either(read []string, sent ...string) []Form {
	forms := never(sent...)
	for i := range forms {
		forms[i].Read = read
	}
	return forms
}

// last are forms that may be read like this if the connection ends with it.
func last(read string, sent ...string) []Form {
	forms := may(read, sent...)
	for i := range forms {
		forms[i].Last = true
	}
	return forms
}

// framed marks forms behind which a server may go on after it has refused them.
func framed(forms ...[]Form) []Form {
	all := slices.Concat(forms...)
	for i := range all {
		all[i].Framed = true
	}
	return all
}

// open are forms that may be waited for.
func open(sent ...string) []Form {
	forms := never(sent...)
	for i := range forms {
		forms[i].Open = true
	}
	return forms
}

// post returns a POST with these field lines and what follows them.
func post(rest string) string { return "POST / HTTP/1.1\r\nHost: h\r\n" + rest }

// get returns a GET with these field lines.
func get(lines string) string { return "GET / HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n" }

// line returns a request with this request line.
func line(requestLine string) string { return requestLine + "\r\nHost: h\r\n\r\n" }

// host returns a request with this Host.
func host(value string) string { return "GET / HTTP/1.1\r\nHost: " + value + "\r\n\r\n" }

// chunked returns a POST with this behind its header.
func chunked(body string) string { return post(te + "\r\n" + body) }

const (
	cl = "Content-Length: 3\r\n"
	te = "Transfer-Encoding: chunked\r\n"
	// zero ends a chunked body that hides a request from those who go by Content-Length, and the other way round.
	zero   = "0\r\n\r\n"
	hidden = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"

	// What most forms are read as.
	plain = "GET / h "
	empty = "POST / h "
	abc   = "POST / h abc"
)

// long is more than anybody's buffer for a header.
var long = strings.Repeat("a", 70_000)
