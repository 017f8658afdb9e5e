package middleware

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/tg123/go-htpasswd"
)

// An Htpasswd is a file of users and passwords as Apache's htpasswd writes it, USER:HASH in each line. It knows bcrypt,
// SHA-1 ({SHA}, {SSHA}), MD5 ($apr1$, $1$), SHA-256 and SHA-512 crypt ($5$, $6$), and a plain password if it is marked
// {PLAIN} as for nginx: without a mark, the hash of a method that is not known here would be taken for the password.
// Empty lines and lines that begin with # are skipped.
//
// When the file changes it is read again, at most a second later; if it then is wrong, the old content stays valid,
// which is logged. An Htpasswd is safe for concurrent use.
type Htpasswd struct {
	file *watched[*passwords]
}

// OpenHtpasswd reads the file at path. The error names the line that is wrong, without its hash.
func OpenHtpasswd(path string) (*Htpasswd, error) {
	file, err := watch(path, parseHtpasswd)
	if err != nil {
		return nil, fmt.Errorf("htpasswd: %w", err)
	}
	return &Htpasswd{file}, nil
}

// Verify reports whether the password is the user's. A good hash takes milliseconds to compute, so a password that was
// right is remembered, as a keyed hash in memory. For a user who does not exist another's hash is computed, so that
// time does not tell who exists.
func (h *Htpasswd) Verify(user, password string) bool { return h.file.get().verify(user, password) }

// passwords is the content of an Htpasswd.
type passwords struct {
	users map[string]htpasswd.EncodedPasswd
	decoy htpasswd.EncodedPasswd // nil if there are no users
	key   []byte                 // of the hashes in verified

	mu       sync.RWMutex
	verified map[string][sha256.Size]byte // by user
}

func (p *passwords) verify(user, password string) bool {
	encoded := p.users[user]
	if encoded == nil {
		if p.decoy != nil {
			p.decoy.MatchesPassword(password)
		}
		return false
	}
	sum := p.sum(password)
	p.mu.RLock()
	known, ok := p.verified[user]
	p.mu.RUnlock()
	if ok && known == sum {
		return true
	}
	if !encoded.MatchesPassword(password) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.verified[user] = sum
	return true
}

func (p *passwords) sum(password string) [sha256.Size]byte {
	var room [128]byte
	return sha256.Sum256(append(append(room[:0], p.key...), password...))
}

func parseHtpasswd(content string) (*passwords, error) {
	p := &passwords{
		users:    make(map[string]htpasswd.EncodedPasswd),
		key:      make([]byte, sha256.Size),
		verified: make(map[string][sha256.Size]byte),
	}
	rand.Read(p.key)
	for number, line := range numberedLines(content) {
		user, hash, ok := strings.Cut(line, ":")
		if !ok || user == "" || hash == "" {
			return nil, fmt.Errorf("line %d: not USER:HASH", number)
		}
		encoded, err := parseHash(hash)
		if err != nil {
			return nil, fmt.Errorf("line %d: %q: %w", number, user, err)
		}
		p.users[user] = encoded
		if p.decoy == nil {
			p.decoy = encoded
		}
	}
	return p, nil
}

// numberedLines yields the lines that are neither empty nor comments.
func numberedLines(content string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		number := 0
		for line := range strings.Lines(content) {
			number++
			line = strings.TrimRight(line, "\r\n")
			if line != "" && line[0] != '#' && !yield(number, line) {
				return
			}
		}
	}
}

var (
	errHash    = errors.New("the hash is of no known kind, or damaged; a plain password needs {PLAIN} before it")
	sha2Crypt  = regexp.MustCompile(`^\$[56]\$(rounds=\d{4,9}\$)?[^$:]{1,16}\$[./0-9A-Za-z]{43,86}$`)
	hashParser = []htpasswd.PasswdParser{
		htpasswd.AcceptBcrypt, htpasswd.AcceptMd5, htpasswd.AcceptSha, htpasswd.AcceptSsha, acceptSHA2, acceptPlain,
	}
)

func parseHash(hash string) (htpasswd.EncodedPasswd, error) {
	for _, parse := range hashParser {
		encoded, err := parse(hash)
		if err != nil {
			return nil, errHash // err quotes the hash
		}
		if encoded != nil {
			return encoded, nil
		}
	}
	return nil, errHash
}

// acceptSHA2 keeps from go-htpasswd what makes its MatchesPassword panic.
func acceptSHA2(hash string) (htpasswd.EncodedPasswd, error) {
	if !sha2Crypt.MatchString(hash) {
		return nil, nil
	}
	return htpasswd.AcceptCryptSha(hash)
}

func acceptPlain(hash string) (htpasswd.EncodedPasswd, error) {
	password, ok := strings.CutPrefix(hash, "{PLAIN}")
	if !ok {
		return nil, nil
	}
	return htpasswd.AcceptPlain(password)
}
