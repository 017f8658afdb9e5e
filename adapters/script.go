package adapters

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// A ScriptResolver finds the script of a request by walking a tree of files, and passes the request to To with Script
// filled in, or to Files if it is for a file that is no script. The longest prefix of the path that is a regular file
// beneath the root is SCRIPT_NAME and the rest PATH_INFO; nothing is guessed. What [HiddenPath] hides does not exist,
// nor do the sources of scripts: a script's name in another case, copies that editors and people leave beside it
// ("x.php~", "x.php.bak"), and where ".php" is a script, files that only PHP may read (".inc", ".phtml"). No symbolic
// link leads out of the root unless FollowSymlinks says so. The application opens SCRIPT_FILENAME itself: whoever can
// change links in the root can change them in between.
//
// The path is Script.PathInfo of the request. What is Script.Name already ([Mount]) stays in front of SCRIPT_NAME.
//
// The fields must not change once the resolver is in use. It is safe for concurrent use.
type ScriptResolver struct {
	// To answers the requests for scripts.
	To Handler
	// Files answers the requests for other files; nil means that they are not found.
	Files Handler

	// Root is the folder of the scripts as the application sees it: DOCUMENT_ROOT.
	Root string
	// LocalRoot is the same folder as this process sees it; empty means Root. While it does not exist, the path is split
	// after its first segment that ends in one of Ext, and Files is not asked.
	LocalRoot string
	// Ext are the extensions of scripts, dot included; nil is ".php". "*" makes every file a script.
	Ext []string
	// Index are the names tried for a folder; nil is "index.php", and with Files "index.html" behind it.
	Index []string
	// Script, a path beneath Root, is the one script for every request (a front controller); empty means that the path
	// decides. If Files is set, existing files that are no scripts go there first.
	Script string
	// Fallback, a path beneath Root, is the script for what is neither found otherwise nor hidden: a front controller
	// beside other scripts. It excludes Script.
	Fallback string
	// FollowSymlinks lets symbolic links lead out of the root.
	FollowSymlinks bool
	// Log takes the warning that LocalRoot does not exist; nil is slog.Default.
	Log *slog.Logger

	warned sync.Once
}

// Serve passes req on to To or Files. Its own error is that of Resolve and says which component of the path is missing.
func (s *ScriptResolver) Serve(ctx context.Context, req *Request) (*Response, error) {
	target, err := s.find(req)
	switch {
	case err != nil:
		return nil, err
	case target.Redirect != "":
		return RedirectTo(req.Script.Name+target.Redirect, req.Query), nil
	case target.File:
		return s.Files.Serve(ctx, req)
	}
	c := *req
	c.Script = target.Script
	c.Script.Name = req.Script.Name + c.Script.Name
	return s.To.Serve(ctx, &c)
}

func (s *ScriptResolver) find(req *Request) (Target, error) {
	switch {
	case !req.EncodedSeparator():
		return s.Resolve(req.Script.PathInfo)
	case s.front() != "":
		return s.one(req.Script.PathInfo), nil
	}
	return Target{}, fmt.Errorf("%w: encoded separator in %.80q", ErrNotFound, req.URI)
}

// front is the script that does not have to be in the path, or empty.
func (s *ScriptResolver) front() string { return cmp.Or(s.Script, s.Fallback) }

// A Target is what a [ScriptResolver] finds for a path: one of a script, a file that is no script, and a redirect.
type Target struct {
	Script   Script
	File     bool
	Redirect string // the path with the slash that a folder needs
}

// Resolve finds what a canonical path stands for. The error wraps [ErrNotFound], unless the system failed to look.
func (s *ScriptResolver) Resolve(path string) (Target, error) {
	t, err := s.look(path)
	if s.Fallback != "" && errors.Is(err, ErrNotFound) && !HiddenPath(path) {
		return s.one(path), nil
	}
	return t, err
}

func (s *ScriptResolver) look(path string) (Target, error) {
	tree, err := s.open()
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return Target{}, lookupError(err, err)
		}
		s.warned.Do(func() { s.warn(err) })
		return s.split(path)
	}
	defer tree.Close()
	if s.Script == "" {
		return s.walk(tree, path)
	}
	if s.Files != nil {
		if t, err := s.walk(tree, path); err == nil && t.File && !strings.HasSuffix(path, "/") {
			return t, nil
		}
	}
	return s.one(path), nil
}

func (s *ScriptResolver) warn(err error) {
	log := cmp.Or(s.Log, slog.Default())
	log.Warn("the folder of the scripts is not there: splitting paths by extension, serving no files", "error", err)
}

// A tree looks files up beneath a root.
type tree interface {
	Stat(name string) (fs.FileInfo, error)
	Close() error
}

type openTree string

func (t openTree) Stat(name string) (fs.FileInfo, error) {
	return os.Stat(filepath.Join(string(t), name))
}
func (t openTree) Close() error { return nil }

// open is done for each request, so that a root that is a link to a release can be switched to the next one.
func (s *ScriptResolver) open() (tree, error) {
	root := cmp.Or(s.LocalRoot, s.Root)
	if s.FollowSymlinks {
		_, err := os.Stat(root)
		return openTree(root), err
	}
	return os.OpenRoot(root)
}

func (s *ScriptResolver) isScript(name string) bool {
	if s.Ext == nil {
		return strings.HasSuffix(name, ".php")
	}
	return slices.ContainsFunc(s.Ext, func(ext string) bool { return ext == "*" || strings.HasSuffix(name, ext) })
}

