package dns

import (
	"bytes"
	"fmt"
	"testing"
)

// withOPT makes a message of a header and OPT records.
func withOPT(t testing.TB, records ...string) []byte {
	t.Helper()
	wire := []byte{0, 7, 0x80, 5, 0, 0, 0, 0, 0, 0, 0, byte(len(records))}
	for _, r := range records {
		wire = append(wire, unhex(t, r)...)
	}
	return wire
}

func TestOPTOnTheWire(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		opt   string
		edns  EDNS
		rcode Rcode
	}{
		"plain":             {"00 0029 04d0 00 00 0000 0000", EDNS{UDPSize: 1232}, 5},
		"size 0":            {"00 0029 0000 00 00 0000 0000", EDNS{}, 5},
		"size 65535":        {"00 0029 ffff 00 00 0000 0000", EDNS{UDPSize: 65535}, 5},
		"DO":                {"00 0029 04d0 00 00 8000 0000", EDNS{UDPSize: 1232, DO: true}, 5},
		"version":           {"00 0029 04d0 00 ff 0000 0000", EDNS{UDPSize: 1232, Version: 255}, 5},
		"extended rcode":    {"00 0029 04d0 01 00 0000 0000", EDNS{UDPSize: 1232}, 21},
		"largest rcode":     {"00 0029 04d0 ff 00 0000 0000", EDNS{UDPSize: 1232}, 4085},
		"an empty option":   {"00 0029 04d0 00 00 0000 0004 0003 0000", EDNS{UDPSize: 1232, Options: []Option{{OptionNSID, nil}}}, 5},
		"an unknown option": {"00 0029 04d0 00 00 0000 0006 fffe 0002 abcd", EDNS{UDPSize: 1232, Options: []Option{{65534, []byte{0xab, 0xcd}}}}, 5},
		"two of one code": {
			"00 0029 04d0 00 00 0000 000d 000f 0002 0014 000f 0003 000061",
			EDNS{UDPSize: 1232, Options: []Option{{OptionExtendedError, []byte{0, 20}}, {OptionExtendedError, []byte{0, 0, 'a'}}}}, 5,
		},
	} {
		wire := withOPT(t, tt.opt)
		m, err := Parse(wire)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !m.EDNS.Equal(&tt.edns) || m.Rcode != tt.rcode || len(m.Additional) != 0 {
			t.Errorf("%s: %+v, rcode %d", name, m.EDNS, m.Rcode)
		}
		if back, err := m.Append(nil, 0); err != nil || !bytes.Equal(back, wire) {
			t.Errorf("%s: packed as %x, %v", name, back, err)
		}
		if n := m.EDNS.wireLen(); n != len(wire)-HeaderLen {
			t.Errorf("%s: takes %d octets, said to take %d", name, len(wire)-HeaderLen, n)
		}
	}
}

func TestOPTFlagsThatAreSent(t *testing.T) {
	t.Parallel()
	for z, want := range map[uint16]string{0x4001: "c001", 0x8000: "8000", 0: "8000"} {
		m := &Message{EDNS: &EDNS{UDPSize: 1232, DO: true, Z: z}}
		wire, err := m.Append(nil, 0)
		if got := fmt.Sprintf("%x", wire[len(wire)-4:len(wire)-2]); err != nil || got != want {
			t.Errorf("%#x: %s, %v", z, got, err)
		}
	}
}

// TestOPTFlagsWithoutMeaning: the fifteen bits beside DO are dropped (RFC 6891
// section 6.1.4: ignored by receivers, zero from senders).
func TestOPTFlagsWithoutMeaning(t *testing.T) {
	t.Parallel()
	m, err := Parse(withOPT(t, "00 0029 04d0 00 00 7fff 0000"))
	if err != nil || m.EDNS.DO {
		t.Fatalf("%+v, %v", m, err)
	}
	wire, err := m.Append(nil, 0)
	if err != nil || !bytes.HasSuffix(wire, []byte{0, 0, 0, 0}) {
		t.Errorf("%x, %v", wire, err)
	}
}

