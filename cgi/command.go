package cgi

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/gangway-go/gangway/adapters"
)

// A command is what is to be run.
type command struct {
	asked   string // absolute path
	script  string // the same; for its owner without symbolic links
	program string // the same, or its interpreter
	argv    []string
	dir     string
}

// command returns what to run for a request for filename. Also with an error it names the script.
func (s *Script) command(filename string) (c command, err error) {
	if c.script = cmp.Or(s.Path, filename); c.script == "" {
		return c, fmt.Errorf("%w: the request names no script", adapters.ErrNotFound)
	}
	if c.script, err = filepath.Abs(c.script); err != nil { // relative, it would be looked for in dir
		return c, err
	}
	c.asked = c.script
	if s.byOwner() { // what is looked at is what is run, whoever changes links meanwhile
		if real, err := filepath.EvalSymlinks(c.script); err == nil {
			c.script = real
		}
	}
	interpreter := s.Interpreters[filepath.Ext(c.script)]
	if err := checkScript(c.script, interpreter == ""); err != nil {
		return c, err
	}
	if c.dir = s.Dir; c.dir == "" {
		c.dir = filepath.Dir(c.script)
	}
	c.program, c.argv = c.script, append([]string{c.script}, s.Args...)
	if interpreter != "" {
		if c.program, err = exec.LookPath(interpreter); err == nil {
			c.program, err = filepath.Abs(c.program)
		}
		if err != nil {
			return c, misconfigured("interpreter: %w", err)
		}
		c.argv = slices.Insert(c.argv, 0, c.program)
	}
	return c, nil
}

func misconfigured(format string, err error) error {
	return &adapters.Error{Op: "cannot start", Status: http.StatusInternalServerError, Err: fmt.Errorf(format, err)}
}

// checkScript reports why there is no script at path.
func checkScript(path string, executable bool) error {
	if strings.IndexByte(path, 0) >= 0 {
		return fmt.Errorf("%w: NUL in the script's name", adapters.ErrBadRequest)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", adapters.ErrForbidden, err)
	case err != nil:
		return fmt.Errorf("%w: %w", adapters.ErrNotFound, err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: not a file", adapters.ErrForbidden)
	case executable && info.Mode()&0o111 == 0 && runtime.GOOS != "windows":
		return fmt.Errorf("%w: not executable (chmod +x it, or name an interpreter for %s)",
			adapters.ErrForbidden, filepath.Ext(path))
	}
	return nil
}

// startError says what an error of the system means for a script that is there.
func startError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return misconfigured("the interpreter in its #! line does not exist, or the line ends with CR LF: %w", err)
	case errors.Is(err, syscall.ENOEXEC):
		return misconfigured("neither a program nor a script that begins with #!: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", adapters.ErrForbidden, err)
	case errors.Is(err, syscall.E2BIG):
		return &adapters.Error{Op: "environment", Status: http.StatusRequestHeaderFieldsTooLarge,
			Err: fmt.Errorf("%w: %w", adapters.ErrTooLarge, err)}
	}
	for _, lack := range []error{syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE} {
		if errors.Is(err, lack) {
			return fmt.Errorf("%w: %w", adapters.ErrBusy, err)
		}
	}
	return misconfigured("%w", err)
}

// defaultPath is PATH if we have none ourselves.
const defaultPath = "/usr/local/bin:/usr/bin:/bin"

// environ returns the environment of c: Env, the meta-variables of req, RFC 3875 section 4.1, and PATH, each name once.
// Of the request nothing steers a script that runs as another user.
func (s *Script) environ(c *command, req *adapters.Request) ([]string, error) {
	env, another := append(make([]string, 0, 40), s.Env...), s.asAnother()
	php := c.program != c.script && strings.HasPrefix(filepath.Base(c.program), "php-cgi")
	for name, value := range req.All() {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.IndexByte(value, 0) >= 0 {
			return nil, fmt.Errorf("%w: no environment can hold the variable %.40q", adapters.ErrBadRequest, name)
		}
		if s.byOwner() && (name == "SCRIPT_FILENAME" || php && name == "PATH_TRANSLATED") { // php-cgi may run either
			continue
		}
		if !hasVar(s.Env, name) && !(another && steers(name)) {
			env = append(env, name+"="+value)
		}
	}
	missing := []adapters.Var{
		{Name: "PATH", Value: cmp.Or(os.Getenv("PATH"), defaultPath)}, {Name: "SCRIPT_FILENAME", Value: c.script},
	}
	if php {
		missing = append(missing, adapters.Var{Name: "REDIRECT_STATUS", Value: "200"})
	}
	for _, v := range missing {
		if !hasVar(env, v.Name) {
			env = append(env, v.Name+"="+v.Value)
		}
	}
	return env, nil
}

func hasVar(env []string, name string) bool {
	return slices.ContainsFunc(env, func(v string) bool {
		return len(v) > len(name) && v[len(name)] == '=' && v[:len(name)] == name
	})
}
