package dns

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	mdns "github.com/miekg/dns"
)

// raw makes a message of a header with these counts and a body.
func raw(qd, an, ns, ar byte, body string) []byte {
	return append([]byte{0x12, 0x34, 0, 0, 0, qd, 0, an, 0, ns, 0, ar}, body...)
}

const aRecord = "\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01" // after the owner

func TestParseHostile(t *testing.T) {
	t.Parallel()
	name255 := strings.Repeat("\x01a", 127) + "\x00"
	for _, tt := range []struct {
		name    string
		wire    []byte
		section string
		err     error // nil: it is fine
	}{
		{"nothing", nil, "header", errShort},
		{"eleven octets", make([]byte, 11), "header", errShort},
		{"header alone", make([]byte, 12), "", nil},
		{"one octet after the header", make([]byte, 13), "additional", errTrailing},
		{"question", raw(1, 0, 0, 0, "\x01a\x00\x00\x01\x00\x01"), "", nil},
		{"question cut in its name", raw(1, 0, 0, 0, "\x01"), "question", errShort},
		{"question without an end", raw(1, 0, 0, 0, "\x01a"), "question", errShort},
		{"question cut in its class", raw(1, 0, 0, 0, "\x01a\x00\x00\x01\x00"), "question", errShort},
		{"two questions announced", raw(2, 0, 0, 0, "\x01a\x00\x00\x01\x00\x01"), "question", errShort},
		{"65535 questions announced", append([]byte{0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0}, 0, 0, 1, 0, 1), "question", errShort},
		{"65535 answers announced", append([]byte{0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0}, "\x00"+aRecord...), "answer", errShort},
		{"question and something", raw(1, 0, 0, 0, "\x01a\x00\x00\x01\x00\x01\x00"), "additional", errTrailing},
		{"name of 255", raw(1, 0, 0, 0, name255+"\x00\x01\x00\x01"), "", nil},
		{"name of 257", raw(1, 0, 0, 0, "\x01a"+name255+"\x00\x01\x00\x01"), "question", ErrNameTooLong},
		{"pointer to itself", raw(1, 0, 0, 0, "\xc0\x0c\x00\x01\x00\x01"), "question", errPointer},
		{"pointer forward", raw(1, 0, 0, 0, "\xc0\x12\x00\x01\x00\x01\x01a\x00"), "question", errPointer},
		{"pointer past the end", raw(1, 0, 0, 0, "\xff\xff\x00\x01\x00\x01"), "question", errPointer},
		{"pointer into the header", raw(1, 0, 0, 0, "\xc0\x00\x00\x01\x00\x01"), "question", errPointer},
		{"half a pointer", raw(1, 0, 0, 0, "\xc0"), "question", errShort},
		{"loop through a label", raw(1, 0, 0, 0, "\x01a\xc0\x0c\x00\x01\x00\x01"), "question", errPointer},
		{"label type 01", raw(1, 0, 0, 0, "\x41a\x00\x00\x01\x00\x01"), "question", errLabelType},
		{"label type 10", raw(1, 0, 0, 0, "\x81a\x00\x00\x01\x00\x01"), "question", errLabelType},
		{"two pointers back", raw(1, 2, 0, 0, "\x01a\x00\x00\x01\x00\x01"+"\x01b\xc0\x0c"+aRecord+"\xc0\x13"+aRecord), "", nil},
		{"pointer grows a name past 255",
			raw(1, 1, 0, 0, name255+"\x00\x01\x00\x01"+"\x01a\xc0\x0c"+aRecord), "answer", ErrNameTooLong},
		{"record", raw(0, 1, 0, 0, "\x01a\x00"+aRecord), "", nil},
		{"record cut in its header", raw(0, 1, 0, 0, "\x01a\x00"+aRecord[:9]), "answer", errShort},
		{"record cut in its data", raw(0, 0, 1, 0, "\x01a\x00"+aRecord[:13]), "authority", errShort},
		{"record longer than announced", raw(0, 0, 0, 1, "\x01a\x00"+aRecord+"x"), "additional", errTrailing},
		{"A of 3 octets", raw(0, 1, 0, 0, "\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x03abc"), "answer", errRdata},
		{"A of 5 octets", raw(0, 1, 0, 0, "\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x05abcde"), "answer", errRdata},
		{"A of none", raw(0, 1, 0, 0, "\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00"), "answer", errRdata},
		{"A of none in class ANY", raw(0, 1, 0, 0, "\x00\x00\x01\x00\xff\x00\x00\x00\x00\x00\x00"), "", nil},
		{"A of 5 octets in class CH", raw(0, 1, 0, 0, "\x00\x00\x01\x00\x03\x00\x00\x00\x00\x00\x05abcde"), "", nil},
		{"unknown type", raw(0, 1, 0, 0, "\x00\xff\x00\x00\x01\x00\x00\x00\x00\x00\x02ab"), "", nil},
		{"NS whose name ends after its data", raw(0, 1, 0, 0, "\x00\x00\x02\x00\x01\x00\x00\x00\x00\x00\x02\x01a\x00"), "answer", errRdata},
		{"NS with more after its name", raw(0, 1, 0, 0, "\x00\x00\x02\x00\x01\x00\x00\x00\x00\x00\x02\x00\x00"), "answer", errRdata},
		{"NS pointing at itself", raw(0, 1, 0, 0, "\x00\x00\x02\x00\x01\x00\x00\x00\x00\x00\x02\xc0\x17"), "answer", errPointer},
		{"DNAME compressed", raw(0, 1, 0, 0, "\x01a\x00\x00\x27\x00\x01\x00\x00\x00\x00\x00\x02\xc0\x0c"), "answer", errNoPointer},
		{"SRV compressed", raw(0, 1, 0, 0, "\x01a\x00\x00\x21\x00\x01\x00\x00\x00\x00\x00\x08\x00\x01\x00\x02\x00\x03\xc0\x0c"), "", nil},
		{"SOA cut", raw(0, 1, 0, 0, "\x00\x00\x06\x00\x01\x00\x00\x00\x00\x00\x06\x00\x00\x01\x02\x03\x04"), "answer", errRdata},
		{"TXT of none", raw(0, 1, 0, 0, "\x00\x00\x10\x00\x01\x00\x00\x00\x00\x00\x00"), "answer", errRdata},
		{"TXT whose string runs over", raw(0, 1, 0, 0, "\x00\x00\x10\x00\x01\x00\x00\x00\x00\x00\x02\x05a"), "answer", errRdata},
		{"NSEC bitmap with a zero window", raw(0, 1, 0, 0, "\x00\x00\x2f\x00\x01\x00\x00\x00\x00\x00\x04\x00\x00\x01\x00"), "answer", errBitmap},
		{"OPT", raw(0, 0, 0, 1, "\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00"), "", nil},
		{"two OPT", raw(0, 0, 0, 2, strings.Repeat("\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00", 2)), "additional", errTwoOPT},
		{"OPT among the answers", raw(0, 1, 0, 0, "\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00"), "answer", errOPTPlace},
		{"OPT with an owner", raw(0, 0, 0, 1, "\x01a\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00"), "additional", errOPTPlace},
		{"OPT option cut in its head", raw(0, 0, 0, 1, "\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x03\x00\x0a\x00"), "additional", errShort},
		{"OPT option cut in its data", raw(0, 0, 0, 1, "\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x05\x00\x0a\x00\x02a"), "additional", errShort},
		{"too long", make([]byte, 65536), "header", nil},
	} {
		m, err := Parse(tt.wire)
		if tt.section == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		var pe *ParseError
		if !errors.As(err, &pe) || pe.Section != tt.section || (tt.err != nil && !errors.Is(err, tt.err)) || m != nil {
			t.Errorf("%s: %v, want %s: %v", tt.name, err, tt.section, tt.err)
		}
	}
}

