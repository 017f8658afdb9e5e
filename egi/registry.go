package egi

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/gangway-go/gangway/adapters"
)

// A Registry holds applications by the path that they answer, AppWeb's EGI forms. The zero value is empty. It is a
// [adapters.Handler] and safe for concurrent use.
type Registry struct {
	mu    sync.RWMutex
	funcs map[string]Func
}

// DefaultRegistry is the Registry of [Define].
var DefaultRegistry = new(Registry)

// Define registers fn in the [DefaultRegistry].
func Define(name string, fn Func) { DefaultRegistry.Define(name, fn) }

// Define lets fn answer the requests whose canonical path is name, such as "/name.egi". It panics if name does not
// begin with a slash or is taken.
func (g *Registry) Define(name string, fn Func) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if name == "" || name[0] != '/' || fn == nil {
		panic(fmt.Sprintf("egi: Define(%q): not the path of a function", name))
	}
	if g.funcs[name] != nil {
		panic(fmt.Sprintf("egi: Define(%q): already defined", name))
	}
	if g.funcs == nil {
		g.funcs = make(map[string]Func)
	}
	g.funcs[name] = fn
}

// Serve asks the function for the path of req. For it the whole path is SCRIPT_NAME. A path that is not defined is
// answered by 404.
func (g *Registry) Serve(ctx context.Context, req *adapters.Request) (*adapters.Response, error) {
	path := req.Path()
	g.mu.RLock()
	fn := g.funcs[path]
	g.mu.RUnlock()
	if fn == nil {
		text := fmt.Sprintf("EGI Form: %q is not defined\n", path)
		return adapters.Reply(http.StatusNotFound, "text/plain; charset=utf-8", text), nil
	}
	c := *req
	c.Script.Name, c.Script.PathInfo = path, ""
	return fn.Serve(ctx, &c)
}
