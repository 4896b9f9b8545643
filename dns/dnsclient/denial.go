package dnsclient

import (
	"bytes"
	"fmt"

	"github.com/network-utopia/utopia/dns"
)

// denial are the sets of an answer that are proved, as far as they say what is
// not there (RFC 4035 section 5.4, RFC 5155 section 8).
type denial struct {
	links []ChainLink
}

func (d *denial) take(link ChainLink) {
	if link.Err == nil {
		d.links = append(d.links, link)
	}
}

// check says whether an answer is proved to be all that there is.
func (d *denial) check(m *dns.Message, asked dns.Question) error {
	name := asked.Name
	for range len(m.Answer) + 1 { // each alias once
		set := pick(m.Answer, name, asked.Type)
		alias := pick(m.Answer, name, dns.TypeCNAME)
		if len(set.set) == 0 {
			set = alias
		}
		if len(set.set) == 0 {
			break
		}
		if err := d.expansion(name, set.set[0].Type); err != nil {
			return err
		}
		if set.set[0].Type == asked.Type || asked.Type == dns.TypeANY {
			return nil
		}
		name, _ = set.set[0].Target()
	}
	if len(m.Answer) > 0 && asked.Type == dns.TypeANY {
		return nil
	}
	switch {
	case m.Rcode == dns.RcodeNXDomain && d.noName(name):
	case m.Rcode == dns.RcodeSuccess && d.noType(name, asked.Type):
	case len(m.Answer) > 0 && m.Rcode == dns.RcodeSuccess && len(d.proofs()) == 0:
		// The chain of aliases leads to where this server knows nothing.
	default:
		return fmt.Errorf("%w: that %s %s is not there is not proved", ErrBogus, name, asked.Type)
	}
	return nil
}

// expansion: a set from a wildcard takes a proof that no nearer name is there.
func (d *denial) expansion(name dns.Name, t dns.Type) error {
	for _, l := range d.links {
		if l.From == "" || l.Set[0].Type != t || !l.Set[0].Name.Equal(name) {
			continue
		}
		next := name.Ancestor(l.From.NumLabels()) // one label longer than what the asterisk is below
		if _, ok := d.covering(name); !ok && !d.hashCovered(next) {
			return fmt.Errorf("%w: %s is made from %s, and nothing proves that it is not there itself", ErrBogus, name, l.From)
		}
	}
	return nil
}

// proofs are the NSEC and NSEC3 records that count.
func (d *denial) proofs() []dns.RR {
	var rrs []dns.RR
	for _, l := range d.links {
		if t := l.Set[0].Type; (t == dns.TypeNSEC || t == dns.TypeNSEC3) && l.From == "" {
			rrs = append(rrs, l.Set...)
		}
	}
	return rrs
}

// covering gives the NSEC record that says that a name is not there. One of a
// delegation or DNAME above the name says nothing about it (RFC 6840 section
// 4.1).
func (d *denial) covering(name dns.Name) (dns.RR, bool) {
	for _, rr := range d.proofs() {
		n, ok := rr.NSEC()
		if !ok || !n.Covers(rr.Name, name) {
			continue
		}
		below := n.Types.Has(dns.TypeNS) && !n.Types.Has(dns.TypeSOA) || n.Types.Has(dns.TypeDNAME)
		if !name.IsSubdomainOf(rr.Name) || !below {
			return rr, true
		}
	}
	return dns.RR{}, false
}

// encloser gives the longest ancestor of a name that is proved to be there.
func (d *denial) encloser(name dns.Name) (dns.Name, bool) {
	if rr, ok := d.covering(name); ok {
		n, _ := rr.NSEC()
		for e := name.Parent(); ; e = e.Parent() {
			if rr.Name.IsSubdomainOf(e) || n.Next.IsSubdomainOf(e) {
				return e, true
			}
		}
	}
	for e := name; e != dns.Root; {
		next := e
		e = e.Parent()
		if _, ok := d.hashMatched(e); ok {
			return e, d.hashCovered(next)
		}
	}
	return "", false
}

func (d *denial) noName(name dns.Name) bool {
	e, ok := d.encloser(name)
	w, fits := e.Wildcard()
	if !ok || !fits {
		return false
	}
	if rr, found := d.covering(name); found {
		n, _ := rr.NSEC()
		_, covered := d.covering(w)
		return covered && !n.Next.IsSubdomainOf(name) // else it is there, and empty
	}
	return d.hashCovered(w)
}

// noType: the name, or the wildcard that stands for it, is there without the
// type.
func (d *denial) noType(name dns.Name, t dns.Type) bool {
	if types, ok := d.typesOf(name); ok {
		return lacks(types, t)
	}
	e, ok := d.encloser(name)
	w, fits := e.Wildcard()
	if !ok || !fits {
		return false
	}
	types, ok := d.typesOf(w)
	return ok && lacks(types, t)
}

// lacks: neither the type nor an alias is there, and what the record says is
// of the right side of a delegation (RFC 6840 section 4.1).
func lacks(types dns.TypeBitmap, t dns.Type) bool {
	parent := types.Has(dns.TypeNS) && !types.Has(dns.TypeSOA)
	return !types.Has(t) && !types.Has(dns.TypeCNAME) && (!parent || t == dns.TypeDS)
}

// typesOf gives what the proofs say that a name has.
func (d *denial) typesOf(name dns.Name) (dns.TypeBitmap, bool) {
	for _, rr := range d.proofs() {
		if n, ok := rr.NSEC(); ok && rr.Name.Equal(name) {
			return n.Types, true
		}
	}
	if n, ok := d.hashMatched(name); ok {
		return n.Types, true
	}
	if rr, ok := d.covering(name); ok {
		if n, _ := rr.NSEC(); n.Next.IsSubdomainOf(name) {
			return nil, true // there, and empty
		}
	}
	return nil, false
}

func (d *denial) hashMatched(name dns.Name) (dns.NSEC3, bool) {
	var found dns.NSEC3
	ok := d.hashed(name, func(n dns.NSEC3, owner, digest []byte) bool {
		found = n
		return bytes.Equal(owner, digest)
	})
	return found, ok
}

func (d *denial) hashCovered(name dns.Name) bool {
	return d.hashed(name, func(n dns.NSEC3, owner, digest []byte) bool { return n.Covers(owner, digest) })
}

// hashed says whether one of the NSEC3 records of the zones above a name is
// what is looked for.
func (d *denial) hashed(name dns.Name, is func(n dns.NSEC3, owner, digest []byte) bool) bool {
	for _, rr := range d.proofs() {
		n, ok := rr.NSEC3()
		owner, valid := dns.NSEC3Digest(rr.Name)
		if !ok || !valid || !name.IsSubdomainOf(rr.Name.Parent()) {
			continue
		}
		digest, err := n.Digest(name)
		if err == nil && is(n, owner, digest) {
			return true
		}
	}
	return false
}
