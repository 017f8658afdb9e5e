package faulty

import (
	"encoding/base64"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// place is what a path leads to.
type place struct {
	script string // SCRIPT_NAME, decoded
	info   string // PATH_INFO
	file   string // of the script, or the static file
	static bool
}

// locate splits the target of r, RFC 9112 section 3.2, into host, path and query.
func (g *Gateway) locate(r *gatewayRequest) error {
	target := r.target
	if target == "*" && !g.fault.is("asterisk-is-path") {
		return nil
	}
	if target == "*" {
		target = "/app/*"
	}
	if scheme, rest, ok := strings.Cut(target, "://"); ok && isToken(scheme) {
		host, _, _ := strings.Cut(rest, "/")
		host, _, _ = strings.Cut(host, "?")
		if !g.fault.is("believes-other-host") {
			r.setHost(host)
		}
		target = rest[len(host):]
		if !strings.HasPrefix(target, "/") {
			target = "/" + target
		}
	}
	if !strings.HasPrefix(target, "/") || strings.Contains(target, "#") && !g.fault.is("keeps-fragment") {
		return refuse(http.StatusBadRequest)
	}
	r.target = target
	raw, query, _ := strings.Cut(target, "?")
	if g.fault.is("loses-raw-bytes") {
		query = ascii(query)
	}
	decoded, ok := g.decodePath(raw)
	if ok && !g.fault.is("keeps-dots") {
		decoded, ok = g.resolveDots(decoded)
	}
	if !ok {
		return refuse(http.StatusBadRequest)
	}
	r.path, r.query = decoded, query
	if g.fault.is("slash-from-escape") && strings.Contains(strings.ToLower(raw), "%2f") {
		r.target = decoded
	}
	return nil
}

// setHost makes the host of an absolute target that of the request, RFC 9112 section 3.2.2.
func (r *gatewayRequest) setHost(host string) {
	r.host = host
	for i := range r.fields {
		if strings.EqualFold(r.fields[i].Name, "Host") {
			r.fields[i].Value = host
		}
	}
}

// decodePath decodes a path once. It takes neither control characters nor an encoded slash, for a decoded path could
// not tell it from one that divides.
func (g *Gateway) decodePath(raw string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		ch := raw[i]
		if ch == '%' {
			if i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
				if g.fault.is("drops-bad-escapes") {
					continue
				}
				return "", false
			}
			ch = unhex(raw[i+1])<<4 | unhex(raw[i+2])
			i += 2
			if ch == '/' && !g.fault.is("slash-from-escape") {
				return "", false
			}
		}
		ctl := ch < ' ' || ch == 0x7f
		if ctl && !(ch == 0 && g.fault.is("passes-nul-in-path") || ch != 0 && g.fault.is("breaks-lines-of-path")) {
			return "", false
		}
		b.WriteByte(ch)
	}
	return b.String(), true
}

