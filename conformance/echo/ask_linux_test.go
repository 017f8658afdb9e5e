package echo_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gangway-go/gangway/conformance/echo"
	fastcgi "github.com/gangway-go/gangway/fastcgi/wire"
	"github.com/gangway-go/gangway/scgi/uwsgi"
	scgi "github.com/gangway-go/gangway/scgi/wire"
)

// question is a request to an application.
type question struct {
	query, body string
	vars        []echo.Var
	args        []string     // CGI only
	inherited   bool         // CGI only: descriptor 3 is open
	role        fastcgi.Role // FastCGI only, zero is Responder
	data        string       // FastCGI only, of the role Filter
	patience    time.Duration
}

// all returns the meta-variables of the request for the script.
func (q question) all(script string) []echo.Var {
	vars := []echo.Var{
		{Name: "REQUEST_METHOD", Value: "GET"}, {Name: "SERVER_PROTOCOL", Value: "HTTP/1.1"},
		{Name: "QUERY_STRING", Value: q.query}, {Name: "REQUEST_URI", Value: "/echo?" + q.query},
		{Name: "SCRIPT_NAME", Value: "/echo"}, {Name: "SCRIPT_FILENAME", Value: script},
		{Name: "PATH", Value: os.Getenv("PATH")}, {Name: "SERVER_NAME", Value: "localhost"},
		{Name: "SERVER_PORT", Value: "80"}, {Name: "HTTP_HOST", Value: "localhost"},
		{Name: "REMOTE_ADDR", Value: "192.0.2.1"},
		{Name: "REDIRECT_STATUS", Value: "200"}, // php-cgi does nothing without.
	}
	if q.body != "" {
		vars[0].Value = "POST"
		vars = append(vars, echo.Var{Name: "CONTENT_LENGTH", Value: strconv.Itoa(len(q.body))})
	}
	return append(vars, q.vars...)
}

// answer is what came back.
type answer struct {
	header, body string
	stderr       string
	status       int  // of the program or the request
	died         bool // it was killed, or the connection ended before the request
	hidden       bool // the protocol tells neither of them
	pid          int  // of the program if CGI started it
	took         time.Duration
	lasted       time.Duration // from the first byte of the body to the last
}

// output takes what an application writes.
type output struct {
	text               bytes.Buffer
	start, first, last time.Time
}

func (o *output) Write(b []byte) (int, error) {
	o.text.Write(b)
	o.last = time.Now()
	if _, body, _ := bytes.Cut(o.text.Bytes(), []byte("\r\n\r\n")); o.first.IsZero() && len(body) > 0 {
		o.first = o.last
	}
	return len(b), nil
}

func (o *output) answer() answer {
	header, body, _ := strings.Cut(o.text.String(), "\r\n\r\n")
	return answer{header: header, body: body, took: time.Since(o.start), lasted: o.last.Sub(o.first)}
}

// cgi runs the program in dir as a web server does. Its standard input does not end after the body.
func cgi(t *testing.T, dir, script string, q question, argv ...string) answer {
	in, stdin := pipe(t)
	stdout, out := pipe(t)
	stderr, diagnostics := pipe(t)
	go io.WriteString(stdin, q.body) // Ends when the pipe is closed.
	attr := &os.ProcAttr{Dir: dir, Files: []*os.File{in, out, diagnostics}}
	if q.inherited {
		attr.Files = append(attr.Files, in)
	}
	for _, v := range q.all(script) {
		attr.Env = append(attr.Env, v.Name+"="+v.Value)
	}
	o := &output{start: time.Now()}
	// Not os/exec, which takes a variable that came twice for one.
	process, err := os.StartProcess(argv[0], append(argv, q.args...), attr)
	require.NoError(t, err)
	defer time.AfterFunc(q.patience, func() { process.Kill() }).Stop()
	out.Close()
	diagnostics.Close()
	errors := make(chan string)
	go func() {
		b, _ := io.ReadAll(stderr)
		errors <- string(b)
	}()
	io.Copy(o, stdout)
	text := <-errors
	state, err := process.Wait()
	require.NoError(t, err)
	a := o.answer()
	a.stderr, a.status, a.died, a.pid = text, state.ExitCode(), !state.Exited(), process.Pid
	return a
}

