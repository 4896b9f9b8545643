package dns

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Sizes of a cookie option, in octets (RFC 7873 section 4, RFC 9018 section 4).
const (
	ClientCookieLen    = 8
	MinServerCookieLen = 8  // of any server
	MaxServerCookieLen = 32 // of any server
	CookieLen          = 24 // a client's cookie and one that Cookies made
)

// MaxCookieSecrets is the most secrets of one server. A roll-over needs two
// (RFC 9018 section 5); the others are for servers that lag behind.
const MaxCookieSecrets = 4

// How long a server cookie is good (RFC 9018 section 4.3), in seconds.
const (
	cookieMaxAge   = 60 * 60
	cookieMaxAhead = 5 * 60
	cookieRenewAge = 30 * 60
)

// cookieVersion is that of interoperable server cookies.
const cookieVersion = 1

// CookieSecret is the key of a server's cookies. Servers that share an address
// share it, or clients would find their cookies bad half of the time.
type CookieSecret [16]byte

// ParseCookieSecret reads a secret of 32 hexadecimal digits. The error does not
// hold the text.
func ParseCookieSecret(s string) (CookieSecret, error) {
	var secret CookieSecret
	if len(s) != hex.EncodedLen(len(secret)) {
		return CookieSecret{}, fmt.Errorf("dns: a cookie secret has %d hexadecimal digits", hex.EncodedLen(len(secret)))
	}
	if _, err := hex.Decode(secret[:], []byte(s)); err != nil {
		return CookieSecret{}, errors.New("dns: a cookie secret has no other characters than hexadecimal digits")
	}
	return secret, nil
}

// CookieState is what a server makes of a query's cookie option.
type CookieState uint8

// The states of RFC 7873 section 5.2.
const (
	CookieMalformed  CookieState = iota // of a length that no cookie has: FORMERR (5.2.2)
	CookieClientOnly                    // the client has no cookie of ours yet (5.2.3)
	CookieBad                           // its server cookie is not ours, too old, or for another address (5.2.4)
	CookieOld                           // good, and to be renewed: made long ago, or with a secret that goes
	CookieGood                          // made here not long ago, for this client (5.2.5)
)

// Proves says whether the client has shown that it receives what is sent to
// its address.
func (s CookieState) Proves() bool { return s >= CookieOld }

// Cookies makes and checks interoperable server cookies: version 1 of RFC 9018
// section 4. It does not change, and may be used by many at once.
type Cookies struct {
	keys  [MaxCookieSecrets]struct{ k0, k1 uint64 }
	count int
}

// NewCookies takes from 1 to MaxCookieSecrets secrets. Cookies are made with
// the first; those made with any other are good as well. So a secret is
// changed on servers that share it in three steps: every server learns the new
// one as its second, then as its first, then forgets the old one.
func NewCookies(secrets ...CookieSecret) (*Cookies, error) {
	if len(secrets) == 0 || len(secrets) > MaxCookieSecrets {
		return nil, fmt.Errorf("dns: %d cookie secrets; from 1 to %d are taken", len(secrets), MaxCookieSecrets)
	}
	c := &Cookies{count: len(secrets)}
	for i, s := range secrets {
		c.keys[i].k0 = binary.LittleEndian.Uint64(s[:8])
		c.keys[i].k1 = binary.LittleEndian.Uint64(s[8:])
	}
	return c, nil
}

// Check looks at the data of a query's cookie option. It allocates nothing.
func (c *Cookies) Check(option []byte, client netip.Addr, now time.Time) CookieState {
	server := len(option) - ClientCookieLen
	switch {
	case server == 0:
		return CookieClientOnly
	case server < MinServerCookieLen || server > MaxServerCookieLen:
		return CookieMalformed
	case len(option) != CookieLen || option[ClientCookieLen] != cookieVersion:
		return CookieBad
	}
	// Times are compared as serial numbers: the field wraps in 2106.
	age := int32(uint32(now.Unix()) - binary.BigEndian.Uint32(option[12:]))
	if age > cookieMaxAge || age < -cookieMaxAhead {
		return CookieBad
	}
	// The three reserved octets count as they came (RFC 9018 section 4.2).
	got := binary.LittleEndian.Uint64(option[16:])
	for i := range c.count {
		if c.hash(i, option[:16], client) != got {
			continue
		}
		if i > 0 || age > cookieRenewAge {
			return CookieOld
		}
		return CookieGood
	}
	return CookieBad
}

// Append puts the data of the response's cookie option behind dst: the query's
// own where its state is CookieGood, and else one made now from the client's
// cookie in it, which its state must not say is malformed. The result is
// CookieLen octets longer than dst. It allocates nothing where dst has room.
func (c *Cookies) Append(dst, option []byte, state CookieState, client netip.Addr, now time.Time) []byte {
	if state == CookieGood {
		return append(dst, option...)
	}
	at := len(dst)
	dst = append(dst, option[:ClientCookieLen]...)
	dst = append(dst, cookieVersion, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(now.Unix()))
	return binary.LittleEndian.AppendUint64(dst, c.hash(0, dst[at:], client))
}

// hash is the last eight octets of a cookie, from the sixteen before them and
// the client's address (RFC 9018 section 4.4).
func (c *Cookies) hash(key int, head []byte, client netip.Addr) uint64 {
	var buf [32]byte
	n := copy(buf[:], head)
	if client = client.Unmap(); client.Is4() {
		a := client.As4()
		n += copy(buf[n:], a[:])
	} else {
		a := client.As16()
		n += copy(buf[n:], a[:])
	}
	return sipHash(c.keys[key].k0, c.keys[key].k1, buf[:n])
}
