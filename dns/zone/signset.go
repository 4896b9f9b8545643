package zone

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/network-utopia/utopia/dns"
)

// jitterStep is what the times of renewal are rounded to, so that those of one
// hour come together.
const jitterStep = time.Hour

// period gives the times of a signature. For each owner and type the time is cut
// into periods, as long as a signature serves before it is renewed, which begin
// at an offset of its own. Nothing needs to be remembered for that: the same
// moment is always in the same period.
func (p SignPolicy) period(owner dns.Name, t dns.Type, now time.Time) (inception, expiration, renewal time.Time) {
	length := int64((p.Validity - p.Refresh) / time.Second)
	h := fnv.New64a()
	h.Write([]byte(owner.Canonical()))
	h.Write([]byte{byte(t >> 8), byte(t)})
	steps := uint64(p.Jitter/jitterStep) + 1
	offset := int64(h.Sum64()%steps) * int64(jitterStep/time.Second)
	seconds := now.Unix() - offset
	start := time.Unix(seconds-((seconds%length)+length)%length+offset, 0)
	return start.Add(-p.Backdate), start.Add(p.Validity), start.Add(time.Duration(length) * time.Second)
}

// sign signs the sets of a name, and makes its item.
func (s *signer) sign(o owner) (item, error) {
	slices.SortFunc(o.sets, func(a, b RRset) int { return cmp.Compare(a.Type, b.Type) })
	var before []byte
	if s.previous != nil {
		old, _ := s.previous.get(o.key)
		before = old.body
	}
	signatures := RRset{Type: dns.TypeRRSIG}
	for _, set := range o.sets {
		if o.where == hidden || o.where == delegated && set.Type != dns.TypeDS && set.Type != dns.TypeNSEC {
			continue
		}
		data, err := s.signatures(o.Name(), set, before)
		if err != nil {
			return item{}, err
		}
		signatures.Data = append(signatures.Data, data...)
	}
	o.addSignatures(signatures)
	return o.pack()
}

func (o *owner) addSignatures(signatures RRset) {
	if len(signatures.Data) > 0 {
		i, _ := findType(o.sets, dns.TypeRRSIG)
		o.sets = slices.Insert(o.sets, i, signatures.ordered())
	}
}

// pack makes the item of a name of what it owns.
func (o owner) pack() (item, error) {
	body := bytes.Clone(o.body[:1+int(o.body[0])])
	for _, set := range o.sets {
		if set.size() > maxSetOctets {
			return item{}, fmt.Errorf("%s %s: %w", o.Name(), set.Type, ErrSetTooLarge)
		}
		body = appendSet(body, set)
	}
	return item{o.key, body}, nil
}

// spotChecked is every how many signatures of a zone that somebody has kept one is
// made to see whether it is the same.
const spotChecked = 1000

// signatures makes the RRSIG data of a set, or takes them over.
func (s *signer) signatures(owner dns.Name, set RRset, before []byte) ([][]byte, error) {
	inception, expiration, renewal := s.policy.period(owner, set.Type, s.now)
	s.out.Next = earlier(s.out.Next, renewal)
	same := bytes.Equal(findSet(before, set.Type), appendSet(nil, set))
	old := signaturesOf(before, set.Type)
	var records []dns.RR
	var out [][]byte
	for _, k := range s.keys {
		if !k.signs(set.Type) {
			continue
		}
		var kept []byte
		if i := slices.IndexFunc(old, func(d []byte) bool { return k.made(d, inception, expiration) }); i >= 0 && same && k.old {
			kept = old[i]
			s.out.Kept++
		}
		if kept != nil && (s.before.of != nil || s.out.Kept%spotChecked != 1) {
			out = append(out, kept)
			continue
		}
		if records == nil {
			records = set.Append(nil, owner)
		}
		rr, err := dns.SignSet(k.SigningKey, records, inception, expiration)
		switch {
		case err != nil:
			return nil, err
		case kept == nil:
			s.out.Made++
		case !bytes.Equal(kept, rr.Data):
			return nil, fmt.Errorf("%s %s: %w", owner, set.Type, ErrNotKept)
		}
		out = append(out, rr.Data)
	}
	return out, nil
}

// signs says whether the key is for sets of a type. What the parent is told is
// signed by keys that it knows (RFC 7344 section 4.1).
func (k signKey) signs(t dns.Type) bool {
	switch t {
	case dns.TypeDNSKEY, dns.TypeCDS, dns.TypeCDNSKEY:
		return k.signsKeys
	}
	return k.signsRest
}

// made says whether a signature is by this key and of these times.
func (k signKey) made(data []byte, inception, expiration time.Time) bool {
	sig, ok := dns.RR{Type: dns.TypeRRSIG, Data: data}.RRSIG()
	return ok && sig.KeyTag == k.KeyTag() && sig.Algorithm == k.Algorithm &&
		sig.Inception == uint32(inception.Unix()) && sig.Expiration == uint32(expiration.Unix())
}

// signaturesOf gives the RRSIG data that a body has for a type.
func signaturesOf(body []byte, t dns.Type) [][]byte {
	s := findSet(body, dns.TypeRRSIG)
	if s == nil {
		return nil
	}
	return coveringSet(s.unpack().Data, t)
}

// coveringSet gives those of RRSIG data that are about a type. They stand
// together: the type is what the data begin with.
func coveringSet(data [][]byte, t dns.Type) [][]byte {
	i, _ := slices.BinarySearchFunc(data, t, func(d []byte, t dns.Type) int { return cmp.Compare(coveredType(d), t) })
	end := i
	for end < len(data) && coveredType(data[end]) == t {
		end++
	}
	return data[i:end:end]
}

func coveredType(data []byte) dns.Type { return dns.Type(data[0])<<8 | dns.Type(data[1]) }

// signedWriter takes the items of a signed zone, in order, and makes the zone:
// from new pages, or with those of the previous zone where nothing is different.
type signedWriter struct {
	previous *Zone
	old      cursor
	edits    []item
	pages    pageWriter // without a previous zone
	count    tally
}

func newSignedWriter(previous *Zone) *signedWriter {
	w := &signedWriter{previous: previous}
	if previous != nil {
		w.old.seek(previous.root, nil)
	}
	return w
}

func (w *signedWriter) add(it item) {
	if w.previous == nil {
		w.count.add(it, 1)
		w.pages.add(it, nil)
		return
	}
	w.removeBefore(it.key)
	old, ok := w.old.at()
	if ok && bytes.Equal(old.key, it.key) {
		w.old.next()
	} else {
		old = item{}
	}
	if !bytes.Equal(old.body, it.body) {
		w.edits = append(w.edits, it)
	}
}

// removeBefore takes away the old names before a key, all that are left for nil
// at the end.
func (w *signedWriter) removeBefore(key []byte) {
	for {
		old, ok := w.old.at()
		if !ok || key != nil && bytes.Compare(old.key, key) >= 0 {
			return
		}
		w.edits = append(w.edits, item{key: old.key})
		w.old.next()
	}
}

// zone ends the writing.
func (w *signedWriter) zone(named dns.Name) *Zone {
	if w.previous == nil {
		return newZone(named, root(w.pages.done()), w.count)
	}
	w.removeBefore(nil)
	return w.previous.changed(named, w.edits)
}

// changed is with, and the zone itself where nothing changes.
func (z *Zone) changed(named dns.Name, edits []item) *Zone {
	if len(edits) == 0 && named == z.named {
		return z
	}
	return z.with(named, edits)
}

// earlier gives the first of two times, of which the zero one is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
