package dnsclient

import (
	"fmt"

	"github.com/network-utopia/utopia/dns"
)

// zone proves the keys of a zone: by a trust anchor, or by the DS records
// above it.
func (b *chainer) zone(zone dns.Name, keys signedSet) error {
	if err, known := b.zones[zone]; known {
		return err
	}
	// A zone whose keys hang on themselves, by DS records that its own keys
	// signed, is not proved.
	b.zones[zone] = fmt.Errorf("%w: the keys of %s vouch for themselves", ErrBogus, zone)
	err := b.zoneKeys(zone, keys)
	b.zones[zone] = err
	return err
}

func (b *chainer) zoneKeys(zone dns.Name, keys signedSet) error {
	link := ChainLink{Set: keys.set}
	at := len(b.chain.Links)
	if n := at - 1; n >= 0 && sameSet(b.chain.Links[n].Set, keys.set) {
		at = n // the keys are the answer itself
	} else {
		b.add(link)
	}
	vouching, above, err := b.vouchers(zone)
	if err == nil {
		link.Anchor = len(above.set) == 0
		err = b.verifyKeys(&link, zone, keys, vouching)
	} else {
		b.verify(&link, keys, keys.set) // to show by which key they are signed at least
	}
	link.Err = err
	b.chain.Links[at] = link
	if err != nil || link.Anchor {
		return err
	}
	_, err = b.follow(above)
	b.chain.Links[at].Err = err
	return err
}

func sameSet(a, b []dns.RR) bool {
	return len(a) > 0 && len(b) > 0 && a[0].SameSet(b[0])
}

// vouchers gives what says which keys a zone has: trust anchors for it, or
// the DS set above it, with its signatures.
func (b *chainer) vouchers(zone dns.Name) (vouching []dns.RR, above signedSet, err error) {
	for _, rr := range b.opts.Anchors {
		if rr.Name.Equal(zone) {
			vouching = append(vouching, rr)
		}
	}
	switch {
	case len(vouching) > 0:
		return vouching, signedSet{}, nil
	case zone == dns.Root:
		return nil, signedSet{}, fmt.Errorf("%w: there is no trust anchor for the root", ErrUnsigned)
	}
	a, err := b.ask(zone, dns.TypeDS)
	if err != nil {
		return nil, signedSet{}, fmt.Errorf("%w: the DS records of %s: %w", ErrUnsigned, zone, err)
	}
	above = pick(a.Message.Answer, zone, dns.TypeDS)
	if len(above.set) == 0 {
		return nil, above, fmt.Errorf("%w: no DS record stands above %s (%s)", ErrUnsigned, zone, a.Message.Rcode)
	}
	return above.set, above, nil
}

// verifyKeys checks the set of a zone's keys with those of them that are
// vouched for. DS records of unknown algorithms do not count, and where no
// other is there the zone is as good as unsigned (RFC 4035 section 5.2).
func (b *chainer) verifyKeys(link *ChainLink, zone dns.Name, keys signedSet, vouching []dns.RR) error {
	known := false
	err := fmt.Errorf("%w: no key of %s is the one that is vouched for", ErrBogus, zone)
	for _, v := range vouching {
		if ds, ok := v.DS(); ok && (!ds.Algorithm.Supported() || !ds.DigestType.Supported()) {
			continue
		}
		known = true
		for _, key := range keys.set {
			if !vouchesFor(v, zone, key) {
				continue
			}
			b.verify(link, keys, []dns.RR{key})
			if link.Err == nil {
				link.Vouches = v
				return nil
			}
			err = link.Err
		}
	}
	if !known {
		return fmt.Errorf("%w: %s is signed with algorithms that are not known here", ErrUnsigned, zone)
	}
	return err
}

func vouchesFor(v dns.RR, zone dns.Name, key dns.RR) bool {
	k, ok := key.DNSKEY()
	if ds, is := v.DS(); is && ok {
		return ds.Matches(zone, k)
	}
	return ok && v.Type == dns.TypeDNSKEY && v.SameData(key)
}
