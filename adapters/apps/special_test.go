package apps_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/adapters"
	"github.com/gangway-go/gangway/adapters/apps"
	"github.com/gangway-go/gangway/internal/execfile"
	"github.com/gangway-go/gangway/internal/peer"
	"github.com/gangway-go/gangway/internal/testlog"
)

// What one language has and the others have not.
func TestSpecial(t *testing.T) {
	wsgi, err := os.ReadFile("testdata/wsgi/wsgi.py")
	require.NoError(t, err)
	psgi, err := os.ReadFile("testdata/psgi/app.psgi")
	require.NoError(t, err)
	tests := map[apps.Kind][]struct {
		path, send string
		status     int
		body       string
		log        string
	}{
		apps.WSGI: {
			{"/wsgi/write", "", 200, "written, returned", ""},
			{"/wsgi/late-start", "", 201, "late", ""},
			{"/wsgi/exc-info", "", 500, "replaced", ""},
			{"/wsgi/exc-info-too-late", "", 200, "sent!", "ValueError: too late"},
			{"/wsgi/twice", "", 500, "Internal Server Error\n", "start_response was called twice"},
			{"/wsgi/text", "", 500, "Internal Server Error\n", "the response body must be of bytes, not str"},
			{"/wsgi/nothing", "", 500, "Internal Server Error\n", "'NoneType' object is not iterable"},
			{"/wsgi/file", "", 200, string(wsgi), ""},
			{"/wsgi/lines", "a\nb\nc\nd", 200, `[b'a\n', b'b\n', b'c\n', b'd', b'', b'']`, ""},
			{"/wsgi/spec", "", 200, "(1, 0) http False True False True", ""},
		},
		apps.Rack: {
			{"/rack/lines", "a\nb\nc\n", 200, `["a\n", "a\nb", ["\n", "c\n"], "", nil]`, ""},
			{"/rack/call", "body", 200, "a1bbody", ""},
			{"/rack/arrays", "", 200, "", ""},
			{"/rack/spec", "", 200, `[1, 6] "http" false true false ASCII-8BIT ASCII-8BIT`, ""},
			{"/rack/nonsense", "", 500, "Internal Server Error\n", "undefined method"},
			{"/rack/nothing", "", 500, "Internal Server Error\n", "TypeError"},
		},
		apps.PSGI: {
			{"/psgi/lines", "a\nb\nc\n", 200, "a\n|a\nb|\n|c\n|0", ""},
			{"/psgi/delayed", "", 201, "delayed", ""},
			{"/psgi/writer", "", 200, "ab", ""},
			{"/psgi/writer-cut", "", 200, "begin!", "cut on purpose"},
			{"/psgi/never", "", 500, "Internal Server Error\n", "the application did not respond"},
			{"/psgi/file", "", 200, string(psgi), ""},
			{"/psgi/wide", "", 500, "Internal Server Error\n", "wide character in the response"},
			{"/psgi/latin1", "", 200, "caf\xe9", ""},
			{"/psgi/spec", "", 200, "1 1 'http' '' '1' '' '' '1'", ""},
			{"/psgi/nothing", "", 500, "Internal Server Error\n", "the application returned neither an array nor code"},
		},
	}
	for _, l := range loaded {
		t.Run(string(l.kind), func(t *testing.T) {
			t.Parallel()
			peer.Need(t, l.program)
			log := new(testlog.Buffer)
			s := startApp(t, l.kind, "testdata/"+string(l.kind), options(log))
			for _, tt := range tests[l.kind] {
				resp := s.do("POST", tt.path, tt.send)
				assert.Equal(t, tt.status, resp.StatusCode, tt.path)
				b, err := io.ReadAll(resp.Body)
				if want, cut := strings.CutSuffix(tt.body, "!"); cut {
					assert.ErrorIs(t, err, io.ErrUnexpectedEOF, tt.path)
					assert.Equal(t, want, string(b), tt.path)
				} else {
					assert.NoError(t, err, tt.path)
					assert.Equal(t, tt.body, string(b), tt.path)
				}
				waitFor(t, log, tt.log)
			}
			if l.kind == apps.Rack {
				h := s.do("GET", "/rack/arrays", "").Header
				assert.Equal(t, []string{"a", "b"}, h.Values("X-List"))
				assert.Empty(t, h.Values("Rack.private"))
			}
		})
	}
}

