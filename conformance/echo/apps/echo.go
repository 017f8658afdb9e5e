//go:build ignore

// The echo application of gangway's conformance suite in Go, on net/http/fcgi and net/http/cgi. It answers each request
// with what it saw of it, and QUERY_STRING can ask for other answers: see the documentation of the package echo.
//
//	go build -o echo echo.go
//	spawn-fcgi -n -s /tmp/echo.sock ./echo                          FastCGI, with the listening socket on descriptor 0
//	REQUEST_METHOD=GET SERVER_PROTOCOL=HTTP/1.1 ./echo              CGI, if descriptor 0 is no listening socket
//
// It is for Unix systems.
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/fcgi"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const largeLine = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+\n"

var errorLine = strings.Repeat("e", 63) + "\n"

// isFastCGI says whether descriptor 0 is a listening socket, FastCGI 1.0 section 2.2.
func isFastCGI() bool {
	_, err := syscall.Getpeername(0)
	return err == syscall.ENOTCONN
}

// word percent-encodes s.
func word(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// vars returns the meta-variables as NAME=VALUE. Under FastCGI the package keeps those that have no place in r, and the
// others are made from r again.
func vars(r *http.Request) []string {
	if !isFastCGI() {
		return os.Environ()
	}
	all := maps.Clone(fcgi.ProcessEnv(r))
	for name, values := range r.Header {
		all["HTTP_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))] = strings.Join(values, ", ")
	}
	all["REQUEST_METHOD"], all["SERVER_PROTOCOL"], all["HTTP_HOST"] = r.Method, r.Proto, r.Host
	all["REQUEST_URI"], all["QUERY_STRING"] = r.URL.RequestURI(), r.URL.RawQuery
	all["CONTENT_LENGTH"], all["CONTENT_TYPE"] = strconv.FormatInt(r.ContentLength, 10), r.Header.Get("Content-Type")
	delete(all, "HTTP_CONTENT_TYPE")
	if host, port, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		all["REMOTE_ADDR"], all["REMOTE_PORT"] = host, port
	}
	if r.TLS != nil {
		all["HTTPS"] = "on"
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, name+"="+all[name])
	}
	return list
}

// descriptors returns those above 2 that Go did not open for itself, so without close-on-exec.
func descriptors() (found []string) {
	entries, _ := os.ReadDir("/proc/self/fdinfo")
	for _, entry := range entries {
		fd, _ := strconv.Atoi(entry.Name())
		info, err := os.ReadFile(filepath.Join("/proc/self/fdinfo", entry.Name()))
		if _, flags, found := strings.Cut(string(info), "flags:"); fd <= 2 || err != nil || !found {
			continue
		} else if bits, _ := strconv.ParseInt(strings.Fields(flags)[0], 8, 64); bits&syscall.O_CLOEXEC != 0 {
			continue
		}
		found = append(found, entry.Name())
	}
	return found
}

// lines reads r, but for its body if noread is set, and returns what there is to say about it.
func lines(r *http.Request, noread bool) []byte {
	var b bytes.Buffer
	b.WriteString("echo 1\n")
	for _, pair := range vars(r) {
		name, value, _ := strings.Cut(pair, "=")
		fmt.Fprintf(&b, "var %s %s\n", word(name), word(value))
	}
	for _, arg := range os.Args[1:] {
		fmt.Fprintf(&b, "arg %s\n", word(arg))
	}
	if noread {
		b.WriteString("body - -\n")
	} else {
		hash := sha256.New()
		n, _ := io.Copy(hash, r.Body)
		fmt.Fprintf(&b, "body %d %x\n", n, hash.Sum(nil))
	}
	for _, fd := range descriptors() {
		fmt.Fprintf(&b, "fd %s\n", fd)
	}
	dir, _ := os.Getwd()
	fmt.Fprintf(&b, "cwd %s\npid %d\nend\n", word(dir), os.Getpid())
	return b.Bytes()
}

