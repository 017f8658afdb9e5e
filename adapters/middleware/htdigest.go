package middleware

import (
	"fmt"
	"slices"
	"strings"
)

// An Htdigest is a file of users for [Digest] as Apache's htdigest writes it, USER:REALM:HASH in each line, where HASH
// is H(USER:REALM:PASSWORD) in hexadecimal. Its length tells the algorithm: 32 digits are MD5, 64 are SHA-256. A user
// may have a line of each. Empty lines and lines that begin with # are skipped.
//
// When the file changes it is read again, at most a second later; if it then is wrong, the old content stays valid,
// which is logged. An Htdigest is safe for concurrent use.
type Htdigest struct {
	realm string
	file  *watched[*digestUsers]
}

// OpenHtdigest reads the users of one realm from the file at path. There must be one, and an algorithm that each of
// them has: a client chooses among those it is offered without knowing who the user is.
func OpenHtdigest(path, realm string) (*Htdigest, error) {
	file, err := watch(path, func(content string) (*digestUsers, error) { return parseHtdigest(content, realm) })
	if err != nil {
		return nil, fmt.Errorf("htdigest: %w", err)
	}
	return &Htdigest{realm, file}, nil
}

// digestUsers is the content of an Htdigest.
type digestUsers struct {
	algorithms []*algorithm          // which every user has, the best one first
	users      map[string]digestUser // by name
	hashes     map[string]string     // from hash of user and realm (userhash, RFC 7616 3.4.4) to name
}

// A digestUser holds HA1 (RFC 7616 3.4.2) in lower-case hexadecimal for each algorithm that the user has.
type digestUser map[*algorithm]string

func parseHtdigest(content, realm string) (*digestUsers, error) {
	d := &digestUsers{users: make(map[string]digestUser), hashes: make(map[string]string)}
	for number, line := range numberedLines(content) {
		fields := strings.Split(line, ":")
		if len(fields) != 3 || fields[0] == "" || !isHex(fields[2]) {
			return nil, fmt.Errorf("line %d: not USER:REALM:HASH", number)
		}
		a := algorithmOfSize(len(fields[2]))
		if a == nil {
			return nil, fmt.Errorf("line %d: %d hexadecimal digits are neither MD5 nor SHA-256", number, len(fields[2]))
		}
		if fields[1] == realm {
			d.add(fields[0], realm, a, strings.ToLower(fields[2]))
		}
	}
	if len(d.users) == 0 {
		return nil, fmt.Errorf("no user of realm %q", realm)
	}
	d.algorithms = slices.DeleteFunc(slices.Clone(algorithms), func(a *algorithm) bool { return !d.allHave(a) })
	if len(d.algorithms) == 0 {
		return nil, fmt.Errorf("neither MD5 nor SHA-256 is there for every user of realm %q", realm)
	}
	return d, nil
}

func (d *digestUsers) add(name, realm string, a *algorithm, ha1 string) {
	if d.users[name] == nil {
		d.users[name] = make(digestUser)
	}
	d.users[name][a] = ha1
	d.hashes[a.hash(name, realm)] = name
}

func (d *digestUsers) allHave(a *algorithm) bool {
	for _, u := range d.users {
		if u[a] == "" {
			return false
		}
	}
	return true
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
