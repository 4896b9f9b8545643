package dnsclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/network-utopia/utopia/dns"
)

// How a chain can end without a proof. Each is in the chain of the errors of a
// [Chain] and of its links.
var (
	// ErrUnsigned says that there is no chain up to a trust anchor: a
	// signature, or a DS record, is not there. What is not signed may be right.
	ErrUnsigned = errors.New("not proved")
	// ErrBogus says that a chain is there and broken: nobody should believe
	// what it is about.
	ErrBogus = errors.New("bogus")
)

// The limits that ChainOptions holds where they are zero. Verifications are
// limited since a zone can have many keys with one tag (CVE-2023-50387).
const (
	DefaultMaxChainSteps    = 100 // questions
	DefaultMaxVerifications = 200 // signatures checked
)

// ChainOptions are the settings of [Client.Chain]. The zero value trusts the
// root of the Internet.
type ChainOptions struct {
	// Anchors are the DS and DNSKEY records that are trusted as they are;
	// empty means [RootAnchors].
	Anchors []dns.RR
	// MaxSteps is how many questions are asked; zero means
	// [DefaultMaxChainSteps].
	MaxSteps int
	// MaxVerifications is how many signatures are checked; zero means
	// [DefaultMaxVerifications].
	MaxVerifications int
}

// RootAnchors gives the trust anchors of the root zone, as IANA publishes
// them: the DS records of the keys of 2017 and 2024.
func RootAnchors() []dns.RR {
	var anchors []dns.RR
	for _, text := range []string{
		". 0 DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
		". 0 DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
	} {
		if rr, err := dns.ParseRR(text, dns.Root, 0); err == nil { // the tests see to it
			anchors = append(anchors, rr)
		}
	}
	return anchors
}

// ChainLink is one record set with what proves it.
type ChainLink struct {
	Set       []dns.RR // of one owner and type
	Signature dns.RR   // the RRSIG record; zero where none is good
	Key       dns.RR   // the DNSKEY record that made it
	// Vouches is the DS record above, or the trust anchor, that says that Key is
	// the zone's: for DNSKEY sets alone.
	Vouches dns.RR
	Anchor  bool     // Vouches is a trust anchor: here the chain ends
	From    dns.Name // the wildcard that the set was made from; "" for none
	Err     error    // nil when the set is proved by the links that follow
}

// Chain is an answer with what proves it.
type Chain struct {
	Answer *Answer
	// Links go from the answer up: a set, the keys of its zone, the DS records
	// above them, the keys that signed those, and so on, up to a trust anchor.
	// What several sets have in common stands once.
	Links []ChainLink
	// Err is nil where all of the answer is proved; else it has ErrUnsigned or
	// ErrBogus in its chain.
	Err error
}

// Chain asks a server, a resolver as a rule, and then for all the keys and DS
// records that prove the answer (RFC 4035 section 5). q is sent with DO, and
// with CD, so that a resolver hands out too what it would not believe itself.
// An error means that q itself was not answered.
func (c *Client) Chain(ctx context.Context, server string, q *dns.Message, opts ChainOptions) (*Chain, error) {
	if opts.MaxSteps <= 0 {
		opts.MaxSteps = DefaultMaxChainSteps
	}
	if opts.MaxVerifications <= 0 {
		opts.MaxVerifications = DefaultMaxVerifications
	}
	if len(opts.Anchors) == 0 {
		opts.Anchors = RootAnchors()
	}
	b := &chainer{client: c, ctx: ctx, server: server, query: q, opts: opts, now: time.Now(), zones: map[dns.Name]error{},
		known: map[dns.Name]signedSet{}}
	conn := c.Connect(server)
	defer func() { _ = conn.Close() }() // nothing is on its way
	b.conn = conn
	a, err := b.ask(q.Question[0].Name, q.Question[0].Type)
	if err != nil {
		return nil, err
	}
	b.chain.Answer = a
	b.chain.Err = b.prove(a.Message, q.Question[0])
	return &b.chain, nil
}

