package adapters

import (
	"fmt"
	"net/url"
	"strings"
)

// CanonicalPath returns the path of a request target as routes, rules and scripts see it: decoded once, empty segments
// and dot segments resolved. It is the only canonicaliser. The error wraps [ErrBadRequest]: a bad escape, a NUL, a path
// that does not begin with a slash or climbs above the root.
func CanonicalPath(raw string) (string, error) {
	path, err := url.PathUnescape(raw)
	if err != nil {
		return "", fmt.Errorf("%w: path %.80q: %v", ErrBadRequest, raw, err)
	}
	return cleanPath(path)
}

// cleanPath is CanonicalPath for a path that is decoded already.
func cleanPath(path string) (string, error) {
	if path == "" || path[0] != '/' || strings.IndexByte(path, 0) >= 0 {
		return "", fmt.Errorf("%w: path %.80q", ErrBadRequest, path)
	}
	if !strings.Contains(path, "//") && !strings.Contains(path, "/.") {
		return path, nil
	}
	var kept []string
	dir := true // whether the path ends at a directory
	for segment := range strings.SplitSeq(path[1:], "/") {
		dir = true
		switch segment {
		case "", ".":
		case "..":
			if len(kept) == 0 {
				return "", fmt.Errorf("%w: path %.80q climbs above the root", ErrBadRequest, path)
			}
			kept = kept[:len(kept)-1]
		default:
			kept = append(kept, segment)
			dir = false
		}
	}
	clean := "/" + strings.Join(kept, "/")
	if dir && len(kept) > 0 {
		clean += "/"
	}
	return clean, nil
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
