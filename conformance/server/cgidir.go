package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gangway-go/gangway/internal/execfile"
)

// scripts are the files of the suite in a directory of CGI programs, and the socket at which their processes report.
type scripts struct {
	// Hint is set if users other than ours cannot get at the socket or the program: what to do about it.
	Hint string

	dir     string
	temp    string   // holds the socket and, if need be, a copy of the program
	written []string // the files and directories, in the order in which they were made
}

// The files in the directory. A file whose name has nph- in front is not parsed (RFC 3875 section 5).
const (
	scriptFile   = "probe.cgi"
	secondFile   = "probe2.cgi"
	nphFile      = "nph-probe.cgi"
	subFile      = "sub/probe.cgi"
	authFile     = "auth/probe.cgi" // the directory is protected
	noExecFile   = "noexec.cgi"     // no x bit
	noInterpFile = "no-interp.cgi"  // its interpreter does not exist
	noFormatFile = "no-format.cgi"  // neither a first line with #! nor a binary
	// prints what the process ignores and blocks; a shell script, for a Go program hides it
	signalsFile = "signals.cgi"
	outsideFile = "outside.cgi" // a probe that is not in the directory but in the suite's own
)

// marker is in every file that the suite writes: it may overwrite and remove those.
const marker = probeWord

// maxInterpreter is what the oldest kernels read of a first line.
const maxInterpreter = 127

// newScripts writes the suite's files into dir.
func newScripts(dir string) (*scripts, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "gangway-conform-")
	if err != nil {
		return nil, err
	}
	s := &scripts{dir: dir, temp: temp}
	if err := s.prepare(); err != nil {
		s.remove()
		return nil, fmt.Errorf("server: the CGI directory: %w", err)
	}
	return s, nil
}

func (s *scripts) prepare() error {
	if err := os.Chmod(s.temp, 0o755); err != nil {
		return err
	}
	executable, err := s.executable()
	if err != nil {
		return err
	}
	probe := probeFile(executable, s.socket())
	if err := execfile.WriteFile(s.outside(), []byte(probe), 0o755); err != nil {
		return err
	}
	return s.writeAll(probe)
}

func (s *scripts) socket() string { return filepath.Join(s.temp, "s") }

func (s *scripts) outside() string { return filepath.Join(s.temp, outsideFile) }

// listen listens for the processes.
func (s *scripts) listen() (net.Listener, error) {
	ln, err := net.Listen("unix", s.socket())
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(s.socket(), 0o666); err != nil {
		ln.Close()
		return nil, err
	}
	if blocked := barred(s.socket(), 0o006); blocked != "" {
		s.Hint = "other users cannot reach " + blocked + ": set TMPDIR to a directory that they can"
	}
	return ln, nil
}

// executable finds this program at a place where other users can run it and the first line of a script can name it.
func (s *scripts) executable() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	if barred(path, 0o005) == "" && nameable(path) {
		return path, nil
	}
	copied := filepath.Join(s.temp, "probe")
	if !nameable(copied) {
		return "", fmt.Errorf("no script can name %q: set TMPDIR to a shorter path without spaces", copied)
	}
	if os.Link(path, copied) == nil && barred(copied, 0o005) == "" {
		return copied, nil
	}
	os.Remove(copied)
	program, err := os.ReadFile(path)
	if err == nil {
		err = execfile.WriteFile(copied, program, 0o755)
	}
	if err == nil {
		err = os.Chmod(copied, 0o755)
	}
	return copied, err
}

func nameable(path string) bool {
	return !strings.ContainsAny(path, " \t\n") && len("#!"+path+" "+probeWord+"\n") <= maxInterpreter
}

// hint says what may be the reason if no program reports.
func (a *application) hint() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.scripts == nil || a.scripts.Hint == "" {
		return ""
	}
	return " (" + a.scripts.Hint + ")"
}

// barred returns the part of path at which those who are neither its owner nor in its group fail, or "". They need
// bits of the file itself and have to pass every directory above it.
func barred(path string, bits fs.FileMode) string {
	for {
		info, err := os.Stat(path)
		if err != nil || info.Mode()&bits != bits {
			return path
		}
		parent := filepath.Dir(path)
		if parent == path {
			return ""
		}
		path, bits = parent, 0o001
	}
}

