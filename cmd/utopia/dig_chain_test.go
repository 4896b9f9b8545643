package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/leftout"
)

// signedServer serves example.test, signed with one key, and gives a file with the DS record for it.
func signedServer(t *testing.T) (port, anchor string) {
	t.Helper()
	apex := dns.MustParseName("example.test.")
	key, err := dns.GenerateKey(apex, dns.ECDSAP256SHA256, 257)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(set []dns.RR) []dns.RR {
		sig, err := dns.SignSet(key, set, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return append(slices.Clip(set), sig)
	}
	www, keys := signed(records(t, "www A 192.0.2.1")), signed([]dns.RR{key.RR(300)})
	forged := slices.Clone(www)
	forged[0].Data = []byte{192, 0, 2, 66}
	forged[0].Name, forged[1].Name = dns.MustParseName("forged.example.test."), dns.MustParseName("forged.example.test.")
	port = testServer(t, func(q *dns.Message, _ bool) *dns.Message {
		m := q.Reply(dns.RcodeSuccess)
		m.EDNS = &dns.EDNS{UDPSize: 1232, DO: true}
		switch asked := q.Question[0]; {
		case asked.Type == dns.TypeDNSKEY:
			m.Answer = keys
		case asked.Type != dns.TypeA:
		case asked.Name.Label() == "www":
			m.Answer = www
		case asked.Name.Label() == "forged":
			m.Answer = forged
		case asked.Name.Label() == "unsigned":
			m.Answer = records(t, "unsigned A 192.0.2.2")
		}
		return m
	})
	k, _ := key.RR(300).DNSKEY()
	ds, err := k.DS(apex, 2)
	if err != nil {
		t.Fatal(err)
	}
	anchor = filepath.Join(t.TempDir(), "anchor")
	text := "; the key of the zone\n\n" + dns.RR{Name: apex, Type: dns.TypeDS, Class: dns.ClassIN, Data: ds.Data()}.String() + "\n"
	if err := os.WriteFile(anchor, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return port, anchor
}

func TestDigChain(t *testing.T) {
	t.Parallel()
	port, anchor := signedServer(t)
	varying := regexp.MustCompile(`[Kk]ey \d+|until [-0-9: ]+|key: \d+ 13 2 [0-9A-F ]+`)
	for line, want := range map[string]struct {
		code int
		out  string
	}{
		"www.example.test +trust-anchor=" + anchor: {0, ";; CHAIN OF TRUST:\n; www.example.test. A\n;     signed by KEY of example.test. (ECDSAP256SHA256), UNTIL\n" +
			"; example.test. DNSKEY, of KEY\n;     signed by KEY of example.test. (ECDSAP256SHA256), UNTIL\n;     a trust anchor vouches for that DS\n" +
			";; PROVED: the answer is what the zone's owner signed\n\n"},
		"www.example.test +chain": {1, ";; CHAIN OF TRUST:\n; www.example.test. A\n;     signed by KEY of example.test. (ECDSAP256SHA256), UNTIL\n" +
			";     not proved: no DS record stands above example.test. (NOERROR)\n; example.test. DNSKEY, of KEY\n;     signed by KEY of example.test. (ECDSAP256SHA256), UNTIL\n" +
			";     not proved: no DS record stands above example.test. (NOERROR)\n;; NOT PROVED: no DS record stands above example.test. (NOERROR)\n\n"},
		"unsigned.example.test +sigchase": {1, ";; CHAIN OF TRUST:\n; unsigned.example.test. A\n;     not proved: unsigned.example.test. A has no signature\n" +
			";; NOT PROVED: unsigned.example.test. A has no signature\n\n"},
		"forged.example.test +short +trust-anchor=" + anchor: {1, "BOGUS: forged.example.test. A: dns: verify forged.example.test. A, KEY of example.test.: the signature does not verify\n"},
		"www.example.test +short +trust-anchor=" + anchor:    {0, "PROVED: the answer is what the zone's owner signed\n"},
	} {
		args := append([]string{"dig", "@127.0.0.1:" + port, "+tries=1"}, strings.Fields(line)...)
		out, told, code := runHere(t, args...)
		got := varying.ReplaceAllStringFunc(out, func(s string) string {
			return map[string]string{"k": "KEY", "K": "KEY", "u": "UNTIL"}[s[:1]]
		})
		got = strings.ReplaceAll(got, "vouches for that KEY", "vouches for that DS")
		if !strings.HasSuffix(got, "\n"+want.out) || code != want.code || told != "" {
			t.Errorf("%s: exit %d, %q\ngot\n%s\nwant\n%s", line, code, told, got, want.out)
		}
	}
	out, _, code := runHere(t, "dig", "--json", "@127.0.0.1:"+port, "www.example.test", "+trust-anchor="+anchor)
	var got struct {
		Verdict string
		Chain   []struct {
			Name, Type, SignedBy, Algorithm, Expires string
			KeyTag                                   int
			TrustAnchor                              bool
		}
		ResponseMessage map[string]any
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || got.Verdict != "proved" || len(got.Chain) != 2 || !got.Chain[1].TrustAnchor ||
		got.Chain[0].SignedBy != "example.test." || got.Chain[0].Expires == "" || got.ResponseMessage == nil {
		t.Errorf("%v, exit %d, %s", err, code, out)
	}
}

func TestDigTrustAnchorFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const ds = "test. 60 IN DS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for text, want := range map[string]string{
		ds: "", "; a comment\n" + ds + "\r\n\n" + ds: "",
		"":                                  "there is no DS and no DNSKEY record",
		ds + "\ntest. 60 A 1.2.3.4":         ":2: A is neither a DS nor a DNSKEY record",
		ds + "\n" + "oops":                  ":2: dns: record",
		strings.Repeat(" ", maxSmallFile+1): "has more than 262144 octets",
		ds + strings.Repeat(" ", maxSmallFile-len(ds)): "",
	} {
		path := filepath.Join(dir, "anchor")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		q, err := parseOne("x +trust-anchor=" + path)
		if want == "" && (err != nil || !q.chain || !q.dnssec || len(q.anchors) != strings.Count(text, "test. 60")) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.80q: %v, want %s", text, err, want)
		}
	}
	if _, err := parseOne("x +trust-anchor=" + filepath.Join(dir, "none")); err == nil {
		t.Error("no file")
	}
}