func TestParseDecompressesData(t *testing.T) {
	t.Parallel()
	// Types of RFC 3597 section 4 that a sender may have compressed.
	for typ, data := range map[string]string{
		"RP": "\xc0\x0c\xc0\x0c", "AFSDB": "\x00\x01\xc0\x0c", "RT": "\x00\x01\xc0\x0c",
		"PX": "\x00\x01\xc0\x0c\xc0\x0c", "KX": "", "SRV": "\x00\x01\x00\x02\x00\x03\xc0\x0c",
		"NAPTR": "\x00\x01\x00\x02\x01u\x00\x00\xc0\x0c", "MINFO": "\xc0\x0c\xc0\x0c", "PTR": "\xc0\x0c",
		"SIG": "\x00\x01\x05\x01\x00\x00\x00\x3c\x00\x00\x00\x01\x00\x00\x00\x01\x00\x01\xc0\x0csignature",
		"NXT": "\xc0\x0c\x40",
	} {
		if data == "" {
			continue
		}
		n, err := ParseType(typ)
		if err != nil {
			t.Fatal(err)
		}
		rec := "\xc0\x0c" + string([]byte{byte(n >> 8), byte(n)}) + "\x00\x01\x00\x00\x00\x3c" +
			string([]byte{0, byte(len(data))}) + data
		m, err := Parse(raw(1, 1, 0, 0, "\x04test\x00\x00\x01\x00\x01"+rec))
		if err != nil {
			t.Errorf("%s: %v", typ, err)
			continue
		}
		if got := string(m.Answer[0].Data); strings.Contains(got, "\xc0") || !strings.Contains(got, "\x04test\x00") {
			t.Errorf("%s: data %q", typ, got)
		}
	}
}

func TestParseTTL(t *testing.T) {
	t.Parallel()
	for ttl, want := range map[string]uint32{"\x7f\xff\xff\xff": MaxTTL, "\x80\x00\x00\x00": 0, "\xff\xff\xff\xff": 0} {
		m, err := Parse(raw(0, 1, 0, 0, "\x00\x00\x01\x00\x01"+ttl+"\x00\x04abcd"))
		if err != nil || m.Answer[0].TTL != want {
			t.Errorf("TTL %x: %+v, %v", ttl, m, err)
		}
	}
}

