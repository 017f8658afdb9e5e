package server

import "github.com/gangway-go/gangway/conformance"

func fcgiCases() []conformance.Case { return []conformance.Case{{Name: "fcgi-client/1/x", Run: test(func(t *T){
		x := t.Post("/app/b", "hello")
		t.Check(x.Body() == "hello", "%q", x.Body())
		r := t.Reply("Status: 404 Nope\n\nbody")
		t.Intact(r, 404, "body")
})}} }