// An application may answer without a look at the body.
func TestBodyUnread(t *testing.T) {
	peer.Need(t, "python3")
	log := new(testlog.Buffer)
	app, err := apps.Start(t.Context(), "", "testdata/wsgi", options(log))
	require.NoError(t, err)
	defer app.Close(context.Background())
	for _, length := range []int{1, 100 << 10, 4 << 20} {
		resp, err := app.Serve(t.Context(), &adapters.Request{
			Method: "POST", Script: adapters.Script{PathInfo: "/wsgi/unread"},
			Body: strings.NewReader(strings.Repeat("x", length)), ContentLength: int64(length),
		})
		require.NoError(t, err)
		b, err := io.ReadAll(resp.Body)
		assert.NoError(t, err)
		assert.Equal(t, 413, resp.Status)
		assert.Equal(t, "too much\n", string(b))
		resp.Body.Close()
	}
	assert.NotContains(t, log.String(), "msg=stderr")
}

// The languages' own judges find nothing wrong with the loaders.
func TestLint(t *testing.T) {
	tests := []struct {
		kind                apps.Kind
		program, file, text string
	}{
		{apps.WSGI, "python3", "wsgi.py", `
from wsgiref.validate import validator
import warnings
warnings.simplefilter("error")
def app(environ, start_response):
    data = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Size", str(len(data)))])
    return [b"fine ", data]
app = validator(app)
`},
		{apps.Rack, "ruby", "config.ru", `
use Rack::Lint
run lambda { |env|
  data = env["rack.input"].read
  [200, {"content-type" => "text/plain", "x-size" => data.bytesize.to_s}, ["fine ", data]]
}
`},
		{apps.PSGI, "perl", "app.psgi", `
use Plack::Builder;
builder {
    enable 'Lint';
    sub {
        my $env = shift;
        $env->{'psgi.input'}->read(my $data, $env->{CONTENT_LENGTH});
        [200, ['Content-Type' => 'text/plain', 'X-Size' => length $data], ['fine ', $data]];
    };
};
`},
	}
	for _, tt := range tests {
		t.Run(string(tt.kind), func(t *testing.T) {
			t.Parallel()
			peer.Need(t, tt.program)
			log := new(testlog.Buffer)
			s := startApp(t, "", folder(t, tt.file, tt.text), options(log))
			for _, path := range []string{"/", "/a%20b?c=d", "/%e4"} {
				resp := s.do("POST", path, "data")
				b, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.Equal(t, "fine data", string(b), log)
				assert.Equal(t, "4", resp.Header.Get("X-Size"))
			}
			assert.NotContains(t, log.String(), "msg=stderr")
		})
	}
}

// folder makes a temporary folder of files, given by pairs of name and text.
func folder(t *testing.T, pairs ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(pairs); i += 2 {
		path := filepath.Join(dir, pairs[i])
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, execfile.WriteFile(path, []byte(pairs[i+1]), 0o644))
	}
	return dir
}

