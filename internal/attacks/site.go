package attacks

import (
	"os"
	"path/filepath"
	"strings"
)

// A Language is what the scripts of a folder are written in.
type Language int

// The languages.
const (
	PHP   Language = iota
	Shell          // CGI programs; what is no script cannot be run
	Plain          // no scripts: what would be one is a file like others
)

// script returns the text of a script that says which one it is and what it was asked.
func (l Language) script(name string) string {
	switch l {
	case PHP:
		return `<?php /* ` + sourceMark + ` */ header("Content-Type: text/plain");
echo "RAN ", substr(__FILE__, strlen(realpath("` + rootVar + `"))), "\n";
foreach (["SCRIPT_NAME", "PATH_INFO", "QUERY_STRING"] as $n) echo "$n=", $_SERVER[$n] ?? "", "\n";
`
	case Shell:
		return `#!/bin/sh
# ` + sourceMark + `
printf 'Content-Type: text/plain\n\nRAN %s\n' '` + name + `'
printf 'SCRIPT_NAME=%s\nPATH_INFO=%s\nQUERY_STRING=%s\n' "$SCRIPT_NAME" "$PATH_INFO" "$QUERY_STRING"
`
	}
	return "file " + name + "\n"
}

// rootVar stands for the folder in the text of a script.
const rootVar = "@ROOT@"

// upload returns the text of a file that somebody has sent, and that says so if it runs.
func (l Language) upload(name string) string {
	if l == PHP {
		return FileText(name) + `<?php echo "MARK-", "UPLOAD";` + "\n"
	}
	return FileText(name)
}

// FileText is the text of a file that everybody may have, but for what follows in uploads.
func FileText(name string) string { return "file " + name + "\n" }

var (
	scripts = []string{
		"index.php", "app.php", "dir/index.php", "dir/b.php", "dir.php/inner.php", "my script.php", "a.b.php",
		"x.php.php",
		"ünïcode.php", "100%.php", "a;b.php", "a+b.php", "semi;colon/x.php", "phpinfo.php.d/x.php", "UPPER/x.php",
		"q?.php",
	}
	uploads = []string{"uploads/avatar.jpg", "uploads/data.txt", "uploads/evil.php.jpg", "dir.php/avatar.jpg",
		"dir.php/data.txt"}
	files = []string{
		"style.css", "text.txt", "pages/index.html", "pages/other.html", "dir/deep/x.txt", "noextension", "a b.txt",
		"a+b.txt",
		"100%.txt", "ä.txt", "\xe4.txt", "a;b.txt", "a,b.txt", "it's.txt", "(a).txt", "a!b.txt", "a*b.txt", "a@b.txt",
		"a$b.txt",
		"a&b.txt", "a=b.txt", "~user.txt", "a:b.txt", "a#b.txt", "a?b.txt", "[a].txt", "{a}.txt", "a|b.txt", "a^b.txt",
		"a`b.txt",
		`a"b.txt`, "<a>.txt", "UPPER.TXT", "a..b.txt", "a...txt", "a%2fb.txt", "%41.txt", "php.txt", "x.phpx",
		"app.php.txt",
		"index.php.html", "-s.txt", "_x.txt", "1/2/3/4/5/6/7/8/9/deep.txt", ".well-known/security.txt", "a\tb.txt",
		"日本.txt",
		strings.Repeat("n", 250) + ".txt",
	}
	hidden = []string{
		".env", ".htaccess", ".htpasswd", ".git/config", ".git/HEAD", ".git/index", ".svn/entries", ".user.ini",
		".DS_Store",
		".bash_history", ".ssh/id_rsa", ".npmrc", "dir/.env", ".hidden/x.txt", ".copy.php.swp",
	}
	copies = []string{
		"copy.php~", "copy.php.bak", "copy.php.old", "copy.php.orig", "copy.php.save", "copy.php.swp", "copy.php.tmp",
		"copy.php.dist", "copy.php.BAK", "copy.PHP~", "copy.php.bak~", "#copy.php#", "copy.php.rej", "copy.php ",
		"copy.php.",
		"copy.php.new", "copy.php.backup", "copy.php.copy", "upper.PHP", "lib.inc", "lib.phtml", "lib.phps", "lib.php3",
		"lib.php5", "lib.php7", "lib.pht", "lib.phar", "lib.INC"}
	hiddenScripts = []string{".hidden/x.php", ".x.php", ".git/hooks/update.sample"}
	// links are symbolic; @ stands for the folder around the root.
	links = map[string]string{
		"in.txt": "text.txt", "in.php": "app.php", "indir": "dir", "up.txt": "dir/../text.txt", "inchain.txt": "in.txt",
		"out.txt": "../outside/secret.txt", "out.php": "../outside/evil.php", "outdir": "../outside",
		"chain.txt":  "chain2.txt",
		"chain2.txt": "out.txt", "abs.txt": "@/outside/secret.txt", "absdir": "@/outside", "rootdir": "/",
		"procself":    "/proc/self",
		"environ.txt": "/proc/self/environ", "dir/up": "../..", "sneaky.jpg": "../outside/evil.php",
		"outindex/index.php":  "../../outside/evil.php",
		"outindex/index.html": "../../outside/secret.txt", "loop": "loop", "loop.php": "loop.php", "loopa": "loopb",
		"loopb":   "loopa",
		"loopdir": ".", "dangling.txt": "none", "dangling.php": "none.php", "null.txt": "/dev/null",
	}
)

