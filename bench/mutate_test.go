package main

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
)

func TestCorpusIsOfMessages(t *testing.T) {
	all, err := corpus()
	if err != nil || len(all) < 40 {
		t.Fatalf("%d messages: %v", len(all), err)
	}
	if again, _ := corpus(); !slices.EqualFunc(all, again, bytes.Equal) {
		t.Error("made again it has another order")
	}
	for _, wire := range all {
		if _, err := dns.Parse(wire); err != nil {
			t.Errorf("%x: %v", wire, err)
		}
	}
}

func TestPacketsComeAgainByTheirNumber(t *testing.T) {
	all, err := corpus()
	if err != nil {
		t.Fatal(err)
	}
	var a, b [][]byte
	readable, short, longest := 0, 0, 0
	m := newMutator(all, 7)
	const n = 20_000
	for i := range uint64(n) {
		p := m.packet(i)
		a = append(a, bytes.Clone(p))
		if _, err := dns.Parse(p); err == nil {
			readable++
		}
		if len(p) < 12 {
			short++
		}
		longest = max(longest, len(p))
	}
	m = newMutator(all, 7)
	for i := n - 1; i >= 0; i-- { // in any order
		b = append(b, bytes.Clone(m.packet(uint64(i))))
	}
	slices.Reverse(b)
	if !slices.EqualFunc(a, b, bytes.Equal) {
		t.Error("the same seed and number give another packet")
	}
	if bytes.Equal(newMutator(all, 8).packet(0), a[0]) && bytes.Equal(newMutator(all, 8).packet(1), a[1]) {
		t.Error("another seed gives the same packets")
	}
	// Packets of all kinds: what is read, what is not, and what is no header.
	if readable < n/20 || readable > n*19/20 || short < n/100 || longest > maxPacket {
		t.Errorf("%d of %d are messages, %d are shorter than a header, the longest has %d octets", readable, n, short, longest)
	}
}

func TestAnswerable(t *testing.T) {
	q := make([]byte, 12)
	if !answerable(q) || answerable(q[:11]) || answerable(nil) {
		t.Error("a header makes the difference")
	}
	q[2] = 0x80
	if answerable(q) {
		t.Error("a response is not answered")
	}
	number(q, 0x0123)
	if q[0] != 1 || q[1] != 0x23 {
		t.Errorf("%x", q)
	}
	number(q[:1], 1) // does not panic
}

func TestGrowth(t *testing.T) {
	const mega = 1 << 20
	if err := grown(100*mega, 141*mega); err != nil {
		t.Error(err)
	}
	if err := grown(100*mega, 142*mega); err == nil {
		t.Error("42 MB more are no growth")
	}
}

// A server as it should not be: what it does is noticed.
func TestAssaultFindsFault(t *testing.T) {
	all, err := corpus()
	if err != nil {
		t.Fatal(err)
	}
	answer := func(query []byte, change func(*dns.Message)) []byte {
		q, err := dns.Parse(query)
		if err != nil {
			return nil
		}
		r := q.Reply(dns.RcodeSuccess)
		r.Authoritative = true
		if len(q.Question) > 0 {
			r.Answer = []dns.RR{dns.AddressRR(q.Question[0].Name, 60, addr(t, "192.0.2.1"))}
		}
		change(r)
		out, err := r.Append(nil, 0)
		if err != nil {
			return nil
		}
		return out
	}
	right := func(query []byte) []byte {
		if !answerable(query) {
			return nil
		}
		return answer(query, func(*dns.Message) {})
	}
	for name, c := range map[string]struct {
		serve func(query []byte) []byte
		want  string
	}{
		"all is well": {right, ""},
		"no address":  {func(q []byte) []byte { return answer(q, func(r *dns.Message) { r.Answer = nil }) }, "the answer to a sane question is"},
		"another address": {func(q []byte) []byte {
			return answer(q, func(r *dns.Message) {
				for i := range r.Answer {
					r.Answer[i] = dns.AddressRR(r.Answer[i].Name, 60, addr(t, "192.0.2.9"))
				}
			})
		}, "the answer to a sane question is"},
		"garbage":            {func([]byte) []byte { return []byte("garbage") }, "an answer is malformed"},
		"an echo":            {func(q []byte) []byte { return q }, ""}, // a query, or malformed
		"answers to answers": {func(q []byte) []byte { return append([]byte{q0(q), q1(q), 0x80}, make([]byte, 9)...) }, "deserves no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			at := serveUDP(t, c.serve)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			tally, err := assault(ctx, at, all, 1, 0, 2000)
			if name == "all is well" {
				if err != nil || tally.sent != 2000 || tally.answers() == 0 || tally.sane < 2000/volley {
					t.Errorf("%+v %v", tally, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v %v", tally, err)
			}
		})
	}
}

func TestTally(t *testing.T) {
	a, b := newTally(), newTally()
	a.sent, a.sane, a.codes["NOERROR"] = 10, 2, 3
	b.sent, b.asking, b.codes["NOERROR"], b.codes["FORMERR"] = 10, 1, 1, 6
	a.add(b)
	const want = `20 mutated packets in 3 s, seed 9; 2 sane questions between them were answered right, 1 had to be asked again
memory after the first tenth 10 MB, at the end 11 MB
    FORMERR   6  30.0 %
    NOERROR   4  20.0 %
  no answer  10  50.0 %
`
	if got := a.table(dnsOptions{seed: 9}, 3*time.Second, 10<<20, 11<<20); got != want {
		t.Errorf("got\n%s", got)
	}
}
