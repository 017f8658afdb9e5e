package attacks

// requests are attacks by other parts of a request than its target.
var requests = []Class{
	{"fields that name another path", "a framework or a server takes the path from them", ruleWins,
		append(with("/text.txt", "", "X-Original-URL: /admin/secret.txt", "X-Rewrite-URL: /admin/secret.txt",
			"X-Original-URI: /admin/secret.txt", "X-Forwarded-Prefix: /admin", "X-Forwarded-Path: /admin/secret.txt",
			"X-Accel-Redirect: /admin/secret.txt", "X-Sendfile: ../outside/secret.txt", "X-Sendfile-Type: X-Accel-Redirect",
			"X-Accel-Mapping: /=/admin/", "Referer: /admin/secret.txt", "Destination: /admin/secret.txt",
			"Request-URI: /admin/secret.txt", "Content-Location: /admin/secret.txt"),
			with("/app.php", "/app.php", "X-Original-URL: /admin/panel.php", "X-Rewrite-URL: /admin/panel.php")...)},
	{"fields that name variables", "a field's variable is taken for another, or written over it",
		"another script runs, or PHP prepends a file",
		with("/app.php", "/app.php", "Script-Filename: /etc/passwd", "Script_Filename: /etc/passwd",
			"SCRIPT_FILENAME: /etc/passwd",
			"Path-Translated: /etc/passwd", "Path-Info: /../etc/passwd", "Document-Root: /etc", "Script-Name: /dir/b.php",
			"Php-Value: auto_prepend_file=/etc/passwd", "PHP_VALUE: auto_prepend_file=/etc/passwd",
			"PHP_ADMIN_VALUE: auto_prepend_file=/etc/passwd", "Orig-Script-Name: /dir/b.php", "Redirect-Status: 200",
			"Redirect-URL: /dir/b.php", "Http-Script-Filename: /etc/passwd", "Proxy: http://evil/", "Env-Path: /etc/passwd",
			"Unencoded-URL: /dir/b.php", "IIS-WasUrlRewritten: 1")},
	{"fields that ask for the source", "the file is sent as it is", sourceWins,
		append(with("/app.php", "/app.php", "Translate: f", "Accept: text/x-php",
			"Accept: application/x-httpd-php-source",
			"Range: bytes=0-", "Range: bytes=0-10,20-30", "If-Range: x", "Accept-Encoding: gzip, identity;q=0",
			"TE: trailers",
			"Content-Type: application/x-httpd-php", "X-HTTP-Method-Override: GET", "Depth: 0", "Upgrade: h2c"),
			with("/dir/b.php", "/dir/b.php", "Translate: f", "Range: bytes=-1000", "Accept: text/plain")...)},
	{"queries that ask for the source", "arguments of php-cgi, or of what shows code (CVE-2012-1823)", sourceWins,
		runs("/app.php", "/app.php?-s", "/app.php?-s+x", "/app.php?%2ds", "/app.php?-d+auto_prepend_file%3d/etc/passwd",
			"/app.php?%ADs", "/app.php?%AD+-d+auto_prepend_file%3d/etc/passwd", "/app.php?-i", "/app.php?--", "/app.php?-h",
			"/app.php?source", "/app.php?-s=", "/app.php?-T+9")},
	{"methods", "a method for which the file's handler answers, or which was not thought of", sourceWins,
		append(methods("/app.php", "/app.php", "POST", "PUT", "PATCH", "OPTIONS", "TRACE", "COPY", "MOVE",
			"LOCK", "SEARCH", "REPORT", "get", "Get", "DEBUG", "INDEX", "X"),
			methods("/uploads/avatar.jpg", "", "POST", "OPTIONS", "TRACE", "PROPFIND", "get", "COPY")...)},
	{"methods and the rule", "the rule names methods, and others pass", ruleWins,
		append(methods("/admin/secret.txt", "", "POST", "PUT", "OPTIONS", "PROPFIND", "get", "X", "COPY", "TRACE"),
			methods("/admin/panel.php", "", "POST", "PUT", "HEAD", "OPTIONS", "PROPFIND", "get", "X")...)},
}

