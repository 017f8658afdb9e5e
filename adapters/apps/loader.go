package apps

import (
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/pool"
	"github.com/gangway-go/gangway/scgi"
)

// loaders are programs that load an application and serve it over SCGI. Their arguments are the socket to listen on,
// the application's folder, and what to load from it.
//
//go:embed loaders
var loaders embed.FS

// A language is what runs the applications of one kind.
type language struct {
	program string
	loader  string
	install string // what Debian calls it
}

var languages = map[Kind]language{
	Rack: {"ruby", "rack.rb", "ruby ruby-rack"},
	WSGI: {"python3", "wsgi.py", "python3"},
	PSGI: {"perl", "psgi.pl", "perl"},
}

// initLoader runs the application that begins with the file first by its language's loader.
func (a *App) initLoader(first string, o Options) error {
	l := languages[a.Kind]
	program, err := a.findProgram(l, o.Programs[a.Kind])
	if err != nil {
		return err
	}
	source, err := loaders.ReadFile("loaders/" + l.loader)
	if err != nil {
		return err
	}
	if a.Kind == WSGI { // wants the name of the module
		first = strings.ReplaceAll(strings.TrimSuffix(first, ".py"), "/", ".")
	}
	a.run(&pool.Group{Processes: o.processes(), MaxRequests: o.MaxRequests}, &pool.Command{
		Cmd: func(socket string) (*exec.Cmd, error) {
			loader := filepath.Join(filepath.Dir(socket), "gangway_"+l.loader)
			if err := os.WriteFile(loader, source, 0o644); err != nil {
				return nil, err
			}
			cmd := exec.Command(program, loader, socket, a.Dir, first)
			cmd.Dir = a.Dir
			return cmd, a.become(cmd)
		},
		Backend: func(socket string) adapters.Handler {
			return &scgi.Client{Network: "unix", Address: socket, HeaderLimit: o.HeaderLimit, SpoolLimit: o.SpoolLimit}
		},
	}, &o)
	a.publicFirst()
	return nil
}

// findProgram returns the interpreter: the given one, that of a virtual environment in the folder, the first in PATH.
func (a *App) findProgram(l language, given string) (string, error) {
	if given == "" && a.Kind == WSGI {
		for _, env := range []string{".venv", "venv"} {
			if python := filepath.Join(a.Dir, env, "bin", "python3"); exists(python) {
				return python, nil
			}
		}
	}
	if given == "" {
		given = l.program
	}
	path, err := exec.LookPath(given)
	if err != nil {
		return "", fmt.Errorf("%s not found: apt install %s", given, l.install)
	}
	return path, nil
}