func pipe(t *testing.T) (r, w *os.File) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}

// connect sends a request and returns the connection, from which the response is to be read.
func connect(t *testing.T, socket string, q question, request []byte) net.Conn {
	conn, err := net.Dial("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(q.patience))
	go conn.Write(request) // An application may answer before it has read all.
	return conn
}

func askFastCGI(t *testing.T, socket, script string, q question) answer {
	role := max(q.role, fastcgi.RoleResponder)
	params := fastcgi.BeginParams(fastcgi.BeginRequest{Role: role}.Append(nil, 1), 1)
	for _, v := range q.all(script) {
		params.Add(v.Name, v.Value)
	}
	request := fastcgi.AppendStream(params.End(), fastcgi.TypeStdin, 1, []byte(q.body))
	if role != fastcgi.RoleAuthorizer {
		request = fastcgi.AppendEnd(request, fastcgi.TypeStdin, 1)
	}
	if role == fastcgi.RoleFilter {
		request = fastcgi.AppendStream(request, fastcgi.TypeData, 1, []byte(q.data))
		request = fastcgi.AppendEnd(request, fastcgi.TypeData, 1)
	}
	o, stderr, end := &output{start: time.Now()}, "", fastcgi.EndRequest{}
	conn := connect(t, socket, q, request)
	for {
		h, content, err := readRecord(conn)
		if err != nil {
			a := o.answer()
			a.stderr, a.died = stderr, true
			return a
		}
		switch h.Type {
		case fastcgi.TypeStdout:
			o.Write(content)
		case fastcgi.TypeStderr:
			stderr += string(content)
		case fastcgi.TypeEndRequest:
			end, err = fastcgi.ParseEndRequest(content)
			require.NoError(t, err)
			a := o.answer()
			a.stderr, a.status = stderr, int(end.AppStatus)
			a.died = end.ProtocolStatus != fastcgi.StatusRequestComplete
			return a
		}
	}
}

func readRecord(r io.Reader) (fastcgi.Header, []byte, error) {
	head := make([]byte, fastcgi.HeaderLen)
	if _, err := io.ReadFull(r, head); err != nil {
		return fastcgi.Header{}, nil, err
	}
	h, err := fastcgi.ParseHeader(head)
	if err != nil {
		return h, nil, err
	}
	rest := make([]byte, int(h.ContentLength)+int(h.PaddingLength))
	_, err = io.ReadFull(r, rest)
	return h, rest[:h.ContentLength], err
}

func askSCGI(t *testing.T, socket, script string, q question) answer {
	block := scgi.AppendPair(nil, "CONTENT_LENGTH", strconv.Itoa(len(q.body)))
	block = scgi.AppendPair(block, "SCGI", "1")
	for _, v := range q.all(script) {
		if v.Name != "CONTENT_LENGTH" {
			block = scgi.AppendPair(block, v.Name, v.Value)
		}
	}
	return ask(t, socket, q, append(scgi.Enclose(block, 0), q.body...))
}

func askUwsgi(t *testing.T, socket, script string, q question) answer {
	var block []byte
	for _, v := range q.all(script) {
		block = uwsgi.AppendPair(block, v.Name, v.Value)
	}
	packet, err := uwsgi.Enclose(block, 0, uwsgi.Modifier, 0)
	require.NoError(t, err)
	return ask(t, socket, q, append(packet, q.body...))
}

// ask sends a request and takes all that comes for the answer.
func ask(t *testing.T, socket string, q question, request []byte) answer {
	o := &output{start: time.Now()}
	_, err := io.Copy(o, connect(t, socket, q, request))
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		require.NoError(t, err)
	}
	a := o.answer()
	a.hidden = true
	return a
}
