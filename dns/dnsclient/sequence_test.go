package dnsclient

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
)

// rrs makes records of one line: SOA records by their serials, and others as
// master files have them, with commas between.
func rrs(t testing.TB, line string) []dns.RR {
	t.Helper()
	origin := dns.MustParseName("example.test.")
	var out []dns.RR
	for _, word := range strings.Split(line, ", ") {
		text := word
		if strings.Trim(word, "0123456789") == "" {
			text = "@ 300 SOA ns1 host " + word + " 1 2 3 4"
		}
		rr, err := dns.ParseRR(text, origin, 300)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rr)
	}
	return out
}

// What each record of a transfer is, by RFC 5936 section 2.2 and RFC 1995
// section 4: = frames it, . is of the whole zone, - is removed and + added.
func TestSequence(t *testing.T) {
	t.Parallel()
	const axfr = -1
	for _, c := range []struct {
		serial  int64 // that we have, for IXFR
		records string
		want    string // one sign a record
		kind    TransferKind
		ended   bool
	}{
		{axfr, "5, @ NS a, a A 192.0.2.1, 5", "=..=", TransferWhole, true},
		{axfr, "5, 5", "==", TransferWhole, true},
		{axfr, "5", "=", TransferUnknown, false},
		{axfr, "5, @ NS a", "=.", TransferWhole, false},
		{axfr, "0, a A 192.0.2.1, 0", "=.=", TransferWhole, true},
		{4, "5, @ NS a, a A 192.0.2.1, 5", "=..=", TransferWhole, true}, // a whole zone in answer to IXFR
		{4, "5, 5", "==", TransferWhole, true},
		{5, "5", "=", TransferUpToDate, true},
		{6, "5", "=", TransferUpToDate, true},
		{4, "5", "=", TransferUnknown, false},
		{4294967295, "3", "=", TransferUnknown, false}, // serials are a circle, RFC 1982
		{3, "4294967295", "=", TransferUpToDate, true},
		{4, "5, 4, a A 192.0.2.1, 5, a A 192.0.2.2, a A 192.0.2.3, 5", "=--+++=", TransferDifferences, true},
		{4, "5, 4, 5, 5", "=-+=", TransferDifferences, true},
		{4, "5, 4, 5, a A 192.0.2.2, 5", "=-++=", TransferDifferences, true},
		{3, "5, 3, a A 192.0.2.1, 4, a A 192.0.2.2, 4, a A 192.0.2.2, 5, b A 192.0.2.1, 5", "=--++--++=", TransferDifferences, true},
		{3, "5, 3, 4, 4, 5, 5", "=-+-+=", TransferDifferences, true},
		{3, "5, 3, 4, 4", "=-+-", TransferDifferences, false},
		{4294967295, "1, 4294967295, 0, 0, 1, 1", "=-+-+=", TransferDifferences, true},
	} {
		s := sequence{zone: dns.MustParseName("EXAMPLE.test."), class: dns.ClassIN, ixfr: c.serial != axfr, asked: uint32(c.serial)}
		got := ""
		for _, rr := range rrs(t, c.records) {
			change, err := s.next(rr)
			if err != nil {
				t.Errorf("%d: %s: %v", c.serial, c.records, err)
				break
			}
			got += string("=.-+"[change])
		}
		if got != c.want || s.kind != c.kind || (s.step == atEnd) != c.ended {
			t.Errorf("%d: %s: %s, %v, ended %v", c.serial, c.records, got, s.kind, s.step == atEnd)
		}
	}
}

