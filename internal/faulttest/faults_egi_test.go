//go:build unix

package faulttest

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/conformance/faulty"
	"github.com/gangway-go/gangway/egi"
)

// playing is an actor in this process.
func playing(a *faulty.Actor) adapters.Handler {
	return egi.Func(func(w http.ResponseWriter, r *egi.Request) error {
		if a.Behaves() {
			io.WriteString(w, r.Request.Query)
			return nil
		}
		for _, s := range a.Play {
			switch s.Verb {
			case "say":
				sayEGI(w, strings.Repeat(s.Text, s.Count))
			case "nap":
				time.Sleep(moment / 30)
			case "stall":
				<-r.Context().Done()
				return nil
			case "exit":
				return errors.New("the program failed")
			case "reset":
				panic("the program failed")
			}
		}
		return nil
	})
}

// sayEGI says a part of a response in the form of CGI. A header comes in one piece.
func sayEGI(w http.ResponseWriter, text string) {
	head, body, isHead := strings.Cut(text, "\r\n\r\n")
	if !isHead {
		io.WriteString(w, text)
		w.(http.Flusher).Flush()
		return
	}
	fields, _ := textproto.NewReader(bufio.NewReader(strings.NewReader(head + "\r\n\r\n"))).ReadMIMEHeader()
	status, _ := strconv.Atoi(fields.Get("Status"))
	fields.Del("Status")
	for name, values := range fields {
		w.Header()[name] = values
	}
	if status != 0 {
		w.WriteHeader(status)
	}
	if body != "" {
		io.WriteString(w, body)
	}
}