// resolveDots takes no path that leads out of the root, and leaves empty segments as they are.
func (g *Gateway) resolveDots(decoded string) (string, bool) {
	if g.fault.is("drops-dots") {
		return strings.NewReplacer("/..", "", "/.", "").Replace(decoded), true
	}
	segments := strings.Split(decoded, "/")[1:]
	var kept []string
	for i, segment := range segments {
		last := i == len(segments)-1
		switch segment {
		case ".":
		case "..":
			if len(kept) == 0 {
				return "", false
			}
			kept = kept[:len(kept)-1]
		default:
			kept = append(kept, segment)
			continue
		}
		if last {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/"), true
}

// find leads the request to a script or a file, after access control.
func (g *Gateway) find(r *gatewayRequest) (place, error) {
	if r.target == "*" {
		return place{}, refuse(http.StatusNotImplemented)
	}
	if b, ok := g.backend.(*cgiBackend); ok && strings.HasPrefix(r.path, programs) {
		return g.findProgram(r, b.dir)
	}
	for _, mount := range []string{"/app", "/app2", "/auth"} {
		begins := mount == "/app" && strings.HasPrefix(r.path, "/appl") && g.fault.is("splits-segments")
		if r.path == mount || strings.HasPrefix(r.path, mount+"/") || begins {
			if mount == "/auth" && !g.unguarded(r) {
				if err := g.authenticate(r); err != nil {
					return place{}, err
				}
			}
			return place{script: mount, info: r.path[len(mount):], file: filepath.Join(g.Root, mount)}, nil
		}
	}
	if _, ok := g.backend.(*fcgiBackend); ok && strings.HasPrefix(r.path, "/authorized/") {
		return place{script: "/authorized", info: r.path[len("/authorized"):], file: filepath.Join(g.Root, "authorized")}, nil
	}
	if _, ok := g.backend.(*fcgiBackend); ok && r.path == "/filtered" {
		return place{script: "/filtered", file: filepath.Join(g.Root, "static.txt")}, nil
	}
	return g.findFile(r)
}

// findFile finds the first beginning of the path that is a file.
func (g *Gateway) findFile(r *gatewayRequest) (place, error) {
	if at, ok := g.guessScript(r); ok {
		return at, nil
	}
	for i := 1; i <= len(r.path); i++ {
		if i < len(r.path) && r.path[i] != '/' {
			continue
		}
		name := filepath.Join(g.Root, filepath.FromSlash(r.path[:i]))
		info, err := os.Stat(name)
		switch {
		case err != nil:
			return place{}, refuse(http.StatusNotFound)
		case info.IsDir():
		case path.Ext(name) == ".php":
			return place{script: r.path[:i], info: r.path[i:], file: name}, nil
		case i == len(r.path):
			return place{file: name, static: true}, nil
		default:
			return place{}, refuse(http.StatusNotFound)
		}
	}
	return place{}, refuse(http.StatusNotFound)
}

// authenticate wants one of gatewayUsers with HTTP Basic, RFC 7617.
func (g *Gateway) authenticate(r *gatewayRequest) error {
	for _, value := range r.values("Authorization") {
		scheme, credentials, _ := strings.Cut(value, " ")
		text, err := base64.StdEncoding.DecodeString(credentials)
		user, password, ok := strings.Cut(string(text), ":")
		if strings.EqualFold(scheme, "Basic") && err == nil && ok && gatewayUsers[user] != "" && g.accepts(user, password) {
			r.user = user
			return nil
		}
	}
	return refuse(http.StatusUnauthorized)
}

// gatewayUsers are the users of /auth and their passwords.
var gatewayUsers = map[string]string{"bob": "gangway", "jos\u00e9": "gangway"}

// sendFile answers with a file of the document root.
func (g *Gateway) sendFile(r *gatewayRequest, name string, out reply) error {
	if r.method != http.MethodGet && r.method != http.MethodHead {
		return refuse(http.StatusMethodNotAllowed)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return refuse(http.StatusForbidden)
	}
	if err := out.begin(http.StatusOK, "", []Var{{"Content-Type", "text/plain"}}, int64(len(content))); err != nil {
		return err
	}
	_, err = out.Write(content)
	return err
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// isToken is RFC 9110 section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !isAlphanumeric(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// isValue says whether s can be in a field value, RFC 9110 section 5.5.
func isValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}

// splitHost splits a Host field into name and port.
func splitHost(s string) (name, port string) {
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// isHost is uri-host [ ":" port ], RFC 9112 section 3.2: a name, an IPv4 address or an IPv6 address in brackets.
func isHost(s string) bool {
	name, port := splitHost(s)
	if strings.Trim(port, "0123456789") != "" {
		return false
	}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		return ok && strings.Trim(inner, "0123456789abcdefABCDEF:.") == "" && inner != ""
	}
	for i := range len(name) {
		c := name[i]
		if !isAlphanumeric(c) && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return name != ""
}
