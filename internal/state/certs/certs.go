// Package certs gives the servers their TLS certificates. For a domain that is
// not public, where no certificate authority could check anything, it is one
// itself: a root of its own, to be trusted by hand, and certificates under it
// that are renewed as time passes (RFC 5280, RFC 6125).
//
// The root carries critical name constraints (RFC 5280 section 4.2.1.10): it
// can speak for its domain, for localhost, for the loopback addresses and for
// the addresses that were configured when it was made, and for nothing else.
// So whoever trusts it has not trusted it for the rest of the Internet.
package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/network-utopia/utopia/internal/state/store"
)

// Kinds of keys in the store.
const (
	kindRoot = "local-root"
	kindLeaf = "local-leaf"
)

// Lifetimes of certificates.
const (
	RootLifetime = 10 * 365 * 24 * time.Hour
	LeafLifetime = 90 * 24 * time.Hour
	// RenewBefore is how long before its end a certificate is renewed.
	RenewBefore = LeafLifetime / 3
	// Backdate is how long before its making a certificate is valid, for
	// clients whose clocks are behind.
	Backdate = time.Hour
)

const (
	// storeWait bounds how long a handshake waits for a renewed certificate
	// to be stored.
	storeWait = 5 * time.Second
)

// DefaultMaxAddresses is the default of Options.MaxAddresses.
const DefaultMaxAddresses = 64

// Errors of Open.
var (
	// ErrDomain means that the domain is not a host name in ASCII.
	ErrDomain = errors.New("not a domain name")
	// ErrTooManyAddresses means that a certificate would get too large.
	ErrTooManyAddresses = errors.New("too many addresses for a certificate")
)

// Options say for what certificates are made, and where they are kept.
type Options struct {
	Keys      store.Keys   // where keys and certificates are kept
	Domain    string       // in ASCII, without a final dot
	Addresses []netip.Addr // beside the loopback ones; unspecified ones are left out
	Log       *slog.Logger // for renewals; nil: nowhere

	// MaxAddresses bounds Addresses. DefaultMaxAddresses if 0.
	MaxAddresses int
}

// Authority is the local certificate authority of a domain. Its methods may be
// called at once from many goroutines.
type Authority struct {
	opts      Options
	root      *pair
	uncovered []netip.Addr
	leaf      atomic.Pointer[leaf]
	renewing  sync.Mutex
}

// leaf is a certificate in use.
type leaf struct {
	tls      *tls.Certificate
	notAfter time.Time
}

