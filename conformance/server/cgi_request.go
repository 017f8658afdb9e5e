package server

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// requestCases are about what a server makes of a client's request, RFC 3875 sections 3 and 4, with any protocol behind
// it.
func requestCases() []conformance.Case {
	return slices.Concat(cgi31, cgi32, cgi34, cgi41, cgi411, cgi412(), cgi413(), cgi414, cgi415(), cgi415Security,
		cgi416, cgi417(), cgi418, cgi419, cgi4110, cgi4111, cgi4112(), cgi4113, cgi4114, cgi4115, cgi4116,
		cgi4117, cgi4118(), cgi4118Names, cgi4118Limits, cgi42(), cgi42Framing(), cgi42Expect, cgi42Unread, cgi43, cgi44)
}

// Refused sends a request that must not reach the application, or not to its end: the server says so or closes the
// connection.
func (t *T) Refused(request Request) {
	got := ""
	_, r := t.Do(request, func(x *Exchange) {
		if body, err := x.ReadBody(-1); err != nil {
			x.Close()
			return
		} else {
			got = "the application got the request, with the body " + excerpt(body)
		}
		OK(x)
	})
	t.Check(got == "", "%s", got)
	t.Refusal(r, 400)
}

// Refusal makes sure that the server answered with least or a higher status, or closed the connection without an
// answer.
func (t *T) Refusal(r *Response, least int) {
	t.Valid(r)
	t.Check(r.Status >= least || r.Status == 0 && len(r.Raw) == 0, "%v", r)
}

// Offer sends a request that the server may refuse or redirect, and then it returns nil. Else the application serves
// it.
func (t *T) Offer(request Request) *Exchange {
	x, r := t.Do(request, OK)
	if x == nil {
		t.Refusal(r, 300)
		return nil
	}
	t.Intact(r, 200, t.token)
	return x
}

// OfferGet is Offer for a GET request.
func (t *T) OfferGet(target string, fields ...string) *Exchange {
	return t.Offer(t.Request("GET", target, "", fields...))
}

// WantRaw makes sure that REQUEST_URI, which is no variable of RFC 3875, is as the client sent the target, if it is
// there.
func (x *Exchange) WantRaw(target string) {
	if x.Has("REQUEST_URI") {
		x.Want("REQUEST_URI", x.t.At(target))
	}
}

// basic is the field Authorization for a user of /auth.
func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// chunkedRequest is a POST request with a body in the chunked coding.
func (t *T) chunkedRequest(coded string, fields ...string) Request {
	return t.Request("POST", "/app/chunked", coded, append(fields, "Transfer-Encoding: chunked")...)
}

// Chunks sends a request with a chunked body, which the application must get decoded; a server that takes none says
// 411.
func (t *T) Chunks(body, coded string, fields ...string) *Exchange {
	x, r := t.Do(t.chunkedRequest(coded, fields...), OK)
	if x == nil {
		t.Want(r, 411)
		return nil
	}
	t.Intact(r, 200, t.token)
	x.WantBody(body)
	return x
}

// WantBody makes sure that the application has read this body, and that CONTENT_LENGTH is its length.
func (x *Exchange) WantBody(body string) {
	got := string(x.body)
	x.t.Check(got == body, "the application got the body %s", excerpt(got))
	if body != "" {
		x.Want("CONTENT_LENGTH", strconv.Itoa(len(body)))
	}
}

// withPrefix are the variables whose names begin so.
func (x *Exchange) withPrefix(prefix string) (names []string) {
	for _, v := range x.Vars {
		if strings.HasPrefix(v.Name, prefix) {
			names = append(names, v.Name)
		}
	}
	return names
}
