package script

import (
	"strings"

	"github.com/gangway-go/gangway/conformance"
)

// upload is a form with a file of 1 MiB, as a browser sends it.
const (
	uploadType = "multipart/form-data; boundary=gangway"
	uploadHead = "--gangway\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n"
)

func upload() string { return uploadHead + strings.Repeat("u", 1<<20) + "\r\n--gangway--\r\n" }

func resourceCases() []conformance.Case {
	const spool = "The script may spool large submissions to disk or other buffering media, but a rapid succession of " +
		"large submissions may result in denial of service conditions."
	return []conformance.Case{{
		Name:   "script/9.5/no-process-left",
		Quote:  "It should therefore be ensured that the script cannot interfere with the server process",
		Level:  conformance.Robustness,
		Sends:  "a GET and a POST",
		Passes: "leaves no other process of its group behind",
		Run: test(func(t *T) {
			for _, r := range []*request{t.request("GET"), t.post(form, "a=b")} {
				got := t.send(r)
				t.Check(!got.left, "a process lives on after a %s", r.value("REQUEST_METHOD"))
			}
		}),
	}, {
		Name: "script/9.6/large-body",
		Quote: "The script should not assume that statically allocated buffers of any size are sufficient to contain the " +
			"entire submission at one time.",
		Level:  conformance.Security,
		Sends:  "a POST of 8 MiB",
		Passes: "gives a response, also one that refuses the request",
		Run: test(func(t *T) {
			t.survives(t.send(t.post("application/octet-stream", strings.Repeat("b", 8<<20))))
		}),
	}, {
		Name:   "script/9.6/no-temporary-files-left",
		Quote:  spool,
		Level:  conformance.Robustness,
		Sends:  "a POST with a file of 1 MiB, and an empty directory as TMPDIR",
		Passes: "leaves no file there",
		Run: test(func(t *T) {
			dir := t.folder()
			t.send(t.post(uploadType, upload()).set("TMPDIR", dir))
			t.Check(len(t.names(dir)) == 0, "files %q are left", t.names(dir))
		}),
	}, {
		Name:   "script/9.6/no-temporary-files-after-signal",
		Quote:  spool,
		Level:  conformance.Robustness,
		Sends:  "the first half of a POST with a file of 1 MiB, an empty directory as TMPDIR, and SIGTERM",
		Passes: "ends and leaves no file there",
		Run: test(func(t *T) {
			dir := t.folder()
			r := t.post(uploadType, upload()).set("TMPDIR", dir)
			r.stdin, r.hold = r.stdin[:len(r.stdin)/2], true
			t.terminate(t.start(r)).await()
			t.Check(len(t.names(dir)) == 0, "files %q are left", t.names(dir))
		}),
	}}
}
