package apps

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/egi"
)

// A Site is the applications of a folder behind one [adapters.Dispatcher]: that of the folder itself, which takes every
// path that no other one has; one of each sub-folder SUB that holds one, for /SUB and what is beneath it; and for each
// file NAME.egi the built-in application NAME ([egi.Builtin]), for /NAME.egi.
//
// Folders that are part of the application around them are none of their own: folders of PHP scripts in a PHP
// application, Python packages, public, cgi-bin, and those that begin with a dot. Symbolic links are not followed.
type Site struct {
	// Mounts are the applications, that of the folder itself first.
	Mounts []*Mount

	dispatcher adapters.Dispatcher
}

// A Mount is an application of a [Site].
type Mount struct {
	Prefix string // SCRIPT_NAME; "" for the folder itself
	Kind   Kind
	Dir    string // absolute
	Err    error  // why it did not start; its answer is 503 until it does

	handler adapters.Handler
	app     *App // nil for EGI, and if nothing can be started
}

// Open starts the applications in the folder dir, all at once; kind is that of the folder itself, where "" stands for
// what [Detect] finds. It returns when each is ready or has failed. The failure of an application is its [Mount]'s, not
// Open's.
func Open(ctx context.Context, kind Kind, dir string, o Options) (*Site, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if kind, err = resolve(kind, dir); err != nil {
		return nil, err
	}
	s := &Site{Mounts: []*Mount{{Kind: kind, Dir: dir}}}
	if err := s.find(); err != nil {
		return nil, err
	}
	var starting sync.WaitGroup
	hide := s.isMounted
	for _, m := range s.Mounts {
		m.init(o, hide)
		hide = nil // for the mounts beneath the first one
		if m.app != nil {
			starting.Go(func() { m.Err = m.app.boot(ctx) })
		}
		s.dispatcher.Routes = append(s.dispatcher.Routes,
			adapters.Route{Prefix: m.Prefix, To: adapters.Mount(m.Prefix, m.handler)})
	}
	starting.Wait()
	return s, nil
}

// find adds what is mounted beneath the folder itself.
func (s *Site) find() error {
	root := s.Mounts[0]
	entries, err := os.ReadDir(root.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		m := &Mount{Prefix: "/" + e.Name(), Kind: EGI, Dir: filepath.Join(root.Dir, e.Name())}
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir() && m.isApp(root.Kind), e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".egi"):
			s.Mounts = append(s.Mounts, m)
		}
	}
	return nil
}

// isApp finds the kind of a sub-folder, and reports whether it holds an application apart from the one around it.
func (m *Mount) isApp(around Kind) bool {
	kind, err := Detect(m.Dir)
	m.Kind = kind
	switch {
	case err != nil || kind == Static || m.Prefix == "/public" || m.Prefix == cgiBin:
		return false
	case kind == PHP:
		return around != PHP
	case kind == WSGI:
		return !exists(filepath.Join(m.Dir, "__init__.py")) // a package
	}
	return true
}

// isMounted reports whether the file name, beneath the folder itself and in lower case, belongs to a mount beneath it:
// then only that one answers, even where the file system does not care about case.
func (s *Site) isMounted(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return slices.ContainsFunc(s.Mounts, func(m *Mount) bool { return strings.EqualFold(m.Prefix, "/"+first) })
}

// init makes the handler.
func (m *Mount) init(o Options, hide func(string) bool) {
	if m.Kind == EGI {
		name := strings.TrimSuffix(filepath.Base(m.Dir), ".egi")
		if m.handler, _ = egi.Builtin(name); m.handler == nil {
			m.Err = fmt.Errorf("egi: no built-in app is called %q; there is %s", name, strings.Join(egi.BuiltinNames(), ", "))
		} else if o.Instead != nil {
			m.handler = o.Instead(m.Kind, m.Dir)
		}
	} else if m.app, m.Err = newApp(m.Kind, m.Dir, o, hide); m.Err == nil {
		m.handler = m.app
	}
	if err := m.Err; err != nil {
		m.handler = adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
			return nil, &adapters.Error{Op: "apps: start", Addr: m.Dir, Status: http.StatusServiceUnavailable, Err: err}
		})
	}
}

// Serve implements [adapters.Handler].
func (s *Site) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	return s.dispatcher.Serve(ctx, req)
}

// Close stops the applications: see [App.Close].
func (s *Site) Close(ctx context.Context) error {
	errs := make([]error, len(s.Mounts))
	var closing sync.WaitGroup
	for i, m := range s.Mounts {
		if m.app != nil {
			closing.Go(func() { errs[i] = m.app.Close(ctx) })
		}
	}
	closing.Wait()
	return errors.Join(errs...)
}
