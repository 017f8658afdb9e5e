package faulty

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/gangway-go/gangway/internal/execfile"
)

// programs is where the programs of a CGI backend are.
const programs = "/cgi-bin/"

// findProgram finds the first beginning of the path that is a file in the directory of programs.
func (g *Gateway) findProgram(r *gatewayRequest, dir string) (place, error) {
	rest := strings.TrimPrefix(r.path, "/cgi-bin")
	if g.fault.is("decodes-programs-twice") {
		if again, err := url.PathUnescape(rest); err == nil {
			rest = again
		}
	}
	if strings.HasPrefix(rest, "/auth/") && !g.unguarded(r) {
		if err := g.authenticate(r); err != nil {
			return place{}, err
		}
	}
	for i := 1; i <= len(rest); i++ {
		if i < len(rest) && rest[i] != '/' {
			continue
		}
		name := filepath.Join(dir, filepath.FromSlash(rest[:i]))
		info, err := os.Stat(name)
		switch {
		case err != nil:
			return g.insteadOfProgram(name)
		case !info.IsDir():
			return place{script: "/cgi-bin" + rest[:i], info: rest[i:], file: name}, g.overwrite(r, name)
		}
	}
	return place{}, refuse(http.StatusForbidden)
}

// insteadOfProgram finds what a mutant takes for a program that does not exist.
func (g *Gateway) insteadOfProgram(name string) (place, error) {
	file, dot := strings.CutSuffix(name, ".")
	if dot && g.fault.is("drops-last-dot") {
		return place{file: file, static: true}, nil
	}
	return place{script: programs + path.Base(name), file: name}, nil
}

// overwrite writes over a file, if this is the mutant that does.
func (g *Gateway) overwrite(r *gatewayRequest, name string) error {
	if r.method != http.MethodPut || r.body == nil || !g.fault.is("puts-files") {
		return nil
	}
	content, err := io.ReadAll(r.body)
	if err != nil {
		return err
	}
	return errors.Join(execfile.WriteFile(name, content, 0o755), refuse(http.StatusConflict))
}

// isNPH says whether a program answers the client itself, RFC 3875 section 5.
func (g *Gateway) isNPH(at place) bool {
	return strings.HasPrefix(path.Base(at.file), "nph-") && !g.fault.is("nph-as-others")
}

// relayRaw sends the output of an NPH program to the client.
func (g *Gateway) relayRaw(output io.Reader, out reply) error {
	o, ok := out.(*reply1)
	if !ok {
		return refuse(http.StatusNotImplemented)
	}
	o.mu.Lock()
	o.begun, o.closes = true, !g.fault.is("nph-keeps-connection")
	o.mu.Unlock()
	if !g.fault.in("nph-with-spaces", "nph-ascii", "nph-at-once") {
		_, err := io.Copy(o.conn.Conn, output)
		return err
	}
	content, err := io.ReadAll(output)
	text := string(content)
	if head, body, ok := strings.Cut(text, "\r\n\r\n"); ok && g.fault.is("nph-with-spaces") {
		text = strings.ReplaceAll(strings.ReplaceAll(head, ": ", ":"), ":", ": ") + "\r\n\r\n" + body
	}
	if g.fault.is("nph-ascii") {
		text = toASCII(text)
	}
	io.WriteString(o.conn.Conn, text)
	return err
}

// toASCII replaces bytes above 0x7F by question marks.
func toASCII(text string) string {
	b := []byte(text)
	for i := range b {
		if b[i] > 0x7f {
			b[i] = '?'
		}
	}
	return string(b)
}

// list lists the programs, if this is the mutant that does.
func (g *Gateway) list(r *gatewayRequest, out reply) bool {
	b, ok := g.backend.(*cgiBackend)
	if !ok || r.path != programs || !g.fault.is("lists-programs") {
		return false
	}
	entries, _ := os.ReadDir(b.dir)
	out.begin(http.StatusOK, "", nil, -1)
	for _, entry := range entries {
		io.WriteString(out, entry.Name()+"\n")
	}
	return true
}
