// Package static answers requests with the files beneath a folder: AppWeb's copy handler, usually the last route. It
// knows ranges (single and multiple), conditional requests (RFC 9110 sections 13 and 14) and index files; it never
// lists a folder. Files leave through sendfile(2) where the frontend's writer can use it.
//
// A process that is root may read everything, so on Unix it sends no file that is neither root's own nor for everybody
// to read; a web server with a user of its own could not read it either. The modes of the folders above do not count
// for root: run what need not be root as another user.
//
// Begin with [Dir] and [Files].
package static

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gangway-go/gangway/adapters"
)

// Dir returns a Handler for the files beneath the folder root.
func Dir(root string) *Files { return &Files{Root: root} }

// Files answers GET and HEAD with the files beneath Root that Script.PathInfo of the request names, which [adapters.Mount]
// makes what is behind a prefix; other methods are 405. What [adapters.HiddenPath] hides is not found; nor is a path with
// %2F or %5C, what is neither a regular file nor a folder, and what a symbolic link outside of Root points to. Root is
// opened for each request, so that a Root that is a link can be switched to another folder.
//
// The ETag is strong and made of the time of the last change, as precise as the file system keeps it, and the length:
// whoever replaces a file by one of the same length and time keeps its ETag. The fields must not change once the
// Handler is in use; it is safe for concurrent use.
type Files struct {
	Root string
	// Index are the names tried for a folder; nil is "index.html".
	Index []string
	// Hide reports whether a file is not to be sent, such as an application's source. It gets the path beneath Root with
	// slashes, in lower case, since a file system may not care about case. nil hides nothing.
	Hide func(name string) bool
	// FollowSymlinks lets symbolic links lead out of Root.
	FollowSymlinks bool
}

// Serve answers with the file or the index of the folder that the path names, or redirects to the folder's path with a
// slash. The error wraps [adapters.ErrNotFound], or [adapters.ErrForbidden] for a file that this process may not read,
// or as root should not, and for a folder without an index.
func (s *Files) Serve(_ context.Context, req *adapters.Request) (*adapters.Response, error) {
	path := req.Script.PathInfo
	if req.EncodedSeparator() || adapters.HiddenPath(path) {
		return nil, fmt.Errorf("static: %w: %q", adapters.ErrNotFound, path)
	}
	f, err := s.find(path)
	switch {
	case err != nil && err != errNoSlash:
		return nil, err
	case req.Method != http.MethodGet && req.Method != http.MethodHead:
		if f != nil {
			f.Close()
		}
		return methodNotAllowed(), nil
	case err == errNoSlash:
		return adapters.RedirectTo(req.Path()+"/", req.Query), nil
	case private(f.info):
		f.Close()
		return nil, fmt.Errorf("static: %w: %q is not root's, and not for everybody to read (chmod o+r), so root does not send it",
			adapters.ErrForbidden, path)
	}
	return f.answer(req), nil
}

// ServeFile answers req, whatever its path, with the regular file called name, a path beneath Root with slashes.
// Neither Hide nor a leading dot matters, nor whose the file is if this process is root. It is for applications that
// name the file to send. To a method other than GET and HEAD the answer is the whole file. Errors are those of Serve.
func (s *Files) ServeFile(req *adapters.Request, name string) (*adapters.Response, error) {
	f, err := s.open(name)
	switch {
	case err != nil:
		return nil, err
	case f.info.IsDir():
		f.Close()
		return nil, fmt.Errorf("static: %w: %q is a folder", adapters.ErrForbidden, name)
	}
	return f.answer(req), nil
}

// errNoSlash says that a path names a folder and does not end in a slash.
var errNoSlash = errors.New("folder without a slash")

// find opens the file that answers a request for path; there is none with errNoSlash.
func (s *Files) find(path string) (*file, error) {
	name, folder := strings.CutSuffix(strings.TrimPrefix(path, "/"), "/")
	if name == "" {
		name, folder = ".", path == "/"
	}
	f, err := s.open(name)
	if err != nil {
		return nil, err
	}
	switch {
	case f.info.IsDir() && !folder:
		err = errNoSlash
	case f.info.IsDir():
		f.Close()
		return s.openIndex(name)
	case folder:
		err = fmt.Errorf("static: %w: %q is no folder", adapters.ErrNotFound, name)
	case s.hides(name):
		err = fmt.Errorf("static: %w: %q is hidden", adapters.ErrNotFound, name)
	default:
		return f, nil
	}
	f.Close()
	return nil, err
}

func (s *Files) openIndex(folder string) (*file, error) {
	index := s.Index
	if index == nil {
		index = []string{"index.html"}
	}
	for _, name := range index {
		if folder != "." {
			name = folder + "/" + name
		}
		f, err := s.open(name)
		switch {
		case errors.Is(err, adapters.ErrNotFound):
		case err != nil:
			return nil, err
		case f.info.IsDir() || s.hides(name):
			f.Close()
		default:
			return f, nil
		}
	}
	return nil, fmt.Errorf("static: %w: %q has none of %q", adapters.ErrForbidden, folder, index)
}

func (s *Files) hides(name string) bool { return s.Hide != nil && s.Hide(strings.ToLower(name)) }

// open opens a regular file or a folder beneath Root.
func (s *Files) open(name string) (*file, error) {
	local, err := localize(name)
	if err != nil {
		return nil, fmt.Errorf("static: %w: %q is no name", adapters.ErrNotFound, name)
	}
	f, err := s.openLocal(local)
	if err != nil {
		return nil, fault(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err = fmt.Errorf("%w: %q is neither file nor folder", adapters.ErrNotFound, name)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("static: %w", err)
	}
	return &file{File: f, info: info}, nil
}

// openLocal does not wait for the other end of a named pipe.
func (s *Files) openLocal(local string) (*os.File, error) {
	if s.FollowSymlinks {
		return os.OpenFile(filepath.Join(s.Root, local), os.O_RDONLY|openFlags, 0)
	}
	root, err := os.OpenRoot(s.Root)
	if err != nil {
		return nil, fmt.Errorf("root: %v", err) // not the name's fault, whatever it is
	}
	defer root.Close()
	return root.OpenFile(local, os.O_RDONLY|openFlags, 0)
}

// fault divides the errors of opening a name into those that are the name's fault and ours.
func fault(err error) error {
	var pathError *fs.PathError
	var number syscall.Errno
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("static: %w: %w", adapters.ErrForbidden, err)
	case errors.As(err, &pathError) && !errors.As(err, &number), // a link that leads out of the root
		errors.Is(err, fs.ErrNotExist), isNameError(number):
		return fmt.Errorf("static: %w: %w", adapters.ErrNotFound, err)
	}
	return fmt.Errorf("static: %w", err)
}

func methodNotAllowed() *adapters.Response {
	const status = http.StatusMethodNotAllowed
	resp := adapters.Reply(status, "text/plain; charset=utf-8", adapters.ErrorText(status))
	resp.Header.Add("Allow", "GET, HEAD")
	return resp
}