// writeAll writes the files.
func (s *scripts) writeAll(probe string) error {
	const broken = "#!/nowhere/interpreter " + marker + "\n"
	const noFormat = marker + "\n"
	const signals = "#!/bin/sh\n# " + marker + "\nprintf 'Content-Type: text/plain\\n\\n'\n" +
		"while read -r line; do\n\tcase $line in Sig*) printf '%s\\n' \"$line\";; esac\ndone </proc/$$/status\n"
	for _, file := range []struct {
		name, text string
		mode       fs.FileMode
	}{
		{scriptFile, probe, 0o755}, {secondFile, probe, 0o755}, {nphFile, probe, 0o755}, {subFile, probe, 0o755},
		{authFile, probe, 0o755},
		{noExecFile, probe, 0o644}, {noInterpFile, broken, 0o755}, {noFormatFile, noFormat, 0o755}, {signalsFile,
			signals, 0o755},
	} {
		if err := s.write(file.name, file.text, file.mode); err != nil {
			return err
		}
	}
	return nil
}

// write writes a file, over one of the suite's own if there is one.
func (s *scripts) write(name, text string, mode fs.FileMode) error {
	path := filepath.Join(s.dir, name)
	if sub := filepath.Dir(path); sub != s.dir {
		switch err := os.Mkdir(sub, 0o755); {
		case err == nil:
			s.written = append(s.written, sub)
			if err := os.Chmod(sub, 0o755); err != nil {
				return err
			}
		case !errors.Is(err, fs.ErrExist):
			return err
		}
	}
	if old, err := os.ReadFile(path); err == nil && !strings.Contains(string(old), marker) {
		return fmt.Errorf("%s exists and is not ours", path)
	}
	s.written = append(s.written, path)
	if err := execfile.WriteFile(path, []byte(text), mode); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

// remove removes what newScripts made.
func (s *scripts) remove() error {
	var errs []error
	for _, path := range slices.Backward(s.written) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	s.written = nil
	return errors.Join(append(errs, os.RemoveAll(s.temp))...)
}

// mounts are the paths of the layout that are programs, and their files in a directory of CGI programs.
var mounts = []struct{ path, file string }{
	{"/app2", secondFile}, {"/app", scriptFile}, {"/auth", authFile},
}

// At is where the path of the layout is on this server, as SCRIPT_NAME has it. Behind a socket that is path itself; a
// directory of CGI programs has files.
func (t *T) At(path string) string {
	if t.target.protocol() != "cgi" {
		return path
	}
	for _, mount := range mounts {
		rest, ok := strings.CutPrefix(path, mount.path)
		if ok && (rest == "" || strings.ContainsRune("/?", rune(rest[0]))) {
			return t.script(mount.file) + rest
		}
	}
	return path
}

// script is the path, on the server, of a file in the directory of CGI programs.
func (t *T) script(file string) string {
	prefix := "/cgi-bin"
	if u, err := url.Parse(t.target.URL); err == nil && strings.Trim(u.Path, "/") != "" {
		prefix = strings.TrimSuffix(u.Path, "/")
	}
	return prefix + "/" + file
}

// place replaces the path in a request line by where it is.
func (t *T) place(line string) string {
	method, rest, _ := strings.Cut(line, " ")
	target, proto, ok := strings.Cut(rest, " ")
	scheme, path, absolute := strings.Cut(target, "://")
	if !ok || t.target.protocol() != "cgi" {
		return line
	}
	if !absolute {
		return method + " " + t.At(target) + " " + proto
	}
	host, _, _ := strings.Cut(path, "/")
	return method + " " + scheme + "://" + host + t.At(path[len(host):]) + " " + proto
}

// exploreScripts finds out what the server can do with CGI programs.
func (t *T) exploreScripts(found map[string]bool) {
	_, r := t.try(t.Request("GET", t.script(nphFile), ""), CGI(nphResponse))
	found["nph"] = string(r.Raw) == nphResponse
	_, r = t.try(t.Request("GET", t.script(signalsFile), ""), OK)
	found["signals"] = strings.Contains(string(r.Body), "SigBlk:")
}
