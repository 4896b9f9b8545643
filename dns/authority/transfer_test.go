package authority

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

var transferApex = dns.MustParseName("example.test.")

func transferZone(t testing.TB, serial int, lines ...string) *zone.Zone {
	t.Helper()
	text := fmt.Sprintf("$TTL 300\n@ SOA ns1 Host %d 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n", serial) + strings.Join(lines, "\n") + "\n"
	z, _, err := zone.Load(strings.NewReader(text), zone.ReadOptions{Origin: transferApex})
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func axfr() *dns.Message { return dns.NewQuery(7, transferApex, dns.TypeAXFR) }

func ixfr(serial uint32) *dns.Message {
	q := dns.NewQuery(7, transferApex, dns.TypeIXFR)
	q.Authority = []dns.RR{dns.SOARR(transferApex, 0, dns.SOA{MName: dns.Root, RName: dns.Root, Serial: serial})}
	return q
}

func transfer(t testing.TB, z *zone.Zone, h zone.History, q *dns.Message, opts TransferOptions) *Transfer {
	t.Helper()
	tr, code := NewTransfer(z, h, q, opts)
	if code != dns.RcodeSuccess {
		t.Fatal(code)
	}
	return tr
}

// received takes a transfer apart: its records, and how many messages it had. It checks each message.
func received(t interface{ Fatal(...any) }, tr *Transfer, most int, verify func([]byte) error) (rrs []dns.RR, messages int) {
	for wire, err := range tr.Messages() {
		if err != nil {
			t.Fatal(err)
		}
		if verify != nil {
			if err := verify(wire); err != nil {
				t.Fatal(err)
			}
		}
		m, err := dns.Parse(wire)
		if err != nil {
			t.Fatal(err)
		}
		first := messages == 0
		if !m.Response || !m.Authoritative || m.ID != 7 || m.Rcode != 0 || (len(m.Question) == 1) != first || (m.EDNS != nil) != (first && tr.query.EDNS != nil) {
			t.Fatal(fmt.Sprintf("message %d: %+v", messages, m))
		}
		if len(wire) > most && len(m.Answer) > 1 || len(m.Answer) == 0 {
			t.Fatal(fmt.Sprintf("message %d has %d octets and %d records", messages, len(wire), len(m.Answer)))
		}
		rrs = append(rrs, m.Answer...)
		messages++
	}
	return rrs, messages
}

// exactly compares records to the octet.
func exactly(a, b []dns.RR) bool {
	return slices.EqualFunc(a, b, func(a, b dns.RR) bool { return a.Equal(b) && a.Name == b.Name && bytes.Equal(a.Data, b.Data) })
}

// TestFullTransfer: whatever the zone and the size of messages, what comes is the zone, SOA first and last; signed or not.
func TestFullTransfer(t *testing.T) {
	t.Parallel()
	key := dns.TSIGKey{Name: dns.MustParseName("key."), Algorithm: dns.HMACSHA256, Secret: []byte("secret")}
	now := time.Unix(1_800_000_000, 0)
	rapid.Check(t, func(rt *rapid.T) {
		var lines []string
		for i := range rapid.IntRange(0, 60).Draw(rt, "names") {
			text := strings.Repeat("x", rapid.IntRange(1, 255).Draw(rt, "octets"))
			lines = append(lines, fmt.Sprintf("%s%d TXT %s", rapid.SampledFrom([]string{"a", "B", "*.c", "d.e"}).Draw(rt, "name"), i, text))
		}
		z := transferZone(t, 7, lines...)
		q, opts := axfr(), TransferOptions{Size: rapid.IntRange(300, 3000).Draw(rt, "size")}
		if rapid.Bool().Draw(rt, "edns") {
			q.EDNS = &dns.EDNS{UDPSize: 1232, DO: true}
		}
		if rapid.Bool().Draw(rt, "from an unknown version") {
			edns := q.EDNS
			q = ixfr(3)
			q.EDNS = edns
		}
		var verify func([]byte) error
		var verifier *dns.TSIGVerifier
		if rapid.Bool().Draw(rt, "signed") {
			opts.Signer, verifier = signer(t, q, key, now)
			verify = func(wire []byte) error { return verifier.Verify(wire, now) }
		}
		tr := transfer(t, z, zone.History{}, q, opts)
		got, messages := received(rt, tr, opts.Size, verify)
		want := slices.Collect(z.All())
		if !exactly(got, append(want, want[0])) || tr.Kind != Full {
			rt.Fatalf("%s: %v, want %v", tr.Kind, got, want)
		}
		if size := wireSize(got); messages < size/opts.Size/3 {
			rt.Fatalf("%d messages for %d octets", messages, size)
		}
		if verifier != nil && verifier.Finish() != nil {
			rt.Fatal(verifier.Finish())
		}
	})
}

func wireSize(rrs []dns.RR) (size int) {
	for _, rr := range rrs {
		size += 12 + len(rr.Data)
	}
	return size
}

// timedSigner is a dns.TSIGSigner at one time.
type timedSigner struct {
	*dns.TSIGSigner
	now time.Time
}

func (s timedSigner) Sign(dst, wire []byte) ([]byte, error) {
	return s.TSIGSigner.Sign(dst, wire, s.now)
}

func signer(t testing.TB, q *dns.Message, key dns.TSIGKey, now time.Time) (Signer, *dns.TSIGVerifier) {
	t.Helper()
	wire, err := q.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	signed, verifier, err := dns.SignTSIG(nil, wire, key, now)
	if err != nil {
		t.Fatal(err)
	}
	s, fault := dns.OpenTSIG(signed, func(dns.Name, dns.TSIGAlgorithm) (dns.TSIGKey, bool) { return key, true }, now)
	if fault != nil {
		t.Fatal(fault)
	}
	return timedSigner{s, now}, verifier
}

func TestTransferSizes(t *testing.T) {
	t.Parallel()
	large := strings.TrimSpace(strings.Repeat(strings.Repeat("x", 255)+" ", 200))
	z := transferZone(t, 7, "a TXT 1", "large TXT "+large, "z TXT 1")
	got, messages := received(t, transfer(t, z, zone.History{}, axfr(), TransferOptions{}), DefaultTransferSize, nil)
	if len(got) != 7 || messages != 3 {
		t.Errorf("%d records in %d messages", len(got), messages)
	}
	// A record for which not even a message of its own has room, with the signature.
	tr := transfer(t, z, zone.History{}, axfr(), TransferOptions{Signer: greedy{}})
	var err error
	for _, err = range tr.Messages() {
		if err != nil {
			break
		}
	}
	if !errors.Is(err, dns.ErrTooLarge) || !strings.Contains(err.Error(), "large.example.test. TXT") {
		t.Error(err)
	}
}

// greedy is a signature that leaves no more than 50,000 octets.
type greedy struct{}

func (greedy) Size() int                             { return dns.MaxMessageLen - 50_000 }
func (greedy) Sign(dst, wire []byte) ([]byte, error) { return append(dst, wire...), nil }

// broken fails to sign.
type broken struct{}

var errBroken = errors.New("broken")

func (broken) Size() int                          { return 0 }
func (broken) Sign(dst, _ []byte) ([]byte, error) { return dst, errBroken }

func TestTransferThatCannotBeSigned(t *testing.T) {
	t.Parallel()
	tr := transfer(t, transferZone(t, 7), zone.History{}, axfr(), TransferOptions{Signer: broken{}})
	n := 0
	for wire, err := range tr.Messages() {
		if n++; !errors.Is(err, errBroken) || wire != nil {
			t.Error(wire, err)
		}
	}
	if n != 1 {
		t.Errorf("%d messages", n)
	}
	if out, err := tr.Single([]byte("x"), 512); !errors.Is(err, errBroken) || string(out) != "x" {
		t.Error(out, err)
	}
}

func TestTransferIsGivenUp(t *testing.T) {
	t.Parallel()
	tr := transfer(t, transferZone(t, 7, "a TXT 1", "b TXT 1"), zone.History{}, axfr(), TransferOptions{Size: 80})
	for range tr.Messages() {
		break // whoever takes the messages may leave
	}
}

// TestIncremental takes every version of a zone to the newest, as a secondary would.
func TestIncremental(t *testing.T) {
	t.Parallel()
	var filler []string
	for i := range 50 {
		filler = append(filler, fmt.Sprintf("f%d TXT 1", i))
	}
	var versions []*zone.Zone
	var past zone.History
	for i := range 4 {
		z := transferZone(t, 7+i, append(filler, fmt.Sprintf("www%d A 192.0.2.%d", i/2, i), fmt.Sprintf("n%d TXT 1", i))...)
		if i > 0 {
			past = past.With(zone.Between(versions[i-1], z), zone.HistoryLimits{})
		}
		versions = append(versions, z)
	}
	newest := versions[3]
	for i, v := range versions[:3] {
		tr := transfer(t, newest, past, ixfr(uint32(7+i)), TransferOptions{Size: 200})
		got, messages := received(t, tr, 200, nil)
		if tr.Kind != Incremental || tr.From != uint32(7+i) || messages < 2 {
			t.Fatalf("%s, %d messages", tr.Kind, messages)
		}
		apply(t, v, newest, got)
	}
	for serial, want := range map[uint32]TransferKind{10: Current, 11: Current, 6: Full, 9: Incremental} {
		if tr := transfer(t, newest, past, ixfr(serial), TransferOptions{}); tr.Kind != want {
			t.Errorf("since %d: %s", serial, tr.Kind)
		}
	}
	got, messages := received(t, transfer(t, newest, past, ixfr(10), TransferOptions{}), DefaultTransferSize, nil)
	if len(got) != 1 || got[0].Type != dns.TypeSOA || messages != 1 {
		t.Errorf("%v in %d messages", got, messages)
	}
}

// apply reads an incremental transfer as RFC 1995 section 4 says, and changes old accordingly.
func apply(t *testing.T, old, want *zone.Zone, rrs []dns.RR) {
	t.Helper()
	soa := func(i int) uint32 {
		s, ok := rrs[i].SOA()
		if !ok {
			t.Fatalf("record %d of %v is no SOA", i, rrs)
		}
		return s.Serial
	}
	last := len(rrs) - 1
	if soa(0) != want.SOA().Serial || soa(last) != want.SOA().Serial || soa(1) != old.SOA().Serial {
		t.Fatalf("SOA records of %v", rrs)
	}
	var d zone.Difference
	part := &d.Deleted
	for i, rr := range rrs[1:last] {
		if i > 0 && rr.Type == dns.TypeSOA {
			part = &d.Added
		}
		*part = append(*part, rr)
	}
	e := old.Edit()
	if err := e.Apply(d); err != nil {
		t.Fatal(err)
	}
	if got := e.Zone(); !got.SameContent(want) || got.SOA() != want.SOA() {
		t.Errorf("%v, want %v", slices.Collect(got.All()), slices.Collect(want.All()))
	}
}

func TestIncrementalThatIsLongerThanTheZone(t *testing.T) {
	t.Parallel()
	a := transferZone(t, 7, "a TXT 1", "b TXT 1")
	b := transferZone(t, 8, "c TXT 1", "d TXT 1") // 6 records; the difference has 2 SOA and 4 TXT
	past := zone.History{}.With(zone.Between(a, b), zone.HistoryLimits{})
	if tr := transfer(t, b, past, ixfr(7), TransferOptions{}); tr.Kind != Full {
		// 5 records and more are not worth it
		t.Errorf("%s", tr.Kind)
	}
	c := transferZone(t, 8, "b TXT 1", "c TXT 1") // 5 records, 4 of difference
	past = zone.History{}.With(zone.Between(a, c), zone.HistoryLimits{})
	if tr := transfer(t, c, past, ixfr(7), TransferOptions{}); tr.Kind != Incremental {
		t.Errorf("%s", tr.Kind)
	}
}

func TestTransferRefuses(t *testing.T) {
	t.Parallel()
	z := transferZone(t, 7)
	chaos, other := axfr(), axfr()
	chaos.Question[0].Class = dns.ClassCH
	other.Question[0].Name = dns.MustParseName("www.example.test.")
	bare, twoSOA, foreign, noSOA := ixfr(1), ixfr(1), ixfr(1), ixfr(1)
	bare.Authority = nil
	twoSOA.Authority = append(twoSOA.Authority, twoSOA.Authority[0])
	foreign.Authority = []dns.RR{foreign.Authority[0]}
	foreign.Authority[0].Name = dns.Root
	noSOA.Authority = []dns.RR{dns.NameRR(transferApex, 0, dns.TypeNS, dns.Root)}
	for what, tt := range map[string]struct {
		q    *dns.Message
		want dns.Rcode
	}{
		"class": {chaos, dns.RcodeNotAuth}, "a name in the zone": {other, dns.RcodeNotAuth}, "no SOA": {bare, dns.RcodeFormErr},
		"two SOAs": {twoSOA, dns.RcodeFormErr}, "an SOA of another zone": {foreign, dns.RcodeFormErr}, "NS": {noSOA, dns.RcodeFormErr},
		"fine": {ixfr(1), dns.RcodeSuccess},
	} {
		if _, code := NewTransfer(z, zone.History{}, tt.q, TransferOptions{}); code != tt.want {
			t.Errorf("%s: %s, want %s", what, code, tt.want)
		}
	}
	two := axfr()
	two.Question = append(two.Question, two.Question[0])
	notify := axfr()
	notify.Opcode = dns.OpcodeNotify
	for _, q := range []*dns.Message{two, notify, dns.NewQuery(1, transferApex, dns.TypeSOA)} {
		if IsTransfer(q) {
			t.Errorf("%+v is no transfer", q)
		}
	}
	if !IsTransfer(axfr()) || !IsTransfer(ixfr(1)) {
		t.Error("AXFR and IXFR are transfers")
	}
}

func TestTransferOverUDP(t *testing.T) {
	t.Parallel()
	var filler []string
	for i := range 9 {
		filler = append(filler, fmt.Sprintf("f%d TXT 1", i))
	}
	a, b := transferZone(t, 7, filler...), transferZone(t, 8, append(filler, "www A 192.0.2.1")...)
	past := zone.History{}.With(zone.Between(a, b), zone.HistoryLimits{})
	tr := transfer(t, b, past, ixfr(7), TransferOptions{})
	whole, err := tr.Single([]byte("x"), 512)
	if err != nil || whole[0] != 'x' {
		t.Fatal(err)
	}
	size := len(whole) - 1
	for limit, records := range map[int]int{size: 5, size - 1: 1} {
		out, err := tr.Single(nil, limit)
		if err != nil || len(out) > limit {
			t.Fatal(len(out), err)
		}
		m, err := dns.Parse(out)
		if err != nil || len(m.Answer) != records || m.Answer[0].Type != dns.TypeSOA || m.Truncated || len(m.Question) != 1 {
			t.Errorf("%d octets: %v, %v", limit, m, err)
		}
	}
	key := dns.TSIGKey{Name: dns.MustParseName("key."), Algorithm: dns.HMACSHA256, Secret: []byte("secret")}
	now := time.Unix(1_800_000_000, 0)
	s, verifier := signer(t, ixfr(7), key, now)
	tr = transfer(t, b, past, ixfr(7), TransferOptions{Signer: s})
	out, err := tr.Single(nil, size+s.Size()-1)
	if err != nil || len(out) > size+s.Size()-1 || verifier.Verify(out, now) != nil {
		t.Error(len(out), err)
	}
	if m, err := dns.Parse(out); err != nil || len(m.Answer) != 1 {
		t.Error("the signature has no room, and nothing was left out", err)
	}
}

func TestTransferKinds(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprint(Full, Incremental, Current); got != "full incremental current" {
		t.Error(got)
	}
}

// BenchmarkTransfer measures a record of a full transfer.
func BenchmarkTransfer(b *testing.B) {
	var lines []string
	for i := range 20_000 {
		lines = append(lines, fmt.Sprintf("host%d A 192.0.2.1", i))
	}
	z := transferZone(b, 7, lines...)
	b.ReportAllocs()
	octets := 0
	for n := 0; n < b.N; n += z.Len() {
		octets = 0
		for wire, err := range transfer(b, z, zone.History{}, axfr(), TransferOptions{}).Messages() {
			if err != nil {
				b.Fatal(err)
			}
			octets += len(wire)
		}
	}
	b.ReportMetric(float64(octets)/float64(z.Len()), "octets/record")
}