// What is no transfer, at the record that shows it.
func TestSequenceRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ixfr    bool // since serial 3
		records string
		why     string
	}{
		{false, "a A 192.0.2.1", "begins with a.example.test. A instead of the SOA record"},
		{false, "a 300 SOA a a 5 1 2 3 4", "an SOA record of a.example.test."},
		{false, "5, @ NS a, 6", "begins with serial 5 and ends with 6"},
		{false, "5, 6", "begins with serial 5 and ends with 6"},
		{false, "5, 5, a A 192.0.2.1", "a.example.test. A behind its end"},
		{false, "5, 5, 5", "SOA behind its end"},
		{false, "5, www.bank.test. A 192.0.2.66", "www.bank.test. IN A is not of the zone"},
		{false, "5, test. NS a", "test. IN NS is not of the zone"},
		{false, "5, xexample.test. A 192.0.2.1", "is not of the zone"},
		{false, "5, a 300 CH TXT x", "a.example.test. CH TXT is not of the zone"},
		{false, "5, a 300 SOA a a 5 1 2 3 4", "an SOA record of a.example.test."},
		{true, "5, 4", "begins with serial 5 and ends with 4"},                  // not the serial that was asked for
		{true, "5, 3, 3", "a step from serial 3 to 3, on the way to 5"},         // removals that lead nowhere
		{true, "5, 3, 2", "a step from serial 3 to 2, on"},                      //
		{true, "5, 3, 4, 5", "a step from serial 5 to 5, when the last led to"}, // ends in the middle
		{true, "5, 3, 4, 6", "when the last led to 4"},                          // a gap
		{true, "5, 3, 5, 4", "begins with serial 5 and ends with 4"},
		{true, "5, 3, 4, 4, 6", "a step from serial 4 to 6, on the way to 5"},
		{true, "3, a A 192.0.2.1", "a.example.test. A behind its end"}, // up to date, and yet more
	} {
		s := sequence{zone: dns.MustParseName("example.test."), class: dns.ClassIN, ixfr: c.ixfr, asked: 3}
		all := rrs(t, c.records)
		for i, rr := range all {
			_, err := s.next(rr)
			if last := i == len(all)-1; (err != nil) != last {
				t.Errorf("%s: record %d: %v", c.records, i, err)
			} else if last && (!errors.Is(err, ErrTransfer) || !strings.Contains(err.Error(), c.why)) {
				t.Errorf("%s: %v, want %s", c.records, err, c.why)
			}
		}
	}
	// A question's own types are no data.
	s := sequence{zone: dns.MustParseName("example.test."), class: dns.ClassIN, step: inWhole}
	if _, err := s.next(dns.RR{Name: s.zone, Type: dns.TypeTSIG, Class: dns.ClassIN}); !errors.Is(err, ErrTransfer) {
		t.Errorf("TSIG: %v", err)
	}
}

func TestTransferKindsHaveNames(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprint(TransferUnknown, TransferWhole, TransferDifferences, TransferUpToDate); got != "unknown whole zone differences up to date" {
		t.Error(got)
	}
}

// No order of records makes it lose its way: what it says to be whole begins and ends with one serial.
func FuzzSequence(f *testing.F) {
	f.Add([]byte{5, 100, 5}, false)
	f.Add([]byte{5, 3, 100, 4, 100, 4, 5, 5}, true)
	f.Add([]byte{3}, true)
	f.Fuzz(func(t *testing.T, steps []byte, ixfr bool) {
		s := sequence{zone: dns.MustParseName("example.test."), class: dns.ClassIN, ixfr: ixfr, asked: 3}
		var first, last uint32
		for i, b := range steps {
			rr := dns.RR{Name: s.zone, Type: dns.TypeNS, Class: dns.ClassIN, Data: []byte(dns.Root)}
			if b < 100 {
				last = uint32(b)
				rr = dns.SOARR(s.zone, 0, dns.SOA{MName: dns.Root, RName: dns.Root, Serial: last})
			}
			if i == 0 {
				first = last
			}
			_, err := s.next(rr)
			if err != nil {
				return
			}
			if i == 0 && b >= 100 {
				t.Fatal("begins without an SOA record")
			}
			if s.step == atEnd && (first != last || b >= 100) {
				t.Fatalf("ended with %d of %d: %v", last, first, steps)
			}
		}
		if (s.step == atEnd) && s.kind == TransferUnknown {
			t.Fatalf("ended, and nobody knows as what: %v", steps)
		}
	})
}
