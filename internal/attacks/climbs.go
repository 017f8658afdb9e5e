package attacks

import (
	"slices"
	"strings"
)

const outWins = "a file from beside the folder, or /etc/passwd"

// climb returns the targets that go up by the form to what lies beside the folder: from the folder itself, from folders
// in it and behind a script, as far as needed and further.
func climb(forms ...string) (all []Attack) {
	for _, form := range forms {
		all = append(all, targets(
			"/"+form+"outside/secret.txt",
			"/dir/"+strings.Repeat(form, 2)+"outside/evil.php",
			"/dir/deep/"+strings.Repeat(form, 3)+"www-secret/x.txt",
			"/app.php/"+strings.Repeat(form, 2)+"outside/secret.txt",
			"/"+strings.Repeat(form, 12)+"etc/passwd",
		)...)
	}
	for i := range all {
		all[i].begins("/app.php") // for whom the form is no way up
	}
	return all
}

// climbs are attacks that go up.
var climbs = []Class{
	{"dot segments", "a path that is used without resolving it, or resolved after it was checked", outWins,
		slices.Concat(climb("../", "./../", "../.././../"), targets("/dir/../../outside/",
			"/missing/../../outside/secret.txt", "/text.txt/../../outside/secret.txt", "/../www/../outside/secret.txt",
			"/.../outside/secret.txt", "/..../outside/secret.txt", "/dir/.../secret.txt"), runs("/index.php", "/..", "/../",
			"/../.."))},
	{"encoded dot segments", "dot segments are resolved before escapes", outWins,
		climb("%2e%2e/", ".%2e/", "%2E./", "%2e%2E/")},
	{"encoded slash", "a slash that is decoded behind the check", outWins,
		climb("..%2f", "..%2F", "%2e%2e%2f", "%2F../")},
	{"encoded twice", "decoded once more than it was checked", outWins,
		climb("%252e%252e/", "..%252f", "%252e%252e%252f", "..%25%32%66")},
	{"encoded three times", "decoded in a loop", outWins,
		climb("%25252e%25252e/", "..%25252f")},
	{"backslash", "a separator for Windows and for what runs there", outWins,
		climb(`..\`, `\..\`, `.\..\`)},
	{"encoded backslash", "decoded behind the check, and a separator for some", outWins,
		climb("..%5c", "%5C..%5C", "%2e%2e%5c", "..%255c")},
	{"mixed separators", "one kind of separator hides the segment from who looks for the other", outWins,
		climb(`..\/`, `../\`, "..%5c/", "..%2f/", "..//", "..%2f%5c")},
	{"overlong UTF-8", "decoders that accept more bytes than needed (CVE-2000-0884)", outWins,
		climb("%c0%ae%c0%ae/", "..%c0%af", "..%e0%80%af", "..%f0%80%80%af", "%c0%ae%c0%ae%c0%af", "..%c1%9c")},
	{"broken UTF-8", "the byte that follows is swallowed, or put together with others", outWins,
		climb("..%c0/", "%c0../", "..%ff/", "..%e2%88/", "\xc0\xae\xc0\xae/")},
	{"letters like dots and slashes", "normalisation makes others of them (NFKC, best fit)", outWins,
		climb("%ef%bc%8e%ef%bc%8e/", "..%ef%bc%8f", "..%e2%88%95", "..%e2%81%84", "%e2%80%a5/", "\u2025/")},
	{"%u escapes", "an escape of its own that some decode", outWins,
		climb("%u002e%u002e/", "..%u002f", "..%u2215", "%uff0e%uff0e/")},
	{"bad escapes", "what is no escape is repaired, or ends the decoding", outWins,
		climb("..%/", "..%2/", "%2%65%2%65/", "..%zz/", "%%2e%%2e/", "%2e%2e%2%66")},
	{"control bytes in dot segments", "they are stripped behind the check", outWins,
		climb(".%09./", ".%0a./", "..%0d/", "..%7f/", ".%00./", "%08../", ".%ad./")},
	{"parameters on dot segments", "Java's servers take them off (\"/..;/\")", outWins,
		climb("..;/", "..;x=1/", ";/../", "%2e%2e;/", "..%3b/")},
	{"spaces in dot segments", "trimmed by some systems", outWins,
		climb("..%20/", "%20../", ". ./", "..+/")},
	{"target without a slash", "put behind the folder's name as it is", outWins,
		targets("../outside/secret.txt", "..", ".", "outside/secret.txt", "-secret/x.txt",
			"app.php/../../outside/secret.txt",
			"%2f..%2foutside%2fsecret.txt", "*/../outside/secret.txt",
			";/../outside/secret.txt")},
	{"folder as a prefix", "the folder's name begins the other's, and is compared as letters", outWins,
		targets("/../www-secret/x.txt", "/../www-secret/x.php", "/%2e%2e/www-secret/x.txt", "/..%2fwww-secret%2fx.txt",
			"/dir/../../www-secret/x.php", "-secret/x.php", "/.-secret/x.txt", "//../www-secret/x.txt")},
	{"absolute file names", "joined with the folder as they are", outWins,
		targets("//etc/passwd", "///etc/passwd", "/%2fetc%2fpasswd", "/%2fetc/passwd", "/./%2f/etc/passwd",
			"/%5cetc%5cpasswd",
			"/file:///etc/passwd", "/file:/etc/passwd", "/proc/self/environ", "//proc/self/environ", "/etc/passwd",
			"/dir/%2fetc%2fpasswd", "/dir//etc/passwd", "/http://h/../etc/passwd")},
	{"drives and shares", "a name of Windows that leaves the folder", outWins,
		targets("/c:/etc/passwd", "/C:%5Cetc%5Cpasswd", "/c%3a/etc/passwd", "/c$/etc/passwd", "//localhost/etc/passwd",
			"//localhost/c$/etc/passwd", `/\\localhost\c$\etc\passwd`, "/%5c%5clocalhost%5cetc%5cpasswd",
			`/\\?\C:\etc\passwd`,
			"/%5c%5c.%5cC:%5cetc%5cpasswd", "/c:/../etc/passwd", "/dir/c:../../outside/secret.txt")},
}
