package dnsclient

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"

	"github.com/network-utopia/utopia/dns"
)

// The octets of a cookie (RFC 7873 section 4).
const (
	clientCookieLen    = 8
	minServerCookieLen = 8
	maxServerCookieLen = 32
)

// cookieJar remembers the cookie of each server: eight octets of our own,
// which are random and another for each server so that nobody can follow a
// client from one to the next (RFC 9018 section 3), and what the server added.
type cookieJar struct {
	most int

	mu      sync.Mutex
	cookies map[string][]byte // by server with port
}

// get gives the cookie for a server, which may be new.
func (j *cookieJar) get(server string) []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	if c := j.cookies[server]; c != nil {
		return c
	}
	c := make([]byte, clientCookieLen)
	rand.Read(c) // never fails: it ends the program instead
	j.put(server, c)
	return c
}

// learn keeps a whole cookie that a server gave to the client cookie in it.
func (j *cookieJar) learn(server string, whole []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.put(server, bytes.Clone(whole))
}

func (j *cookieJar) put(server string, cookie []byte) {
	if j.cookies == nil {
		j.cookies = map[string][]byte{}
	}
	if _, known := j.cookies[server]; !known && len(j.cookies) >= j.most {
		for other := range j.cookies { // whichever comes first: a cookie can be had again
			delete(j.cookies, other)
			break
		}
	}
	j.cookies[server] = cookie
}

// addCookie puts the server's cookie into the question of this try.
func (t *try) addCookie() {
	if !t.opts.Cookies || t.query.EDNS == nil {
		return
	}
	if _, own := t.exchange.query.EDNS.Option(dns.OptionCookie); own {
		return
	}
	with := *t.query.EDNS
	with.Options = append(slices.Clip(with.Options), dns.Option{
		Code: dns.OptionCookie, Data: t.client.cookies.get(t.server),
	})
	t.query.EDNS = &with
}

// sentCookie gives the cookie that this client put into the question; nil if
// it put none.
func (t *try) sentCookie() []byte {
	if !t.opts.Cookies || t.exchange.query.EDNS == nil {
		return nil
	}
	if _, own := t.exchange.query.EDNS.Option(dns.OptionCookie); own {
		return nil
	}
	c, _ := t.query.EDNS.Option(dns.OptionCookie)
	return c
}

// cookieError says that an answer's cookie is none for this question.
type cookieError struct{ got, want []byte }

func (e *cookieError) Error() string {
	return fmt.Sprintf("cookie %x instead of one that begins with %x", e.got, e.want)
}

// checkCookie remembers the cookie of an answer, or says that the answer must
// be somebody else's (RFC 7873 section 5.3). Servers that know no cookies send
// none, and some send back what they got.
func (t *try) checkCookie(m *dns.Message) error {
	sent := t.sentCookie()
	got, ok := m.EDNS.Option(dns.OptionCookie)
	if sent == nil || !ok {
		return nil
	}
	own := sent[:clientCookieLen]
	if !bytes.HasPrefix(got, own) {
		return &cookieError{got, own}
	}
	if n := len(got) - clientCookieLen; n >= minServerCookieLen && n <= maxServerCookieLen {
		t.client.cookies.learn(t.server, got)
	}
	return nil
}

// refusesCookie says whether to ask again with the cookie that was learnt just
// now. A second refusal is the answer.
func (t *try) refusesCookie(m *dns.Message) bool {
	return m.Rcode == dns.RcodeBadCookie && t.sentCookie() != nil && !t.cookied
}
