package apps

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/pool"
	"github.com/gangway-go/gangway/fastcgi"
	"github.com/gangway-go/gangway/internal/sandbox"
)

// frontController is what answers every request of an application that keeps its sources out of public.
const frontController = "public/index.php"

// initPHP runs a PHP application: its front controller, else the scripts in its folder, and index.php of these for what
// is not there.
func (a *App) initPHP(front bool, o Options, hide func(string) bool) error {
	program, err := findPHP(o.Programs[PHP])
	if err != nil {
		return err
	}
	if strings.Contains(filepath.Base(program), "fpm") {
		a.runFPM(program, &o)
	} else {
		a.runPHPCGI(program, &o)
	}
	const index = "index.php"
	r := &adapters.ScriptResolver{To: a.handler, Root: a.Dir, Log: o.Log}
	switch {
	case front:
		r.Root, r.Script, hide = filepath.Join(a.Dir, "public"), index, nil
	case exists(filepath.Join(a.Dir, index)):
		r.Fallback = index
	}
	r.Files = files(r.Root, hide)
	a.handler = r
	if !front {
		a.publicFirst()
	}
	return nil
}

// findPHP returns what runs PHP: the given program, else the newest php-fpm, else the newest php-cgi.
func findPHP(given string) (string, error) {
	if given != "" {
		path, err := exec.LookPath(given)
		if err != nil {
			return "", fmt.Errorf("%s not found", given)
		}
		return path, nil
	}
	dirs := append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin")
	for _, name := range []string{"php-fpm", "php-cgi"} {
		for _, dir := range dirs {
			found, _ := filepath.Glob(filepath.Join(dir, name+"*"))
			found = slices.DeleteFunc(found, func(path string) bool {
				suffix := strings.TrimLeft(strings.TrimPrefix(filepath.Base(path), name), "0123456789.")
				_, err := exec.LookPath(path)
				return err != nil || suffix != "" && suffix != "exe"
			})
			if len(found) > 0 {
				return slices.MaxFunc(found, byVersion), nil
			}
		}
	}
	return "", fmt.Errorf("neither php-fpm nor php-cgi found: apt install php-fpm")
}

// byVersion orders "php-fpm" before "php-fpm7.4" before "php-fpm8.10".
func byVersion(a, b string) int { return slices.Compare(version(a), version(b)) }

func version(path string) []int {
	var numbers []int
	for _, field := range strings.Split(strings.TrimLeft(filepath.Base(path), "phfcgi-"), ".") {
		n, _ := strconv.Atoi(field)
		numbers = append(numbers, n)
	}
	return numbers
}

// runPHPCGI runs processes that serve one request at a time, each on a connection that is kept.
func (a *App) runPHPCGI(program string, o *Options) {
	a.run(&pool.Group{Processes: o.processes(), MaxRequests: o.MaxRequests}, &pool.Command{
		Inherit: true,
		Cmd: func(string) (*exec.Cmd, error) {
			cmd := exec.Command(program)
			cmd.Dir = a.Dir
			// A group replaces a process before it ends by itself.
			cmd.Env = append(os.Environ(), "PHP_FCGI_CHILDREN=0", "PHP_FCGI_MAX_REQUESTS=0")
			return cmd, a.become(cmd)
		},
		Backend: o.phpClient(1),
	}, o)
}

// phpClient returns the backend of a process that nobody else asks, and that takes n connections at once.
func (o *Options) phpClient(n int) func(socket string) adapters.Handler {
	return func(socket string) adapters.Handler {
		return &fastcgi.Client{
			Network: "unix", Address: socket, MaxConns: n, MaxIdle: n, KeepConn: time.Hour, HeaderLimit: o.HeaderLimit,
			SpoolLimit: o.SpoolLimit, ConnectTimeout: o.ConnectTimeout, Timeout: o.Timeout,
		}
	}
}

// runFPM runs one php-fpm, which has processes of its own.
func (a *App) runFPM(program string, o *Options) {
	n := o.processes()
	a.run(&pool.Group{Concurrency: n}, &pool.Command{
		Cmd: func(socket string) (*exec.Cmd, error) {
			config, args := filepath.Join(filepath.Dir(socket), "fpm.conf"), []string{"-F"}
			text := fmt.Sprintf(fpmConfig, socket, n, o.MaxRequests)
			if sandbox.Root() { // it must be told of each user, also of root
				user := cmp.Or(a.runsAs, new(sandbox.User))
				text += fmt.Sprintf("user = %d\ngroup = %d\n", user.UID, user.GID)
				if user.UID == 0 {
					args = append(args, "-R")
				}
			}
			cmd := exec.Command(program, append(args, "-y", config)...)
			cmd.Dir = a.Dir
			return cmd, os.WriteFile(config, []byte(text), 0o600)
		},
		Backend: o.phpClient(n),
	}, o)
}

// fpmConfig takes the socket, the number of processes, and that of requests after which one is replaced. What scripts
// log comes with their responses; the log is only for what happens outside of requests.
const fpmConfig = `[global]
error_log = /dev/stderr
log_level = warning
[gangway]
listen = "%s"
pm = static
pm.max_children = %d
pm.max_requests = %d
catch_workers_output = yes
decorate_workers_output = no
clear_env = no
`
