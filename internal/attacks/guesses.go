package attacks

// guesses are attacks on servers and applications that guess where the script ends.
var guesses = []Class{
	{"script behind an upload", "walked back to the file that exists, whatever it is (cgi.fix_pathinfo)", uploadWins,
		each([]string{"/uploads/avatar.jpg*", "/uploads/data.txt*"}, "/x.php", "/.php", "/index.php", "/app.php",
			"/x.php/",
			"/x.php/y", "/x/y.php", "/%20.php", "/x%2ephp", "//x.php", "%2fx.php", "/../avatar.jpg/x.php", "/x.php%00",
			"/x.php?y",
			"/x.phtml", "/x.php/.", "/x.php;y", "%5cx.php", `\x.php`)},
	{"two extensions", "any of them counts (mod_mime), or the first", uploadWins,
		targets("/uploads/evil.php.jpg/x", "/uploads/evil.php.jpg/x.php",
			"/uploads/evil.php%2ejpg",
			"/uploads/evil.php%20.jpg", "/uploads/evil.php;.jpg", "/uploads/evil.php/.jpg", "/uploads/evil.php%00.jpg",
			"/uploads/evil.php%0a.jpg", "/uploads/evil.php.jpg/", "/uploads/./evil.php.jpg")},
	{"extension within a segment", "found by letters and not by names (\"/a.phpx\")", uploadWins,
		targets("/app.phpx", "/app.phpx/y", "/xapp.php", "/app.phpp", "/app.php5", "/app.php%C3%A9",
			"/dir.phpx/b.php",
			"/uploads/avatar.jpg.php", "/uploads/avatar.jpgx.php", "/app.p", "/app.", "/app", "/appXphp",
			"/uploadsXavatar.jpg",
			"/uploads/avatar%2ejpg/x.php", "/app.php\xe2\x80\xa8")},
	{"letters that change their length",
		"the split is counted in another case (\"\u023a\" is two bytes, \"\u2c65\" three)", uploadWins,
		targets("/%c8%ba.php", "/%c8%ba%c8%ba%c8%ba%c8%baapp.php", "/%c8%ba/uploads/avatar.jpg/x.php",
			"/uploads/%c8%ba%c8%ba.php/avatar.jpg", "/%c4%b0%c4%b0/app.php", "/uploads/avatar.jpg/%c8%ba.php",
			"/uploads/avatar.jpg/%e1%ba%9e.PHP", "/\u023a.php/app.php", "/uploads/evil.php%c8%ba.jpg",
			"/uploads/%c4%b0avatar.jpg.php")},
	{"line feed in PATH_INFO", "a pattern ends at the line, and PATH_INFO is empty (CVE-2019-11043)",
		"the application crashes or takes a variable from the path",
		append(runs("/app.php", "/app.php/%0a", "/app.php/%0A/x", "/app.php/PHP%0Ais_the_shittiest_lang.php?QQQQQQQQQQ",
			"/app.php/x%0ay.php", "/app.php/%0d%0aX:%20y", "/app.php%0a/x.php", "/app.php/%0a%0a%0a.php",
			"/app.php/PHP_VALUE%0Aauto_prepend_file=/etc/passwd;;;?a=Q", "/app.php/%0a/../x.php"),
			targets("/uploads/avatar.jpg%0a/x.php", "/uploads/avatar.jpg/%0ax.php", "/uploads/avatar.jpg/x%0a.php",
				"/%0aapp.php", "/uploads%0a/avatar.jpg/x.php", "/x%0a/app.php", "/%0a/../APP.PHP")...)},
	{"second script", "the last script of the path is taken, or one within PATH_INFO",
		"a script that the target does not name",
		runs("/app.php", "/app.php/dir/b.php", "/app.php/index.php", "/app.php/x/dir/b.php", "/app.php/%64ir/b.php",
			"/app.php/?/dir/b.php", "/app.php?/dir/b.php", "/app.php/%2e%2e%2fdir%2fb.php", "/app.php/dir/b.php/",
			"/app.php/app.php/dir/b.php", "/app.php/%2f/etc/passwd", "/app.php//etc/passwd")},
	{"index of a folder", "the folder's index is found where there is none, or in another folder", uploadWins,
		targets("/uploads/", "/uploads", "/uploads//", "/uploads/.", "/uploads/index.php", "/uploads/x/",
			"/uploads/index.php/",
			"/uploads/%69ndex.php", "/empty/", "/empty", "/empty/index.php", "/uploads/../uploads/")},
}

const ruleWins = "a file beneath " + Protected

