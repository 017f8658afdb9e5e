// Package attacks is a corpus of request targets that try to reach what no client may have of a folder of scripts and
// files: what lies outside of it or behind a rule, the source of scripts, and files that are no scripts, run as one.
// And of odd targets that are meant well, each with its one right answer. It is data for tests, of gangway and of
// others.
//
// Begin with [Classes], [Left] and [Legitimate]; [Build] makes the folder that they are about, [Judge] says what came
// of an attack.
package attacks

import (
	"regexp"
	"slices"
	"strings"
)

// A Class is a way to attack.
type Class struct {
	Name string
	Why  string // it works on some servers
	// Wins says by what a success is seen; all that Judge knows counts for every class.
	Wins    string
	Attacks []Attack
}

// An Attack is a request.
type Attack struct {
	Method string // "" is GET
	Target string // as it stands in the request line
	Fields []string
	// Script is the one script that may answer; "" is none.
	Script string
}

// Request returns the bytes of the request.
func (a Attack) Request() string { return request(a.Method, a.Target, a.Fields) }

func request(method, target string, fields []string) string {
	if method == "" {
		method = "GET"
	}
	text := method + " " + target + " HTTP/1.1\r\nHost: h\r\n"
	for _, f := range fields {
		text += f + "\r\n"
	}
	return text + "\r\n"
}

// The marks of the files that Build makes. Those of scripts are in comments; a script that runs does not print its own.
const (
	outsideMark   = "MARK-OUTSIDE" // beside the folder
	protectedMark = "MARK-RULE"    // in Protected
	sourceMark    = "MARK-SOURCE"
	hiddenMark    = "MARK-HIDDEN" // in files whose name begins with a dot
	uploadMark    = "MARK-UPLOAD" // printed by a file that is no script, if it is run as one
)

// Protected is a folder from which a server under test sends nothing, by a rule about paths: 403.
const Protected = "/admin"

// An Outcome is what came of an attack.
type Outcome int

// The outcomes; all but Safe are successes of the attack.
const (
	Safe       Outcome = iota
	Escape             // something from outside of the folder, or from behind the rule
	Disclosure         // the source of a script, or a hidden file
	WrongScript
)

var ran = regexp.MustCompile(`RAN (/\S*)\n`)

// passwd is how /etc/passwd begins, procEnv what every process of the tests has in its environment.
var outside = regexp.MustCompile(outsideMark + `|(?m)^root:[^:\n]*:0:0:|\x00?PATH=/[^\x00\n]*\x00`)

// Judge says what came of an attack that was answered so. A server with a front controller asks that one for whatever
// it does not find.
func Judge(a Attack, answer, front string) Outcome {
	script := ""
	if m := ran.FindStringSubmatch(answer); m != nil {
		script = m[1]
	}
	switch {
	case outside.MatchString(answer), strings.Contains(answer, protectedMark):
		return Escape
	case strings.Contains(answer, sourceMark), strings.Contains(answer, hiddenMark):
		return Disclosure
	case strings.Contains(answer, uploadMark), script != "" && script != a.Script && script != front:
		return WrongScript
	}
	return Safe
}

// Classes are attacks that no server lets through by its documentation.
var Classes = slices.Concat(climbs, names, guesses, rules, requests)

// targets are attacks that no script may answer.
func targets(list ...string) []Attack { return runs("", list...) }

// runs are attacks that one script may answer.
func runs(script string, list ...string) (all []Attack) {
	for _, t := range list {
		all = append(all, Attack{Target: t, Script: script})
	}
	return all
}

// begins lets the script answer with which the target begins.
func (a *Attack) begins(scripts ...string) {
	for _, script := range scripts {
		if strings.HasPrefix(a.Target, script) {
			a.Script = script
		}
	}
}

// with are attacks on one target by header fields; the script may answer.
func with(target, script string, fields ...string) (all []Attack) {
	for _, f := range fields {
		all = append(all, Attack{Target: target, Script: script, Fields: []string{f}})
	}
	return all
}

// each are the attacks made by putting every one of the values for the * in the patterns.
func each(patterns []string, values ...string) (all []Attack) {
	for _, p := range patterns {
		for _, v := range values {
			all = append(all, Attack{Target: strings.Replace(p, "*", v, 1)})
		}
	}
	return all
}
