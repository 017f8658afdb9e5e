package attacks

import (
	"net/url"
	"slices"
	"strings"
)

// A Meant is an odd target that is meant well, and its one right answer: a file, a script or a redirect.
type Meant struct {
	Class, Target  string
	Method         string // "" is GET
	Fields         []string
	File           string // the name of the file that is sent
	Script         string // the script that answers, and what it is told
	Name           string // SCRIPT_NAME; "" is Script
	PathInfo       string
	Redirect       string // the path and query of Location
	Part           string // what is sent of the file, with status 206
	NoBody         bool
	FolderOfScript bool // needs an index that is a script
}

// Request returns the bytes of the request.
func (m Meant) Request() string { return request(m.Method, m.Target, m.Fields) }

// Right reports whether an answer is the right one.
func (m Meant) Right(status int, location, body string) bool {
	switch {
	case m.Redirect != "":
		return (status == 301 || status == 302 || status == 308) && pathOf(location) == pathOf(m.Redirect)
	case m.NoBody:
		return status == 200 && body == ""
	case m.Part != "":
		return status == 206 && body == m.Part
	case m.File != "":
		return status == 200 && (body == FileText(m.File) || strings.HasPrefix(body, FileText(m.File)+"<?php"))
	}
	name := m.Name
	if name == "" {
		name = m.Script
	}
	_, query, _ := strings.Cut(m.Target, "?")
	told := "SCRIPT_NAME=" + name + "\nPATH_INFO=" + m.PathInfo + "\nQUERY_STRING=" + query + "\n"
	return status == 200 && body == "RAN "+m.Script+"\n"+told
}

// pathOf returns a Location without scheme and authority, and decoded.
func pathOf(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return location
	}
	query, err := url.QueryUnescape(u.RawQuery)
	if query == "" || err != nil {
		return u.Path
	}
	return u.Path + "?" + query
}

// Legitimate are odd targets that are meant well.
var Legitimate = slices.Concat(meantFiles(), meantPaths(), meantScripts(), meantPathInfo(), meantRequests())

func class(name string, list ...Meant) []Meant {
	for i := range list {
		list[i].Class = name
	}
	return list
}

// file are targets of a file.
func file(name string, targets ...string) (list []Meant) {
	for _, t := range targets {
		list = append(list, Meant{Target: t, File: name})
	}
	return list
}

// script are targets of a script, with what follows it as the path that it is told.
func script(name, pathInfo string, targets ...string) (list []Meant) {
	for _, t := range targets {
		list = append(list, Meant{Target: t, Script: name, PathInfo: pathInfo})
	}
	return list
}

func meantFiles() []Meant {
	var escaped, literal []Meant
	for _, name := range []string{
		"a b.txt", "a+b.txt", "100%.txt", "ä.txt", "\xe4.txt", "a;b.txt", "a,b.txt", "it's.txt", "(a).txt", "a!b.txt",
		"a*b.txt",
		"a@b.txt", "a$b.txt", "a&b.txt", "a=b.txt", "~user.txt", "a:b.txt", "a#b.txt", "a?b.txt", "[a].txt", "{a}.txt",
		"a|b.txt",
		"a^b.txt", "a`b.txt", `a"b.txt`, "<a>.txt", "a%2fb.txt", "%41.txt", "日本.txt",
	} {
		escaped = append(escaped, file(name, "/"+strings.ReplaceAll(url.QueryEscape(name), "+", "%20"))...)
	}
	for _, name := range []string{
		"a+b.txt", "a;b.txt", "a,b.txt", "it's.txt", "(a).txt", "a!b.txt", "a*b.txt", "a@b.txt", "a$b.txt", "a&b.txt",
		"a=b.txt",
		"a:b.txt",
	} {
		literal = append(literal, file(name, "/"+name)...)
	}
	long := strings.Repeat("n", 250) + ".txt"
	return slices.Concat(
		class("escaped letters of names", escaped...),
		class("letters of names as they are", literal...),
		class("names", slices.Concat(
			file("text.txt", "/text.txt", "/%74ext.txt", "/%74%65%78%74%2e%74%78%74", "/%74%65%78%74%2E%74%78%74"),
			file("noextension", "/noextension"), file("UPPER.TXT", "/UPPER.TXT"), file("a..b.txt", "/a..b.txt",
				"/a%2e.b.txt"),
			file("a...txt", "/a...txt"), file("-s.txt", "/-s.txt"), file("_x.txt", "/_x.txt"), file(long, "/"+long),
			file(".well-known/security.txt", "/.well-known/security.txt"),
			file("1/2/3/4/5/6/7/8/9/deep.txt", "/1/2/3/4/5/6/7/8/9/deep.txt"))...),
		class("names like scripts", slices.Concat(
			file("php.txt", "/php.txt"), file("x.phpx", "/x.phpx"), file("app.php.txt", "/app.php.txt"),
			file("index.php.html", "/index.php.html"), file("uploads/evil.php.jpg", "/uploads/evil.php.jpg"),
			file("uploads/avatar.jpg", "/uploads/avatar.jpg"), file("dir.php/avatar.jpg", "/dir.php/avatar.jpg"))...),
		class("links within", slices.Concat(
			file("text.txt", "/in.txt", "/up.txt", "/inchain.txt", "/hard.txt"), file("dir/deep/x.txt",
				"/indir/deep/x.txt"))...),
	)
}

