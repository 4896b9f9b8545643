package zones

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// Version names one version of a zone.
type Version struct {
	Serial uint32
	Digest Digest
}

// Digest tells the contents of zones apart: it is the sum of what each record gives, so that it follows a difference
// without a look at the zone. The serial is no part of it. It is no protection against those who choose the records.
type Digest [16]byte

// DigestOf gives the digest of a zone.
func DigestOf(z *zone.Zone) Digest {
	var d Digest
	for rr := range z.All() {
		d.add(rr, false)
	}
	return d
}

// Signed gives the digest of a zone that is served signed, of that of its records before it is signed: so that the two
// are told apart. With works on both alike.
func (d Digest) Signed() Digest {
	d[0] ^= 0x80 // what is added to a number leaves its highest bit apart
	return d
}

// With gives the digest of the zone after a difference.
func (d Digest) With(change zone.Difference) Digest {
	for _, rr := range change.Deleted {
		d.add(rr, true)
	}
	for _, rr := range change.Added {
		d.add(rr, false)
	}
	return d
}

// add adds what a record gives, or takes it away: two numbers of 64 bits, that wrap around.
func (d *Digest) add(rr dns.RR, away bool) {
	if soa, ok := rr.SOA(); ok {
		soa.Serial = 0
		rr.Data = soa.Data()
	}
	rr.Name = rr.Name.Canonical() // the case of owners does not matter
	var buf [512]byte
	sum := sha256.Sum256(appendRR(buf[:0], rr))
	for i := 0; i < len(d); i += 8 {
		v := binary.BigEndian.Uint64(sum[i:])
		if away {
			v = -v
		}
		binary.BigEndian.PutUint64(d[i:], binary.BigEndian.Uint64(d[i:])+v)
	}
}
