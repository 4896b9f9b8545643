package dns

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestWriterIsAppend: a message that is written record by record is that of Message.Append, where all fits.
func TestWriterIsAppend(t *testing.T) {
	t.Parallel()
	var w Writer // one for all: what it remembers must not show
	rapid.Check(t, func(rt *rapid.T) {
		m := NewQuery(rapid.Uint16().Draw(rt, "id"), MustParseName("Www.example.test."), TypeAXFR)
		m.Response, m.Authoritative = true, rapid.Bool().Draw(rt, "aa")
		if rapid.Bool().Draw(rt, "edns") {
			m.EDNS = &EDNS{UDPSize: 1232, Options: []Option{{Code: OptionNSID, Data: []byte("x")}}}
		}
		for i := range rapid.IntRange(0, 300).Draw(rt, "records") {
			name := MustParseName(fmt.Sprintf("%s%d.example.test.", rapid.SampledFrom([]string{"a", "b.C", "WWW"}).Draw(rt, "name"), i))
			m.Answer = append(m.Answer, NameRR(name, 1, TypeNS, MustParseName("ns.Example.test.")))
		}
		want, err := m.Append([]byte("before"), 0)
		if err != nil {
			rt.Fatal(err)
		}
		if err := w.Start([]byte("before"), m.Header, m.Question, m.EDNS); err != nil {
			rt.Fatal(err)
		}
		for _, rr := range m.Answer {
			if fits, err := w.Answer(rr, 0); !fits || err != nil {
				rt.Fatal(fits, err)
			}
		}
		if got := w.Finish(); !bytes.Equal(got, want) || w.Answers() != len(m.Answer) {
			rt.Fatalf("%x\nwant\n%x", got, want)
		}
	})
}

func TestWriterLimit(t *testing.T) {
	t.Parallel()
	name := MustParseName("a.test.")
	rr := RR{Name: name, Type: 65280, Class: ClassIN, Data: make([]byte, 10)}
	edns := &EDNS{UDPSize: 1232}
	size := HeaderLen + len(name) + 4 + 2 + 10 + 10 + 11
	for limit, want := range map[int]bool{size: true, size - 1: false} {
		var w Writer
		if err := w.Start(nil, Header{}, []Question{{name, TypeAXFR, ClassIN}}, edns); err != nil {
			t.Fatal(err)
		}
		fits, err := w.Answer(rr, limit)
		if fits != want || err != nil {
			t.Errorf("%d octets: %v, %v", limit, fits, err)
		}
		out := w.Finish()
		m, err := Parse(out)
		if err != nil || len(m.Answer) != w.Answers() || (len(m.Answer) == 1) != want || m.EDNS == nil || want && len(out) != limit {
			t.Errorf("%d octets: %v of %d octets, %v", limit, m, len(out), err)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	t.Parallel()
	var w Writer
	if err := w.Start(nil, Header{}, []Question{{Name: "\x05bad"}}, nil); err == nil {
		t.Error("a question that is no name")
	}
	if err := w.Start(nil, Header{}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if fits, err := w.Answer(RR{Name: "\x05bad"}, 0); fits || err == nil {
		t.Error("a record that has no name")
	}
	if fits, err := w.Answer(RR{Name: Root, Data: make([]byte, MaxMessageLen+1)}, 0); fits || !errors.Is(err, ErrTooLarge) {
		t.Error(fits, err)
	}
	if fits, err := w.Answer(RR{Name: Root, Data: make([]byte, MaxMessageLen-HeaderLen-11)}, MaxMessageLen+1); !fits || err != nil {
		t.Error(fits, err)
	}
	if out := w.Finish(); len(out) != MaxMessageLen {
		t.Error(len(out))
	}
}