// methods are attacks on one target with methods; the script may answer.
func methods(target, script string, list ...string) (all []Attack) {
	for _, m := range list {
		a := Attack{Method: m, Target: target, Script: script}
		if m == "POST" || m == "PUT" || m == "PATCH" {
			a.Fields = []string{"Content-Length: 0"}
		}
		all = append(all, a)
	}
	return all
}

// Left are attacks that many servers leave to whoever configures them: without a word about it they send such files as
// their documentation says.
var Left = []Class{
	{"hidden files", "files of tools and of the server lie in the folder", "their content, which has a mark",
		targets("/.env", "/.htaccess", "/.htpasswd", "/.git/config", "/.git/HEAD", "/.git/", "/.svn/entries",
			"/.user.ini",
			"/.DS_Store", "/.bash_history", "/.ssh/id_rsa", "/.npmrc", "/dir/.env", "/.hidden/x.php", "/.hidden/x.txt",
			"/%2eenv", "/%2Egit/config", "/.git%2fconfig", "//.git/config", "/./.git/config", "/dir/../.git/config",
			"/.git//config",
			"/.git/../.git/config", "/dir/%2eenv", "/.%65nv", "/.env/", "/.env?x", "/.env;x", "/.hidden/x.php/y",
			"/.git/config/x.php",
			"/.hidden/", "/.x.php", "/.x.php/y", "/.git/hooks/update.sample", "/dir/..%2f.env", `/dir\.env`)},
	{"copies of scripts", "editors, tools and people leave them, with an extension that nobody runs", sourceWins,
		targets("/copy.php~", "/copy.php.bak", "/copy.php.old", "/copy.php.orig", "/copy.php.save", "/copy.php.swp",
			"/copy.php.tmp",
			"/copy.php.dist", "/copy.php.BAK", "/copy.PHP~", "/copy.php.bak~", "/%23copy.php%23", "/copy.php%7e",
			"/copy.php.rej",
			"/copy.php%20", "/copy.php.", "/copy.php~/x.php", "/copy.php.bak/x.php", "/.copy.php.swp", "/copy.php.new",
			"/copy.php.backup", "/copy.php.copy", "/copy.php%2ebak", "/./copy.php~", "/copy.php~?x")},
	{"other files of PHP", "PHP runs or includes them, and the server's pattern does not name them", sourceWins,
		targets("/upper.PHP", "/upper.PHP/", "/upper.PHP/x.php", "/%75pper.PHP", "/lib.inc", "/lib.phtml", "/lib.phps",
			"/lib.php3", "/lib.php5", "/lib.php7", "/lib.pht", "/lib.phar", "/lib.INC",
			"/lib.inc/x.php", "/lib%2einc", "/lib.inc?x", "/lib.phtml/")},
	{"neither file nor folder", "opening it waits, or reads a device", "it hangs, or sends anything",
		targets("/fifo.php", "/fifo.txt", "/fifo.php/x", "/fifo.txt/x.php", "/fifodir/", "/fifodir/index.php",
			"/socket.php",
			"/socket.txt", "/socket.php/x", "/socket.txt/x.php")},
	{"links that lead out", "whoever may write links in the folder reads what the server may", outWins,
		targets("/out.txt", "/out.php", "/outdir/secret.txt", "/outdir/evil.php", "/outdir/", "/outdir", "/chain.txt",
			"/abs.txt",
			"/absdir/secret.txt", "/rootdir/etc/passwd", "/procself/environ", "/procself/root/etc/passwd", "/environ.txt",
			"/dir/up/outside/secret.txt", "/out.txt/", "/out.php/x", "/outdir/evil.php/x", "/outdir/../outdir/secret.txt",
			"/%6futdir/secret.txt", "//outdir//secret.txt", "/outdir/./secret.txt", "/sneaky.jpg", "/outindex/",
			"/outindex",
			"/procself/cwd/", "/procself/fd/0")},
	{"links that lead nowhere", "followed for ever, or named in an error", "it hangs, or sends anything",
		targets("/loop", "/loop.php", "/loop/x.php", "/loopa", "/loopb/x", "/dangling.txt", "/dangling.php",
			"/dangling.php/x",
			"/loopdir/loopdir/loopdir/none.php")},
}
