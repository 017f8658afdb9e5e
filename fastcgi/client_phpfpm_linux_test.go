package fastcgi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/fastcgi"
	programs "github.com/gangway-go/gangway/internal/peer"
)

// A phpFPM is a private php-fpm with scripts in a folder.
type phpFPM struct {
	*programs.Process
	t           *testing.T
	dir, socket string
}

// startPHP starts a php-fpm with so many children that serves the scripts, each a name and its code.
func startPHP(t *testing.T, children int, settings string, scripts map[string]string) *phpFPM {
	f := &phpFPM{t: t, dir: t.TempDir()}
	for name, code := range scripts {
		require.NoError(t, os.WriteFile(filepath.Join(f.dir, name), []byte("<?php "+code), 0o600))
	}
	settings = fmt.Sprintf("pm.max_children = %d\n%s\n[global]\nprocess_control_timeout = 20s", children, settings)
	f.Process, f.socket = programs.PHPFPM(t, settings)
	return f
}

func (f *phpFPM) client() *fastcgi.Client {
	c := &fastcgi.Client{Network: "unix", Address: f.socket}
	f.t.Cleanup(func() { c.Close() })
	return c
}

// get returns a request for a script.
func (f *phpFPM) get(name, query string) *adapters.Request {
	return &adapters.Request{
		Method: "GET", Proto: "HTTP/1.1", URI: "/" + name + "?" + query, Query: query,
		Script: adapters.Script{Name: "/" + name, Filename: filepath.Join(f.dir, name), Root: f.dir},
	}
}

func TestClientWithPHP(t *testing.T) {
	f := startPHP(t, 2, "php_admin_value[error_log] = /dev/stderr\nphp_admin_flag[log_errors] = on", map[string]string{
		"vars.php": `header("X-Method: $_SERVER[REQUEST_METHOD]"); echo $_SERVER[$_GET["name"]];`,
		"echo.php": `header("X-Length: " . ($_SERVER["CONTENT_LENGTH"] ?? "none"));
			echo $_SERVER["REQUEST_METHOD"] === "POST" ? file_get_contents("php://input") : "";`,
		"big.php":    `for ($i = 0; $i < 3000; $i++) echo str_repeat(chr(65 + $i % 26), 1000);`,
		"header.php": `header("Set-Cookie: " . str_repeat("c", 3000)); header("Location: /x", true, 303); echo "gone";`,
		"status.php": `header("Status: 099 x"); echo "body";`,
		"stderr.php": `error_log("one"); echo "a"; flush(); error_log("two"); http_response_code(500); echo "b";`,
	})
	c := f.client()
	c.KeepConn = time.Minute
	t.Run("variables", func(t *testing.T) {
		req := f.get("vars.php", "")
		req.Vars = []adapters.Var{{Name: "SMALL", Value: "x"}, {Name: "BYTES", Value: "\xff\xfe\n="}}
		for i := range 5 { // several records of FCGI_PARAMS; a pair in more than one is too much for php-fpm
			big := adapters.Var{Name: fmt.Sprint("BIG", i), Value: strings.Repeat("0123456789", 3000+i)}
			req.Vars = append(req.Vars, big)
		}
		for _, v := range req.Vars {
			req.Query = "name=" + v.Name
			resp, body, err := do(c, req)
			require.NoError(t, err)
			assert.Equal(t, "GET", resp.Header.Get("X-Method"))
			assert.True(t, v.Value == body, v.Name)
		}
		req.Vars = []adapters.Var{{Name: "HUGE", Value: strings.Repeat("x", 70_000)}}
		_, _, err := do(c, req)
		assert.ErrorIs(t, err, adapters.ErrUnreachable)
	})
	t.Run("bodies", func(t *testing.T) {
		for _, size := range []int{0, 1, 8191, 65528, 65536, 3 << 20} {
			whole := strings.Repeat("x", size)
			for name, body := range map[string]io.Reader{
				"memory": strings.NewReader(whole), "stream": io.MultiReader(strings.NewReader(whole)),
			} {
				for _, length := range []int64{int64(size), -1} {
					req := f.get("echo.php", "")
					req.Method, req.ContentLength, req.Body = "POST", length, body
					req.Header = fields("Content-Type", "application/octet-stream")
					resp, got, err := do(c, req)
					require.NoError(t, err)
					assert.True(t, whole == got, "%s of %d bytes, length %d: got %d", name, size, length, len(got))
					assert.Equal(t, strconv.Itoa(size), resp.Header.Get("X-Length"))
					body = io.MultiReader(strings.NewReader(whole))
				}
			}
		}
	})
	t.Run("large response", func(t *testing.T) {
		_, body, err := do(c, f.get("big.php", ""))
		require.NoError(t, err)
		assert.Len(t, body, 3_000_000)
	})
	t.Run("header", func(t *testing.T) {
		resp, body, err := do(c, f.get("header.php", ""))
		require.NoError(t, err)
		assert.Equal(t, 303, resp.Status)
		assert.Len(t, resp.Header.Get("Set-Cookie"), 3000)
		assert.Equal(t, "gone", body)
	})
	t.Run("bad status", func(t *testing.T) {
		_, _, err := do(c, f.get("status.php", ""))
		assert.ErrorIs(t, err, adapters.ErrBadResponse)
	})
	t.Run("stderr", func(t *testing.T) {
		var stderr bytes.Buffer
		req := f.get("stderr.php", "")
		req.Stderr = &stderr
		resp, body, err := do(c, req)
		require.NoError(t, err)
		assert.Equal(t, "ab", body)
		assert.Equal(t, 200, resp.Status, "the header had left")
	})
	t.Run("no script", func(t *testing.T) {
		var stderr bytes.Buffer
		req := f.get("none.php", "")
		req.Stderr = &stderr
		resp, body, err := do(c, req)
		require.NoError(t, err)
		assert.Equal(t, 404, resp.Status)
		assert.Equal(t, "File not found.\n", body)
		assert.Equal(t, "Primary script unknown", stderr.String())
	})
}

