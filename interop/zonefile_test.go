package interop

import (
	wire "encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// zoneHead begins each of the files below: without it the others read none.
const zoneHead = "$ORIGIN example.test.\n$TTL 300\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.53\n"

// zoneHeadPlain is what everybody reads there.
const zoneHeadPlain = `
example.test. 300 TYPE2 026e73076578616d706c65047465737400
example.test. 300 TYPE6 026e73076578616d706c6504746573740004686f7374076578616d706c650474657374000000000100000002000000030000000400000005
ns.example.test. 300 TYPE1 c0000235
`

// zoneFile is a piece of a master file, and why another reader sees something else in it, where one does.
type zoneFile struct{ text, bind, ldns string }

// ours gives the records of a file, one a line: owner, TTL, type and data in hexadecimal digits.
func ours(text string) (string, error) {
	records, err := zone.Read(strings.NewReader(text), zone.ReadOptions{Origin: dns.Root})
	if err != nil {
		return "", err
	}
	var lines []string
	for _, r := range records {
		lines = append(lines, plainRecord(r.RR))
	}
	return plainZone(lines), nil
}

func plainRecord(rr dns.RR) string {
	rr = rr.Canonical()
	return fmt.Sprintf("%s %d TYPE%d %x", rr.Name, rr.TTL, rr.Type, rr.Data)
}

// plainZone sorts the records; two that are the same count once.
func plainZone(lines []string) string {
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(zoneHeadPlain, l) })
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n")
}

// byBIND has named-compilezone read the file, and write it in its raw form, which holds the data as it goes on the wire.
func byBIND(path, file string) (string, error) {
	cmd := exec.Command(path, "-i", "none", "-k", "ignore", "-n", "ignore", "-m", "ignore", "-M", "ignore",
		"-S", "ignore", "-T", "ignore", "-F", "raw", "-o", "-", "example.test", file)
	raw, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return "", fmt.Errorf("%w: %s", err, failed.Stderr)
	}
	if err != nil {
		return "", err
	}
	return rawZone(raw)
}

// rawZone reads BIND's raw form: a header of 24 octets, and each RRset behind one of 22.
func rawZone(raw []byte) (string, error) {
	var lines []string
	for raw = raw[24:]; len(raw) > 0; {
		typ, ttl := wire.BigEndian.Uint16(raw[6:]), wire.BigEndian.Uint32(raw[10:])
		count, size := wire.BigEndian.Uint32(raw[14:]), wire.BigEndian.Uint16(raw[18:])
		name, _, err := dns.NameFromWire(raw[20 : 20+size])
		if err != nil {
			return "", err
		}
		for raw = raw[20+size:]; count > 0; count-- {
			size := wire.BigEndian.Uint16(raw)
			rr := dns.RR{Name: name, Type: dns.Type(typ), Class: dns.ClassIN, TTL: ttl, Data: raw[2 : 2+size]}
			lines = append(lines, plainRecord(rr))
			raw = raw[2+size:]
		}
	}
	return plainZone(lines), nil
}

// byLDNS has ldns-read-zone print the file in the form of RFC 3597.
func byLDNS(path, file string) (string, error) {
	out, err := exec.Command(path, "-U", "MD", file).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			return "", errors.New(line)
		}
		rr, err := dns.ParseRR(strings.Join(fields, " "), dns.Root, 0)
		if err == nil && strings.HasPrefix(fields[3], "TYPE") { // as it stands, whatever we think of the type
			rr.Data, err = hex.DecodeString(strings.Join(fields[6:], ""))
		}
		if err != nil {
			return "", fmt.Errorf("%w: %s", err, line)
		}
		lines = append(lines, plainRecord(rr))
	}
	return plainZone(lines), nil
}

// TestZoneFiles: BIND and ldns read from master files what we read, or there is a reason.
func TestZoneFiles(t *testing.T) {
	readers := map[string]func(path, file string) (string, error){"named-compilezone": byBIND, "ldns-read-zone": byLDNS}
	for program, read := range readers {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			path := foreign(t, program)
			for i, f := range zoneFiles {
				file := filepath.Join(t.TempDir(), fmt.Sprint(i))
				text := zoneHead + f.text
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				reason := f.bind
				if program == "ldns-read-zone" {
					reason = f.ldns
				}
				want, ourErr := ours(text)
				got, err := read(path, file)
				same := got == want && (err == nil) == (ourErr == nil)
				if !same && reason == "" {
					t.Errorf("%q\nwe read\n%s\n%v\nthey\n%s\n%v", f.text, want, ourErr, got, err)
				}
				if same && reason != "" {
					t.Errorf("%q is read alike, against what is said: %s\n%v", f.text, reason, err)
				}
			}
		})
	}
}

// everything is a zone of all the records of zoneFiles that BIND reads as we do, those of each file below a label of
// their own, without some types.
func everything(t *testing.T, without ...string) *zone.Zone {
	t.Helper()
	apex := dns.MustParseName("example.test.")
	b := zone.NewBuilder(apex)
	add := func(text string, below dns.Name) {
		records, err := zone.Read(strings.NewReader(text), zone.ReadOptions{Origin: dns.Root})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			name, err := r.Name.ReplaceSuffix(apex, below)
			if err == nil && !slices.Contains(without, r.Type.String()) {
				r.Name = name
				b.Add(r)
			}
		}
	}
	add(zoneHead, apex)
	for i, f := range zoneFiles {
		text := strings.TrimPrefix(zoneHead, "$ORIGIN example.test.\n") + f.text
		if _, _, err := zone.Load(strings.NewReader(text), zone.ReadOptions{Origin: apex}); err != nil || f.bind != "" {
			continue
		}
		below, err := apex.Prepend(fmt.Sprint("file-", i))
		if err != nil {
			t.Fatal(err)
		}
		add("$ORIGIN example.test.\n$TTL 300\n"+f.text, below)
	}
	z, _, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// nsdLacks are types that NSD 4.6 does not know by name.
var nsdLacks = []string{"TALINK", "GPOS", "AMTRELAY", "EID", "NIMLOC", "NINFO", "RKEY", "RESINFO", "NSAP-PTR"}

// TestWrittenZone: BIND reads from what we write the records of the zone, and NSD takes it.
func TestWrittenZone(t *testing.T) {
	t.Parallel()
	write := func(z *zone.Zone) string {
		file := filepath.Join(t.TempDir(), "written.zone")
		out, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(zone.Write(out, z), out.Close()); err != nil {
			t.Fatal(err)
		}
		return file
	}
	z := everything(t)
	var lines []string
	for rr := range z.All() {
		lines = append(lines, plainRecord(rr))
	}
	if len(lines) < 150 {
		t.Errorf("just %d records", len(lines))
	}
	got, err := byBIND(foreign(t, "named-compilezone"), write(z))
	if want := plainZone(lines); err != nil || got != want {
		t.Errorf("%v\nwe wrote\n%s\nBIND reads\n%s", err, want, got)
	}
	file := write(everything(t, nsdLacks...))
	if out, err := exec.Command(foreign(t, "nsd-checkzone"), "example.test", file).CombinedOutput(); err != nil {
		t.Errorf("nsd-checkzone: %v\n%s", err, out)
	}
}
