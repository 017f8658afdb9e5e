//go:build unix

package faulttest

import (
	"context"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/middleware"
	"github.com/gangway-go/gangway/adapters/open"
	"github.com/gangway-go/gangway/adapters/static"
	"github.com/gangway-go/gangway/internal/attacks"
)

// read asks h and returns what it answers.
func read(t *testing.T, h adapters.Handler, req *adapters.Request) string {
	resp, err := h.Serve(t.Context(), req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(text)
}

// TestAttacksSendfile: whoever chooses which file an application names gets none from outside of the folder.
func TestAttacksSendfile(t *testing.T) {
	root := buildFort(t, attacks.PHP)
	files := static.Dir(root)
	send := &middleware.Sendfile{
		Paths: []middleware.FileRoot{{Prefix: root, Files: files}},
		URIs:  []middleware.FileRoot{{Prefix: "/files", Files: files}},
	}
	names := func(field, value string) adapters.Handler {
		return send.Wrap(adapters.HandlerFunc(func(context.Context, *adapters.Request) (*adapters.Response, error) {
			resp := adapters.Reply(200, "text/plain", "")
			resp.Header.Add(field, value)
			return resp, nil
		}))
	}
	sent := 0
	for _, c := range allClasses {
		for _, a := range c.Attacks {
			path, err := url.PathUnescape(a.Target)
			if err != nil {
				path = a.Target
			}
			for field, value := range map[string]string{"X-Accel-Redirect": "/files" + a.Target,
				"X-Sendfile": root + path} {
				text := strings.ReplaceAll(read(t, names(field, value), &adapters.Request{Method: "GET"}), "MARK-RULE", "")
				outcome := attacks.Judge(a, text, "")
				assert.NotEqual(t, attacks.Escape, outcome, "%s: %s: %.200q: %.200q", c.Name, field, value, text)
				if text != "" {
					sent++
				}
			}
		}
	}
	assert.Greater(t, sent, 100, "files of the folder are sent")
}

// TestAttacksRace: a file that becomes a link to the outside while it is asked for is never sent as that.
func TestAttacksRace(t *testing.T) {
	root := buildFort(t, attacks.Plain)
	over, swapping := make(chan struct{}), sync.WaitGroup{}
	swapping.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-over:
				return
			default:
			}
			next := root + "/swap.new"
			if i%2 == 0 {
				os.Symlink("../outside", next)
			} else {
				os.Mkdir(next, 0o755)
				os.WriteFile(next+"/secret.txt", []byte("inside\n"), 0o644)
			}
			os.RemoveAll(root + "/swap")
			os.Rename(next, root+"/swap")
		}
	})
	h, inside := static.Dir(root), 0
	start := time.Now()
	for n := 0; n < 3000 || inside == 0 && time.Since(start) < patience; n++ {
		req := &adapters.Request{Method: "GET", URI: "/swap/secret.txt",
			Script: adapters.Script{PathInfo: "/swap/secret.txt"}}
		switch text := read(t, h, req); text {
		case "inside\n":
			inside++
		case "":
		default:
			assert.Fail(t, "sent", text)
		}
	}
	close(over)
	swapping.Wait()
	t.Logf("%d times the file inside", inside)
	assert.NotZero(t, inside)
}

// TestAttacksOptions: with options that loosen or change what a path means, nothing else gets loose.
func TestAttacksOptions(t *testing.T) {
	for _, tt := range []struct {
		name, front string
		options     func(root string) open.AppOptions
		php         func(*testing.T) string
		loose       []string // classes of attacks that the option lets through
	}{
		{"links may lead out", "", func(root string) open.AppOptions {
			return open.AppOptions{Root: root, FollowSymlinks: true}
		}, phpFPM, []string{"links that lead out"}},
		{"front controller and files", "/index.php", func(root string) open.AppOptions {
			return open.AppOptions{Root: root, Script: "index.php", Static: true}
		}, phpFPM, nil},
		{"front controller beside scripts", "/index.php", func(root string) open.AppOptions {
			return open.AppOptions{Root: root, Fallback: "index.php"}
		}, phpFPM, nil},
		// Here php-fpm decides what is there, and follows links and opens pipes.
		{"the folder is elsewhere", "", func(root string) open.AppOptions {
			return open.AppOptions{Root: root, LocalRoot: root + "/none"}
		}, func(t *testing.T) string { return "fcgi+unix://" + plainFPM(t) },
			[]string{"links that lead out", "neither file nor folder"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := buildFort(t, attacks.PHP)
			s := gangwayOn(t, open.ListenOptions{}, tt.php(t), tt.options(root), guard)
			v := &visitor{t: t, site: s, wait: patience}
			defer v.close()
			for _, c := range allClasses {
				if slices.Contains(tt.loose, c.Name) {
					continue
				}
				for _, a := range c.Attacks {
					got := v.ask(a.Request())
					assert.Equal(t, attacks.Safe, attacks.Judge(a, got.body, tt.front), "%s: %.200q: %.200q", c.Name, a.Request(),
						got.body)
				}
			}
		})
	}
}