// repeated writes the bytes from..to of a line of 64 bytes that is repeated.
func repeated(w io.Writer, line string, from, to int) {
	for from < to {
		at := from % len(line)
		n, err := io.WriteString(w, line[at:min(len(line), at+to-from)])
		if err != nil {
			return
		}
		from += n
	}
}

var modePattern = regexp.MustCompile(`^(?:(noread|binary|empty|crash)|(sleep|exit|stderr|large|flush|crash)=([0-9]+))$`)

// modes returns the modes of the query, those without a number as -1.
func modes(query string) map[string]int {
	found := map[string]int{}
	for text := range strings.SplitSeq(query, "&") {
		if m := modePattern.FindStringSubmatch(text); m != nil && m[1] != "" {
			found[m[1]] = -1
		} else if m != nil {
			found[m[2]], _ = strconv.Atoi(m[3])
		}
	}
	return found
}

func crash() {
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// pause waits, but not longer than for the request.
func pause(r *http.Request, ms int) {
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
	case <-r.Context().Done():
	}
}

func ticks(w http.ResponseWriter, r *http.Request, ms int) {
	for tick := 1; tick <= 3; tick++ {
		if tick > 1 {
			pause(r, ms)
		}
		fmt.Fprintf(w, "tick %d\n", tick)
		w.(http.Flusher).Flush()
	}
}

// respond writes the answer; all of the request that it shows is in text.
func respond(w http.ResponseWriter, r *http.Request, mode map[string]int, text []byte) {
	size, isLarge := mode["large"]
	if n, crashes := mode["crash"]; crashes {
		size, isLarge = n, true
	}
	_, binary := mode["binary"]
	repeated(os.Stderr, errorLine, 0, mode["stderr"]/2)
	w.Header().Set("Content-Type", "text/x-gangway-echo")
	if isLarge || binary {
		w.Header().Set("Content-Type", "application/octet-stream")
	}
	if ms, ok := mode["flush"]; ok && !isLarge && !binary {
		ticks(w, r, ms)
		return
	}
	if binary {
		text = make([]byte, 256)
		for i := range text {
			text[i] = byte(i)
		}
	}
	if !isLarge {
		size = len(text)
	}
	for _, part := range [][2]int{{0, size / 2}, {size / 2, size}} {
		if isLarge {
			repeated(w, largeLine, part[0], part[1])
		} else {
			w.Write(text[part[0]:part[1]])
		}
		if mode["stderr"] > 0 && part[0] == 0 {
			w.(http.Flusher).Flush()
			repeated(os.Stderr, errorLine, mode["stderr"]/2, mode["stderr"])
		}
	}
	if _, crashes := mode["crash"]; crashes {
		w.(http.Flusher).Flush()
		crash()
	}
}

// handle answers one request and returns the exit status that it asks for.
func handle(w http.ResponseWriter, r *http.Request) (status int) {
	if !isFastCGI() && os.Getenv("FCGI_ROLE") == "AUTHORIZER" { // net/http/fcgi has no other role than Responder.
		w.Header()["Variable-ECHO"] = []string{"1"}
		w.WriteHeader(http.StatusOK)
		return 0
	}
	mode := modes(r.URL.RawQuery)
	_, noread := mode["noread"]
	text := lines(r, noread)
	pause(r, mode["sleep"])
	if mode["crash"] < 0 {
		crash()
	}
	if _, empty := mode["empty"]; !empty {
		respond(w, r, mode, text)
	} else if !isFastCGI() {
		os.Exit(mode["exit"]) // After this function the package writes a header.
	}
	return mode["exit"]
}

func main() {
	status, err := 0, error(nil)
	if isFastCGI() {
		err = fcgi.Serve(nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r) }))
	} else {
		err = cgi.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { status = handle(w, r) }))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		status = 1
	}
	os.Exit(status)
}