// chainer is one call of Client.Chain.
type chainer struct {
	client *Client
	conn   *Conn
	ctx    context.Context
	server string
	query  *dns.Message
	opts   ChainOptions
	now    time.Time

	chain    Chain
	zones    map[dns.Name]error     // whether the keys of a zone are proved
	known    map[dns.Name]signedSet // keys that were asked for
	steps    int
	verified int
}

func (b *chainer) ask(name dns.Name, kind dns.Type) (*Answer, error) {
	if b.steps >= b.opts.MaxSteps {
		return nil, fmt.Errorf("%w: it takes more than %d questions", ErrUnsigned, b.steps)
	}
	b.steps++
	m := *b.query
	m.Question = []dns.Question{{Name: name, Type: kind, Class: b.query.Question[0].Class}}
	m.CheckingDisabled = true
	with := dns.EDNS{}
	if m.EDNS != nil {
		with = *m.EDNS
	}
	with.DO = true
	m.EDNS = &with
	return b.conn.Exchange(b.ctx, &m)
}

// signedSet is a record set with its signatures.
type signedSet struct{ set, signatures []dns.RR }

// setsOf gathers the sets of a section, in order, with their signatures.
func setsOf(section []dns.RR) []signedSet {
	var sets []signedSet
	find := func(name dns.Name, t dns.Type) int {
		return slices.IndexFunc(sets, func(s signedSet) bool { return s.set[0].Type == t && s.set[0].Name.Equal(name) })
	}
	for _, rr := range section {
		if rr.Type == dns.TypeRRSIG {
			continue
		}
		if i := find(rr.Name, rr.Type); i >= 0 {
			sets[i].set = append(sets[i].set, rr)
		} else {
			sets = append(sets, signedSet{set: []dns.RR{rr}})
		}
	}
	for _, rr := range section {
		if sig, ok := rr.RRSIG(); ok {
			if i := find(rr.Name, sig.TypeCovered); i >= 0 {
				sets[i].signatures = append(sets[i].signatures, rr)
			}
		}
	}
	return sets
}

func pick(section []dns.RR, name dns.Name, t dns.Type) signedSet {
	for _, s := range setsOf(section) {
		if s.set[0].Type == t && s.set[0].Name.Equal(name) {
			return s
		}
	}
	return signedSet{}
}

// prove proves each set of an answer, or that there is none.
func (b *chainer) prove(m *dns.Message, asked dns.Question) error {
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNXDomain {
		return fmt.Errorf("%w: the server answered %s", ErrUnsigned, m.Rcode)
	}
	d := denial{}
	var worst error
	follow := func(sets []signedSet) {
		for _, s := range sets {
			link, err := b.follow(s)
			worst = worse(worst, err)
			d.take(link)
		}
	}
	answers := setsOf(m.Answer)
	follow(answers)
	follow(slices.DeleteFunc(setsOf(m.Authority), func(s signedSet) bool { return !proves(s.set[0].Type) }))
	if worst != nil {
		return worst
	}
	return d.check(m, asked)
}

// proves says of the types of an authority section which ones a proof is made
// of: not the NS records, which are there for convenience.
func proves(t dns.Type) bool {
	return t == dns.TypeSOA || t == dns.TypeNSEC || t == dns.TypeNSEC3 || t == dns.TypeDS
}

// worse keeps the error that says more: bogus, then not proved.
func worse(a, b error) error {
	if a == nil || errors.Is(b, ErrBogus) && !errors.Is(a, ErrBogus) {
		return b
	}
	return a
}

