// Package echo is the echo application of the conformance suite: a program that tells in its response what it saw of
// the request, in many languages and on as many gateway libraries, so that a case can look behind them. It is
// embedded as source text; its contract is version 1, described here. Begin with [Source] to get a program and
// [Parse] to read what it answers.
//
// # What it answers
//
// Content-Type is text/x-gangway-echo and the body is lines, which end with LF, of words with one space between two.
// Names and values are percent-encoded: every byte but A-Z a-z 0-9 - . _ ~ / is %XX with capital digits, and an empty
// value is an empty word. In this order:
//
//	echo 1
//	var NAME VALUE        each meta-variable, in the order in which the application sees them, and as often
//	arg VALUE             each argument of the command line
//	body LENGTH SHA256    the message-body, to CONTENT_LENGTH or as the gateway library gives it; "body - -" if not read
//	data LENGTH SHA256    FCGI_DATA, in the role Filter only
//	fd N                  each descriptor above 2 that was inherited: open and not close-on-exec
//	cwd PATH
//	pid N
//	end
//
// In the role Authorizer (FCGI_ROLE is AUTHORIZER) it reads no body and no modes, and answers status 200,
// "Variable-ECHO: 1" and no body.
//
// # Modes
//
// QUERY_STRING holds modes with & between two. Unknown ones, and those with a number that is none, are ignored. They
// can be combined: the body is read, then sleep, crash, empty, stderr, and of large, binary, flush and the lines the
// first.
//
//	noread      does not read the body
//	sleep=MS    waits before any output; an application that can be told of an abort ends then
//	crash       dies of SIGKILL before any output
//	empty       writes nothing at all
//	stderr=N    writes N bytes of diagnostics, the line of 63 e and LF repeated: half of them before the header, the rest
//	            in the middle of the body
//	large=N     instead of the lines: application/octet-stream, Pattern(N)
//	crash=N     the same, and dies of SIGKILL when it is flushed
//	binary      instead of the lines: application/octet-stream, the 256 bytes 0 to 255
//	flush=MS    instead of the lines: "tick 1", "tick 2" and "tick 3", each flushed, so long apart
//	exit=N      ends with the exit status, or appStatus, N
//
// What a language or a library cannot do is listed at [Languages].
package echo

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed apps
var apps embed.FS

// files are the names of the programs by language.
var files = map[string]string{
	"c": "echo.c", "go": "echo.go", "perl": "echo.pl", "php": "echo.php", "psgi": "echo.psgi",
	"python": "echo.py", "rack": "echo.ru", "ruby": "echo.rb", "sh": "echo.sh",
}

// Languages returns the languages of which there is a program, in alphabetical order. What they cannot do, with the
// libraries of Debian 12:
//
//   - c (libfcgi): nothing is missing.
//   - go (net/http): no exit, empty, diagnostics or other roles over FastCGI. There it sees neither SCRIPT_NAME nor
//     PATH_INFO, takes the query from REQUEST_URI, and makes variables again of what the library made into a request.
//     As CGI it needs REQUEST_METHOD and SERVER_PROTOCOL.
//   - perl (FCGI.pm): no exit over FastCGI, no data. Variables are sorted.
//   - php: no empty or arguments; no exit or data over FastCGI. PHP changes the names of variables as always for
//     $_SERVER, and the variables of the process are among them. PHP ends each line of diagnostics itself; php-fpm puts
//     "PHP message: " before it. The body of a POST above post_max_size is lost.
//   - psgi (Plack): no exit, empty, arguments or data; over FastCGI it does not flush. Variables are sorted.
//   - python (uWSGI; as CGI without a library): over uWSGI no exit, arguments or data, diagnostics go to the log of
//     uWSGI, and an Authorizer gets no answer. As CGI, Python may add LC_CTYPE to the variables.
//   - rack (Rack 2): no exit, empty, arguments or data; over FastCGI as ruby. As CGI, Rack reads to the end of standard
//     input, whatever CONTENT_LENGTH says.
//   - ruby (fcgi): over FastCGI no exit or data. In Debian 12 the library is its version in pure Ruby: it sends all
//     output at the end and does not survive a connection without a request.
//   - sh: CGI. Behind fcgiwrap no exit, empty, diagnostics, flush, Authorizer or data, and it seems never to die.
//
// Only c and sh see a variable twice that came twice; the others see one of its values.
func Languages() []string {
	languages := make([]string, 0, len(files))
	for language := range files {
		languages = append(languages, language)
	}
	slices.Sort(languages)
	return languages
}

// Source returns the file name and the text of the program in a language, whose first lines say how to run it. The
// error names the languages.
func Source(language string) (name string, text []byte, err error) {
	name, ok := files[language]
	if !ok {
		return "", nil, fmt.Errorf("echo: no program in %q, only in %s", language, strings.Join(Languages(), ", "))
	}
	text, err = apps.ReadFile("apps/" + name)
	return name, text, err
}

// Pattern returns the body of the mode large: n bytes of the line of the digits, the small letters, the capital
// letters, + and LF repeated.
func Pattern(n int) []byte {
	const line = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+\n"
	b := make([]byte, 0, n+len(line))
	for len(b) < n {
		b = append(b, line...)
	}
	return b[:n]
}