// Build makes the folder, base/www, and what lies beside it. Besides what it makes, fifo.php, fifo.txt and
// fifodir/index.php should be named pipes, socket.php and socket.txt sockets. write is os.WriteFile, or one whose files
// can be run at once.
func Build(base string, l Language, write func(string, []byte, os.FileMode) error) (root string, err error) {
	b := builder{base: base, language: l, writeFile: write}
	for _, name := range scripts {
		b.write("www/"+name, l.script("/"+name), 0o755)
	}
	for _, name := range copies {
		b.write("www/"+name, b.source("/"+name), 0o644)
	}
	for _, name := range hiddenScripts {
		b.write("www/"+name, b.source("/"+name), 0o755)
	}
	for _, name := range uploads {
		b.write("www/"+name, l.upload(name), 0o644)
	}
	for _, name := range files {
		b.write("www/"+name, FileText(name), 0o644)
	}
	for _, name := range hidden {
		b.write("www/"+name, hiddenMark+"\n", 0o644)
	}
	b.write("www/empty/x.txt", FileText("empty/x.txt"), 0o644)
	b.write("www/admin/secret.txt", protectedMark+"\n", 0o644)
	b.write("www/admin/panel.php", strings.Replace(l.script("/admin/panel.php"), "RAN", "RAN "+protectedMark, 1), 0o755)
	for _, name := range []string{"outside/secret.txt", "www-secret/x.txt", "secret.txt"} {
		b.write(name, outsideMark+"\n", 0o644)
	}
	for _, name := range []string{"outside/evil.php", "www-secret/x.php"} {
		b.write(name, strings.Replace(l.script("/"+name), "RAN", "RAN "+outsideMark, 1), 0o755)
	}
	for name, target := range links {
		b.link("www/"+name, strings.Replace(target, "@", base, 1))
	}
	if b.err == nil {
		b.err = os.Link(base+"/www/text.txt", base+"/www/hard.txt")
	}
	return base + "/www", b.err
}

type builder struct {
	base      string
	language  Language
	writeFile func(string, []byte, os.FileMode) error
	err       error
}

// source returns the text of a copy, which cannot be told from another file where there are no scripts.
func (b *builder) source(name string) string {
	if b.language == Plain {
		return FileText(name)
	}
	return b.language.script(name)
}

func (b *builder) write(name, text string, mode os.FileMode) {
	path := filepath.Join(b.base, name)
	if b.err == nil {
		b.err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if b.err == nil {
		b.err = b.writeFile(path, []byte(strings.ReplaceAll(text, rootVar, b.base+"/www")), mode)
	}
}

func (b *builder) link(name, target string) {
	path := filepath.Join(b.base, name)
	if b.err == nil {
		b.err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if b.err == nil {
		b.err = os.Symlink(target, path)
	}
}