func TestStartFails(t *testing.T) {
	tests := []struct {
		name          string
		kind          apps.Kind
		program, text string
		want          string
	}{
		{"module not there", apps.WSGI, "python3", "import nowhere", "wsgi: app died at start: exit status 1: " +
			"ModuleNotFoundError: No module named 'nowhere'"},
		{"no app", apps.WSGI, "python3", "application = 5",
			"wsgi: app died at start: exit status 1: DIR/wsgi.py defines neither application nor app"},
		{"feature not there", apps.Rack, "ruby", "require 'nowhere'", "(LoadError)"},
		{"error in config.ru", apps.Rack, "ruby", "run 1 +", "(SyntaxError)"},
		{"module not there", apps.PSGI, "perl", "use Nowhere;",
			"Can't locate Nowhere.pm in @INC (you may need to install the Nowhere module) at DIR/app.psgi line 1."},
		{"syntax error", apps.PSGI, "perl", "sub {", "Missing right curly or square bracket at DIR/app.psgi line 1,"},
		{"no app", apps.PSGI, "perl", "5", "psgi: app died at start: exit status 255: " +
			"DIR/app.psgi does not return an application"},
	}
	names := map[apps.Kind]string{apps.WSGI: "wsgi.py", apps.Rack: "config.ru", apps.PSGI: "app.psgi"}
	for _, tt := range tests {
		t.Run(string(tt.kind)+" "+tt.name, func(t *testing.T) {
			peer.Need(t, tt.program)
			dir := folder(t, names[tt.kind], tt.text)
			_, err := apps.Start(t.Context(), tt.kind, dir, options(new(testlog.Buffer)))
			require.Error(t, err)
			assert.Contains(t, strings.ReplaceAll(err.Error(), dir, "DIR"), tt.want)
			assert.Regexp(t, "^"+string(tt.kind)+": app died at start: exit status ", err.Error())
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestNothingToStartWith(t *testing.T) {
	empty := t.TempDir()
	t.Setenv("PATH", empty)
	ruby := folder(t, "config.ru", "")
	tests := []struct {
		name string
		kind apps.Kind
		dir  string
		want string
	}{
		{"Ruby", "", ruby, "rack: ruby not found: apt install ruby ruby-rack"},
		{"Python", "", folder(t, "app.py", ""), "wsgi: python3 not found: apt install python3"},
		{"Perl", "", folder(t, "app.psgi", ""), "psgi: perl not found: apt install perl"},
		{"no folder", "", filepath.Join(empty, "no"), "stat " + empty + "/no: no such file or directory"},
		{"a file", "", ruby + "/config.ru", ruby + "/config.ru is not a folder"},
		{"another kind", apps.WSGI, ruby, "wsgi: " + ruby + " has no wsgi.py or app.py"},
		{"no kind", "cobol", ruby, `unknown kind of application "cobol"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := apps.Start(t.Context(), tt.kind, tt.dir, apps.Options{})
			assert.EqualError(t, err, tt.want)
			_, err = apps.Open(t.Context(), tt.kind, tt.dir, apps.Options{})
			if err != nil {
				assert.EqualError(t, err, tt.want)
			}
		})
	}
}

// A Ruby without Rack says what to install.
func TestNoRack(t *testing.T) {
	peer.Need(t, "ruby")
	t.Setenv("RUBYOPT", "--disable=gems")
	t.Setenv("RUBYLIB", folder(t, "rack.rb", "raise LoadError.new('x').tap { |e| def e.path = 'rack' }"))
	_, err := apps.Start(t.Context(), "", folder(t, "config.ru", ""), options(new(testlog.Buffer)))
	assert.EqualError(t, err, "rack: app died at start: exit status 1: Ruby has no Rack: apt install ruby-rack")
}

// A loader ends when its standard input does, which it does with the program that holds the other end.
func TestStandardInputEnds(t *testing.T) {
	for _, l := range loaded {
		t.Run(string(l.kind), func(t *testing.T) {
			t.Parallel()
			program := peer.Need(t, l.program)
			entry := map[apps.Kind]string{apps.WSGI: "wsgi", apps.Rack: "config.ru", apps.PSGI: "app.psgi"}[l.kind]
			loader := map[apps.Kind]string{apps.WSGI: "wsgi.py", apps.Rack: "rack.rb", apps.PSGI: "psgi.pl"}[l.kind]
			dir, err := filepath.Abs("testdata/" + string(l.kind))
			require.NoError(t, err)
			tmp, err := os.MkdirTemp("", "a")
			require.NoError(t, err)
			defer os.RemoveAll(tmp)
			socket := filepath.Join(tmp, "s")
			cmd := exec.Command(program, "loaders/"+loader, socket, dir, entry)
			cmd.Stderr = os.Stderr
			stdin, err := cmd.StdinPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			var conn net.Conn
			require.Eventually(t, func() bool {
				conn, err = net.Dial("unix", socket)
				return err == nil
			}, 20*time.Second, time.Millisecond)
			conn.Close()
			require.NoError(t, stdin.Close())
			assert.NoError(t, cmd.Wait(), "exit status")
		})
	}
}

// What is no whole request is none, and does no harm.
func TestBrokenRequests(t *testing.T) {
	for _, l := range loaded {
		t.Run(string(l.kind), func(t *testing.T) {
			peer.Need(t, l.program)
			tmp, err := os.MkdirTemp("", "a")
			require.NoError(t, err)
			defer os.RemoveAll(tmp)
			t.Setenv("TMPDIR", tmp)
			log := new(testlog.Buffer)
			s := startApp(t, l.kind, "testdata/"+string(l.kind), options(log))
			_, pid := s.get("/pid")
			sockets, err := filepath.Glob(tmp + "/*/app.sock")
			require.NoError(t, err)
			require.Len(t, sockets, 1)
			header := "CONTENT_LENGTH\x003\x00SCGI\x001\x00REQUEST_METHOD\x00POST\x00SCRIPT_NAME\x00\x00PATH_INFO\x00/body\x00" +
				"QUERY_STRING\x00\x00SERVER_NAME\x00\x00SERVER_PORT\x00\x00"
			whole := fmt.Sprintf("%d:%s,abc", len(header), header)
			for n := range len(whole) {
				conn, err := net.Dial("unix", sockets[0])
				require.NoError(t, err)
				_, err = io.WriteString(conn, whole[:n])
				require.NoError(t, err)
				require.NoError(t, conn.(*net.UnixConn).CloseWrite())
				b, err := io.ReadAll(conn)
				assert.NoError(t, err, "prefix of %d bytes", n)
				conn.Close()
				assert.NotContains(t, string(b), "Status: 200", "prefix of %d bytes", n)
			}
			conn, err := net.Dial("unix", sockets[0])
			require.NoError(t, err)
			_, err = io.WriteString(conn, whole)
			require.NoError(t, err)
			b, err := io.ReadAll(conn)
			require.NoError(t, err)
			conn.Close()
			assert.Contains(t, string(b), "3 294\n")
			_, again := s.get("/pid")
			assert.Equal(t, pid, again)
		})
	}
}

// A body that the process cannot keep ends the request, not the process.
func TestBodyNotKept(t *testing.T) {
	peer.Need(t, "prlimit") // which Linux has
	tests := []struct {
		kind          apps.Kind
		program, file string
		text          string // with a limit for what is written to a file
	}{
		{apps.Rack, "ruby", "config.ru", `
trap("XFSZ", "IGNORE")
system("prlimit", "--fsize=2000000", "--pid=#{$$}")
run lambda { |env|
  GC.start # which may take what is not held
  [200, {}, ["#{$$} #{env["rack.input"].read.bytesize}"]]
}
`},
		{apps.PSGI, "perl", "app.psgi", `
$SIG{XFSZ} = 'IGNORE';
system 'prlimit', '--fsize=2000000', "--pid=$$";
sub {
    my $n = $_[0]{'psgi.input'}->read(my $data, 1 << 30);
    [200, [], ["$$ $n"]];
};
`},
	}
	for _, tt := range tests {
		t.Run(string(tt.kind), func(t *testing.T) {
			peer.Need(t, tt.program)
			tmp := t.TempDir()
			t.Setenv("TMPDIR", tmp)
			log := new(testlog.Buffer)
			s := startApp(t, tt.kind, folder(t, tt.file, tt.text), options(log))
			_, pid := s.get("/")
			pid, _, _ = strings.Cut(pid, " ")
			for range 10 {
				for size, status := range map[int]int{10: 200, 1500000: 200, 2000001: 500, 5000000: 500} {
					resp := s.do("POST", "/", strings.Repeat("x", size))
					b, err := io.ReadAll(resp.Body)
					require.NoError(t, err)
					want := "Internal Server Error\n"
					if status == 200 {
						want = fmt.Sprintf("%s %d", pid, size)
					}
					require.Equal(t, want, string(b), "%d bytes", size)
					require.Equal(t, status, resp.StatusCode, "%d bytes", size)
				}
			}
			assert.Regexp(t, "(?i)file too large", log.String())
			var files []string
			assert.Eventually(t, func() bool { // the last file goes when its request has been answered
				files, _ = filepath.Glob(tmp + "/*")
				return len(files) == 1
			}, 10*time.Second, 10*time.Millisecond, "more than the folder of the process: %v", &files)
		})
	}
}

// The client's end while it still sends is an error for the application, not the end of the body.
func TestBodyCut(t *testing.T) {
	eachLoaded(t, func(t *testing.T, s *site, log *testlog.Buffer) {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		require.NoError(t, err)
		_, err = io.WriteString(conn, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\nabc")
		require.NoError(t, err)
		time.Sleep(50 * time.Millisecond)
		conn.Close()
		status, _ := s.get("/")
		assert.Equal(t, 200, status)
	})
}

func TestProcesses(t *testing.T) {
	peer.Need(t, "python3")
	o := options(new(testlog.Buffer))
	o.Processes, o.MaxRequests = 3, 5
	app, err := apps.Start(t.Context(), "", "testdata/wsgi", o)
	require.NoError(t, err)
	defer app.Close(context.Background())
	require.Eventually(t, func() bool {
		pids := map[string]bool{}
		var bodies []io.Closer
		for range 3 {
			resp, err := app.Serve(t.Context(), &adapters.Request{Method: "GET", Script: adapters.Script{PathInfo: "/pid"}})
			require.NoError(t, err)
			b, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			pids[string(b)], bodies = true, append(bodies, resp.Body)
		}
		for _, b := range bodies {
			b.Close()
		}
		return len(pids) == 3
	}, 20*time.Second, time.Millisecond, "three requests at once")
	s, pids := serve(t, app), map[string]bool{}
	require.Eventually(t, func() bool {
		_, pid := s.get("/pid")
		pids[pid] = true
		return len(pids) > 2
	}, 20*time.Second, time.Millisecond, "processes are replaced")
}
