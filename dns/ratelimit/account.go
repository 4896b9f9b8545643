package ratelimit

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"sync/atomic"
)

// An account is a word: from the top, 20 bits of its hash (the tag), 4 bits
// that count what was limited, and 40 bits for the time when it will be even,
// in microseconds, of which only differences mean something: they wrap every
// 12.7 days. A time that lies much further ahead than a debt may reach is one
// of long ago. The zero word is a place that nobody has taken yet.
const (
	second    = 1_000_000
	timeBits  = 40
	timeMask  = 1<<timeBits - 1
	countBits = 4
	countMask = 1<<countBits - 1
	tagShift  = timeBits + countBits
)

// attempts is how often a change is tried when others change the same word at
// the same time. After that the verdict stands, and the debit is lost: whoever
// is debited as often as that is far beyond any limit.
const attempts = 8

// debit takes the cost of a response of a class from the account of a hash.
func (l *Limiter) debit(now, hash uint64, class Class) Verdict {
	s := &l.sets[hash&uint64(len(l.sets)-1)]
	tag := hash >> tagShift
	verdict := Send
	for range attempts {
		place, old := l.find(s, tag, now)
		var next uint64
		next, verdict = l.after(old, tag, now, class)
		if place.CompareAndSwap(old, next) {
			break
		}
	}
	return verdict
}

// find gives the account of a tag with its place, or the place that it is to
// take: a free one, or that of the account that is soonest even.
func (l *Limiter) find(s *set, tag, now uint64) (place *atomic.Uint64, word uint64) {
	for i := range s {
		if w := s[i].Load(); w>>tagShift == tag {
			return &s[i], w
		}
	}
	soonest := uint64(1<<64 - 1)
	for i := range s {
		w := s[i].Load()
		if ahead := l.ahead(w, now); ahead < soonest {
			soonest, place, word = ahead, &s[i], w
		}
	}
	return place, word
}

// ahead is for how long an account is not even yet, in microseconds; 0 when it
// is, and has all its credit. It may be more than the most by some: another
// processor's now was later, or the clock was set back.
func (l *Limiter) ahead(word, now uint64) uint64 {
	ahead := (word - now) & timeMask
	if ahead > 2*l.most {
		return 0
	}
	return ahead
}

// after gives the word of an account once it was debited, and the verdict.
func (l *Limiter) after(old, tag, now uint64, class Class) (next uint64, v Verdict) {
	var ahead, count uint64
	if old>>tagShift == tag {
		ahead, count = l.ahead(old, now), old>>timeBits&countMask
	}
	ahead = min(ahead+l.cost[class], l.most)
	switch {
	case ahead <= second:
		count = 0
	case l.slip == 0:
		v = Drop
	default:
		if v = Drop; count == 0 {
			v = Slip
		}
		count = (count + 1) % l.slip
	}
	return tag<<tagShift | count<<timeBits | (now+ahead)&timeMask, v
}

// address is an IPv6 address, or an IPv4 one in that form (RFC 4291 section
// 2.5.5.2).
type address struct{ high, low uint64 }

func addressOf(a netip.Addr) address {
	b := a.As16()
	return address{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// network gives what counts as one client of an address.
func (a address) network() uint64 {
	if a.high == 0 && a.low>>32 == 0xffff {
		return a.low >> (32 - PrefixBits4) << 8
	}
	return a.high>>(64-PrefixBits6)<<8 | 6 // which tells it from IPv4
}

// network is a prefix, ready to be compared.
type network struct{ bits, mask address }

func networkOf(p netip.Prefix) network {
	n := p.Bits()
	if p.Addr().Is4() {
		n += 96
	}
	mask := address{^uint64(0) << max(64-n, 0), ^uint64(0) << max(128-max(n, 64), 0)}
	a := addressOf(p.Addr())
	return network{address{a.high & mask.high, a.low & mask.low}, mask}
}

func (n network) has(a address) bool {
	return a.high&n.mask.high == n.bits.high && a.low&n.mask.low == n.bits.low
}

// hash says where the account of a client and a kind of response stands.
func (l *Limiter) hash(network uint64, class Class, key uint64) uint64 {
	return mix(mix(mix(network^l.seed[0], uint64(class)^l.seed[1])^key, l.seed[0]^odd), l.seed[1]^odd)
}

// Key makes a key of a name in wire form, without regard to case. What comes
// after 255 octets, the most of a name, does not count.
func (l *Limiter) Key(name string) uint64 {
	var buf [255]byte
	return l.KeyBytes(buf[:copy(buf[:], name)])
}

// KeyBytes is Key of a name that stands in a message.
func (l *Limiter) KeyBytes(name []byte) uint64 {
	h := l.seed[1] ^ uint64(len(name))
	for ; len(name) >= 8; name = name[8:] {
		h = mix(h^fold(binary.LittleEndian.Uint64(name)), l.seed[0]^odd)
	}
	var w uint64
	for i, c := range name {
		w |= uint64(c) << (8 * i)
	}
	return mix(h^fold(w), l.seed[0]^odd)
}

// fold makes the cases of letters alike, and with them some other octets that
// differ in the same bit: names with those share an account, which does no harm.
func fold(w uint64) uint64 { return w | 0x2020202020202020 }

// odd has as many bits set as not, in no order (the fraction of the golden
// ratio).
const odd = 0x9e3779b97f4a7c15

// mix gives a word of which every bit depends on all bits of both.
func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}
