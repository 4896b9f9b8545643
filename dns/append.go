package dns

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrTooLarge says that a message cannot be packed into its limit: not even
// its question and OPT record fit.
var ErrTooLarge = errors.New("message does not fit its size limit")

// Append packs m behind dst, with name compression, into at most limit octets
// (all 65535 when limit is 0 or more than that), and returns the longer dst.
//
// What does not fit is left out by whole RRsets (RFC 2181 section 9). Once an
// RRset of the answer or authority section does not fit, nothing follows but
// the OPT record, and TC is set. RRsets of the additional section are left
// out silently, except the addresses that a referral cannot do without: those
// of name servers below the cut that it names (RFC 9471), for which TC is set
// too. A TSIG or SIG(0) record at the end stays at the end.
func (m *Message) Append(dst []byte, limit int) ([]byte, error) {
	if limit <= 0 || limit > MaxMessageLen {
		limit = MaxMessageLen
	}
	p := packer{dst: dst, base: len(dst)}
	if err := p.message(m, limit); err != nil {
		return dst, fmt.Errorf("dns: pack message: %w", err)
	}
	return p.dst, nil
}

// packer writes one message. Offsets in pointers count from base.
type packer struct {
	dst    []byte
	base   int
	limit  int // the most octets that records may reach to
	counts Counts
	names  nameTable
}

func (p *packer) size() int { return len(p.dst) - p.base }

func (p *packer) message(m *Message, limit int) error {
	if m.Rcode > 15 && m.EDNS == nil {
		return fmt.Errorf("response code %s needs EDNS", m.Rcode)
	}
	additional, signature := splitSignature(m.Additional)
	p.dst = append(p.dst, make([]byte, HeaderLen)...)
	for _, q := range m.Question {
		if err := p.question(q); err != nil {
			return err
		}
	}
	p.limit = limit - m.EDNS.wireLen() - recordLen(signature)
	if p.size() > p.limit {
		return ErrTooLarge
	}
	fits, err := p.sections(m, additional)
	if err != nil {
		return err
	}
	h := m.Header
	h.Truncated = h.Truncated || !fits
	p.limit = limit
	if m.EDNS != nil {
		for _, o := range m.EDNS.Options {
			if len(o.Data) > MaxMessageLen {
				return ErrTooLarge
			}
		}
		p.dst = m.EDNS.append(p.dst, m.Rcode)
		p.counts.Additional++
	}
	for _, rr := range signature {
		if err := p.record(rr); err != nil {
			return err
		}
		p.counts.Additional++
	}
	p.header(h, len(m.Question))
	return nil
}

// splitSignature takes a transaction signature off the end of the additional
// section: it must stay last (RFC 8945 section 5.1, RFC 2931 section 3.1).
func splitSignature(rrs []RR) (rest, signature []RR) {
	n := len(rrs)
	if n > 0 && (rrs[n-1].Type == TypeTSIG || rrs[n-1].Type == TypeSIG) {
		return rrs[:n-1], rrs[n-1:]
	}
	return rrs, nil
}

func recordLen(rrs []RR) int {
	n := 0
	for _, rr := range rrs {
		n += len(rr.Name) + 10 + len(rr.Data)
	}
	return n
}

func (p *packer) header(h Header, questions int) {
	b := p.dst[p.base:]
	for i, v := range [...]uint16{
		h.ID, h.bits(), uint16(questions),
		p.counts.Answer, p.counts.Authority, p.counts.Additional,
	} {
		binary.BigEndian.PutUint16(b[2*i:], v)
	}
}

func (p *packer) question(q Question) error {
	if !q.Name.Valid() {
		return fmt.Errorf("question: %q is no name", string(q.Name))
	}
	if p.size()+len(q.Name)+4 > MaxMessageLen {
		return ErrTooLarge
	}
	p.name(q.Name)
	p.dst = binary.BigEndian.AppendUint16(p.dst, uint16(q.Type))
	p.dst = binary.BigEndian.AppendUint16(p.dst, uint16(q.Class))
	return nil
}

// sections writes the three sections and says whether everything fitted that
// a reader cannot do without.
func (p *packer) sections(m *Message, additional []RR) (fits bool, err error) {
	for _, s := range [...]struct {
		rrs   []RR
		count *uint16
	}{{m.Answer, &p.counts.Answer}, {m.Authority, &p.counts.Authority}} {
		for rrs := s.rrs; len(rrs) > 0; {
			n := setLen(rrs)
			if fits, err := p.set(rrs[:n], s.count); err != nil || !fits {
				return false, err
			}
			rrs = rrs[n:]
		}
	}
	fits = true
	for rrs := additional; len(rrs) > 0; {
		n := setLen(rrs)
		ok, err := p.set(rrs[:n], &p.counts.Additional)
		if err != nil {
			return false, err
		}
		if !ok && isNeededGlue(m, rrs[0]) {
			fits = false
		}
		rrs = rrs[n:]
	}
	return fits, nil
}

// setLen counts the records of the RRset that rrs begins with.
func setLen(rrs []RR) int {
	n := 1
	for n < len(rrs) && rrs[n].SameSet(rrs[0]) {
		n++
	}
	return n
}

