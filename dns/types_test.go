package dns

import "testing"

func TestTypeNames(t *testing.T) {
	t.Parallel()
	for v := range 1 << 16 {
		typ := Type(v)
		back, err := ParseType(typ.String())
		if err != nil || back != typ {
			t.Fatalf("type %d: %s reads back as %d, %v", v, typ, back, err)
		}
	}
	for in, want := range map[string]Type{
		"a": TypeA, "Aaaa": TypeAAAA, "TYPE1": TypeA, "type65280": 65280, "ANY": TypeANY,
		"NSAP-PTR": 23, "https": TypeHTTPS,
	} {
		if got, err := ParseType(in); err != nil || got != want {
			t.Errorf("ParseType(%q) = %d, %v", in, got, err)
		}
	}
	for _, bad := range []string{"", "TYPE", "TYPE65536", "TYPE-1", "TYPE+1", "TYPE1x", "NOSUCH", "*"} {
		if got, err := ParseType(bad); err == nil {
			t.Errorf("ParseType(%q) = %d", bad, got)
		}
	}
	for typ, meta := range map[Type]bool{
		0: true, TypeA: false, TypeOPT: true, 127: false, 128: true, TypeTSIG: true,
		TypeANY: true, 256: false, TypeCAA: false,
	} {
		if typ.IsMeta() != meta {
			t.Errorf("%s.IsMeta() = %v", typ, !meta)
		}
	}
}

func TestOtherNames(t *testing.T) {
	t.Parallel()
	for v := range 1 << 16 {
		if back, err := ParseClass(Class(v).String()); err != nil || back != Class(v) {
			t.Fatalf("class %d reads back as %d, %v", v, back, err)
		}
	}
	for v := range 16 {
		if back, err := ParseOpcode(Opcode(v).String()); err != nil || back != Opcode(v) {
			t.Fatalf("opcode %d reads back as %d, %v", v, back, err)
		}
	}
	for v := range 4096 {
		if back, err := ParseRcode(Rcode(v).String()); err != nil || back != Rcode(v) {
			t.Fatalf("rcode %d reads back as %d, %v", v, back, err)
		}
	}
	if RcodeBadVers.String() != "BADVERS" || RcodeNXDomain.String() != "NXDOMAIN" {
		t.Error("names of response codes")
	}
	if c, err := ParseClass("in"); err != nil || c != ClassIN {
		t.Error(c, err)
	}
	for _, bad := range []string{"", "CLASS", "CLASS65536", "XX"} {
		if _, err := ParseClass(bad); err == nil {
			t.Errorf("ParseClass(%q)", bad)
		}
	}
	if _, err := ParseOpcode("OPCODE16"); err == nil {
		t.Error("OPCODE16")
	}
	if _, err := ParseRcode("RCODE4096"); err == nil {
		t.Error("RCODE4096")
	}
}
