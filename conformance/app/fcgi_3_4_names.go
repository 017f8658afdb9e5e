package app

import (
	"strings"

	"github.com/gangway-go/gangway/conformance"
	"github.com/gangway-go/gangway/fastcgi/wire"
)

func fcgi34Names() []conformance.Case {
	return append([]conformance.Case{{
		Name:  "fcgi/3.4/empty-name",
		Quote: quotePair,
		Level: conformance.Robustness, Echo: true,
		Sends:  "a pair without a name, with a value, and another variable behind it",
		Passes: "gets the other variable, or refuses the request",
		Run:    test(func(t *T) { t.seesAfter("\x00\x05value") }),
	}, {
		Name:  "fcgi/3.4/empty-pair",
		Quote: quotePair,
		Level: conformance.Robustness, Echo: true,
		Sends:  "a pair with neither name nor value, two zero bytes, and another variable behind it",
		Passes: "gets the other variable, or refuses the request",
		Run:    test(func(t *T) { t.seesAfter("\x00\x00") }),
	}, {
		Name:  "fcgi/3.4/duplicate-names",
		Quote: "A variable that the application sees twice means one thing to who checks it and another to who uses it.",
		Level: conformance.Robustness, Echo: true,
		Sends:  "two variables with the same name and the values one and two",
		Passes: "sees one of them, or refuses the request",
		Run: test(func(t *T) {
			c := t.Connect()
			c.SendPairs("\x04\x03TWINone", "\x04\x03TWINtwo")
			resp := c.Settled(1)
			if t.accepted(resp) {
				values := t.Echo(resp.stdout).Values("TWIN")
				t.Check(len(values) == 1 && (values[0] == "one" || values[0] == "two"), "it sees %q", values)
				t.Info("of variables with the same name it sees the value %q of one, two", values[0])
			}
		}),
	}, {
		Name:  "fcgi/3.4/case-of-names",
		Quote: "nameData[nameLength]: two names are the same if their bytes are.",
		Level: conformance.Robustness, Echo: true,
		Sends:  "the variables CONFORMANCE=upper and conformance=lower",
		Passes: "sees both as they are",
		Run: test(func(t *T) {
			e := t.Sees("\x0b\x05CONFORMANCEupper", "\x0b\x05conformancelower")
			t.CheckVar(e, "CONFORMANCE", "upper")
			t.CheckVar(e, "conformance", "lower")
		}),
	}}, fcgi34Injections()...)
}

// seesAfter sends a pair and another behind it, and fails if the request is served without the latter.
func (t *T) seesAfter(pair string) {
	c := t.Connect()
	c.SendPairs(pair, "\x05\x03AFTERyes")
	if resp := c.Settled(1); t.accepted(resp) {
		t.CheckVar(t.Echo(resp.stdout), "AFTER", "yes")
	}
}

// fcgi34Injections are the cases of names and values that mean something where environments are strings NAME=VALUE that
// end with a NUL.
func fcgi34Injections() []conformance.Case {
	injects := func(slug, sends, name, value string) conformance.Case {
		return conformance.Case{
			Name:  "fcgi/3.4/" + slug,
			Quote: quotePair + " Who controls one variable must not be able to make another of it.",
			Level: conformance.Security, Echo: true,
			Sends:  sends,
			Passes: "sees no variable REMOTE_USER",
			Run: test(func(t *T) {
				c := t.Connect()
				c.SendPairs(string(wire.AppendPair(nil, name, value)))
				if resp := c.Settled(1); t.accepted(resp) {
					values := t.Echo(resp.stdout).Values("REMOTE_USER")
					t.Check(len(values) == 0, "it sees REMOTE_USER as %q", values)
				}
			}),
		}
	}
	return []conformance.Case{
		injects("equals-in-name", `a variable named "REMOTE_USER=root"`, "REMOTE_USER=root", "x"),
		injects("newline-in-name", `a variable named "A", a line feed and "REMOTE_USER"`, "A\nREMOTE_USER", "root"),
		injects("nul-in-name", `a variable named "REMOTE_USER", a NUL and "A"`, "REMOTE_USER\x00A", "root"),
		injects("newline-in-value", `a variable with the value "x", a line feed and "REMOTE_USER=root"`,
			"HTTP_A", "x\nREMOTE_USER=root"),
		injects("equals-as-name", `a variable named "=" with the value "REMOTE_USER=root"`, "=", "REMOTE_USER=root"),
		{
			Name:  "fcgi/3.4/nul-in-value",
			Quote: quoteBinary + " A value that is cut is not what somebody else has checked.",
			Level: conformance.Security, Echo: true,
			Sends:  `a variable with the value "a", a NUL and "b"`,
			Passes: "gets the whole value, or refuses the request",
			Run: test(func(t *T) {
				c := t.Connect()
				c.SendPairs("\x0b\x03CONFORMANCEa\x00b")
				if resp := c.Settled(1); t.accepted(resp) {
					t.CheckVar(t.Echo(resp.stdout), "CONFORMANCE", "a\x00b")
				}
			}),
		},
	}
}