// Open loads the authority of a domain from the store, or makes it. Of several
// that open it at once, in this process or in others, all get the same root.
// Errors are ErrDomain, ErrTooManyAddresses and those of the store.
func Open(ctx context.Context, opts Options) (*Authority, error) {
	if opts.MaxAddresses <= 0 {
		opts.MaxAddresses = DefaultMaxAddresses
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if opts.Domain, err = hostName(opts.Domain); err != nil {
		return nil, fmt.Errorf("open certificates: %w", err)
	}
	opts.Addresses = addresses(opts.Addresses)
	if len(opts.Addresses) > opts.MaxAddresses {
		return nil, fmt.Errorf("open certificates: %w: %d, at most %d", ErrTooManyAddresses, len(opts.Addresses), opts.MaxAddresses)
	}
	a := &Authority{opts: opts}
	if a.root, err = a.openRoot(ctx); err != nil {
		return nil, fmt.Errorf("open certificates: %w", err)
	}
	a.opts.Addresses, a.uncovered = covered(a.root.cert, opts.Addresses)
	if err := a.openLeaf(ctx); err != nil {
		return nil, fmt.Errorf("open certificates: %w", err)
	}
	return a, nil
}

// addresses returns the addresses that certificates shall name, each once and
// in order: the loopback ones and the given ones.
func addresses(given []netip.Addr) []netip.Addr {
	list := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	for _, a := range given {
		a = a.Unmap().WithZone("")
		if a.IsValid() && !a.IsUnspecified() {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}

// openRoot loads the root, or makes it if there is none or it has ended.
func (a *Authority) openRoot(ctx context.Context) (*pair, error) {
	var old []byte
	key, err := a.opts.Keys.Get(ctx, kindRoot, a.opts.Domain)
	switch {
	case err == nil:
		p, err := parsePair(key)
		if err != nil {
			return nil, fmt.Errorf("root of %s: %w", a.opts.Domain, err)
		}
		if time.Now().Before(p.cert.NotAfter) {
			return p, nil
		}
		old = key.Certificate
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	p, err := makeRoot(a.opts.Domain, a.opts.Addresses, time.Now())
	if err != nil {
		return nil, err
	}
	now, _, err := a.opts.Keys.Swap(ctx, old, p.key(kindRoot, a.opts.Domain))
	if err != nil {
		return nil, err
	}
	return parsePair(now) // somebody else's, if they were quicker
}

// openLeaf loads the certificate, or makes one if there is none that still
// serves.
func (a *Authority) openLeaf(ctx context.Context) error {
	key, err := a.opts.Keys.Get(ctx, kindLeaf, a.opts.Domain)
	if err == nil {
		if p, err := parsePair(key); err == nil && a.serves(p) {
			a.leaf.Store(p.leaf())
			return nil
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	l, err := a.makeLeaf()
	if err != nil {
		return err
	}
	a.leaf.Store(l.leaf())
	return a.opts.Keys.Put(ctx, l.key(kindLeaf, a.opts.Domain))
}

// serves says whether a stored certificate is under this root, names what it
// shall, and has time left.
func (a *Authority) serves(p *pair) bool {
	var have []netip.Addr
	for _, ip := range p.cert.IPAddresses {
		addr, _ := netip.AddrFromSlice(ip)
		have = append(have, addr.Unmap())
	}
	slices.SortFunc(have, netip.Addr.Compare)
	return p.cert.CheckSignatureFrom(a.root.cert) == nil &&
		slices.Equal(p.cert.DNSNames, leafNames(a.opts.Domain)) &&
		slices.Equal(have, a.opts.Addresses) &&
		!a.due(p.cert.NotAfter)
}

// due says whether a certificate that ends at notAfter is to be renewed. One
// that ends with the root is not: another would end no later.
func (a *Authority) due(notAfter time.Time) bool {
	return !time.Now().Before(notAfter.Add(-RenewBefore)) && notAfter.Before(a.root.cert.NotAfter)
}

// Domain returns the domain.
func (a *Authority) Domain() string { return a.opts.Domain }

// RootPEM returns the root certificate, which is what others are to trust.
func (a *Authority) RootPEM() []byte { return bytes.Clone(a.root.certPEM) }

// RootPool returns a pool that trusts the root alone.
func (a *Authority) RootPool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root.cert)
	return pool
}

// Uncovered returns the configured addresses that the root, which is older
// than they are, cannot speak for. Certificates do not name them: a new root
// would have to be trusted by hand again.
func (a *Authority) Uncovered() []netip.Addr { return slices.Clone(a.uncovered) }

// TLSConfig returns a new configuration for servers, which the caller may
// change: TLS 1.2 and later, and the certificates of a. Its Certificates stay
// empty: crypto/tls would fall back to them for names that are not covered.
func (a *Authority) TLSConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: a.GetCertificate}
}

// GetCertificate returns the certificate for a handshake, renewing it if it is
// due. A client that names no server gets it too.
//
// For a name that is not of the domain it returns neither a certificate nor an
// error. That is how crypto/tls is told to send the alert unrecognized_name
// (RFC 6066 section 3); any error would become internal_error.
func (a *Authority) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if !a.Covers(hello.ServerName) {
		return nil, nil
	}
	l := a.leaf.Load()
	if !a.due(l.notAfter) {
		return l.tls, nil
	}
	if time.Now().After(l.notAfter) {
		a.renewing.Lock()
	} else if !a.renewing.TryLock() {
		return l.tls, nil // somebody is at it, and this one still serves
	}
	defer a.renewing.Unlock()
	return a.renew()
}

// Covers says whether certificates are for the server that a client names. The
// empty name stands for no name, and is covered.
func (a *Authority) Covers(server string) bool {
	name := strings.TrimSuffix(server, ".")
	switch {
	case name == "" && server != "":
		return false // the root of the DNS
	case name == "", strings.EqualFold(name, "localhost"), strings.EqualFold(name, a.opts.Domain):
		return true
	}
	label, rest, _ := strings.Cut(name, ".")
	return label != "" && strings.EqualFold(rest, a.opts.Domain)
}

// renew makes a new certificate, stores it and takes it into use. It is called
// with renewing held. A certificate that cannot be stored is used all the same.
func (a *Authority) renew() (*tls.Certificate, error) {
	l := a.leaf.Load()
	if !a.due(l.notAfter) {
		return l.tls, nil
	}
	p, err := a.makeLeaf()
	if err != nil {
		return nil, fmt.Errorf("renew certificate: %w", err)
	}
	l = p.leaf()
	a.leaf.Store(l)
	// Not in the context of the handshake: the client may leave, and the
	// certificate is for the others too.
	ctx, cancel := context.WithTimeout(context.Background(), storeWait)
	defer cancel()
	if err := a.opts.Keys.Put(ctx, p.key(kindLeaf, a.opts.Domain)); err != nil {
		a.opts.Log.Warn("cannot store the renewed certificate; the next start makes another", "domain", a.opts.Domain, "err", err)
	} else {
		a.opts.Log.Info("certificate renewed", "domain", a.opts.Domain, "until", l.notAfter)
	}
	return l.tls, nil
}
