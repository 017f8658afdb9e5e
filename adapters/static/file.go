package static

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gangway-go/gangway/adapters"
)

// A file is an opened file and, for http.ServeContent, its content.
type file struct {
	*os.File
	info fs.FileInfo
}

// Seek implements io.Seeker; the length is known.
func (f *file) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekEnd && offset == 0 {
		return f.info.Size(), nil
	}
	return f.File.Seek(offset, whence)
}

// answer makes the response, whose Body closes f. All decisions are those of http.ServeContent.
func (f *file) answer(req *adapters.Request) *adapters.Response {
	rec := &recorder{header: http.Header{"Etag": {f.etag()}, "Content-Type": {f.contentType()}}}
	r := httpRequest(req)
	if !strings.Contains(r.Header.Get("Range"), ",") {
		http.ServeContent(rec, r, "", f.info.ModTime(), f)
		return rec.response(f, nil)
	}
	// Several ranges come through a pipe that lasts as long as ServeContent runs.
	known, release := make(chan struct{}), make(chan struct{})
	rec.hold = func() {
		close(known)
		<-release
	}
	go func() {
		http.ServeContent(rec, r, "", f.info.ModTime(), f)
		if rec.content == nil {
			close(known)
		}
	}()
	<-known
	return rec.response(f, release)
}

func (f *file) etag() string {
	return fmt.Sprintf(`"%x-%x"`, f.info.ModTime().UnixNano(), f.info.Size())
}

func (f *file) contentType() string {
	if t := mime.TypeByExtension(path.Ext(f.info.Name())); t != "" {
		return t
	}
	return "application/octet-stream"
}

// conditional are the fields that http.ServeContent looks at.
var conditional = []string{
	"If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since", "If-Range", "Range",
}

func httpRequest(req *adapters.Request) *http.Request {
	r := &http.Request{Method: req.Method, Header: http.Header{}}
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		r.Method = http.MethodGet
		return r
	}
	for _, name := range conditional {
		if values := req.Header.Values(name); len(values) > 0 {
			r.Header[name] = []string{strings.Join(values, ", ")}
		}
	}
	return r
}

// A recorder is the http.ResponseWriter of http.ServeContent. It does not copy a file's content but keeps it.
type recorder struct {
	header  http.Header
	status  int
	text    strings.Builder // of an error
	content io.Reader
	length  int64
	hold    func() // runs once content is known; may be nil
}

func (rec *recorder) Header() http.Header         { return rec.header }
func (rec *recorder) WriteHeader(status int)      { rec.status = status }
func (rec *recorder) Write(p []byte) (int, error) { return rec.text.Write(p) }

// ReadFrom takes what http.ServeContent copies with io.CopyN.
func (rec *recorder) ReadFrom(src io.Reader) (int64, error) {
	part := src.(*io.LimitedReader)
	rec.content, rec.length = part.R, part.N
	if rec.hold != nil {
		rec.hold()
	}
	return part.N, nil
}

func (rec *recorder) response(f *file, release chan struct{}) *adapters.Response {
	resp := &adapters.Response{Status: rec.status, Body: adapters.NoBody}
	switch text := rec.text.String(); {
	case rec.content != nil:
		resp.Body = &body{file: f, src: rec.content, left: rec.length, release: release}
	case text != "":
		resp.Body = io.NopCloser(strings.NewReader(text))
		rec.header.Set("Content-Length", strconv.Itoa(len(text)))
		fallthrough
	default:
		f.Close()
	}
	resp.Header = adapters.HeaderFrom(rec.header)
	return resp
}

// A body is the part of a file that is sent, or several parts that come through a pipe.
type body struct {
	file    *file
	src     io.Reader // file, or the pipe
	left    int64
	release chan struct{} // ends the pipe; may be nil
	closed  atomic.Bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	switch {
	case b.closed.Load():
		return 0, b.end(fs.ErrClosed)
	case b.left == 0:
		return 0, io.EOF
	}
	n, err := b.src.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, b.end(err)
}

// end returns how the body ended, if it did: err is what reading it gave.
func (b *body) end(err error) error {
	switch {
	case errors.Is(err, fs.ErrClosed), err == io.ErrClosedPipe:
		return fmt.Errorf("static: %w", adapters.ErrAborted)
	case b.left == 0:
		return io.EOF
	case err == io.EOF:
		return fmt.Errorf("static: %w: %d bytes of %s are gone", adapters.ErrTruncated, b.left, b.file.Name())
	}
	return err
}

// sendfileMin is the size from which sendfile(2) is better than a write together with the header.
const sendfileMin = 4 << 10

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// WriteTo implements io.WriterTo: a writer that has ReadFrom gets an io.LimitedReader over the *os.File, the form for
// which net uses sendfile(2).
func (b *body) WriteTo(w io.Writer) (int64, error) {
	to, ok := w.(io.ReaderFrom)
	if !ok || b.src != b.file || b.left < sendfileMin {
		buf := buffers.Get().(*[32 << 10]byte)
		defer buffers.Put(buf)
		return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{b}, buf[:])
	}
	n, err := to.ReadFrom(&io.LimitedReader{R: b.file.File, N: b.left})
	b.left -= n
	if err == nil && b.left > 0 {
		err = b.end(io.EOF)
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	if b.release != nil {
		close(b.release)
	}
	return b.file.Close()
}
