package middleware

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

const (
	defaultNonceLifetime = 5 * time.Minute
	maxNonces            = 1 << 16 // that are in use at the same time; beyond it all become stale
)

// nonces makes nonces and takes each of their counts once. A nonce is remembered only when it is first used with a
// right proof, so asking for many costs nothing. The zero value is ready; it is safe for concurrent use.
type nonces struct {
	mu                sync.Mutex
	current, previous *generation
}

// A generation is the nonces made in one lifetime.
type generation struct {
	born   time.Time
	key    []byte
	counts map[nonceID]*counts // of the nonces that were used
}

type nonceID [16]byte

func newGeneration() *generation {
	g := &generation{born: time.Now(), key: make([]byte, sha256.Size), counts: make(map[nonceID]*counts)}
	rand.Read(g.key)
	return g
}

// age drops what is too old. The caller holds mu.
func (n *nonces) age(lifetime time.Duration) {
	lifetime = cmp.Or(lifetime, defaultNonceLifetime)
	now := time.Now()
	if n.previous != nil && now.Sub(n.previous.born) >= 2*lifetime {
		n.previous = nil
	}
	switch {
	case n.current == nil || now.Sub(n.current.born) >= 2*lifetime:
		n.current = newGeneration()
	case now.Sub(n.current.born) >= lifetime:
		n.previous, n.current = n.current, newGeneration()
	}
}

func (n *nonces) issue(lifetime time.Duration) string {
	var id nonceID
	rand.Read(id[:])
	n.mu.Lock()
	defer n.mu.Unlock()
	n.age(lifetime)
	return n.current.nonce(id)
}

// nonce returns the nonce of that id: the id and a code that only the holder of the key can make.
func (g *generation) nonce(id nonceID) string {
	mac := hmac.New(sha256.New, g.key)
	mac.Write(id[:])
	return base64.StdEncoding.EncodeToString(mac.Sum(id[:])[:2*len(id)])
}

// use reports whether the nonce is good and count was not used with it.
func (n *nonces) use(nonce string, count uint32, lifetime time.Duration) bool {
	raw, err := base64.StdEncoding.DecodeString(nonce)
	if err != nil || len(raw) != 2*len(nonceID{}) {
		return false
	}
	id := nonceID(raw[:len(nonceID{})])
	n.mu.Lock()
	defer n.mu.Unlock()
	n.age(lifetime)
	for _, g := range [...]*generation{n.current, n.previous} {
		if g != nil && hmac.Equal([]byte(g.nonce(id)), []byte(nonce)) {
			return n.take(g, id, count)
		}
	}
	return false
}

func (n *nonces) take(g *generation, id nonceID, count uint32) bool {
	c := g.counts[id]
	if c == nil {
		if len(g.counts) >= maxNonces {
			n.current, n.previous = newGeneration(), nil
			return false
		}
		c = new(counts)
		g.counts[id] = c
	}
	return c.take(count)
}

// counts remembers the highest count of a nonce and which of the 64 up to it were used.
type counts struct {
	highest uint32
	used    uint64 // bit i: highest-i
}

func (c *counts) take(count uint32) bool {
	switch {
	case count > c.highest:
		c.used = c.used<<(count-c.highest) | 1
		c.highest = count
		return true
	case count == 0 || c.highest-count >= 64 || c.used&(1<<(c.highest-count)) != 0:
		return false
	}
	c.used |= 1 << (c.highest - count)
	return true
}