func meantPaths() []Meant {
	return slices.Concat(
		class("dot segments within", slices.Concat(
			file("text.txt", "/./text.txt", "/dir/../text.txt", "/dir/deep/../../text.txt", "/dir/%2e%2e/text.txt",
				"/%2e/text.txt",
				"/dir/./../text.txt", "/missing/../text.txt"),
			file("dir/deep/x.txt", "/dir/../dir/./deep/x.txt", "/pages/../dir/deep/x.txt"),
			script("/app.php", "", "/dir/../app.php", "/./app.php"))...),
		class("empty segments", slices.Concat(
			file("text.txt", "//text.txt", "///text.txt"), file("dir/deep/x.txt", "/dir//deep/x.txt",
				"//dir///deep//x.txt"),
			script("/dir/b.php", "", "/dir//b.php"))...),
		class("folders", slices.Concat(
			file("pages/index.html", "/pages/", "/pages/?x=y", "/pages/.", "/pages/../pages/"),
			[]Meant{{Target: "/pages", Redirect: "/pages/"}, {Target: "/pages?x=%2F", Redirect: "/pages/?x=%2F"},
				{Target: "/semi;colon", Redirect: "/semi;colon/"},
				{Target: "/dir", Redirect: "/dir/", FolderOfScript: true}, {Target: "/", Script: "/index.php",
					FolderOfScript: true},
				{Target: "/?a=b", Script: "/index.php", FolderOfScript: true},
				{Target: "/dir/", Script: "/dir/index.php", FolderOfScript: true},
				{Target: "/dir/?/../x", Script: "/dir/index.php", FolderOfScript: true}})...),
		class("absolute form", slices.Concat(
			file("text.txt", "http://h/text.txt", "HTTP://h/text.txt", "http://h:80/text.txt", "http://h/dir/../text.txt"),
			script("/app.php", "", "http://h/app.php", "http://h/app.php?a=http://x/"),
			[]Meant{{Target: "http://h", Script: "/index.php", FolderOfScript: true},
				{Target: "http://h?/admin/secret.txt", Script: "/index.php", FolderOfScript: true}})...),
		class("queries with a file", file("text.txt", "/text.txt?", "/text.txt?/../x", "/text.txt??", "/text.txt?%41",
			"/text.txt?x.php",
			"/text.txt?%20", "/text.txt?a=%22b%22", "/text.txt?"+strings.Repeat("q", 3000))...),
	)
}

