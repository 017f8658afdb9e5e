package script

import (
	"bytes"
	"os"

	"github.com/gangway-go/gangway/conformance"
)

// secret is a file that every program can read, and none should show.
const secret = "/etc/passwd"

func pathCases() []conformance.Case {
	const quote = "They should either be removed from the path before use in OS system calls, or the request should be " +
		"rejected with 404 'Not Found'."
	cases := []conformance.Case{{
		Name: "script/8.2/path-info-unexpected",
		Quote: "If the script does not intend processing the PATH_INFO data, then it should reject the request with 404 " +
			"Not Found if PATH_INFO is not NULL.",
		Level:  conformance.Should,
		Needs:  []string{needOwnPaths},
		Sends:  "a GET with PATH_INFO=/unexpected",
		Passes: "gives status 404",
		Run: test(func(t *T) {
			status := t.send(t.ask("GET", "/unexpected")).status()
			t.Check(status == 404, "status %d", status)
		}),
	}}
	for _, attack := range []struct{ name, path, quote string }{
		{"script/8.2/path-info-dotdot", "/../../../../../../../../etc/passwd", quote},
		{"script/8.2/path-info-void-segments", "//etc/passwd", quote},
		{"script/8.2/path-info-double-decoding", "/..%2f..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
			"PATH_INFO has been decoded: a program that does so again undoes the server's checks."},
	} {
		cases = append(cases, conformance.Case{
			Name:   attack.name,
			Quote:  attack.quote,
			Level:  conformance.Security,
			Sends:  "a GET with PATH_INFO=" + attack.path,
			Passes: "does not show that file",
			Run:    test(func(t *T) { t.keepsSecret(t.ask("GET", attack.path)) }),
		})
	}
	return append(cases, conformance.Case{
		Name: "script/9.7/traversal-query",
		Quote: "In particular, scripts should examine data obtained from the client and verify that they are valid, both " +
			"in form and content, before allowing them to be used for sensitive purposes",
		Level:  conformance.Security,
		Sends:  "a GET with ../../../../../../../../etc/passwd as file, page and path in QUERY_STRING",
		Passes: "does not show that file",
		Run: test(func(t *T) {
			const up = "../../../../../../../../etc/passwd"
			t.keepsSecret(t.query("file=" + up + "&page=" + up + "&path=" + up))
		}),
	})
}

// keepsSecret fails if the response has the first line of the secret file.
func (t *T) keepsSecret(r *request) {
	b, err := os.ReadFile(secret)
	first, _, found := bytes.Cut(b, []byte("\n"))
	if err != nil || !found {
		t.Skip("there is no %s on this system", secret)
	}
	r.unset("PATH_TRANSLATED")
	got := t.send(r)
	t.Check(!bytes.Contains(got.stdout, first), "the contents of %s", secret)
}
