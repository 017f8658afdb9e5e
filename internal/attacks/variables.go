package attacks

import (
	"net/url"
	"strings"
)

// A Told is what a web server tells an application that is asked for by an attack: it has divided the path.
type Told struct {
	Class string
	// Vars are names and values of variables, one after the other.
	Vars []string
	// Script is the one script that may answer; "" is none.
	Script string
}

// Judge is the function Judge for what web servers ask for. A rule about the path is their own matter.
func (a Told) Judge(answer, front string) Outcome {
	return Judge(Attack{Script: a.Script}, strings.ReplaceAll(answer, protectedMark, ""), front)
}

// A Way is how a web server that resolves nothing fills in variables.
type Way int

// The ways.
const (
	ByName     Way = iota // SCRIPT_NAME is the path, decoded
	ByRawName             // SCRIPT_NAME is the path as it was sent
	ByPathInfo            // PATH_INFO is the path, decoded
	ByFilename            // SCRIPT_FILENAME is put together, and so is PATH_TRANSLATED
	ByRoot                // only DOCUMENT_ROOT and SCRIPT_NAME
)

// Tell returns what a web server of that way makes of the attacks on the folder root.
func (w Way) Tell(root string, classes []Class) (all []Told) {
	for _, c := range classes {
		for _, a := range c.Attacks {
			if a.Method == "" && a.Fields == nil {
				all = append(all, Told{c.Name, w.vars(root, a.Target), a.Script})
			}
		}
	}
	return all
}

func (w Way) vars(root, target string) []string {
	raw, query, _ := strings.Cut(target, "?")
	path, err := url.PathUnescape(raw)
	if err != nil {
		path = raw
	}
	vars := []string{"REQUEST_METHOD", "GET", "SERVER_PROTOCOL", "HTTP/1.1", "REQUEST_URI", target, "QUERY_STRING",
		query}
	switch w {
	case ByRawName:
		return append(vars, "SCRIPT_NAME", raw)
	case ByPathInfo:
		return append(vars, "SCRIPT_NAME", "", "PATH_INFO", path)
	case ByFilename:
		return append(vars, "SCRIPT_NAME", path, "DOCUMENT_ROOT", root, "SCRIPT_FILENAME", root+path, "PATH_TRANSLATED",
			root+path)
	case ByRoot:
		return append(vars, "SCRIPT_NAME", path, "DOCUMENT_ROOT", root)
	}
	return append(vars, "SCRIPT_NAME", path)
}

// Lies returns variables that no web server should send, about the folder root.
func Lies(root string) (all []Told) {
	base := strings.TrimSuffix(root, "/www")
	behindScript := root + "/app.php/../../outside/evil.php"
	for _, name := range []string{
		"/etc/passwd", base + "/outside/evil.php", base + "/outside/secret.txt", root + "/../outside/evil.php",
		root + "/dir/../../outside/evil.php", "../outside/evil.php", "www/../outside/evil.php", "", "/", ".", "..",
		".env", ".git/config",
		root + "-secret/x.php", root + "/../www-secret/x.php", base + "/www-secret/x.php", root + "//../outside/evil.php",
		"proxy:fcgi://localhost" + base + "/outside/evil.php", "proxy:fcgi://localhost/../outside/evil.php",
		"proxy:fcgi://" + base + "/outside/evil.php", "proxy:unix:/x|fcgi://localhost/etc/passwd", root + "/out.php",
		root + "/outdir/evil.php", root + "/absdir/evil.php", root + "/procself/cwd", root + "/dir/up/outside/evil.php",
		root + "/.hidden/x.php", root + "/.x.php", root + "/.git/config", root + "/uploads/avatar.jpg",
		root + "/fifo.php",
		root + "/uploads/avatar.jpg/x.php", behindScript, root + "/app.ph", root, root + "/",
		root + "/dir", root + "/dir.php", root + "/null.txt", "/dev/zero", "/proc/self/environ", "/proc/self/exe",
		"/bin/sh",
		"/usr/bin/env", root + "/loop.php", root + "/dangling.php", "file://" + base + "/outside/evil.php",
		"C:/etc/passwd",
		root + "/\x00/../outside/evil.php", base + "/outside/evil.php\x00.php", root + `\..\outside\evil.php`,
	} {
		for _, variable := range []string{"SCRIPT_FILENAME", "PATH_TRANSLATED", "DOCUMENT_ROOT", "SCRIPT_NAME",
			"PATH_INFO"} {
			vars := []string{"REQUEST_METHOD", "GET", "REQUEST_URI", "/x", "SERVER_PROTOCOL", "HTTP/1.1", variable, name}
			if variable == "DOCUMENT_ROOT" {
				vars = append(vars, "SCRIPT_NAME", "/evil.php")
			}
			told := Told{Class: "lies, " + variable, Vars: vars}
			switch name {
			case "/":
				told.Script = "/index.php"
			case behindScript:
				told.Script = "/app.php"
			}
			all = append(all, told)
		}
	}
	return all
}
