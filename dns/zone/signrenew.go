package zone

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/network-utopia/utopia/dns"
)

// DefaultRenewals is how many signatures Renew makes where it is told no number.
const DefaultRenewals = 500

// lookedAt is how many names Renew looks at for each signature that it may make.
// With jitter of a day, in steps of an hour, one of about so many is due.
const lookedAt = 25

// round is how far Renew has come.
type round struct {
	from []byte    // the key that it goes on at
	next time.Time // the first renewal of those that it has looked at; zero: it has not begun
}

func (r round) with(next time.Time) round {
	if !r.next.IsZero() {
		r.next = earlier(r.next, next)
	}
	return r
}

// Renew makes anew signatures whose time has come, at most so many and those of
// one name more, where keys and policy are those that previous was signed with:
// otherwise it signs as Sign does. It goes through the names from where the last
// one has ended, so its cost has a bound: where something is left, Next is the
// time that it was given. In a round the whole zone is looked at once.
//
// Records other than RRSIG are left as they are, the serial among them. The
// Zone is previous's own where nothing was due.
func Renew(previous Signed, keys []*dns.SigningKey, policy SignPolicy, now time.Time, most int) (Signed, error) {
	z := previous.of
	if z == nil {
		return Signed{}, fmt.Errorf("zone: renew signatures: of a zone that was not signed here")
	}
	s := &signer{zone: z, before: previous, previous: previous.Zone, policy: policy.withDefaults(), now: now}
	err := s.prepare(keys)
	if err == nil && !s.follows() {
		err = s.run()
	} else if err == nil {
		err = s.renew(most)
	}
	if err != nil {
		return Signed{}, fmt.Errorf("zone: renew signatures of %s: %w", z.apex, err)
	}
	return s.out, nil
}

func (s *signer) renew(most int) error {
	if most <= 0 {
		most = DefaultRenewals
	}
	var edits []item
	var at cursor
	s.out.Next = s.before.round.next
	looked := 0
	for at.seek(s.previous.root, s.before.round.from); ; at.next() {
		it, ok := at.at()
		if !ok {
			s.out.round = round{}
			break
		}
		if s.out.Made >= most || looked >= lookedAt*most {
			s.out.round = round{bytes.Clone(it.key), s.out.Next}
			s.out.Next = s.now
			break
		}
		looked++
		if !s.due(s.previous.node(it)) {
			continue
		}
		again, err := s.signedAgain(s.previous.node(it))
		if err != nil {
			return err
		}
		edits = append(edits, again)
	}
	s.out.Zone = s.previous.changed(s.previous.named, edits)
	return nil
}

// due says whether any of the signatures of a name is to be renewed; if not, it
// notes when.
func (s *signer) due(n Node) bool {
	name, next := n.Name(), s.out.Next
	set := findSet(n.body, dns.TypeRRSIG)
	if set == nil {
		return false
	}
	for rest := set.records(); len(rest) > 0; {
		end := recordHead + int(binary.BigEndian.Uint16(rest[recordHead-2:]))
		data := rest[recordHead:end]
		rest = rest[end:]
		inception, expiration, renewal := s.policy.period(name, coveredType(data), s.now)
		if binary.BigEndian.Uint32(data[8:]) != uint32(expiration.Unix()) || binary.BigEndian.Uint32(data[12:]) != uint32(inception.Unix()) {
			return true
		}
		next = earlier(next, renewal)
	}
	s.out.Next = next
	return false
}

// signedAgain signs what is signed of a name.
func (s *signer) signedAgain(n Node) (item, error) {
	o := owner{Node: n}
	signatures := RRset{Type: dns.TypeRRSIG}
	for _, set := range n.Sets() {
		if set.Type == dns.TypeRRSIG {
			continue
		}
		o.sets = append(o.sets, set)
		if len(signaturesOf(n.body, set.Type)) > 0 {
			data, err := s.signatures(n.Name(), set, n.body)
			if err != nil {
				return item{}, err
			}
			signatures.Data = append(signatures.Data, data...)
		}
	}
	o.addSignatures(signatures)
	return o.pack()
}
