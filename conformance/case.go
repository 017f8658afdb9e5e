package conformance

import "strings"

// A Case is one check. Its fields are constants of the suite: nothing changes them after the package has been loaded.
type Case struct {
	// Name is PROTOCOL/SECTION/SLUG, as in "fcgi/3.3/padding-on-begin-request". It never changes, and no other case gets it.
	Name string
	// Spec is the text that is quoted, if it is another than the one that the name's first part implies.
	Spec string
	// Quote is the sentence of the specification that is checked; where there is none, the harm that is looked for.
	Quote string
	Level Level
	// Echo is set if the target has to be the echo application (package echo).
	Echo bool
	// Needs are the abilities that the target must have, in the words of the role's package.
	Needs []string
	// DependsOn names cases without which this one says nothing. They depend on none themselves.
	DependsOn []string
	// Family is common to the cases that differ only in a value; they count as one.
	Family string
	// Serial cases run alone, for they use up what others need.
	Serial bool
	// Timing is set if the verdict depends on how long something takes: it must be the same twice.
	Timing bool
	// Sends says what the target gets, Passes what it has to do: an end of the sentences "The suite sends …" and "The target …".
	Sends, Passes string
	// Run does the check. It returns if the target passed, and else calls a method of T that does not return.
	Run func(*T)
}

// Level says how much a case matters.
type Level string

// The levels, from the gravest to the least. FastCGI 1.0, SCGI and uwsgi have no RFC 2119 words: there a statement about what a
// peer does is MUST, a recommendation SHOULD, and an option MAY.
const (
	Security   Level = "security"   // somebody gets what is not theirs
	Must       Level = "MUST"       // the specification demands it
	Robustness Level = "robustness" // the specification is silent, and the target must survive and stay clear
	Should     Level = "SHOULD"     // the specification recommends it
	May        Level = "MAY"        // the specification allows it; worth knowing
)

// Levels are all levels, the gravest first.
var Levels = []Level{Security, Must, Robustness, Should, May}

// AtLeast says whether l is as grave as other, or graver.
func (l Level) AtLeast(other Level) bool { return l.rank() <= other.rank() }

func (l Level) rank() int {
	for i, level := range Levels {
		if l == level {
			return i
		}
	}
	return len(Levels)
}

// Protocol is the first part of the name: fcgi, fcgi-client, scgi, scgi-client, uwsgi, uwsgi-client, cgi or script.
func (c *Case) Protocol() string {
	protocol, _, _ := strings.Cut(c.Name, "/")
	return protocol
}

// Section is the section of the specification, the second part of the name.
func (c *Case) Section() string {
	_, rest, _ := strings.Cut(c.Name, "/")
	section, _, _ := strings.Cut(rest, "/")
	return section
}

var specs = map[string]string{
	"fcgi": "FastCGI 1.0", "fcgi-client": "FastCGI 1.0", "scgi": "SCGI", "scgi-client": "SCGI",
	"uwsgi": "uwsgi protocol", "uwsgi-client": "uwsgi protocol", "cgi": "RFC 3875", "script": "RFC 3875",
}

// waits is 1 if the case waits for time to go by, else 0.
func (c *Case) waits() int {
	if c.Timing {
		return 1
	}
	return 0
}

// Source says where Quote comes from, as in "FastCGI 1.0 section 3.3".
func (c *Case) Source() string {
	spec := c.Spec
	if spec == "" {
		spec = specs[c.Protocol()]
	}
	if section := c.Section(); section != "" && section[0] >= '0' && section[0] <= '9' {
		spec += " section " + section
	}
	return spec
}

// Count says how many cases there are if a family counts once.
func Count(cases []Case) int {
	n := 0
	families := map[string]bool{}
	for i := range cases {
		family := cases[i].Family
		if family == "" || !families[family] {
			n++
		}
		families[family] = true
	}
	return n
}