// around are the targets for a file and a script behind the rule. What begins with a script may be that one's.
func around(prefixes ...string) []Attack {
	all := each([]string{"*secret.txt", "*panel.php"}, prefixes...)
	for i := range all {
		all[i].begins("/app.php", "/dir/b.php")
	}
	return all
}

// rules are attacks on a rule about a prefix of the path: what it protects is there all the same.
var rules = []Class{
	{"rule and empty segments", "the rule compares letters, the file system does not mind", ruleWins,
		around("//admin/", "///admin//", "/admin//", "/.//admin/", "/dir/..//admin/", "//admin///")},
	{"rule and dot segments", "the rule is looked up before they are resolved", ruleWins,
		around("/./admin/", "/dir/../admin/", "/dir/deep/../../admin/", "/admin/./", "/admin/../admin/",
			"/missing/../admin/",
			"/app.php/../admin/", "/admin/x/../", "/./././admin/", "/uploads/avatar.jpg/../../admin/")},
	{"rule and escapes", "the rule compares what was sent", ruleWins,
		around("/%61dmin/", "/%61%64%6d%69%6e/", "/adm%69n/", "/%2561dmin/", "/%41dmin/", "/admi%6E/", "/%u0061dmin/",
			"/dir/%2e%2e/admin/",
			"/%2e/admin/", "/admin/%2e/", "/dir/%2E%2E/%61dmin/", "/adm%00in/", "/admin%00/")},
	{"rule and encoded separators", "one takes them for separators, the other for letters", ruleWins,
		around("/admin%2f", "/%2fadmin/", "/%2fadmin%2f", "/dir%2f..%2fadmin/", "/dir/..%2fadmin%2f", "/admin%5c",
			"/dir%5c..%5cadmin%5c",
			`/admin\`, `/dir\..\admin\`, `\admin\`, "/x/..%2fadmin/", "/admin%252f")},
	{"rule and PATH_INFO", "the rule sees a script, and the file system a folder, or the other way round", ruleWins,
		append(around("/admin/panel.php/../", "/app.php/%2e%2e/admin/", "/dir/b.php/../../admin/",
			"/app.php%2f..%2fadmin%2f"),
			targets("/admin/panel.php", "/admin/panel.php/", "/admin/panel.php/x", "/admin/panel.php/.",
				"/admin/panel.php?x",
				"/admin/panel.php%3fx", "/admin/panel.php;x", "/admin/panel.php/%0a", "/admin/panel.php/app.php", "/admin",
				"/admin/",
				"/admin/.", "/admin/%20/../panel.php", "/admin/index.php", "/admin?/../app.php", "/admin/secret.txt/",
				"/admin/secret.txt/x.php")...)},
	{"empty segment before \"..\"", "RFC 3986 has \"..\" remove the empty segment, file systems the one before",
		ruleWins,
		append(around("/dir//../admin/", "/admin//../admin/", "/dir/.//../admin/", "/x//..//..//admin/", "//../admin/"),
			targets("/admin/x//../secret.txt", "/admin//../panel.php", "/dir///../../admin/secret.txt")...)},
	{"rule and parameters", "taken off between the rule and the file", ruleWins,
		around("/;/admin/", "/admin;/", "/admin;x=y/", "/dir/..;/admin/", "/.;/admin/", "/admin%3b/", "/;admin/",
			"/;x=/../admin/")},
	{"rule and absolute form", "the rule sees the scheme, or the path does not begin where it seems", ruleWins,
		around("http://h/admin/", "http://h//admin/", "http://h/./admin/", "http://h/%61dmin/", "HTTP://H/admin/",
			"http://other/admin/", "http://h:80/admin/", "http://user@h/admin/", "https://h/admin/", "http:///admin/",
			"http:/admin/",
			"http://h/dir/../admin/", "http:admin/", "//h/admin/", "http://h/x/..%2fadmin/")},
	{"rule and other targets", "the target has no slash in front, and gets one behind the rule", ruleWins,
		around("admin/", "./admin/", "h/admin/", "?/admin/", "*/admin/", "%2fadmin/", `\admin/`, ".admin/", "@/admin/",
			":80/admin/")},
	{"rule and case", "the same folder where case does not matter", ruleWins,
		around("/ADMIN/", "/Admin/", "/admiN/", "/%41DMIN/", "/aDmIn//")},
	{"rule and spaces", "trimmed behind the rule", ruleWins,
		around("/admin%20/", "/%20admin/", "/admin%09/", "/%0aadmin/", "/admin%0d/", "/admin./", "/admin+/",
			"/admin%c2%a0/")},
}
