package interop

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
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
		{"kdig", "-p 8853 +tls +padding www.a.test", []string{"NOERROR", `Received 468 B`}, ""},
		{"kdig", "-p 8853 +tls +nopadding www.a.test", []string{"NOERROR"}, "468 B"},
		{"dig", "+subnet=192.0.2.0/24 www.a.test", []string{"NOERROR"}, ""},
		{"dig", "+ednsopt=65001:abcd www.a.test", []string{"NOERROR"}, ""},
		{"dig", "www.example.org", []string{"REFUSED", `EDE: 20 \(Not Authoritative\): \(no zone of this server has the name\)`}, ""},
		{"delv", "-i spread.a.test A", []string{`spread\.a\.test\.\s+60\s+IN\s+A\s+192\.0\.2\.[12]`}, ""},
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

// TestRotationAsDigSeesIt: each address comes first for some.
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

// others are servers that make cookies with a secret that they are given. Their settings are for zone a.test.
var others = map[string]struct {
	settings string // %[1]s address, %[2]s folder
	args     []string
}{
	"nsd": {`server:
  ip-address: %[1]s@8053
  username: ""
  chroot: ""
  zonesdir: "%[2]s"
  pidfile: "%[2]s/pid"
  database: ""
  xfrdfile: "%[2]s/xfrd"
  zonelistfile: "%[2]s/zones"
  answer-cookie: yes
  cookie-secret: e5e973e5a6b2a43f48e7dc849e37bfcf
remote-control:
  control-enable: no
zone:
  name: a.test
  zonefile: zone
`, []string{"-d", "-c"}},
	"knotd": {`server:
  listen: %[1]s@8053
  rundir: "%[2]s"
  udp-workers: 1
  tcp-workers: 1
database:
  storage: "%[2]s/db"
mod-cookies:
  - id: shared
    secret: 0xe5e973e5a6b2a43f48e7dc849e37bfcf
template:
  - id: default
    storage: "%[2]s"
    global-module: mod-cookies/shared
zone:
  - domain: a.test
    file: zone
`, []string{"-c"}},
}

// TestCookiesOfOthers: NSD and Knot with our secret take our cookies, and we take theirs (RFC 9018 section 1).
func TestCookiesOfOthers(t *testing.T) {
	t.Parallel()
	dig := foreign(t, "dig")
	ours := withOptions(t, "a.test", dnsSection)
	cookie := regexp.MustCompile(`COOKIE: ([0-9a-f]{48})`)
	given := func(address, option string) string {
		out, _ := ask(t, "", dig, "@"+address, "-p", "8053", option, "+tries=1", "+time=2", "a.test", "SOA")
		if m := cookie.FindStringSubmatch(out); m != nil {
			return m[1]
		}
		return out
	}
	for name, other := range others {
		dir, address := t.TempDir(), freshAddress(t)
		in := &instance{t: t, dir: dir}
		in.write("zone", "@ 60 SOA ns.a.test. host.a.test. 1 2 3 4 5\n@ 60 NS ns.a.test.\nns 60 A 192.0.2.1\n")
		in.write("conf", fmt.Sprintf(other.settings, address, dir))
		c := exec.Command(foreign(t, name), append(other.args, filepath.Join(dir, "conf"))...)
		var said bytes.Buffer
		c.Stdout, c.Stderr = &said, &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = c.Process.Signal(syscall.SIGTERM)
			_ = c.Wait()
		})
		theirs := given(address, "+cookie")
		for end := time.Now().Add(10 * time.Second); len(theirs) != 48 && time.Now().Before(end); theirs = given(address, "+cookie") {
			time.Sleep(50 * time.Millisecond)
		}
		if len(theirs) != 48 {
			t.Fatalf("%s gives no cookie: %s\n%s", name, theirs, &said)
		}
		if again := given(ours.address, "+cookie="+theirs); again != theirs {
			t.Errorf("we make %s of the cookie of %s, %s", again, name, theirs)
		}
		mine := given(ours.address, "+cookie")
		if again := given(address, "+cookie="+mine); again != mine {
			t.Errorf("%s makes %s of our cookie, %s", name, again, mine)
		}
	}
}
