package adapters

import (
	"fmt"
	"net/url"
	"runtime"
	"strings"
)

// CanonicalPath returns the path of a request target as routes, rules and scripts see it: decoded once, empty
// segments and dot segments resolved. It is the only canonicaliser. The error wraps [ErrBadRequest]: a bad escape, a
// NUL, a path that does not begin with a slash or climbs above the root, and dot segments that somebody behind us
// could resolve otherwise, and so get around a route or a rule: behind an empty segment, which RFC 3986 5.2.4 lets a
// ".." remove, beside %2F, %5C or a backslash, and with parameters, which Java's servers take off first ("/..;x/").
func CanonicalPath(raw string) (string, error) {
	path, err := url.PathUnescape(raw)
	if err != nil {
		return "", fmt.Errorf("%w: path %.80q: %v", ErrBadRequest, raw, err)
	}
	clean, err := cleanPath(path)
	if err == nil && len(clean) != len(path) && EncodedSeparator(raw) && hasDotSegment(path) {
		return "", ambiguous(raw)
	}
	return clean, err
}

// cleanPath is CanonicalPath for a path that is decoded already.
func cleanPath(path string) (string, error) {
	if path == "" || path[0] != '/' || strings.IndexByte(path, 0) >= 0 {
		return "", fmt.Errorf("%w: path %.80q", ErrBadRequest, path)
	}
	if strings.IndexByte(path, '\\') >= 0 && hasDotSegment(strings.ReplaceAll(path, `\`, "/")) {
		return "", ambiguous(path)
	}
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path, nil
	}
	var kept []string
	dir := true // whether the path ends at a directory
	for segment := range strings.SplitSeq(path[1:], "/") {
		dir = true
		switch segment {
		case ".":
		case "..":
			if len(kept) == 0 {
				return "", fmt.Errorf("%w: path %.80q climbs above the root", ErrBadRequest, path)
			}
			if kept[len(kept)-1] == "" {
				return "", ambiguous(path)
			}
			kept = kept[:len(kept)-1]
		default:
			if strings.HasPrefix(segment, ".;") || strings.HasPrefix(segment, "..;") {
				return "", ambiguous(path)
			}
			kept = append(kept, segment)
			dir = segment == ""
		}
	}
	return joinSegments(kept, dir), nil
}

// joinSegments returns the path of the segments that are not empty.
func joinSegments(segments []string, dir bool) string {
	var b strings.Builder
	for _, segment := range segments {
		if segment != "" {
			b.WriteByte('/')
			b.WriteString(segment)
		}
	}
	if dir || b.Len() == 0 {
		b.WriteByte('/')
	}
	return b.String()
}

func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if name, _, _ := strings.Cut(segment, ";"); name == "." || name == ".." {
			return true
		}
	}
	return false
}

func ambiguous(path string) error {
	return fmt.Errorf("%w: path %.80q has dot segments that can be resolved in several ways", ErrBadRequest, path)
}

// HiddenPath reports whether a component of a path beneath a folder is nobody's to ask for: its name begins with a dot,
// but for /.well-known (RFC 8615), or it could be more than one component, or another name of a file, somewhere.
func HiddenPath(path string) bool {
	rest, known := strings.CutPrefix(path, "/.well-known")
	if known && (rest == "" || rest[0] == '/') {
		path = rest
	}
	return strings.Contains(path, "/.") || strings.IndexByte(path, '\\') >= 0 ||
		runtime.GOOS == "windows" && windowsAlias(path)
}

// windowsAlias reports whether a component could be another name of a file for Windows: a stream of it
// ("x.php::$DATA"), its short name ("X~1.PHP"), or one with dots and spaces that are not part of it ("x.php. .").
func windowsAlias(path string) bool {
	for component := range strings.SplitSeq(path, "/") {
		_, rest, tilde := strings.Cut(component, "~")
		if strings.Contains(component, ":") || strings.TrimRight(component, ". ") != component ||
			tilde && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			return true
		}
	}
	return false
}

// EncodedSeparator reports whether the path of a request target holds %2F or %5C, which no walk of a tree may take for
// a separator or for a part of a name.
func EncodedSeparator(uri string) bool {
	for {
		i := strings.IndexByte(uri, '%')
		if i < 0 || strings.IndexByte(uri[:i], '?') >= 0 || len(uri) < i+3 {
			return false
		}
		if code := uri[i+1 : i+3]; EqualName(code, "2f") || EqualName(code, "5c") {
			return true
		}
		uri = uri[i+3:]
	}
}
