package zones

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// A record of a journal is the octets of its payload (4), a checksum (4), and the payload: one octet of kind, and
// what belongs to that.
const frameHead = 8

// MaxRecord is the most octets of a record's payload.
const MaxRecord = 16 << 20

// The kinds of records.
const (
	kindStep      = 'U' // a difference that led from one version to the next
	kindOverlay   = 'O' // the sum of older ones, which lead nowhere any more
	kindVersion   = 'V' // a version that did not come of the one before by a step: its serial and digest
	kindRefreshed = 'T' // when a secondary was last told that it is up to date
)

// ErrTooLarge says that a difference is more than a journal takes in one record.
var ErrTooLarge = errors.New("larger than a record of a journal")

var (
	errTorn = errors.New("the record is not whole")
	errForm = errors.New("malformed record")
)

// checksum is the complement of the CRC-32C, so that zeros are no record.
func checksum(b []byte) uint32 { return ^crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// seal fills in the head of the record that b begins at.
func seal(b []byte) {
	binary.BigEndian.PutUint32(b, uint32(len(b)-frameHead))
	binary.BigEndian.PutUint32(b[4:], checksum(b[frameHead:]))
}

func appendDifference(dst []byte, kind byte, d zone.Difference) ([]byte, error) {
	start := len(dst)
	dst = append(dst, make([]byte, frameHead)...)
	dst = append(dst, kind)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(d.Deleted)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(d.Added)))
	for _, part := range [...][]dns.RR{d.Deleted, d.Added, heldRecords(d.Held)} {
		for _, rr := range part {
			dst = appendRR(dst, rr)
			if len(dst)-start-frameHead > MaxRecord {
				return dst[:start], fmt.Errorf("journal: %d records: %w", len(d.Deleted)+len(d.Added), ErrTooLarge)
			}
		}
	}
	seal(dst[start:])
	return dst, nil
}

// heldRecords gives held sets as records: one of class ANY without data for each
// set, or of class NONE for one that is released, and behind it what is in it.
func heldRecords(held []zone.Held) []dns.RR {
	var all []dns.RR
	for _, h := range held {
		head := dns.RR{Name: h.Name, Type: h.Type, Class: dns.ClassANY}
		if h.Released {
			head.Class = dns.ClassNONE
		}
		all = h.Append(append(all, head), h.Name)
	}
	return all
}

// takeHeld takes one of these records.
func takeHeld(held []zone.Held, rr dns.RR) ([]zone.Held, error) {
	if rr.Class != dns.ClassIN {
		h := zone.Held{Name: rr.Name, Released: rr.Class == dns.ClassNONE}
		h.Type = rr.Type
		return append(held, h), nil
	}
	if len(held) == 0 || !held[len(held)-1].Name.Equal(rr.Name) || held[len(held)-1].Type != rr.Type {
		return held, fmt.Errorf("journal: a record of no held set: %w", errForm)
	}
	h := &held[len(held)-1]
	h.TTL, h.Data = rr.TTL, append(h.Data, rr.Data)
	return held, nil
}

// appendRR writes a record in wire form, without compression.
func appendRR(dst []byte, rr dns.RR) []byte {
	dst = append(dst, rr.Name...)
	dst = binary.BigEndian.AppendUint16(dst, uint16(rr.Type))
	dst = binary.BigEndian.AppendUint16(dst, uint16(rr.Class))
	dst = binary.BigEndian.AppendUint32(dst, rr.TTL)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(rr.Data)))
	return append(dst, rr.Data...)
}

func appendVersion(dst []byte, v Version) []byte {
	start := len(dst)
	dst = append(append(dst, make([]byte, frameHead)...), kindVersion)
	dst = binary.BigEndian.AppendUint32(dst, v.Serial)
	dst = append(dst, v.Digest[:]...)
	seal(dst[start:])
	return dst
}

func appendRefreshed(dst []byte, at time.Time) []byte {
	start := len(dst)
	dst = append(append(dst, make([]byte, frameHead)...), kindRefreshed)
	dst = binary.BigEndian.AppendUint64(dst, uint64(at.Unix()))
	seal(dst[start:])
	return dst
}

// entry is a record that was read: what its kind says.
type entry struct {
	kind       byte
	difference zone.Difference
	version    Version
	refreshed  time.Time
	size       int // of the record with its head
}

// readEntry reads the record at the start of data. An error is errTorn for one that is not whole.
func readEntry(data []byte) (entry, error) {
	if len(data) < frameHead {
		return entry{}, errTorn
	}
	size := binary.BigEndian.Uint32(data)
	if size == 0 || size > MaxRecord || int(size) > len(data)-frameHead {
		return entry{}, errTorn
	}
	payload := data[frameHead:][:size]
	if checksum(payload) != binary.BigEndian.Uint32(data[4:]) {
		return entry{}, errTorn
	}
	e := entry{kind: payload[0], size: frameHead + int(size)}
	return e, e.read(payload[1:])
}

func (e *entry) read(b []byte) error {
	switch {
	case e.kind == kindStep || e.kind == kindOverlay:
		return e.readDifference(b)
	case e.kind == kindVersion && len(b) == 4+len(Digest{}):
		e.version = Version{binary.BigEndian.Uint32(b), Digest(b[4:])}
	case e.kind == kindRefreshed && len(b) == 8:
		e.refreshed = time.Unix(int64(binary.BigEndian.Uint64(b)), 0)
	default:
		return fmt.Errorf("journal: kind %q of %d octets: %w", e.kind, len(b), errForm)
	}
	return nil
}

func (e *entry) readDifference(b []byte) error {
	if len(b) < 8 {
		return fmt.Errorf("journal: a difference of %d octets: %w", len(b), errForm)
	}
	counts := [...]uint32{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
	b = b[8:]
	for i, part := range [...]*[]dns.RR{&e.difference.Deleted, &e.difference.Added} {
		for range counts[i] {
			rr, size, err := dns.ParseRecord(b)
			if err != nil {
				return fmt.Errorf("journal: %w: %w", errForm, err)
			}
			*part = append(*part, rr)
			b = b[size:]
		}
	}
	for len(b) > 0 {
		rr, size, err := dns.ParseRecord(b)
		if err != nil {
			return fmt.Errorf("journal: %w: %w", errForm, err)
		}
		if e.difference.Held, err = takeHeld(e.difference.Held, rr); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}
