package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"strings"
	"sync"
	"time"
)

// hash is how a secret is kept: the memory holds no link or session that could be used.
type hash [sha256.Size]byte

func hashOf(token string) hash { return sha256.Sum256([]byte(token)) }

// newToken returns 256 random bits in a form that URLs and cookies take.
func newToken() string {
	bits := make([]byte, 32)
	_, _ = rand.Read(bits) // never fails: it ends the program where there is no randomness
	return base64.RawURLEncoding.EncodeToString(bits)
}

// now is the time on the wall. The monotonic clock that time.Now carries along stands still while a machine sleeps, and
// with it links and sessions would live on.
func now() time.Time { return time.Now().Round(0) }

// links are the one-time links that have been issued and not been used.
type links struct {
	max  int
	life time.Duration

	mu     sync.Mutex
	expiry map[hash]time.Time
}

// issue makes a link; where there are too many, the oldest gives way.
func (l *links) issue(now time.Time) (token string, expires time.Time) {
	token, expires = newToken(), now.Add(l.life)
	l.mu.Lock()
	defer l.mu.Unlock()
	var oldest hash
	first := expires
	for h, e := range l.expiry {
		if !e.After(now) {
			delete(l.expiry, h)
		} else if !e.After(first) {
			oldest, first = h, e
		}
	}
	if len(l.expiry) >= l.max {
		delete(l.expiry, oldest)
	}
	l.expiry[hashOf(token)] = expires
	return token, expires
}

// use consumes a link and says whether it was good.
func (l *links) use(now time.Time, token string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := hashOf(token)
	expires, ok := l.expiry[h]
	delete(l.expiry, h)
	return ok && now.Before(expires)
}

// session is one browser that was let in.
type session struct {
	admin string // who signed in; "" for whoever had a one-time link
	used  time.Time
}

// sessions are those that are open.
type sessions struct {
	max  int
	idle time.Duration
	// still says whether somebody is an admin now. Sessions of others end. Nil lets them stay.
	still func(admin string) bool

	mu     sync.Mutex
	byHash map[hash]*session
}

// begin opens a session; where there are too many, the one unused for longest gives way, so that forgotten browsers
// never keep an admin out.
func (s *sessions) begin(now time.Time, admin string) (token string) {
	token = newToken()
	s.mu.Lock()
	defer s.mu.Unlock()
	var oldest hash
	var longest time.Duration
	for h, other := range s.byHash {
		switch unused := now.Sub(other.used); {
		case unused >= s.idle:
			delete(s.byHash, h)
		case unused >= longest:
			oldest, longest = h, unused
		}
	}
	if len(s.byHash) >= s.max {
		delete(s.byHash, oldest)
	}
	s.byHash[hashOf(token)] = &session{admin: admin, used: now}
	return token
}

// find returns the session of the token, or nil. With use it counts as used now.
func (s *sessions) find(now time.Time, token string, use bool) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := hashOf(token)
	found := s.byHash[h]
	if found == nil {
		return nil
	}
	left := found.admin != "" && s.still != nil && !s.still(found.admin)
	if left || now.Sub(found.used) >= s.idle {
		delete(s.byHash, h)
		return nil
	}
	if use {
		found.used = now
	}
	return found
}

// endOf closes the sessions of an admin.
func (s *sessions) endOf(admin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.byHash, func(_ hash, open *session) bool { return open.admin != "" && strings.EqualFold(open.admin, admin) })
}

// end closes the session of the token, if there is one.
func (s *sessions) end(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byHash, hashOf(token))
}
