package open

import (
	"slices"
	"strings"

	"github.com/gangway-go/gangway/adapters"
)

// Rule says, for people, which rule gave the application the variable called name: the option, the part of the request,
// or what a web server said (given, see [App.Given]).
func (app *App) Rule(name string, given bool) string {
	if slices.ContainsFunc(app.options.Vars, func(v adapters.Var) bool { return v.Name == name }) {
		return "var"
	}
	if i := slices.Index(scriptVars, name); i >= 0 {
		if given {
			return app.givenRule(i)
		}
		return app.scriptRules()[i]
	}
	switch {
	case given:
		return "the web server"
	case strings.HasPrefix(name, "HTTP_"), name == "CONTENT_TYPE":
		return "a header field"
	case strings.HasPrefix(name, "SERVER_"), strings.HasPrefix(name, "REMOTE_"), strings.HasPrefix(name, "GATEWAY_"):
		return "the connection"
	}
	return "the request"
}

// scriptVars are the variables that rules make, in the order of scriptRules.
var scriptVars = []string{"SCRIPT_NAME", "PATH_INFO", "SCRIPT_FILENAME", "DOCUMENT_ROOT", "PATH_TRANSLATED"}

func (app *App) scriptRules() [5]string {
	o := &app.options
	rest := "the rest of the path"
	switch {
	case app.kind == folder:
		return [5]string{"the path up to the first file beneath " + app.Address.Target, rest,
			"the folder and SCRIPT_NAME", "the folder", "the folder and PATH_INFO"}
	case app.kind == program:
		root := "the folder of the program"
		if o.Root != "" {
			root = "root"
		}
		return [5]string{"prefix", rest, "the program", root, "DOCUMENT_ROOT and PATH_INFO"}
	case app.kind == socket && o.Root != "" && o.Script != "":
		return [5]string{"script as seen from root", "what follows SCRIPT_NAME in the path", "script", "root",
			"root and PATH_INFO"}
	case app.kind == socket && o.Root != "":
		name := "the path up to the first file beneath " + app.localRoot()
		if o.Fallback != "" {
			name += ", else fallback"
		}
		return [5]string{name, rest, "root and SCRIPT_NAME", "root", "root and PATH_INFO"}
	}
	return [5]string{"prefix", rest, "script", "", ""}
}

func (app *App) givenRule(i int) string {
	o := &app.options
	switch name := scriptVars[i]; {
	case app.kind == folder && o.Prefix != "":
		return app.scriptRules()[i]
	case name == "SCRIPT_NAME" && o.Prefix != "":
		return "prefix"
	case name == "PATH_INFO" && o.Prefix != "":
		return "the rest of the path"
	case name == "SCRIPT_FILENAME" && app.kind == folder:
		return "the web server, walked back to a file"
	case name == "SCRIPT_FILENAME" && o.Script != "":
		return "script"
	case name == "SCRIPT_FILENAME" && o.Root != "" && app.kind == socket:
		return "root and the web server's SCRIPT_NAME"
	case name == "DOCUMENT_ROOT" && o.Root != "":
		return "root"
	case name == "PATH_TRANSLATED" && o.Root != "":
		return "root and PATH_INFO"
	}
	return "the web server"
}