// fcgi34Cut are the cases of pairs that are not all there.
func fcgi34Cut() []conformance.Case {
	cut := func(slug, sends, pairs string) conformance.Case {
		return conformance.Case{
			Name:  "fcgi/3.4/" + slug,
			Quote: quotePair + " A length that promises more than there is must not be believed.",
			Level: conformance.Security,
			Sends: "FCGI_PARAMS " + sends,
			Passes: "ends the request or closes the connection, its memory does not grow by 16 MiB, and the next request is " +
				"served",
			Run: test(func(t *T) {
				grown := t.growth()
				c := t.Connect()
				c.SendPairs(pairs)
				c.Settled(1)
				c.Close()
				t.Serves()
				t.Check(grown() < 16<<20, "its memory grew by %d bytes", grown())
			}),
		}
	}
	return []conformance.Case{{
		Name:  "fcgi/3.4/truncated-pair",
		Quote: quotePair + " A length that promises more than there is must not be believed.",
		Level: conformance.Security, Echo: true,
		Sends:  "FCGI_PARAMS that end within a value: 4 of its 100 bytes",
		Passes: "refuses the request, or does not see the variable",
		Run: test(func(t *T) {
			c := t.Connect()
			c.SendPairs("\x0b\x64CONFORMANCEcut!")
			if resp := c.Settled(1); t.accepted(resp) {
				values := t.Echo(resp.stdout).Values("CONFORMANCE")
				t.Check(len(values) == 0, "it sees %.200q", values)
			}
		}),
	},
		cut("truncated-4byte-length", "that end within a length of four bytes", "\x0b\x80\x00"),
		cut("truncated-name", "that end within a name", "\x0b\x05CONFO"),
		cut("length-7fffffff", "with a name and a value of 0x7FFFFFFF bytes, of which 4 are there",
			"\xff\xff\xff\xff\xff\xff\xff\xffabcd"),
		cut("length-sum-overflow", "with a name of 0x7FFFFFFF bytes and a value of 1: their sum has a sign",
			"\xff\xff\xff\xff\x01abcd"),
		cut("length-beyond-stream", "with a value of 1 MiB, of which 10 bytes are there",
			"\x0b\x80\x10\x00\x00CONFORMANCE0123456789"),
	}
}

// fcgi34Many are the cases of many pairs.
func fcgi34Many() []conformance.Case {
	many := func(slug, sends string, names func(yield func(string) bool)) conformance.Case {
		return conformance.Case{
			Name:   "fcgi/3.4/" + slug,
			Quote:  "Time that grows with the square of what is sent keeps others out.",
			Level:  conformance.Security,
			Serial: true,
			Sends:  sends,
			Passes: "ends the request or closes the connection in five times the usual time (5 s), using less than that of " +
				"processor time",
			Run: test(func(t *T) {
				c, cpu := t.Connect(), t.CPU()
				c.patience *= manyTimes
				r := t.Get("")
				for name := range names {
					r.Vars = append(r.Vars, pair{name, ""})
				}
				c.Send(r.Bytes())
				c.Settled(1)
				used := t.CPU() - cpu
				t.Check(used < c.patience, "it used %v of processor time", used)
			}),
		}
	}
	return []conformance.Case{
		many("100k-pairs", "100,000 variables", func(yield func(string) bool) {
			for name := range words(strings.Split("0123456789", ""), 5) {
				if !yield("V" + name) {
					return
				}
			}
		}),
		many("hash-collision-names", "16,384 variables whose names have the same hash by the function of Bernstein",
			words([]string{"Ez", "FY"}, 14)),
	}
}

// manyTimes is how many times the usual patience many variables get.
const manyTimes = 5

// words are all words of n of the letters.
func words(letters []string, n int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		word := make([]int, n)
		for {
			var b strings.Builder
			for _, i := range word {
				b.WriteString(letters[i])
			}
			if !yield(b.String()) {
				return
			}
			k := n - 1
			for ; k >= 0 && word[k] == len(letters)-1; k-- {
				word[k] = 0
			}
			if k < 0 {
				return
			}
			word[k]++
		}
	}
}