// isNeededGlue says whether rr is an address of a name server that the
// authority section names for a zone that the server itself is in.
func isNeededGlue(m *Message, rr RR) bool {
	if rr.Type != TypeA && rr.Type != TypeAAAA {
		return false
	}
	for _, ns := range m.Authority {
		if target, ok := ns.Target(); ok && ns.Type == TypeNS &&
			target.Equal(rr.Name) && target.IsSubdomainOf(ns.Name) {
			return true
		}
	}
	return false
}

// set writes an RRset whole, or leaves dst as it was and says so.
func (p *packer) set(rrs []RR, count *uint16) (fits bool, err error) {
	start := len(p.dst)
	for _, rr := range rrs {
		if err := p.record(rr); err != nil {
			return false, err
		}
		if p.size() > p.limit {
			p.dst = p.dst[:start]
			return false, nil
		}
	}
	*count += uint16(len(rrs))
	return true, nil
}

func (p *packer) record(rr RR) error {
	if !rr.Name.Valid() {
		return fmt.Errorf("record: %q is no name", string(rr.Name))
	}
	if len(rr.Data) > MaxMessageLen {
		return fmt.Errorf("record %s %s: %w", rr.Name, rr.Type, ErrTooLarge)
	}
	p.name(rr.Name)
	p.dst = binary.BigEndian.AppendUint16(p.dst, uint16(rr.Type))
	p.dst = binary.BigEndian.AppendUint16(p.dst, uint16(rr.Class))
	p.dst = binary.BigEndian.AppendUint32(p.dst, rr.TTL)
	p.dst = append(p.dst, 0, 0)
	start := len(p.dst)
	p.rdata(rr)
	binary.BigEndian.PutUint16(p.dst[start-2:], uint16(len(p.dst)-start))
	return nil
}

// rdata writes record data; the names in it are compressed for the types of
// RFC 1035 alone (RFC 3597 section 4).
func (p *packer) rdata(rr RR) {
	data := rr.Data
	for _, f := range rdataLayout(rr.Type, rr.Class) {
		size := 0
		switch f {
		case '2', '4':
			size = int(f - '0')
		case 'n':
			n, err := wireNameLen(data)
			if err == nil {
				p.name(Name(data[:n]))
				data = data[n:]
				continue
			}
		}
		if size == 0 || size > len(data) {
			break // nothing after this can be compressed
		}
		p.dst = append(p.dst, data[:size]...)
		data = data[size:]
	}
	p.dst = append(p.dst, data...)
}

// name writes a name, its tail as a pointer to where the same octets stand.
func (p *packer) name(n Name) {
	var labels [MaxNameLen/2 + 1]uint8
	var hashes [MaxNameLen/2 + 1]uint32
	count := n.offsets(&labels)
	hash := uint32(2166136261)
	for i := count - 1; i >= 0; i-- {
		end := int(labels[i]) + 1 + int(n[labels[i]])
		for _, c := range []byte(n[labels[i]:end]) {
			hash = (hash ^ uint32(lower(c))) * 16777619
		}
		hashes[i] = hash
	}
	msg := p.dst[p.base:]
	start := len(msg)
	for i := range count {
		suffix := n[labels[i]:]
		if off, ok := p.names.find(hashes[i], msg[:start], suffix); ok {
			p.dst = append(p.dst, n[:labels[i]]...)
			p.dst = binary.BigEndian.AppendUint16(p.dst, 0xc000|off)
			return
		}
		p.names.add(hashes[i], start+int(labels[i]))
	}
	p.dst = append(p.dst, n...)
}

// nameTable remembers where names stand in a message that is being written:
// open addressing, and full at three quarters, after which names are just
// compressed less well.
type nameTable struct {
	slots [256]struct {
		hash uint32
		off  uint16 // 0 marks a free slot: no name stands in the header
	}
	used int
}

func (t *nameTable) add(hash uint32, off int) {
	if t.used >= len(t.slots)*3/4 || off > 0x3fff {
		return
	}
	i := hash % uint32(len(t.slots))
	for t.slots[i].off != 0 {
		i = (i + 1) % uint32(len(t.slots))
	}
	t.slots[i].hash, t.slots[i].off = hash, uint16(off)
	t.used++
}

// find looks for n in msg, which ends where n would begin. An entry may be
// stale, because its RRset was taken back: so the octets are compared.
func (t *nameTable) find(hash uint32, msg []byte, n Name) (off uint16, ok bool) {
	for i := hash % uint32(len(t.slots)); t.slots[i].off != 0; i = (i + 1) % uint32(len(t.slots)) {
		if t.slots[i].hash == hash && nameAt(msg, int(t.slots[i].off), n) {
			return t.slots[i].off, true
		}
	}
	return 0, false
}

// nameAt says whether n stands at an offset of msg, itself compressed or not,
// in the way that the parser follows pointers.
func nameAt(msg []byte, off int, n Name) bool {
	start, bound := off, len(msg)
	for off < bound {
		c := int(msg[off])
		switch {
		case c >= 0xc0:
			if off+2 > bound {
				return false
			}
			off = int(binary.BigEndian.Uint16(msg[off:]) & 0x3fff)
			if off >= start || off < HeaderLen {
				return false
			}
			start, bound = off, start
		case c > MaxLabelLen || off+1+c > bound || len(n) < 1+c ||
			!equalFold(Name(msg[off:off+1+c]), n[:1+c]):
			return false
		case c == 0:
			return len(n) == 1
		default:
			off += 1 + c
			n = n[1+c:]
		}
	}
	return false
}
