// Fuzzcover prints how much of each parser its fuzz target reaches with the committed inputs alone: those that the
// target adds and those in testdata/fuzz. It exits with 1 if that is less than 95 % of the statements of any parser,
// or if a fuzz target is missing in the list of parsers.go. Arguments choose targets; -v prints what is not reached.
package main

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// module is what the paths in a profile begin with.
const module = "github.com/gangway-go/gangway/"

// least is the coverage that every parser must have, in percent.
const least = 95

var verbose = flag.Bool("v", false, "print what is not reached")

func main() {
	flag.Parse()
	if err := run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "fuzzcover:", err)
		os.Exit(1)
	}
}

func run(chosen []string) error {
	if err := checkComplete(); err != nil {
		return err
	}
	short := 0
	fmt.Printf("%-24s %-20s %10s %8s  %s\n", "package", "target", "statements", "covered", "parser")
	for _, p := range parsers {
		if len(chosen) > 0 && !slices.Contains(chosen, p.target) {
			continue
		}
		covered, all, err := p.measure()
		if err != nil {
			return err
		}
		percent := 100 * float64(covered) / float64(all)
		if percent < least {
			short++
		}
		fmt.Printf("%-24s %-20s %10d %7.1f%%  %s\n", p.folder, p.target, all, percent, strings.Join(p.code, "; "))
	}
	if short > 0 {
		return fmt.Errorf("%d parsers are reached to less than %d %%", short, least)
	}
	return nil
}

// checkComplete makes sure that each fuzz target of the module is in the list.
func checkComplete() error {
	out, err := exec.Command("grep", "-roE", "--include=*_test.go", "^func Fuzz[A-Za-z0-9_]+", ".").Output()
	if err != nil {
		return fmt.Errorf("call it in the root of the module: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		file, function, _ := strings.Cut(strings.TrimSpace(line), ":func ")
		if !slices.ContainsFunc(parsers, func(p parserCode) bool {
			return p.target == function && p.folder == path.Dir(path.Clean(file))
		}) {
			return fmt.Errorf("%s of %s is not in parsers.go", function, file)
		}
	}
	return nil
}

// A parserCode is a parser and the fuzz target that reaches it.
type parserCode struct {
	folder, target string
	// code names files beneath folder, or from the root if they begin with a slash. Behind a colon it names the
	// functions and methods that count; all if none.
	code []string
}

// measure runs the target on the committed inputs and counts statements.
func (p parserCode) measure() (covered, all int, err error) {
	profile, err := os.CreateTemp("", "fuzzcover")
	if err != nil {
		return 0, 0, err
	}
	profile.Close()
	defer os.Remove(profile.Name())
	cmd := exec.Command("go", "test", "-count=1", "-run=^"+p.target+"$", "-coverpkg="+p.packages(),
		"-coverprofile="+profile.Name(), "./"+p.folder)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, 0, fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	text, err := os.ReadFile(profile.Name())
	if err != nil {
		return 0, 0, err
	}
	for _, code := range p.code {
		spans, file, err := p.spans(code)
		if err != nil {
			return 0, 0, err
		}
		c, a := count(string(text), module+file, spans)
		covered, all = covered+c, all+a
	}
	if all == 0 {
		return 0, 0, fmt.Errorf("%s: the profile has nothing of %v", p.target, p.code)
	}
	return covered, all, nil
}

// file returns the path of a file from the root.
func (p parserCode) file(code string) string {
	name, _, _ := strings.Cut(code, ":")
	if rooted, ok := strings.CutPrefix(name, "/"); ok {
		return rooted
	}
	return path.Join(p.folder, name)
}

// packages returns the packages of the code, as -coverpkg wants them.
func (p parserCode) packages() string {
	var list []string
	for _, code := range p.code {
		list = append(list, "./"+path.Dir(p.file(code)))
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ",")
}

// A span is the lines of a function.
type span struct{ first, last int }

// spans returns where the functions of the code are.
func (p parserCode) spans(code string) (spans []span, file string, err error) {
	file = p.file(code)
	_, names, _ := strings.Cut(code, ":")
	wanted, missing := strings.Fields(names), strings.Fields(names)
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, filepath.FromSlash(file), nil, 0)
	if err != nil {
		return nil, "", err
	}
	for _, d := range tree.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || len(wanted) > 0 && !slices.ContainsFunc(wanted, func(name string) bool { return isNamed(f, name) }) {
			continue
		}
		spans = append(spans, span{set.Position(f.Pos()).Line, set.Position(f.End()).Line})
		missing = slices.DeleteFunc(missing, func(name string) bool { return isNamed(f, name) })
	}
	if len(missing) > 0 {
		return nil, "", fmt.Errorf("%s has no functions %v", file, missing)
	}
	return spans, file, nil
}

// isNamed reports whether f has a name, such as "parse", or "T.parse" for the method of T alone.
func isNamed(f *ast.FuncDecl, name string) bool {
	method := f.Name.Name
	if f.Recv != nil {
		t := f.Recv.List[0].Type
		if star, ok := t.(*ast.StarExpr); ok {
			t = star.X
		}
		method = fmt.Sprint(t) + "." + method
	}
	return name == f.Name.Name || name == method
}

var block = regexp.MustCompile(`(?m)^(\S+):(\d+)\.\d+,(\d+)\.\d+ (\d+) (\d+)$`)

// count counts the statements of a profile that lie in one of the spans of a file.
func count(profile, file string, spans []span) (covered, all int) {
	for _, m := range block.FindAllStringSubmatch(profile, -1) {
		first, _ := strconv.Atoi(m[2])
		if m[1] != file || !slices.ContainsFunc(spans, func(s span) bool { return s.first <= first && first <= s.last }) {
			continue
		}
		n, _ := strconv.Atoi(m[4])
		all += n
		if m[5] != "0" {
			covered += n
		} else if *verbose && n > 0 {
			fmt.Printf("  %s:%s-%s: %d statements\n", strings.TrimPrefix(file, module), m[2], m[3], n)
		}
	}
	return covered, all
}
