package dnssvc

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/authority"
	"github.com/network-utopia/utopia/dns/dnsserver"
	"github.com/network-utopia/utopia/dns/ratelimit"
)

const (
	// secretLife is how long cookies are made with a secret of our own. RFC 7873
	// section 7.1 wants it below 36 days.
	secretLife = 24 * time.Hour
	// maxSecretFile is the most octets of a file of secrets: many more than
	// dns.MaxCookieSecrets take, with comments.
	maxSecretFile = 4096
)

// Limited counts what the rate limit kept back, by what was sent instead.
type Limited struct {
	Dropped   atomic.Uint64 // nothing
	Slipped   atomic.Uint64 // a truncated response
	BadCookie atomic.Uint64 // BADCOOKIE
}

func (l *Limited) count(o authority.Outcome) {
	if l == nil {
		return
	}
	switch o {
	case authority.Dropped:
		l.Dropped.Add(1)
	case authority.Slipped:
		l.Slipped.Add(1)
	case authority.BadCookie:
		l.BadCookie.Add(1)
	}
}

// protection is how queries are answered, beside what the zones say: the limit
// and the cookies with what they remember.
type protection struct {
	opts    Options
	limit   *ratelimit.Limiter // nil for none
	current atomic.Pointer[responder]
	mu      sync.Mutex // one at a time changes the secret
}

// responder answers until its cookies' secret is to change; with shared secrets
// that is never.
type responder struct {
	*authority.Responder
	secrets []dns.CookieSecret
	until   time.Time // zero for ever
}

func newProtection(opts Options, now time.Time) (*protection, error) {
	p := &protection{opts: opts}
	if opts.RateLimit > 0 {
		var err error
		if p.limit, err = newLimiter(opts); err != nil {
			return nil, err
		}
	}
	secrets, until := []dns.CookieSecret{newSecret()}, now.Add(secretLife)
	if opts.CookieSecretFile != "" {
		var err error
		if secrets, err = readSecrets(opts.CookieSecretFile); err != nil {
			return nil, fmt.Errorf("cookie secrets: %w", err)
		}
		until = time.Time{}
	}
	r, err := p.responderWith(secrets, until)
	if err != nil {
		return nil, err
	}
	p.current.Store(r)
	return p, nil
}

func newLimiter(opts Options) (*ratelimit.Limiter, error) {
	var seed [16]byte
	_, _ = rand.Read(seed[:]) // never fails
	slip := opts.Slip
	if slip == 0 {
		slip = ratelimit.NoSlip
	}
	return ratelimit.New(ratelimit.Options{Rate: opts.RateLimit, Slip: slip, Exempt: opts.Unlimited},
		[2]uint64{binary.LittleEndian.Uint64(seed[:8]), binary.LittleEndian.Uint64(seed[8:])})
}

func newSecret() (s dns.CookieSecret) {
	_, _ = rand.Read(s[:]) // never fails
	return s
}

func (p *protection) responderWith(secrets []dns.CookieSecret, until time.Time) (*responder, error) {
	cookies, err := dns.NewCookies(secrets...)
	if err != nil {
		return nil, err
	}
	r, err := authority.NewResponder(authority.Options{
		NSID: p.opts.NSID, Cookies: cookies, Limit: p.limit, Rotate: p.opts.Rotate,
	})
	if err != nil {
		return nil, err
	}
	return &responder{r, secrets, until}, nil
}

// inherit takes over what old remembers, where the settings let it: clients
// keep their cookies, and a flood that is going on stays limited.
func (p *protection) inherit(old *protection) error {
	if p.opts.RateLimit == old.opts.RateLimit && p.opts.Slip == old.opts.Slip && slices.Equal(p.opts.Unlimited, old.opts.Unlimited) {
		p.limit = old.limit
	}
	r := p.current.Load()
	if before := old.current.Load(); !r.until.IsZero() && !before.until.IsZero() {
		r = before
	}
	r, err := p.responderWith(r.secrets, r.until)
	if err != nil {
		return err
	}
	p.current.Store(r)
	return nil
}

// at gives the responder that answers now.
func (p *protection) at(now time.Time) *authority.Responder {
	r := p.current.Load()
	if r.until.IsZero() || now.Before(r.until) {
		return r.Responder
	}
	return p.roll(now)
}

// roll makes cookies with a new secret from now on. Those made with the old one
// are good until the next time: longer than any cookie is.
func (p *protection) roll(now time.Time) *authority.Responder {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.current.Load()
	if now.Before(r.until) {
		return r.Responder // somebody else did
	}
	next, err := p.responderWith([]dns.CookieSecret{newSecret(), r.secrets[0]}, now.Add(secretLife))
	if err != nil {
		return r.Responder // cannot happen: the options were good before
	}
	p.current.Store(next)
	return next.Responder
}

// readSecrets reads a file with a secret on each line; empty lines and what
// follows a number sign do not count. Errors do not hold what is in the file.
func readSecrets(path string) (secrets []dns.CookieSecret, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info.Size() > maxSecretFile {
		return nil, fmt.Errorf("%s is longer than %d octets", path, maxSecretFile)
	}
	lines := bufio.NewScanner(io.LimitReader(f, maxSecretFile))
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		s, err := dns.ParseCookieSecret(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		secrets = append(secrets, s)
	}
	switch {
	case lines.Err() != nil:
		return nil, fmt.Errorf("%s: %w", path, lines.Err())
	case len(secrets) == 0:
		return nil, fmt.Errorf("%s has no secret", path)
	case len(secrets) > dns.MaxCookieSecrets:
		return nil, fmt.Errorf("%s has %d secrets; at most %d are taken", path, len(secrets), dns.MaxCookieSecrets)
	}
	return secrets, nil
}

// clientOf is a client as the engine sees it.
func clientOf(from dnsserver.Client) authority.Client {
	c := authority.Client{Addr: from.Remote.Addr(), MaxUDP: from.MaxUDP, Encrypted: from.Transport.Encrypted()}
	if from.Transport == dnsserver.TCP || from.Transport == dnsserver.TLS {
		c.Idle = dnsserver.DefaultIdleTimeout
	}
	return c
}

// Loopback is this machine. Its clients are not limited: no packet from outside
// can have such an address, so there is nobody to protect.
func Loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}
