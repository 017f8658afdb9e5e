package server

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/internal/execfile"
)

const quoteInterfere = "It should therefore be ensured that the script cannot interfere with the server process, " +
	"its configuration, documents or log files."

// RFC 3875 section 9, Security Considerations.
var cgi9 = []conformance.Case{{
	Name: "cgi/9.5/script-source-not-served", Level: conformance.Security, Needs: []string{"cgi"},
	Quote:  "The source of a program has passwords in it and shows where it is weak.",
	Sends:  "requests for a program with something after its name, or with its name in another spelling",
	Passes: "never answers with the file itself",
	Run: test(func(t *T) {
		file := t.script(scriptFile)
		for _, name := range []string{
			file + "/", file + "%20", file + ".", file + "%00", file + "%00.txt", file + "::$DATA", file + "~",
			file + "%2f", file + "%5c", file + ";.txt",
			strings.ToUpper(file), strings.Replace(file, "probe.cgi", "PROBE.CGI", 1), strings.Replace(file,
				"/probe", "//probe", 1),
			strings.Replace(file, "probe.cgi", "./probe.cgi", 1), strings.Replace(file, "probe.cgi",
				"%70robe.cgi", 1), file + "?" + file,
		} {
			_, r := t.Do(t.Request("GET", name, ""), OK)
			t.Valid(r)
			t.Check(!strings.Contains(string(r.Body), probeWord), "the source of the program for %s", name)
		}
	}),
}, {
	Name:  "cgi/9.5/script-not-overwritten",
	Quote: quoteInterfere,
	Level: conformance.Security,
	Needs: []string{"cgi"},
	Sends: "PUT, DELETE and MOVE requests for a program", Passes: "leaves its file as it is",
	Run: test(func(t *T) {
		path := filepath.Join(t.target.scripts.dir, scriptFile)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Broken(err)
		}
		t.Cleanup(func() { execfile.WriteFile(path, before, 0o755) })
		for _, method := range []string{"PUT", "DELETE", "MOVE"} {
			_, r := t.Do(t.Request(method, t.script(scriptFile), "#!/bin/sh\n", "Destination: /moved"), OK)
			t.Valid(r)
			after, err := os.ReadFile(path)
			t.Check(err == nil && string(after) == string(before), "%s changed the program", method)
		}
	}),
}, {
	Name: "cgi/9.5/no-directory-listing", Level: conformance.Security, Needs: []string{"cgi"},
	Quote: "A list of the programs there are helps those who look for a weak one.",
	Sends: "a request for the directory of the programs", Passes: "does not list them",
	Run: test(func(t *T) {
		_, r := t.Do(t.Request("GET", t.script(""), ""), OK)
		t.Valid(r)
		t.Check(!strings.Contains(string(r.Body), noInterpFile), "a list of the programs: %v", r)
	}),
}, {
	Name: "cgi/9.8/relative-paths", Level: conformance.Security, Needs: []string{"cgi"},
	Quote: "The server should be careful of \"..\" path segments in the request URI. These should be removed " +
		"or resolved in the request URI before it is split into the script-path and extra-path.",
	Sends: "requests that lead from the directory of the programs to a program elsewhere, and to " +
		"/etc/passwd, by .. in many spellings",
	Passes: "neither runs that program nor shows that file",
	Run: test(func(t *T) {
		for _, up := range []string{"../", "%2e%2e/", "..%2f", "%2e%2e%2f", "..%5c", "..\\", ".%2e/",
			"%252e%252e/", "..%c0%af", "..;/", "x/../../"} {
			for _, file := range []string{t.target.scripts.outside(), "/etc/passwd"} {
				target := t.script("") + strings.Repeat(up, 12) + strings.TrimPrefix(file, "/")
				x, r := t.Do(t.Request("GET", target, ""), OK)
				t.Check(x == nil || !strings.HasSuffix(x.Process.File, outsideFile), "the program outside of "+
					"the directory was run for %s", up)
				t.noSystemFile(r)
			}
		}
	}),
}, {
	Name: "cgi/9.2/auth-header-not-leaked-to-log", Level: conformance.Security,
	Quote: "The server validates this information and so it should not pass on the password via the " +
		"HTTP_AUTHORIZATION meta-variable without careful consideration.",
	Sends: "a request with Authorization and Proxy-Authorization that is answered without a header",
	Passes: "has the password neither in its error log, nor in its answer, nor in a variable whose name " +
		"begins with REDIRECT_",
	Run: test(func(t *T) {
		secret := base64.StdEncoding.EncodeToString([]byte("conform:" + t.token))
		x, r := t.Do(t.Request("GET", "/app/x", "", "Authorization: Basic "+secret,
			"Proxy-Authorization: Basic "+secret), CGI("no header\n"))
		t.Check(x != nil, "the application got no request; the server answered %v", r)
		for _, v := range x.Vars {
			t.Check(!strings.HasPrefix(v.Name, "REDIRECT_") || !strings.Contains(v.Value, secret),
				"the password is in %s", v.Name)
		}
		log, _ := os.ReadFile(t.target.ErrorLog)
		t.Check(!strings.Contains(string(log), secret), "the password is in the error log")
		t.Check(!strings.Contains(string(r.Body), secret), "the password is in the response")
	}),
}}
