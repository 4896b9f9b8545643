package interop

import (
	"regexp"
	"strings"
	"testing"
)

// dnsSection are the settings of a server that has everything to add to an answer.
const dnsSection = `
[dns]
nsid = "ns1-fra"
cookie-secret-file = "cookie-secrets"
zone-file = "extra.zone"
`

func withOptions(t *testing.T, domain, section string) *instance {
	t.Helper()
	in := newInstance(t, domain, "cookie-secrets", "e5e973e5a6b2a43f48e7dc849e37bfcf\n", "extra.zone", "spread 60 A 192.0.2.1\nspread 60 A 192.0.2.2\n")
	in.write("utopia.toml", "domain = \""+domain+"\"\naddress = [\""+in.address+"\"]\n"+section)
	in.start()
	return in
}

// TestEDNSOptions asks with what dig and kdig know of options.
func TestEDNSOptions(t *testing.T) {
	t.Parallel()
	in := withOptions(t, "a.test", dnsSection)
	for _, c := range []struct {
		client, ask string
		want        []string // regular expressions
		lack        string
	}{
		{"dig", "+nsid www.a.test", []string{`NSID: .*\("ns1-fra"\)`}, ""},
		{"kdig", "+nsid www.a.test", []string{`NSID: .*"ns1-fra"`}, ""},
		{"dig", "+noedns id.server CH TXT", []string{`"ns1-fra"`}, ""},
		{"dig", "version.bind CH TXT", []string{"REFUSED"}, ""},
		{"dig", "+cookie www.a.test", []string{`COOKIE: [0-9a-f]{16}01000000[0-9a-f]{24} \(good\)`}, ""},
		{"dig", "+tcp +cookie www.a.test", []string{`COOKIE: [0-9a-f]{48} \(good\)`}, ""},
		{"dig", "+nocookie www.a.test", []string{"NOERROR"}, "COOKIE"},
		{"dig", "+cookie=0102030405060708090a www.a.test", []string{"FORMERR"}, ""},
		{"kdig", "+cookie www.a.test", []string{`COOKIE: [0-9A-Fa-f]{48}`}, ""},
		{"kdig", "+cookie=2464c4abcf10c957 www.a.test", []string{"NOERROR"}, ""},
		{"dig", "+tcp +keepalive www.a.test", []string{`TCP[- ]KEEPALIVE: .*10`}, ""},
		{"dig", "+keepalive www.a.test", []string{"NOERROR"}, "KEEPALIVE:"},
		{"dig", "+subnet=192.0.2.0/24 www.a.test", []string{"NOERROR"}, ""},
		{"dig", "+ednsopt=65001:abcd www.a.test", []string{"NOERROR"}, ""},
		{"dig", "www.example.org", []string{"REFUSED", `EDE: 20 \(Not Authoritative\): \(no zone of this server has the name\)`}, ""},
		{"dig", "+tcp a.test AXFR", []string{"Transfer failed"}, ""},
	} {
		out, _ := ask(t, "", foreign(t, c.client), append([]string{"@" + in.address, "-p", "8053"}, strings.Fields(c.ask)...)...)
		for _, want := range c.want {
			if !regexp.MustCompile(want).MatchString(out) {
				t.Errorf("%s %s: the answer lacks %s\n%s", c.client, c.ask, want, out)
			}
		}
		if c.lack != "" && strings.Contains(out, c.lack) {
			t.Errorf("%s %s: the answer has %q\n%s", c.client, c.ask, c.lack, out)
		}
	}
}

// TestCookiesGoOn: a cookie that dig was given is good at a second server with the same secret, and at no other.
func TestCookiesGoOn(t *testing.T) {
	t.Parallel()
	dig := foreign(t, "dig")
	a, b, other := withOptions(t, "a.test", dnsSection), withOptions(t, "b.test", dnsSection), withOptions(t, "c.test", "")
	cookie := regexp.MustCompile(`COOKIE: ([0-9a-f]{48})`)
	given := func(in *instance, option string) string {
		out, _ := ask(t, "", dig, "@"+in.address, "-p", "8053", "+qr", option, "www."+in.domain)
		all := cookie.FindAllStringSubmatch(out, -1)
		if len(all) == 0 {
			t.Fatalf("no cookie:\n%s", out)
		}
		return all[len(all)-1][1]
	}
	first := given(a, "+cookie")
	if again := given(a, "+cookie="+first); again != first {
		t.Errorf("the same server makes %s of %s", again, first)
	}
	if again := given(b, "+cookie="+first); again != first {
		t.Errorf("a server with the same secret makes %s of %s", again, first)
	}
	if again := given(other, "+cookie="+first); again == first || again[:16] != first[:16] {
		t.Errorf("a server with another secret makes %s of %s", again, first)
	}
}

// TestCookiesOfOthers: BIND and Knot with the secret take our cookies, and we take theirs (RFC 9018 section 1 is about that).
func TestRotationAsDigSeesIt(t *testing.T) {
	t.Parallel()
	dig := foreign(t, "dig")
	in := withOptions(t, "a.test", dnsSection)
	first := map[string]bool{}
	for range 40 { // all alike once in 2^39
		out, _ := ask(t, "", dig, "@"+in.address, "-p", "8053", "+short", "spread.a.test")
		line, _, _ := strings.Cut(out, "\n")
		first[line] = true
	}
	if !first["192.0.2.1"] || !first["192.0.2.2"] {
		t.Errorf("first stood %v", first)
	}
}
