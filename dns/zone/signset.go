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

// write signs the sets of a name and writes them behind the begin of a body,
// its spelling.
func (s *signer) write(w *signedWriter, o owner, spelling []byte) error {
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
			return err
		}
		signatures.Data = append(signatures.Data, data...)
	}
	if len(signatures.Data) > 0 {
		i, _ := findType(o.sets, dns.TypeRRSIG)
		o.sets = slices.Insert(o.sets, i, signatures.ordered())
	}
	body := slices.Clone(spelling)
	for _, set := range o.sets {
		if set.size() > maxSetOctets {
			return fmt.Errorf("%s %s: %w", o.Name(), set.Type, ErrSetTooLarge)
		}
		body = appendSet(body, set)
	}
	w.add(item{o.key, body})
	return nil
}

// signatures makes the RRSIG data of a set, or takes them over.
func (s *signer) signatures(owner dns.Name, set RRset, before []byte) ([][]byte, error) {
	inception, expiration, renewal := s.policy.period(owner, set.Type, s.now)
	if s.out.Next.IsZero() || renewal.Before(s.out.Next) {
		s.out.Next = renewal
	}
	same := bytes.Equal(findSet(before, set.Type), appendSet(nil, set))
	old := signaturesOf(before, set.Type)
	var records []dns.RR
	var out [][]byte
	for _, k := range s.keys {
		if !k.signs(set.Type) {
			continue
		}
		if i := slices.IndexFunc(old, func(d []byte) bool { return k.made(d, inception, expiration) }); i >= 0 && same && k.old {
			out = append(out, old[i])
			s.out.Kept++
			continue
		}
		if records == nil {
			records = set.Append(nil, owner)
		}
		rr, err := dns.SignSet(k.SigningKey, records, inception, expiration)
		if err != nil {
			return nil, err
		}
		out = append(out, rr.Data)
		s.out.Made++
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
	pages    pageWriter
	edits    []item
	diff     Difference
	count    tally
	named    dns.Name
}

func newSignedWriter(previous *Zone) *signedWriter {
	w := &signedWriter{previous: previous}
	if previous != nil {
		w.old.seek(previous.root, nil)
		w.named = previous.named
	}
	return w
}

func (w *signedWriter) add(it item) {
	w.count.add(it, 1)
	if w.previous == nil {
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
		it.key = bytes.Clone(it.key)
		w.edit(it, old)
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
		w.edit(item{key: old.key}, old)
		w.old.next()
	}
}

func (w *signedWriter) edit(it, old item) {
	w.edits = append(w.edits, it)
	before, after := Node{old, w.named}, Node{it, w.named}
	w.diff.Deleted = appendMissing(w.diff.Deleted, before.Name(), before.Sets(), after.Sets())
	w.diff.Added = appendMissing(w.diff.Added, after.Name(), after.Sets(), before.Sets())
}

// zone ends the writing.
func (w *signedWriter) zone(named dns.Name) (*Zone, Difference) {
	if w.previous == nil {
		return newZone(named, root(w.pages.done()), w.count), Difference{}
	}
	w.removeBefore(nil)
	if len(w.edits) == 0 && named == w.previous.named {
		return w.previous, Difference{}
	}
	return newZone(named, root(w.previous.root.apply(w.edits)), w.count), w.diff
}
