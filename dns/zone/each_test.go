package zone

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unsafe"

	"github.com/network-utopia/utopia/dns"
)

// TestReadEach: the records come one by one, as Read gives them.
func TestReadEach(t *testing.T) {
	t.Parallel()
	for name, tt := range wholeFiles {
		opts := ReadOptions{Origin: dns.MustParseName(tt.origin), File: name}
		want, err := Read(strings.NewReader(tt.in), opts)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		err = ReadEach(strings.NewReader(tt.in), opts, func(r Record) error {
			if n >= len(want) || r.String() != want[n].String() || r.Pos != want[n].Pos {
				t.Errorf("%s: record %d is %s at %s", name, n, r, r.Pos)
			}
			n++
			return nil
		})
		if err != nil || n != len(want) {
			t.Errorf("%s: %d records of %d, %v", name, n, len(want), err)
		}
	}
}

// TestReadEachEnds: an error of each ends the reading and comes back; after a
// problem nothing is handed out, and the file is read on for others.
func TestReadEachEnds(t *testing.T) {
	t.Parallel()
	full := errors.New("no more room")
	text := "a 1 A 192.0.2.1\nb 1 A 192.0.2.2\nc 1 A x\nd 1 A 192.0.2.4\n$GENERATE 1-3 g$ 1 A 192.0.2.$\ne 1 A y\n"
	var seen []string
	err := ReadEach(strings.NewReader(text), ReadOptions{Origin: origin}, func(r Record) error {
		seen = append(seen, r.Name.Label())
		return full
	})
	if !errors.Is(err, full) || len(seen) != 1 {
		t.Errorf("%v after %v", err, seen)
	}
	seen = nil
	err = ReadEach(strings.NewReader(text), ReadOptions{Origin: origin}, func(r Record) error {
		seen = append(seen, r.Name.Label())
		return nil
	})
	var ps Problems
	if !errors.As(err, &ps) || len(ps) != 2 || ps[0].Pos.Line != 3 || ps[1].Pos.Line != 6 {
		t.Errorf("%v", err)
	}
	if got := strings.Join(seen, " "); got != "a b" {
		t.Errorf("handed out: %s", got)
	}
	// What is not handed out counts against the limit all the same.
	err = ReadEach(strings.NewReader("a 1 A x\n"+strings.Repeat("b 1 A 192.0.2.2\n", 4)), ReadOptions{MaxRecords: 3}, nil)
	if !errors.As(err, &ps) || len(ps) != 2 || !strings.Contains(ps[1].Text, "more than 3 records") {
		t.Errorf("%v", err)
	}
}

// TestReadKeeps: what Read returns stays as it is, while ReadEach uses the
// place of the data again.
func TestReadKeeps(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(`"`+strings.Repeat("x", 200)+`" `, 20)
	text := "a 1 A 192.0.2.1\nb 1 TXT " + long + "\nc 1 A 192.0.2.3\nc 1 A 192.0.2.4\nC 1 A 192.0.2.5\n"
	records := read(t, text)
	for i, last := range map[int]byte{0: 1, 2: 3, 3: 4, 4: 5} {
		if got := records[i].Data; !bytes.Equal(got, []byte{192, 0, 2, last}) {
			t.Errorf("record %d: %v", i, got)
		}
	}
	if n := len(records[1].Data); n != 20*201 {
		t.Errorf("%d octets of text", n)
	}
	for i, r := range records { // to add to one changes no other
		_ = append(r.Data, 255)
		if i+1 < len(records) && records[i+1].Data[len(records[i+1].Data)-1] == 255 {
			t.Errorf("record %d lies open", i)
		}
	}
	var data [][]byte
	var owners []dns.Name
	err := ReadEach(strings.NewReader(text), ReadOptions{Origin: origin}, func(r Record) error {
		data, owners = append(data, r.Data), append(owners, r.Name)
		return nil
	})
	if err != nil || &data[2][0] != &data[3][0] {
		t.Errorf("%v, or the data of each record has its own place", err)
	}
	if unsafe.StringData(string(owners[2])) != unsafe.StringData(string(owners[3])) {
		t.Error("a repeated owner is kept twice")
	}
	for i, want := range []string{"a", "b", "c", "c", "C"} {
		if owners[i].String() != want+".example.test." {
			t.Errorf("owner %d is %s", i, owners[i])
		}
	}
}

// TestNamesAndChunks: blocks are begun anew when they are full, and nothing
// that was kept changes.
func TestNamesAndChunks(t *testing.T) {
	t.Parallel()
	var n names
	var c chunks
	var got []dns.Name
	var data [][]byte
	for i := range 3 * blockSize / 10 {
		wire := []byte(dns.MustParseName(fmt.Sprintf("host-%d.test.", i)))
		got, data = append(got, n.keep(wire)), append(data, c.keep(wire))
		clear(wire)
	}
	big := bytes.Repeat([]byte("x"), blockSize)
	data = append(data, c.keep(big))
	for i, name := range got {
		if want := fmt.Sprintf("host-%d.test.", i); name.String() != want || string(data[i]) != string(name) {
			t.Fatalf("%s is %s, %q", want, name, data[i])
		}
	}
	if !bytes.Equal(data[len(data)-1], big) || cap(data[0]) != len(data[0]) {
		t.Error("chunks")
	}
}