func TestParseKeepsNothing(t *testing.T) {
	t.Parallel()
	m := sampleMessage(t)
	wire, err := m.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(wire)
	if err != nil {
		t.Fatal(err)
	}
	clear(wire)
	if !got.Equal(m) {
		t.Error("the message changed with the buffer that it was read from")
	}
}

func TestParseEveryPrefix(t *testing.T) {
	t.Parallel()
	wire, err := sampleMessage(t).Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range wire {
		if m, err := Parse(wire[:i]); err == nil {
			t.Errorf("the first %d of %d octets are a message: %+v", i, len(wire), m)
		}
	}
}

func TestParseRecordRefusesPointers(t *testing.T) {
	t.Parallel()
	rr := mustRR(t, "www MX 10 mail")
	wire := rr.appendWire(nil)
	got, size, err := ParseRecord(append(wire, "more"...))
	if err != nil || size != len(wire) || !got.Equal(rr) {
		t.Errorf("%v, %d, %v", got, size, err)
	}
	if _, _, err := ParseRecord([]byte("\xc0\x00" + aRecord)); err == nil {
		t.Error("a pointer was followed")
	}
}

// TestPointersOfAName: the longest name, each of its labels behind a pointer to
// the label before, is read; a name of one pointer more is not.
func TestPointersOfAName(t *testing.T) {
	t.Parallel()
	body := []byte("\x00\x00\x01\x00\x01") // the root as the question, then TXT-like data
	at := HeaderLen + len(body) + 11       // where the data of the first record begins
	data := []byte("\x00")
	last := at
	for range maxPointers {
		here := at + len(data)
		data = append(data, 1, 'a', 0xc0|byte(last>>8), byte(last))
		last = here
	}
	body = append(body, "\x00\xff\x00\x00\x01\x00\x00\x00\x00"...)
	body = append(body, byte(len(data)>>8), byte(len(data)))
	body = append(body, data...)
	// The labels of the last, and its 127 pointers, stand uncompressed at its end.
	if m, err := Parse(raw(1, 2, 0, 0, string(body)+string(data[len(data)-4:])+aRecord)); err != nil {
		t.Error(err)
	} else if got := m.Answer[1].Name; got.NumLabels() != 127 || !got.Valid() {
		t.Errorf("%d labels", got.NumLabels())
	}
	pointer := string([]byte{0xc0 | byte(last>>8), byte(last)})
	if _, err := Parse(raw(1, 2, 0, 0, string(body)+pointer+aRecord)); !errors.Is(err, errPointers) {
		t.Errorf("128 pointers: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	whole, err := sampleMessage(f).Append(nil, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(raw(1, 0, 0, 1, "\x03www\x04test\x00\x00\x01\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00"))
	f.Add(raw(1, 1, 0, 0, "\x01a\x00\x00\x01\x00\x01\xc0\x0c"+aRecord))
	f.Add(raw(1, 0, 0, 0, "\xc0\x0c\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		m, err := Parse(wire)
		if err != nil {
			if m != nil {
				t.Fatal("a message and an error")
			}
			return
		}
		checkRoundTrip(t, m)
		if sharedWithMiekg(m) {
			var foreign mdns.Msg
			if err := foreign.Unpack(wire); err != nil {
				t.Fatalf("we accept what miekg/dns does not: %v\n%x", err, wire)
			}
		}
	})
}

func checkRoundTrip(t *testing.T, m *Message) {
	t.Helper()
	_ = Summary(m)
	packed, err := m.Append(nil, 0)
	if m.Rcode > 15 && m.EDNS == nil {
		t.Fatalf("an rcode of %d without EDNS", m.Rcode)
	}
	if errors.Is(err, ErrTooLarge) {
		return // decompressed data can be too much for one message
	}
	if err != nil {
		t.Fatalf("cannot pack what was read: %v", err)
	}
	again, err := Parse(packed)
	if err != nil {
		t.Fatalf("cannot read what was packed: %v\n%x", err, packed)
	}
	if again.Truncated && !m.Truncated {
		return
	}
	if !again.Equal(m) {
		t.Fatalf("round trip:\n%+v\n%+v", m, again)
	}
	if stable, err := again.Append(nil, 0); err != nil || !bytes.Equal(stable, packed) {
		t.Fatalf("packing is not stable: %v\n%x\n%x", err, packed, stable)
	}
}

// sharedWithMiekg says whether a message holds only records whose data both
// read: in other types miekg/dns looks deeper than we do, who keep the data
// as it is.
func sharedWithMiekg(m *Message) bool {
	if m.EDNS != nil && len(m.EDNS.Options) > 0 {
		return false
	}
	for _, s := range [][]RR{m.Answer, m.Authority, m.Additional} {
		for _, rr := range s {
			if rr.Class == ClassCH || rr.Class == ClassHS {
				return false
			}
			switch l := rdataLayout(rr.Type, rr.Class); {
			case rr.Type == TypeNXT, rr.Type == TypeSVCB, rr.Type == TypeHTTPS:
				return false
			case l == "*":
				if _, known := mdns.TypeToRR[uint16(rr.Type)]; known {
					return false
				}
			}
		}
	}
	return true
}