func meantScripts() []Meant {
	return slices.Concat(
		class("names of scripts", slices.Concat(
			script("/app.php", "", "/app.php", "/%61pp.php", "/app%2ephp", "/app.%70hp"), script("/index.php", "",
				"/index.php"),
			script("/my script.php", "", "/my%20script.php"), script("/a.b.php", "", "/a.b.php"), script("/x.php.php", "",
				"/x.php.php"),
			script("/ünïcode.php", "", "/%c3%bcn%C3%AFcode.php"), script("/100%.php", "", "/100%25.php"),
			script("/a;b.php", "", "/a;b.php"), script("/a+b.php", "", "/a+b.php", "/a%2bb.php"),
			script("/semi;colon/x.php", "", "/semi;colon/x.php"), script("/UPPER/x.php", "", "/UPPER/x.php"),
			script("/phpinfo.php.d/x.php", "", "/phpinfo.php.d/x.php"), script("/dir.php/inner.php", "",
				"/dir.php/inner.php"),
			[]Meant{{Target: "/in.php", Script: "/app.php", Name: "/in.php"},
				{Target: "/indir/b.php", Script: "/dir/b.php", Name: "/indir/b.php"}})...),
		class("queries", script("/app.php", "", "/app.php?", "/app.php?a=b&c", "/app.php?a?b", "/app.php?/x/../y",
			"/app.php?%C3%A4",
			"/app.php?a=%2F..%2F", "/app.php?x.txt", "/app.php?a=/b.php/", "/app.php?a=%5C", "/app.php?a=%26%3D+;",
			"/app.php?==",
			"/app.php?"+strings.Repeat("q", 3000))...),
	)
}

func meantPathInfo() []Meant {
	return class("PATH_INFO", slices.Concat(
		script("/app.php", "/", "/app.php/"), script("/app.php", "/a/b/c", "/app.php/a/b/c"),
		script("/app.php", "/a b", "/app.php/a%20b"), script("/app.php", "/ä", "/app.php/%c3%a4"),
		script("/app.php", "/\xe4", "/app.php/%e4"), script("/app.php", "/100%", "/app.php/100%25"),
		script("/app.php", "/a+b", "/app.php/a+b"), script("/app.php", "/a;b=c", "/app.php/a;b=c"),
		script("/app.php", "/a?b", "/app.php/a%3Fb"), script("/app.php", "/a#b", "/app.php/a%23b"),
		script("/app.php", "/x.jpg", "/app.php/x.jpg"), script("/app.php", "/x.php", "/app.php/x.php"),
		script("/app.php", "/style.css", "/app.php/style.css"), script("/app.php", "/%41", "/app.php/%2541"),
		script("/app.php", "/repo/.hgignore", "/app.php/repo/.hgignore"), script("/app.php", "/.well-known/x",
			"/app.php/.well-known/x"),
		script("/app.php", "/b", "/app.php/a/../b"), script("/app.php", "/a/b/", "/app.php/a/./b/"),
		script("/app.php", "/http:", "/app.php/http:"), script("/app.php", "/"+strings.Repeat("p", 2000),
			"/app.php/"+strings.Repeat("p", 2000)),
		script("/app.php", "/a/b", "/app.php/a/b?c=d"), script("/dir/b.php", "/x", "/dir/b.php/x"),
		script("/dir.php/inner.php", "/y", "/dir.php/inner.php/y"), script("/my script.php", "/x",
			"/my%20script.php/x"))...)
}

func meantRequests() []Meant {
	return slices.Concat(
		class("methods and fields",
			Meant{Target: "/text.txt", Method: "HEAD", File: "text.txt", NoBody: true},
			Meant{Target: "/app.php", Method: "HEAD", Script: "/app.php", NoBody: true},
			Meant{Target: "/app.php/x", Method: "POST", Fields: []string{"Content-Length: 0"}, Script: "/app.php",
				PathInfo: "/x"},
			Meant{Target: "/app.php", Method: "DELETE", Script: "/app.php"},
			Meant{Target: "/app.php", Method: "PROPFIND", Script: "/app.php"},
			Meant{Target: "/text.txt", Fields: []string{"Range: bytes=0-3"}, File: "text.txt", Part: "file"},
			Meant{Target: "/text.txt", Fields: []string{"Range: bytes=-4"}, File: "text.txt", Part: "txt\n"},
			Meant{Target: "/text.txt", Fields: []string{"If-None-Match: \"x\""}, File: "text.txt"},
			Meant{Target: "/app.php", Fields: []string{"If-Modified-Since: x"}, Script: "/app.php"}),
	)
}