// TestQuickWords holds the short ways to the long ones.
func TestQuickWords(t *testing.T) {
	t.Parallel()
	words := []string{"IN", "in", "In", "CH", "HS", "NONE", "ANY", "CLASS1", "class255", "CLASS65536", "INN", "I", "C", "x",
		"0", "1", "300", "999999999", "1000000000", "2147483647", "2147483648", "1h", "1h30m", "1x", "-1", "\x00", "\xff", "٣"}
	for typ := range dns.Type(300) {
		words = append(words, typ.String(), strings.ToLower(typ.String()), typ.String()+"x")
	}
	for _, w := range words {
		wantTTL, err := dns.ParseTTL(w)
		if got, ok := quickTTL([]byte(w)); ok != (err == nil) || got != wantTTL {
			t.Errorf("TTL %q: %d, %v; want %d, %v", w, got, ok, wantTTL, err)
		}
		wantClass, err := dns.ParseClass(w)
		if got, ok := quickClass([]byte(w)); ok != (err == nil) || got != wantClass {
			t.Errorf("class %q: %s, %v; want %s, %v", w, got, ok, wantClass, err)
		}
		wantType, err := dns.ParseType(w)
		if got, ok := quickType([]byte(w)); ok != (err == nil) || got != wantType {
			t.Errorf("type %q: %s, %v; want %s, %v", w, got, ok, wantType, err)
		}
	}
}

// writeLarge writes a master file of so many names, with an address each and
// others beside it, and says how many records it has.
func writeLarge(w io.Writer, hosts int) (records int) {
	fmt.Fprint(w, "$TTL 3600\n@ IN SOA ns1 hostmaster ( 1 7200 3600 1209600 300 )\n@ IN NS ns1\nns1 IN A 192.0.2.1\n")
	records = 3
	for i := range hosts {
		fmt.Fprintf(w, "h%06d IN A 10.%d.%d.%d\n", i, i>>16&255, i>>8&255, i&255)
		records++
		if i%2 == 0 {
			fmt.Fprintf(w, "h%06d IN AAAA 2001:db8::%x:%x\n", i, i>>16, i&0xffff)
			records++
		} else {
			fmt.Fprintf(w, "h%06d 300 IN MX 10 mail\n", i)
			records++
		}
		if i%3 == 0 {
			fmt.Fprintf(w, "h%06d IN TXT \"v=spf1 ip4:10.%d.%d.%d -all\"\n", i, i>>16&255, i>>8&255, i&255)
			records++
		}
	}
	return records
}

// TestReadAllocates little: a name for each owner, in blocks.
func TestReadAllocates(t *testing.T) {
	var text bytes.Buffer
	records := writeLarge(&text, 2000)
	n := testing.AllocsPerRun(5, func() {
		err := ReadEach(bytes.NewReader(text.Bytes()), ReadOptions{Origin: origin}, func(Record) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
	})
	if per := n / float64(records); per > 0.02 {
		t.Errorf("%.3f allocations a record", per)
	}
}

// BenchmarkReadEach is the reader alone: what a record of a large zone costs.
func BenchmarkReadEach(b *testing.B) {
	var text bytes.Buffer
	records := writeLarge(&text, 100_000)
	read := func() {
		err := ReadEach(bytes.NewReader(text.Bytes()), ReadOptions{Origin: origin}, func(Record) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
	}
	allocations := testing.AllocsPerRun(1, read)
	for b.Loop() {
		read()
	}
	b.SetBytes(int64(text.Len()))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*records), "ns/record")
	b.ReportMetric(allocations/float64(records), "allocs/record")
}

// BenchmarkReadSigned reads what signing adds.
func BenchmarkReadSigned(b *testing.B) {
	const names = 20_000
	signature := strings.Repeat("oJB1W6WNGv+ldvQ3", 5) + "WDG0MQ=="
	var text bytes.Buffer
	for i := range names {
		fmt.Fprintf(&text, "h%06d 300 IN A 10.%d.%d.%d\n", i, i>>16&255, i>>8&255, i&255)
		fmt.Fprintf(&text, "h%06d 300 IN RRSIG A 13 3 300 20300101000000 20260101000000 12345 @ %s\n", i, signature)
		fmt.Fprintf(&text, "h%06d 300 IN NSEC h%06d A RRSIG NSEC\n", i, i+1)
		fmt.Fprintf(&text, "h%06d 300 IN RRSIG NSEC 13 3 300 20300101000000 20260101000000 12345 @ %s\n", i, signature)
	}
	for b.Loop() {
		err := ReadEach(bytes.NewReader(text.Bytes()), ReadOptions{Origin: origin}, func(Record) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(text.Len()))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*names*4), "ns/record")
}