// TestClientPHPWorkerKilled: half a page is no page.
func TestClientPHPWorkerKilled(t *testing.T) {
	f := startPHP(t, 1, "", map[string]string{
		"half.php": `header("X-Pid: " . getmypid()); header("Content-Length: 100000");
			echo str_repeat("x", 100000); flush(); sleep(60);`,
		"hello.php": `echo "hello";`,
	})
	c := f.client()
	resp, err := c.Serve(t.Context(), f.get("half.php", ""))
	require.NoError(t, err)
	_, err = io.ReadFull(resp.Body, make([]byte, 100000))
	require.NoError(t, err)
	pid, err := strconv.Atoi(resp.Header.Get("X-Pid"))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	_, err = resp.Body.Read(make([]byte, 1))
	assert.ErrorIs(t, err, adapters.ErrTruncated)
	assert.NoError(t, resp.Body.Close())
	wantHello(t, c, f.get("hello.php", ""))
}

// TestClientPHPAbort: php-fpm does not look at FCGI_ABORT_REQUEST while a script runs, so the connection is closed.
func TestClientPHPAbort(t *testing.T) {
	f := startPHP(t, 1, "", map[string]string{
		"slow.php":  `ob_implicit_flush(); for ($i = 0; $i < 6000; $i++) { echo "."; usleep(10000); }`,
		"hello.php": `echo "hello";`,
	})
	c := f.client()
	c.AbortGrace = 100 * time.Millisecond
	resp, err := c.Serve(t.Context(), f.get("slow.php", ""))
	require.NoError(t, err)
	_, err = io.ReadFull(resp.Body, make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	began := time.Now()
	wantHello(t, c, f.get("hello.php", ""))
	assert.Less(t, time.Since(began), 20*time.Second, "the only worker is free again")
}

// TestClientPHPEndsWorkers: workers that end after some requests are no errors.
func TestClientPHPEndsWorkers(t *testing.T) {
	f := startPHP(t, 2, "pm.max_requests = 5", map[string]string{"hello.php": `echo "hello";`})
	c := f.client()
	c.KeepConn = time.Hour
	for i := range 400 {
		req := f.get("hello.php", "")
		if i%2 == 1 {
			req.Method, req.Body, req.ContentLength = "POST", strings.NewReader("a=b"), 3
		}
		wantHello(t, c, req)
	}
}

// TestClientPHPPoolIsShared: with more clients and requests than workers everybody is served in time, though each
// connection that is kept holds a worker.
func TestClientPHPPoolIsShared(t *testing.T) {
	f := startPHP(t, 2, "", map[string]string{"hello.php": `usleep(1000); echo "hello";`})
	first, second := f.client(), f.client()
	finish(t, heldFrom(t, first, f.get("hello.php", ""), 2)...)
	began := time.Now()
	wantHello(t, second, f.get("hello.php", ""))
	assert.Less(t, time.Since(began), 10*time.Second, "the first client has both workers, idle")

	var wg sync.WaitGroup
	var mu sync.Mutex
	var longest time.Duration
	served := map[*fastcgi.Client]int{}
	stop := time.Now().Add(3 * time.Second)
	for i := range 24 {
		c := []*fastcgi.Client{first, second}[i%2]
		wg.Go(func() {
			for time.Now().Before(stop) {
				began := time.Now()
				wantHello(t, c, f.get("hello.php", ""))
				mu.Lock()
				served[c]++
				longest = max(longest, time.Since(began))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("served %d and %d, the longest in %v", served[first], served[second], longest)
	assert.Greater(t, served[first], 20)
	assert.Greater(t, served[second], 20)
	assert.Less(t, longest, 15*time.Second)
}

func heldFrom(t testing.TB, c *fastcgi.Client, req *adapters.Request, n int) []io.ReadCloser {
	bodies := make([]io.ReadCloser, n)
	var wg sync.WaitGroup
	for i := range bodies {
		wg.Go(func() {
			resp, err := c.Serve(context.Background(), req)
			if assert.NoError(t, err) {
				bodies[i] = resp.Body
			}
		})
	}
	wg.Wait()
	return bodies
}

// load asks for a script with so many requests at once until the returned function is called, which returns how many
// were answered, and how many failed with which status.
func load(f *phpFPM, c *fastcgi.Client, parallel int, script string) (end func() (fine int, failed map[int]int)) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	fine, failed := 0, map[int]int{}
	ctx, cancel := context.WithCancel(context.Background())
	for range parallel {
		wg.Go(func() {
			for ctx.Err() == nil {
				_, body, err := do(c, f.get(script, ""))
				if err == nil && body != "hello" {
					err = errors.New("the body is " + body)
				}
				mu.Lock()
				if err == nil {
					fine++
				} else {
					if status := adapters.StatusOf(err); failed[status] == 0 {
						f.t.Logf("%d: %v", status, err)
					}
					failed[adapters.StatusOf(err)]++
				}
				mu.Unlock()
				if err != nil {
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	return func() (int, map[int]int) {
		cancel()
		wg.Wait()
		return fine, failed
	}
}

// TestClientPHPReload: a graceful reload (SIGUSR2) under load is not noticed.
func TestClientPHPReload(t *testing.T) {
	f := startPHP(t, 4, "", map[string]string{"hello.php": `usleep(2000); echo "hello";`})
	end := load(f, f.client(), 8, "hello.php")
	for range 3 {
		time.Sleep(500 * time.Millisecond)
		require.NoError(t, f.Cmd.Process.Signal(syscall.SIGUSR2))
	}
	time.Sleep(time.Second)
	fine, failed := end()
	t.Logf("%d requests", fine)
	assert.Greater(t, fine, 100)
	assert.Empty(t, failed)
}

// TestClientPHPRestart: while php-fpm is away requests fail at once with 502 or 503, and then no longer.
func TestClientPHPRestart(t *testing.T) {
	f := startPHP(t, 4, "", map[string]string{"hello.php": `usleep(2000); echo "hello";`})
	c := f.client()
	end := load(f, c, 8, "hello.php")
	time.Sleep(500 * time.Millisecond)
	f.Stop()
	time.Sleep(2 * time.Second)
	programs.Start(t, exec.Command(f.Path, f.Args[1:]...), "unix", f.socket)
	time.Sleep(500 * time.Millisecond)
	fine, failed := end()
	t.Logf("%d requests, failed %v", fine, failed)
	assert.Greater(t, fine, 100)
	assert.Positive(t, failed[502]+failed[503])
	delete(failed, 502)
	delete(failed, 503)
	assert.Empty(t, failed)
	end = load(f, c, 8, "hello.php")
	time.Sleep(500 * time.Millisecond)
	_, failed = end()
	assert.Empty(t, failed)
}
