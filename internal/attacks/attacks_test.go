package attacks

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// TestCorpus: it is as large as it is said to be, and nothing is in it twice.
func TestCorpus(t *testing.T) {
	names, requests, attacks := map[string]bool{}, map[string]string{}, 0
	for _, c := range slices.Concat(Classes, Left) {
		assert.False(t, names[c.Name], c.Name)
		names[c.Name] = true
		assert.NotEmpty(t, c.Why, c.Name)
		assert.NotEmpty(t, c.Wins, c.Name)
		attacks += len(c.Attacks)
		for _, a := range c.Attacks {
			assert.Empty(t, requests[a.Request()], "%s: %q", c.Name, a.Request())
			requests[a.Request()] = c.Name
		}
	}
	classes := map[string]bool{}
	for _, m := range Legitimate {
		assert.Empty(t, requests[m.Request()], "%q", m.Request())
		requests[m.Request()] = m.Class
		assert.False(t, names[m.Class], m.Class)
		classes[m.Class] = true
	}
	assert.GreaterOrEqual(t, attacks, 500)
	assert.GreaterOrEqual(t, len(names), 40)
	assert.GreaterOrEqual(t, len(Legitimate), 100)
	t.Logf("%d attacks in %d classes, %d legitimate in %d", attacks, len(names), len(Legitimate), len(classes))
}

func TestJudge(t *testing.T) {
	runs := Attack{Script: "/app.php"}
	for _, tt := range []struct {
		name   string
		attack Attack
		answer string
		front  string
		want   Outcome
	}{
		{"nothing", Attack{}, "404 Not Found\n", "", Safe},
		{"a file", Attack{}, FileText("text.txt"), "", Safe},
		{"an upload as it is", Attack{}, PHP.upload("x.jpg"), "", Safe},
		{"an upload that ran", Attack{}, "file x.jpg\nMARK-UPLOAD", "", WrongScript},
		{"beside the folder", Attack{}, "MARK-OUTSIDE\n", "", Escape},
		{"beside the folder, by the right script", runs, "RAN /app.php\nMARK-OUTSIDE\n", "", Escape},
		{"passwd", Attack{}, "x\nroot:x:0:0:root:/root:/bin/sh\n", "", Escape},
		{"environment", Attack{}, "HOME=/root\x00PATH=/bin:/usr/bin\x00", "", Escape},
		{"rule", Attack{}, "MARK-RULE\n", "", Escape},
		{"source", runs, PHP.script("/app.php"), "", Disclosure},
		{"source of a program", runs, Shell.script("/app.php"), "", Disclosure},
		{"hidden", Attack{}, "MARK-HIDDEN\n", "", Disclosure},
		{"the script that may", runs, "RAN /app.php\nSCRIPT_NAME=\n", "", Safe},
		{"another script", runs, "RAN /dir/b.php\nSCRIPT_NAME=\n", "", WrongScript},
		{"a script where none may", Attack{}, "RAN /app.php\n", "", WrongScript},
		{"the front controller", Attack{}, "RAN /index.php\n", "/index.php", Safe},
	} {
		assert.Equal(t, tt.want, Judge(tt.attack, tt.answer, tt.front), tt.name)
	}
}

func TestRight(t *testing.T) {
	file, moved := Meant{Target: "/a", File: "a"}, Meant{Target: "/d", Redirect: "/d/"}
	run := Meant{Target: "/s.php/x?q", Script: "/s.php", PathInfo: "/x"}
	const says = "RAN /s.php\nSCRIPT_NAME=/s.php\nPATH_INFO=/x\nQUERY_STRING=q\n"
	for _, tt := range []struct {
		name     string
		meant    Meant
		status   int
		location string
		body     string
		want     bool
	}{
		{"file", file, 200, "", "file a\n", true},
		{"another file", file, 200, "", "file b\n", false},
		{"a file with an error", file, 404, "", "file a\n", false},
		{"script", run, 200, "", says, true},
		{"script without PATH_INFO", run, 200, "", "RAN /s.php\nSCRIPT_NAME=/s.php\nPATH_INFO=\nQUERY_STRING=q\n", false},
		{"redirect", moved, 301, "/d/", "", true},
		{"redirect with a host", moved, 302, "http://h:1/d/", "", true},
		{"redirect elsewhere", moved, 301, "/", "", false},
		{"no redirect", moved, 200, "", "file a\n", false},
		{"part", Meant{File: "a", Part: "fi"}, 206, "", "fi", true},
		{"whole for a part", Meant{File: "a", Part: "fi"}, 200, "", "file a\n", false},
		{"HEAD", Meant{File: "a", NoBody: true}, 200, "", "", true},
	} {
		assert.Equal(t, tt.want, tt.meant.Right(tt.status, tt.location, tt.body), tt.name)
	}
}

func TestBuild(t *testing.T) {
	for _, l := range []Language{PHP, Shell, Plain} {
		root, err := Build(t.TempDir(), l, os.WriteFile)
		require.NoError(t, err)
		text, err := os.ReadFile(root + "/in.php")
		require.NoError(t, err)
		assert.Equal(t, l != Plain, Judge(Attack{}, string(text), "") == Disclosure)
		text, err = os.ReadFile(root + "/absdir/secret.txt")
		require.NoError(t, err)
		assert.Equal(t, Escape, Judge(Attack{}, string(text), ""))
	}
}
