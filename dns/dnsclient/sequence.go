package dnsclient

import (
	"errors"
	"fmt"

	"github.com/network-utopia/utopia/dns"
)

// TransferKind is what a transfer turned out to be.
type TransferKind uint8

// The forms that the answer to AXFR or IXFR may have. UpToDate and Differences
// answer IXFR alone (RFC 1995 section 4).
const (
	TransferUnknown     TransferKind = iota // not enough has come yet
	TransferWhole                           // the whole zone
	TransferDifferences                     // what was removed and added since the serial asked for
	TransferUpToDate                        // a lone SOA record: nothing newer is there
)

// String gives the kind in words.
func (k TransferKind) String() string {
	switch k {
	case TransferWhole:
		return "whole zone"
	case TransferDifferences:
		return "differences"
	case TransferUpToDate:
		return "up to date"
	}
	return "unknown"
}

// Change is what a record of a transfer does to the zone.
type Change uint8

// The changes. The SOA record that leads the removals or additions of one
// step of an IXFR is one of them: the SOA record removed, or added.
const (
	Frame   Change = iota // the SOA record that begins or ends the transfer
	Present               // a record of the whole zone
	Removed               // a record that is gone since
	Added                 // a record that is new since
)

// ErrTransfer says that a transfer has not the form of one: it does not begin
// with the zone's SOA record, has a record from elsewhere, jumps from one
// serial to another, or goes on behind its end.
var ErrTransfer = errors.New("not a zone transfer")

// sequence follows the records of a transfer (RFC 5936 section 2.2, RFC 1995
// section 4) and says what each one is.
type sequence struct {
	zone    dns.Name
	class   dns.Class
	ixfr    bool
	asked   uint32 // the serial that we have, with ixfr
	step    step
	kind    TransferKind
	newest  uint32 // the serial of the first SOA record
	current uint32 // the serial that the differences have led to
}

type step uint8

const (
	atStart step = iota
	behindSOA
	inWhole
	inRemoved
	inAdded
	atEnd
)

// next takes the next record.
func (s *sequence) next(rr dns.RR) (Change, error) {
	soa, isSOA := rr.SOA()
	switch {
	case s.step == atEnd:
		return 0, fmt.Errorf("%w: %s %s behind its end", ErrTransfer, rr.Name, rr.Type)
	case !rr.Name.IsSubdomainOf(s.zone) || rr.Class != s.class || rr.Type.IsMeta():
		return 0, fmt.Errorf("%w: %s %s %s is not of the zone %s", ErrTransfer, rr.Name, rr.Class, rr.Type, s.zone)
	case isSOA && !rr.Name.Equal(s.zone):
		return 0, fmt.Errorf("%w: an SOA record of %s in the zone %s", ErrTransfer, rr.Name, s.zone)
	case !isSOA:
		return s.record(rr)
	}
	return s.soa(soa.Serial)
}

// record takes one that is no SOA record.
func (s *sequence) record(rr dns.RR) (Change, error) {
	switch s.step {
	case atStart:
		return 0, fmt.Errorf("%w: it begins with %s %s instead of the SOA record", ErrTransfer, rr.Name, rr.Type)
	case behindSOA:
		s.step, s.kind = inWhole, TransferWhole
	case inRemoved:
		return Removed, nil
	case inAdded:
		return Added, nil
	}
	return Present, nil
}

func (s *sequence) soa(serial uint32) (Change, error) {
	switch s.step {
	case atStart:
		s.newest, s.step = serial, behindSOA
		if s.ixfr && !newer(serial, s.asked) {
			s.step, s.kind = atEnd, TransferUpToDate
		}
		return Frame, nil
	case behindSOA:
		if s.ixfr && serial == s.asked {
			s.step, s.kind, s.current = inRemoved, TransferDifferences, serial
			return Removed, nil
		}
		s.kind = TransferWhole // of a zone with nothing but its SOA record
	case inRemoved:
		if !newer(serial, s.current) || newer(serial, s.newest) {
			return 0, fmt.Errorf("%w: a step from serial %d to %d, on the way to %d", ErrTransfer, s.current, serial, s.newest)
		}
		s.step, s.current = inAdded, serial
		return Added, nil
	case inAdded:
		if serial == s.current && serial != s.newest {
			s.step = inRemoved
			return Removed, nil
		}
		if s.current != s.newest {
			return 0, fmt.Errorf("%w: a step from serial %d to %d, when the last led to %d", ErrTransfer, serial, s.newest, s.current)
		}
	}
	if serial != s.newest {
		return 0, fmt.Errorf("%w: it begins with serial %d and ends with %d", ErrTransfer, s.newest, serial)
	}
	s.step = atEnd
	return Frame, nil
}

// newer compares serials by RFC 1982 section 3.2.
func newer(a, b uint32) bool { return a != b && a-b < 1<<31 }
