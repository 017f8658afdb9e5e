package server

import (
	"strconv"
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// cgi72Files are about programs that cannot be run, RFC 3875 section 7.2.
func cgi72Files() []conformance.Case {
	failure := func(name, sends, file string) conformance.Case {
		return conformance.Case{
			Name:  "cgi/7.2/" + name,
			Spec:  "RFC 3875 section 3.1; RFC 3875",
			Quote: aboutConformity,
			Level: conformance.Must,
			Needs: []string{"cgi"},
			Sends: sends, Passes: "answers with a 4xx or 5xx status and does not show the file",
			Run: test(func(t *T) {
				_, r := t.Do(t.Request("GET", t.script(file), ""), OK)
				t.Want(r, 4, 5)
				t.Check(!strings.Contains(string(r.Body), marker), "the file itself: %v", r)
			}),
		}
	}
	return []conformance.Case{
		failure("exec-failure-500", "a request for a program whose permissions have no x", noExecFile),
		failure("exec-no-interpreter", "a request for a program whose interpreter does not exist", noInterpFile),
		failure("exec-no-format", "a request for a file that is executable and nothing that a kernel can run",
			noFormatFile),
		failure("exec-not-there", "a request for a program that does not exist", "no-such-program.cgi"),
		{
			Name: "cgi/7.2/arg-list-too-long", Level: conformance.Robustness, Needs: []string{"cgi"}, Serial: true,
			Quote:  "An environment that the system does not take must end the request, and not the server.",
			Sends:  "requests with one header field of 200000 bytes, and with 400 fields of 8000 bytes",
			Passes: "serves them or answers with a 4xx or 5xx status",
			Run: test(func(t *T) {
				many := make([]string, 400)
				for i := range many {
					many[i] = "X-Long-" + itoa(i) + ": " + strings.Repeat("v", 8000)
				}
				for _, fields := range [][]string{{"X-Long: " + strings.Repeat("v", 200_000)}, many} {
					_, r := t.Do(t.Request("GET", "/app/long", "", fields...), OK)
					t.Valid(r)
					t.Check(r.Status == 200 || r.Status >= 400 || len(r.Raw) == 0, "%v", r)
				}
			}),
		},
	}
}

// signalSets reads what the shell script says of the process: the signals that are blocked and those that are ignored.
func signalSets(status string) (blocked, ignored uint64) {
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		set, _ := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		switch name {
		case "SigBlk":
			blocked = set
		case "SigIgn":
			ignored = set
		}
	}
	return blocked, ignored
}