func TestEDNSEqual(t *testing.T) {
	t.Parallel()
	base := func() *EDNS { return &EDNS{UDPSize: 1232, DO: true, Options: []Option{{1, []byte("a")}}} }
	for name, change := range map[string]func(*EDNS){
		"size":           func(e *EDNS) { e.UDPSize++ },
		"version":        func(e *EDNS) { e.Version++ },
		"DO":             func(e *EDNS) { e.DO = false },
		"Z":              func(e *EDNS) { e.Z = 1 },
		"no options":     func(e *EDNS) { e.Options = nil },
		"option's code":  func(e *EDNS) { e.Options[0].Code++ },
		"option's data":  func(e *EDNS) { e.Options[0].Data = []byte("b") },
		"another option": func(e *EDNS) { e.Options = append(e.Options, Option{}) },
	} {
		e := base()
		if !e.Equal(base()) {
			t.Fatal("equal ones differ")
		}
		if change(e); e.Equal(base()) || base().Equal(e) {
			t.Errorf("%s does not count", name)
		}
	}
	var none *EDNS
	if !none.Equal(nil) || none.Equal(base()) || base().Equal(nil) {
		t.Error("a missing record")
	}
}

func TestMessageEqual(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Message){
		"ID":                 func(m *Message) { m.ID++ },
		"a flag":             func(m *Message) { m.CheckingDisabled = true },
		"rcode":              func(m *Message) { m.Rcode = 0 },
		"question":           func(m *Message) { m.Question[0].Type = TypeA },
		"question's class":   func(m *Message) { m.Question[0].Class = ClassCH },
		"question's name":    func(m *Message) { m.Question[0].Name = Root },
		"no question":        func(m *Message) { m.Question = nil },
		"answer's TTL":       func(m *Message) { m.Answer[0].TTL++ },
		"answer's order":     func(m *Message) { m.Answer[0], m.Answer[1] = m.Answer[1], m.Answer[0] },
		"authority":          func(m *Message) { m.Authority = m.Authority[:1] },
		"additional":         func(m *Message) { m.Additional[0].Data = []byte("abcd") },
		"an additional more": func(m *Message) { m.Additional = append(m.Additional, m.Additional[0]) },
		"EDNS":               func(m *Message) { m.EDNS = nil },
	} {
		m := sampleMessage(t)
		if !m.Equal(sampleMessage(t)) {
			t.Fatal("equal ones differ")
		}
		if change(m); m.Equal(sampleMessage(t)) {
			t.Errorf("%s does not count", name)
		}
	}
	m := sampleMessage(t)
	m.Question[0].Name = mustName(t, "WWW.EXAMPLE.TEST.")
	m.Answer[0] = mustRR(t, "WWW MX 10 MAIL")
	if !m.Equal(sampleMessage(t)) {
		t.Error("case counts")
	}
}

func TestExtendedErrorString(t *testing.T) {
	t.Parallel()
	for e, want := range map[ExtendedError]string{
		{EDENotReady, ""}:         "EDE 14 (Not Ready)",
		{EDEProhibited, ""}:       "EDE 18 (Prohibited)",
		{EDENotAuthoritative, ""}: "EDE 20 (Not Authoritative)",
		{EDENotSupported, ""}:     "EDE 21 (Not Supported)",
		{EDEInvalidData, "bad"}:   "EDE 24 (Invalid Data): bad",
		{65000, "mine"}:           "EDE 65000: mine",
	} {
		if got := e.String(); got != want {
			t.Errorf("%+v: %s, want %s", e, got, want)
		}
		back := (&EDNS{Options: []Option{e.Option()}}).ExtendedErrors()
		if len(back) != 1 || back[0] != e {
			t.Errorf("%+v reads back as %+v", e, back)
		}
	}
}
