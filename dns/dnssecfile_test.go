package dns

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestKeyFilesOfBIND reads what dnssec-keygen wrote.
func TestKeyFilesOfBIND(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/keys/*.key")
	if err != nil || len(paths) != 4 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		public, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		base := strings.TrimSuffix(path, ".key")
		private, err := os.ReadFile(base + ".private")
		if err != nil {
			t.Fatal(err)
		}
		k, err := ParseKeyFiles(string(public), string(private))
		if strings.Contains(path, "+008+") {
			if !errors.Is(err, ErrAlgorithm) {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got := k.KeyFileName(); got != filepath.Base(base) {
			t.Errorf("%s, want %s", got, base)
		}
		if k.Flags != FlagZone|FlagSEP || k.Owner != MustParseName("example.test.") {
			t.Errorf("%+v", k.DNSKEY)
		}
		// BIND adds the times as comments, and a blank inside base64.
		if got := k.PublicFile(); strings.ReplaceAll(lastLine(got), " ", "") != strings.ReplaceAll(lastLine(string(public)), " ", "") ||
			!strings.HasPrefix(string(public), firstLine(got)) {
			t.Errorf("%s: %s, want %s", path, got, public)
		}
		created := time.Date(2026, 11, 27, 1, 40, 27, 0, time.UTC)
		if got, err := k.PrivateFile(created); err != nil || got != string(private) {
			t.Errorf("%s: %v\n%s\nwant\n%s", path, err, got, private)
		}
	}
}

func firstLine(s string) string { head, _, _ := strings.Cut(s, "\n"); return head }

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// TestKeyFilesComeBack: every new key signs as before once it was written and
// read.
func TestKeyFilesComeBack(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for _, a := range signingAlgorithms {
		for _, flags := range []uint16{FlagZone, FlagZone | FlagSEP} {
			k, err := GenerateKey(MustParseName("Sub.Example.test."), a, flags)
			if err != nil {
				t.Fatal(err)
			}
			private, err := k.PrivateFile(now)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParseKeyFiles(k.PublicFile(), private)
			if err != nil {
				t.Fatal(err)
			}
			if again.KeyTag() != k.KeyTag() || again.Owner != k.Owner || string(again.Data()) != string(k.Data()) {
				t.Errorf("%s, was %s", again, k)
			}
			set := []RR{recordOf(t, "www.sub.example.test. 60 A 192.0.2.1")}
			one, err := SignSet(k, set, now, now)
			two, err2 := SignSet(again, set, now, now)
			if err != nil || err2 != nil || !one.Equal(two) {
				t.Errorf("%s: %v %v: other signatures", k, err, err2)
			}
			kind := map[bool]string{true: "; This is a key-signing key", false: "; This is a zone-signing key"}[flags&FlagSEP != 0]
			if !strings.HasPrefix(k.PublicFile(), kind) {
				t.Error(k.PublicFile())
			}
		}
	}
	for _, a := range []DNSSECAlgorithm{0, 5, RSASHA256, 16} {
		if _, err := GenerateKey(Root, a, FlagZone); !errors.Is(err, ErrAlgorithm) {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func TestKeyFilesRefused(t *testing.T) {
	t.Parallel()
	e, other := rfcKeys[0], rfcKeys[2]
	field := func(from, to string) string { return strings.Replace(e.private, from, to, 1) }
	for _, tt := range []struct{ name, public, private, want string }{
		{"nothing", "", "", "holds no record"},
		{"comments", "; a\n;b\n", e.private, "holds no record"},
		{"two records", e.dnskey + "\n" + e.dnskey, e.private, "more than a record"},
		{"no DNSKEY", "a. A 192.0.2.1", e.private, "no zone key"},
		{"CDNSKEY", strings.Replace(e.dnskey, "DNSKEY", "CDNSKEY", 1), e.private, "no zone key"},
		{"host key", strings.Replace(e.dnskey, "257", "1", 1), e.private, "no zone key"},
		{"protocol", strings.Replace(e.dnskey, "257 3", "257 2", 1), e.private, "no zone key"},
		{"another's private part", other.dnskey, e.private, "not that of the public file"},
		{"other flags are no matter, other algorithm is", strings.Replace(e.dnskey, "3 13", "3 14", 1), e.private, "not that of the public file"},
		{"format v2", e.dnskey, field("v1.2", "v2.0"), "not of format v1"},
		{"no format", e.dnskey, field("Private-key-format", "Format"), "not of format v1"},
		{"no algorithm", e.dnskey, field("Algorithm", "Al"), "names no algorithm"},
		{"large algorithm", e.dnskey, field("13", "269"), "names no algorithm"},
		{"algorithm 8", e.dnskey, field("13", "8"), "not supported for signing: RSASHA256"},
		{"no base64", e.dnskey, field("PrivateKey: ", "PrivateKey: !"), "not base64"},
		{"no key", e.dnskey, field("PrivateKey", "P"), "malformed key"},
		{"short seed", other.dnskey, strings.Replace(other.private, "ODIy", "", 1), "malformed key"},
	} {
		_, err := ParseKeyFiles(tt.public, tt.private)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		} else if strings.Contains(err.Error(), "GU6S") || strings.Contains(err.Error(), "MjYy") {
			t.Errorf("%s: the private key is in %v", tt.name, err)
		}
	}
	pad := func(s string, n int) string { return s + strings.Repeat("\n", n-len(s)) }
	if _, err := ParseKeyFiles(pad(e.dnskey, MaxKeyFile), pad(e.private, MaxKeyFile)); err != nil {
		t.Errorf("the longest files: %v", err)
	}
	for _, files := range [][2]string{
		{pad(e.dnskey, MaxKeyFile+1), e.private}, {e.dnskey, pad(e.private, MaxKeyFile+1)},
	} {
		if _, err := ParseKeyFiles(files[0], files[1]); err == nil {
			t.Error("a file of one octet more is read")
		}
	}
}

func FuzzParseKeyFiles(f *testing.F) {
	for _, e := range rfcKeys {
		f.Add(e.dnskey, e.private)
	}
	f.Fuzz(func(t *testing.T, public, private string) {
		k, err := ParseKeyFiles(public, private)
		if err != nil {
			return
		}
		file, err := k.PrivateFile(time.Unix(1_800_000_000, 0))
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseKeyFiles(k.PublicFile(), file)
		if err != nil || string(again.Data()) != string(k.Data()) || again.Owner != k.Owner {
			t.Fatalf("%v: %s", err, k.PublicFile())
		}
	})
}
