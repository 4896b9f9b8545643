package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/network-utopia/utopia/internal/state/store"
)

// errPair means that a stored key is of no use.
var errPair = errors.New("the stored key or certificate is damaged")

// maxCommonName is RFC 5280's ub-common-name.
const maxCommonName = 64

// pair is a certificate with its private key.
type pair struct {
	cert    *x509.Certificate
	private *ecdsa.PrivateKey
	certPEM []byte
	keyPEM  []byte
}

// hostName checks a domain, and returns it in lower case and without a final
// dot.
func hostName(s string) (string, error) {
	name := strings.ToLower(strings.TrimSuffix(s, "."))
	if name == "" || len(name) > 253 {
		return "", fmt.Errorf("%w: %q", ErrDomain, s)
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return "", fmt.Errorf("%w: %q", ErrDomain, s)
		}
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "", fmt.Errorf("%w: %q is an address", ErrDomain, s)
	}
	return name, nil
}

// leafNames are the names that a certificate is for.
func leafNames(domain string) []string { return []string{domain, "*." + domain, "localhost"} }

// makeRoot makes a root for domain and the addresses.
func makeRoot(domain string, addrs []netip.Addr, now time.Time) (*pair, error) {
	t := template(now, RootLifetime)
	t.Subject = pkix.Name{Organization: []string{"Utopia"}, CommonName: "Utopia local root of " + domain}
	if len(t.Subject.CommonName) > maxCommonName {
		t.Subject = pkix.Name{Organization: []string{"Utopia"}, CommonName: "Utopia local root"}
	}
	t.IsCA = true
	t.MaxPathLenZero = true // nothing but end certificates under it
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	t.PermittedDNSDomainsCritical = true
	t.PermittedDNSDomains = []string{domain, "localhost"}
	t.PermittedIPRanges = permitted(addrs)
	// A constraint says nothing about the forms of name that it does not
	// list, so these are listed as well.
	t.PermittedEmailAddresses = []string{domain, "." + domain}
	t.PermittedURIDomains = []string{domain, "." + domain}
	// What has no name at all, such as a certificate that signs programs, is
	// kept out by the purpose.
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return sign(t, nil)
}

// permitted is the loopback ranges and every other address alone.
func permitted(addrs []netip.Addr) []*net.IPNet {
	nets := []*net.IPNet{
		{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
		{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
	}
	for _, a := range addrs {
		if !a.IsLoopback() {
			nets = append(nets, &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())})
		}
	}
	return nets
}

// covered parts the addresses into those that root can speak for and those
// that it cannot.
func covered(root *x509.Certificate, addrs []netip.Addr) (yes, no []netip.Addr) {
	for _, a := range addrs {
		in := false
		for _, n := range root.PermittedIPRanges {
			in = in || n.Contains(a.AsSlice())
		}
		if in {
			yes = append(yes, a)
		} else {
			no = append(no, a)
		}
	}
	return yes, no
}

// makeLeaf makes a certificate under the root, which it does not outlive.
func (a *Authority) makeLeaf() (*pair, error) {
	t := template(time.Now(), LeafLifetime)
	t.Subject = pkix.Name{CommonName: a.opts.Domain}
	if len(a.opts.Domain) > maxCommonName { // the names are in the SANs anyway
		t.Subject = pkix.Name{Organization: []string{"Utopia"}}
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	t.DNSNames = leafNames(a.opts.Domain)
	for _, addr := range a.opts.Addresses {
		t.IPAddresses = append(t.IPAddresses, addr.AsSlice())
	}
	if t.NotAfter.After(a.root.cert.NotAfter) {
		t.NotAfter = a.root.cert.NotAfter
	}
	return sign(t, a.root)
}

// template is what root and leaf have in common.
func template(now time.Time, lifetime time.Duration) *x509.Certificate {
	now = now.UTC().Truncate(time.Second)
	var serial [16]byte
	_, _ = rand.Read(serial[:]) // never fails
	n := new(big.Int).SetBytes(serial[:])
	return &x509.Certificate{
		SerialNumber:          n.Add(n, big.NewInt(1)), // never 0
		NotBefore:             now.Add(-Backdate),
		NotAfter:              now.Add(lifetime),
		BasicConstraintsValid: true,
	}
}

// sign makes a key for t and signs t with the parent's key, or with its own if
// parent is nil.
func sign(t *x509.Certificate, parent *pair) (*pair, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	public, err := private.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(public)
	t.SubjectKeyId = sum[:20] // RFC 7093 section 2, method 1
	p := &pair{private: private}
	issuer, key := t, private
	if parent != nil {
		issuer, key = parent.cert, parent.private
	}
	der, err := x509.CreateCertificate(rand.Reader, t, issuer, &private.PublicKey, key)
	if err != nil {
		return nil, err
	}
	if p.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	der8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	p.certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	p.keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der8})
	return p, nil
}

// key is p as it is stored.
func (p *pair) key(kind, name string) store.Key {
	return store.Key{Kind: kind, Name: name, Certificate: p.certPEM, PrivateKey: p.keyPEM, NotAfter: p.cert.NotAfter}
}

// parsePair reads what key wrote, or returns errPair.
func parsePair(k store.Key) (*pair, error) {
	c, err := tls.X509KeyPair(k.Certificate, k.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPair, err)
	}
	private, ok := c.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: not an ECDSA key", errPair)
	}
	return &pair{cert: c.Leaf, private: private, certPEM: k.Certificate, keyPEM: k.PrivateKey}, nil
}

// leaf is p as it is used in handshakes.
func (p *pair) leaf() *leaf {
	return &leaf{
		tls:      &tls.Certificate{Certificate: [][]byte{p.cert.Raw}, PrivateKey: p.private, Leaf: p.cert},
		notAfter: p.cert.NotAfter,
	}
}