// rootServers serve the root, test. and example.test. on three addresses and one port, and a fourth that is lame.
func rootServers(t *testing.T) (port string) {
	t.Helper()
	h := host.NewOS(host.OSOptions{})
	first, err := h.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ = net.SplitHostPort(first.LocalAddr().String())
	zone := func(pc net.PacketConn, answer func(q *dns.Message, m *dns.Message)) {
		t.Cleanup(func() { pc.Close() })
		go serveDatagrams(t, pc, func(q *dns.Message, _ bool) *dns.Message {
			m := q.Reply(dns.RcodeSuccess)
			answer(q, m)
			return m
		})
	}
	zone(first, func(q, m *dns.Message) {
		if q.Question[0].Name == dns.Root {
			m.Authoritative = true
			m.Answer, m.Additional = records(t, ". 60 NS a.root."), records(t, "a.root. 60 A 127.0.0.1")
			return
		}
		m.Authority, m.Additional = records(t, "test. 60 NS ns.test."), records(t, "ns.test. 60 A 127.0.0.2")
	})
	for i, answer := range []func(q, m *dns.Message){
		func(_, m *dns.Message) {
			m.Authority = records(t, "example.test. 60 NS lame.example.test.", "example.test. 60 NS ns.example.test.")
			m.Additional = records(t, "lame.example.test. 60 A 127.0.0.4", "ns.example.test. 60 A 127.0.0.3")
		},
		func(_, m *dns.Message) { m.Authoritative, m.Answer = true, records(t, "www 60 A 192.0.2.1") },
		func(_, m *dns.Message) { m.Rcode = dns.RcodeRefused },
	} {
		pc, err := h.ListenPacket(t.Context(), "udp", fmt.Sprintf("127.0.0.%d:%s", i+2, port))
		if err != nil {
			leftout.Because(t, "one loopback address alone, or a port that is taken: %v", err)
		}
		zone(pc, answer)
	}
	return port
}

func TestDigTrace(t *testing.T) {
	t.Parallel()
	port := rootServers(t)
	out, told, code := runHere(t, "dig", "@127.0.0.1", "-p", port, "+trace", "+nocmd", "www.example.test")
	steady := regexp.MustCompile(`Received \d+ bytes|in \d+ ms`)
	want := ".\t\t\t60\tIN\tNS\ta.root.\n;; N from 127.0.0.1#PORT(127.0.0.1:PORT) N\n\n" +
		"test.\t\t\t60\tIN\tNS\tns.test.\n;; N from 127.0.0.1#PORT(a.root) N\n\n" +
		"example.test.\t\t60\tIN\tNS\tlame.example.test.\nexample.test.\t\t60\tIN\tNS\tns.example.test.\n;; N from 127.0.0.2#PORT(ns.test) N\n\n" +
		";; N from 127.0.0.4#PORT(lame.example.test) N\n\n;; No use (lame.example.test): lame: no answer of its own, and no referral further down (REFUSED)\n\n" +
		"www.example.test.\t60\tIN\tA\t192.0.2.1\n;; N from 127.0.0.3#PORT(ns.example.test) N\n\n"
	if got := strings.ReplaceAll(steady.ReplaceAllString(out, "N"), port, "PORT"); got != want || code != 0 || told != "" {
		t.Errorf("exit %d, %q\ngot\n%s\nwant\n%s", code, told, got, want)
	}
	out, _, code = runHere(t, "dig", "@127.0.0.1", "-p", port, "+trace", "+short", "www.example.test")
	if out = steady.ReplaceAllString(out, "N"); out != "192.0.2.1 from server 127.0.0.3 N.\n" || code != 0 {
		t.Errorf("exit %d, %q", code, out)
	}
	out, _, code = runHere(t, "dig", "--json", "@127.0.0.1", "-p", port, "+trace", "www.example.test")
	var steps []struct {
		Zone, Next, ServerName, Server, Error string
		ResponseMessage                       map[string]any
	}
	if err := json.Unmarshal([]byte(out), &steps); err != nil || code != 0 || len(steps) != 5 || steps[1].Next != "test." || steps[1].ServerName != "a.root" ||
		steps[3].Error == "" || steps[4].Next != "" || steps[4].ResponseMessage == nil || steps[4].Server != "127.0.0.3:"+port {
		t.Errorf("%v, exit %d, %s", err, code, out)
	}
	// Where the way ends, it says so.
	_, told, code = runHere(t, "dig", "@127.0.0.4", "-p", port, "+trace", "www.example.test")
	if code != exitProblems || !strings.Contains(told, "the root: no server of the zone was of use") {
		t.Errorf("exit %d, %q", code, told)
	}
}