// follow proves one set, and the keys that it was signed with.
func (b *chainer) follow(s signedSet) (ChainLink, error) {
	link := ChainLink{Set: s.set}
	first := s.set[0]
	signer, ok := signerOf(s)
	if !ok {
		if first.Type == dns.TypeCNAME && madeByDNAME(first, b.chain.Answer.Message.Answer) {
			return link, nil // which has the signature (RFC 6672 section 5.3.1)
		}
		link.Err = fmt.Errorf("%w: %s %s has no signature", ErrUnsigned, first.Name, first.Type)
		b.add(link)
		return link, link.Err
	}
	keys, err := b.keys(signer, s)
	if err != nil {
		link.Err = err
		b.add(link)
		return link, err
	}
	b.verify(&link, s, keys.set)
	at := len(b.chain.Links)
	b.add(link)
	if link.Err != nil {
		return link, link.Err
	}
	err = b.zone(signer, keys)
	b.chain.Links[at].Err = err
	link.Err = err
	return link, err
}

func (b *chainer) add(link ChainLink) { b.chain.Links = append(b.chain.Links, link) }

// signerOf names the zone that signed a set: one at or above its owner, and
// for DS records, which belong to the parent, above it.
func signerOf(s signedSet) (dns.Name, bool) {
	for _, rr := range s.signatures {
		sig, _ := rr.RRSIG()
		owner := s.set[0].Name
		if owner.IsSubdomainOf(sig.SignerName) && (s.set[0].Type != dns.TypeDS || !owner.Equal(sig.SignerName)) {
			return sig.SignerName.Canonical(), true
		}
	}
	return "", false
}

// madeByDNAME says whether a CNAME record follows from a DNAME record of the
// same answer.
func madeByDNAME(alias dns.RR, answer []dns.RR) bool {
	to, _ := alias.Target()
	for _, rr := range answer {
		if rr.Type != dns.TypeDNAME || !alias.Name.IsSubdomainOf(rr.Name) || alias.Name.Equal(rr.Name) {
			continue
		}
		target, _ := rr.Target()
		if n, err := alias.Name.ReplaceSuffix(rr.Name, target); err == nil && n.Equal(to) {
			return true
		}
	}
	return false
}

// keys asks for the keys of a zone, unless they are what is to be proved.
func (b *chainer) keys(zone dns.Name, s signedSet) (signedSet, error) {
	if s.set[0].Type == dns.TypeDNSKEY && s.set[0].Name.Equal(zone) {
		return s, nil
	}
	if keys, ok := b.known[zone]; ok {
		return keys, nil
	}
	a, err := b.ask(zone, dns.TypeDNSKEY)
	if err != nil {
		return signedSet{}, fmt.Errorf("%w: the keys of %s: %w", ErrUnsigned, zone, err)
	}
	keys := pick(a.Message.Answer, zone, dns.TypeDNSKEY)
	if len(keys.set) == 0 {
		return keys, fmt.Errorf("%w: %s has signatures and no keys (%s)", ErrBogus, zone, a.Message.Rcode)
	}
	b.known[zone] = keys
	return keys, nil
}

// verify finds the key that signed a set, among keys.
func (b *chainer) verify(link *ChainLink, s signedSet, keys []dns.RR) {
	last := errors.New("no key of the zone made the signature")
	for _, rr := range s.signatures {
		sig, _ := rr.RRSIG()
		for _, key := range keys {
			k, ok := key.DNSKEY()
			if !ok || !key.Name.Equal(sig.SignerName) || k.Algorithm != sig.Algorithm || k.KeyTag() != sig.KeyTag {
				continue
			}
			if b.verified++; b.verified > b.opts.MaxVerifications {
				link.Err = fmt.Errorf("%w: it takes more than %d signatures", ErrUnsigned, b.opts.MaxVerifications)
				return
			}
			good, err := dns.VerifySet(rr, key, s.set, b.now)
			if err == nil {
				link.Signature, link.Key, link.From, link.Err = rr, key, good.Wildcard, nil
				return
			}
			last = err
		}
	}
	link.Err = fmt.Errorf("%w: %s %s: %w", ErrBogus, s.set[0].Name, s.set[0].Type, last)
}