// copyEnds are what editors, version control and people put behind the name of a file when they keep it, and what some
// file systems do not mind there.
var copyEnds = []string{
	"~", "#", ".", " ", ".bak", ".backup", ".copy", ".dist", ".new", ".old", ".orig", ".rej", ".save",
	".swo", ".swp", ".tmp",
}

// phpEnds are extensions of files that only PHP may read, where PHP runs.
var phpEnds = []string{
	".inc", ".phar", ".php3", ".php4", ".php5", ".php7", ".php8", ".phps", ".pht", ".phtml",
}

// isSource reports whether the file called name, which is no script, may be the source of one.
func (s *ScriptResolver) isSource(name string) bool {
	name = strings.ToLower(strings.ToUpper(name)) // also letters that only fold into those of ASCII
	for end := len(name) + 1; len(name) < end; {
		end = len(name)
		for _, e := range copyEnds {
			name = strings.TrimSuffix(name, e)
		}
	}
	isPHP := func(end string) bool { return strings.HasSuffix(name, end) }
	return s.isScript(name) || s.isScript("x.php") && slices.ContainsFunc(phpEnds, isPHP)
}

func (s *ScriptResolver) script(name, pathInfo string) Target {
	root := strings.TrimSuffix(s.Root, "/")
	return Target{Script: Script{Name: name, PathInfo: pathInfo, Filename: root + name, Root: s.Root}}
}

// one is rule (c) of the path mapping: one script for all.
func (s *ScriptResolver) one(path string) Target {
	name := "/" + strings.TrimPrefix(s.front(), "/")
	rest, ok := strings.CutPrefix(path, name)
	if !ok || rest != "" && rest[0] != '/' {
		rest = ""
	}
	return s.script(name, rest)
}

// split divides a path without looking at files.
func (s *ScriptResolver) split(path string) (Target, error) {
	if s.Script != "" {
		return s.one(path), nil
	}
	for end := range segmentEnds(path) {
		if s.isScript(path[:end]) && !HiddenPath(path[:end]) {
			return s.script(path[:end], path[end:]), nil
		}
	}
	if index := s.index(); strings.HasSuffix(path, "/") && len(index) > 0 && !HiddenPath(path) {
		return s.script(path+index[0], ""), nil
	}
	return Target{}, fmt.Errorf("%w: no segment of %q is a script", ErrNotFound, path)
}

func (s *ScriptResolver) index() []string {
	switch {
	case s.Index != nil:
		return s.Index
	case s.Files != nil:
		return []string{"index.php", "index.html"}
	}
	return []string{"index.php"}
}

// walk follows the path through the tree to the first regular file.
func (s *ScriptResolver) walk(t tree, path string) (Target, error) {
	if path != "" && path[0] != '/' { // a web server has divided it so
		return Target{}, fmt.Errorf("%w: %q does not begin with a slash", ErrNotFound, path)
	}
	if path == "/" {
		return s.folder(t, path)
	}
	for end := range segmentEnds(path) {
		if HiddenPath(path[:end]) { // what follows a script is its own matter
			return Target{}, fmt.Errorf("%w: %q has a hidden component", ErrNotFound, path[:end])
		}
		info, err := t.Stat(path[1:end])
		switch {
		case err != nil:
			return Target{}, lookupError(err, fmt.Errorf("%s: component %q: %v", path, path[:end], errors.Unwrap(err)))
		case info.Mode().IsRegular():
			return s.file(path[:end], path[end:])
		case !info.IsDir():
			return Target{}, fmt.Errorf("%w: %q is neither file nor folder", ErrNotFound, path[:end])
		}
	}
	return s.folder(t, path)
}

// lookupError returns the error for a file that could not be looked at because of err: it is there for nobody, unless
// the system has failed.
func lookupError(err, said error) error {
	for _, ours := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO} {
		if errors.Is(err, ours) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrNotFound, said)
}

func (s *ScriptResolver) file(name, rest string) (Target, error) {
	switch {
	case s.isScript(name):
		return s.script(name, rest), nil
	case s.isSource(name):
		return Target{}, fmt.Errorf("%w: %q is no script, but may be the source of one", ErrNotFound, name)
	case rest == "" && s.Files != nil:
		return Target{File: true}, nil
	case rest != "":
		return Target{}, fmt.Errorf("%w: %q is a file and no script, %q follows", ErrNotFound, name, rest)
	}
	return Target{}, fmt.Errorf("%w: %q is no script", ErrNotFound, name)
}

func (s *ScriptResolver) folder(t tree, path string) (Target, error) {
	if !strings.HasSuffix(path, "/") {
		return Target{Redirect: path + "/"}, nil
	}
	for _, name := range s.index() {
		if info, err := t.Stat(path[1:] + name); err == nil && info.Mode().IsRegular() {
			return s.file(path+name, "")
		}
	}
	if s.Files != nil && s.Fallback == "" {
		return Target{File: true}, nil
	}
	if len(s.index()) == 0 {
		return Target{}, fmt.Errorf("%w: %q is a folder", ErrNotFound, path)
	}
	return Target{}, fmt.Errorf("%w: folder %q has none of %q", ErrNotFound, path, s.index())
}

// segmentEnds yields where each segment of a path ends: "/a/b/" gives 2, 4.
func segmentEnds(path string) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := 1; i < len(path); i++ {
			if path[i] == '/' && !yield(i) {
				return
			}
		}
		if path != "" && path[len(path)-1] != '/' {
			yield(len(path))
		}
	}
}
