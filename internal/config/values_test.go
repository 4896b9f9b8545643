package config

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	toml "github.com/pelletier/go-toml/v2"
	"pgregory.net/rapid"
)

func TestParseDomain(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(domainPattern)
	for s, want := range map[string]string{
		"example.test": "example.test", "Example.TEST": "example.test", "example.test.": "example.test",
		"a-b.c9.example": "a-b.c9.example", "1.2.example": "1.2.example", "xn--bcher-kva.example": "xn--bcher-kva.example",
		"a.1b": "a.1b", "3com.com": "3com.com",
	} {
		got, f := parseDomain(s)
		if f != nil || got != want {
			t.Errorf("parseDomain(%q) = %q, %v", s, got, f)
		}
		if !pattern.MatchString(s) {
			t.Errorf("the schema forbids %q", s)
		}
	}
	for _, s := range []string{
		"", ".", "..", "test", "test.", "a..test", ".a.test", "a.test..", "-a.test", "a-.test", "a_b.test", "a b.test", "a.test ",
		"bücher.example", "*.a.test", "a.test/x", "http://a.test", "user@a.test", "a.test:53", "127.0.0.1", "::1", "[::1]", "a.1", "a\\.test",
		"a.test\x00", "a.\xff", strings.Repeat("a", 64) + ".test", strings.Repeat("a.", 99) + "test",
	} {
		if got, f := parseDomain(s); f == nil {
			t.Errorf("parseDomain(%q) = %q", s, got)
		}
	}
}

func TestCheckUserName(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(userPattern)
	for _, s := range []string{"a", "alice", "a1", "a-b_c.d", "a.b.c", "a-", strings.Repeat("a", MaxUserName)} {
		if err := CheckUserName(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if !pattern.MatchString(s) {
			t.Errorf("the schema forbids %q", s)
		}
	}
	for _, s := range []string{"", "Alice", "1a", "-a", ".a", "a.", "a..b", "a b", "a/b", "a\\b", "..", "é", "a@b", "a\n", "postmaster", "abuse", "root", "admin", "ftp", "mailer-daemon", strings.Repeat("a", MaxUserName+1)} {
		if err := CheckUserName(s); err == nil {
			t.Errorf("%q is allowed", s)
		}
	}
	// No name climbs out of a folder or needs quotes in a mail address.
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[a-zA-Z0-9._ /\\-]{0,34}`).Draw(t, "name")
		if CheckUserName(s) == nil && (!pattern.MatchString(s) || len(s) > MaxUserName) {
			t.Fatalf("%q is allowed, but not by the schema", s)
		}
	})
}

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"127.0.0.1", "0.0.0.0", "::", "::1", "10.1.2.3", "2001:DB8::1", "169.254.1.1", "fd00::1"} {
		if got, f := parseAddress(s); f != nil || got != netip.MustParseAddr(s) {
			t.Errorf("parseAddress(%q) = %v, %v", s, got, f)
		}
	}
	for _, s := range []string{"", "localhost", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4:53", "[::1]", "[::1]:53", "fe80::1", "fe80::1%eth0", "::ffff:1.2.3.4", "224.0.0.1", "ff02::1", "255.255.255.255", "10.0.0.0/8", " 127.0.0.1", "0x7f.1"} {
		if got, f := parseAddress(s); f == nil {
			t.Errorf("parseAddress(%q) = %v", s, got)
		}
	}
}

func TestParseNetwork(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(networkPattern)
	for _, s := range []string{"127.0.0.0/8", "10.1.2.3/32", "0.0.0.0/0", "::/0", "fd00::/8", "2001:db8::1/128"} {
		if got, f := parseNetwork(s); f != nil || got != netip.MustParsePrefix(s) || !pattern.MatchString(s) {
			t.Errorf("parseNetwork(%q) = %v, %v", s, got, f)
		}
	}
	for _, s := range []string{"", "10.0.0.0", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10/8", "::1/64", "::ffff:10.0.0.0/104", "fe80::1%eth0/64", "any"} {
		if got, f := parseNetwork(s); f == nil {
			t.Errorf("parseNetwork(%q) = %v", s, got)
		}
	}
}

func TestParsePath(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"www", "./www", "../www", "/srv/www", "a b/ü", "~alice", "a~", "$HOME"} {
		if got, f := parsePath(s); f != nil || got != s {
			t.Errorf("parsePath(%q) = %q, %v", s, got, f)
		}
	}
	for _, s := range []string{"", "~", "~/www", "a\x00b", "a\nb", " www", "www\t"} {
		if got, f := parsePath(s); f == nil {
			t.Errorf("parsePath(%q) = %q", s, got)
		}
	}
}

// TestQuote: what is written in quotes is read as it was.
func TestQuote(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		var got map[string]map[string]string
		if err := toml.Unmarshal([]byte("[x]\n"+quoteKey(s)+" = "+quoteTOML(s)), &got); err != nil {
			t.Fatal(err)
		}
		want := strings.ToValidUTF8(s, "\uFFFD")
		if got["x"][want] != want {
			t.Fatalf("%q is read as %q", s, got)
		}
	})
}
