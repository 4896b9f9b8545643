package main

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/testcert"
)

// What each question of a line asks: options before the first name are for all, those behind a name for that one.
func TestDigLines(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"aa bb":                         "A aa | A bb",
		"aa MX bb TXT":                  "MX aa | TXT bb",
		"MX aa bb":                      "MX aa | MX bb",
		"MX aa A bb":                    "A aa | MX bb",
		"@s aa @r bb":                   "A aa @r | A bb @s",
		"@s:1 aa @r:2 bb @q cc":         "A aa @r:2 | A bb @q | A cc @s:1",
		"+tcp aa +notcp bb":             "A aa | A bb tcp",
		"aa +tcp bb":                    "A aa tcp | A bb",
		"-p 1 aa bb -p 2":               "A aa :2 | A bb :2",
		"aa bb +short":                  "A aa short | A bb short",
		"-x 192.0.2.1 bb":               "PTR 1.2.0.192.in-addr.arpa. | A bb",
		"TXT -x 192.0.2.1 -x 192.0.2.2": "TXT 1.2.0.192.in-addr.arpa. | TXT 2.2.0.192.in-addr.arpa.",
		"-q mx -q txt -t mx":            "A mx | MX txt",
		"+ednsopt=1:aa aa +ednsopt=2:bb bb +ednsopt=3": "A aa edns=1,2 | A bb edns=1,3",
		"aa AXFR bb":        "AXFR aa tcp | A bb",
		"aa IXFR=5":         "IXFR aa tcp",
		"-f file":           "",
		"-f file aa":        "A aa",
		"+tls aa +https bb": "A aa https | A bb tls",
	} {
		call, err := parseDig(strings.Fields(line), noGlobals, nil)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		var got []string
		for _, q := range call.questions {
			one := q.kind.String() + " " + q.name
			if q.server != "" {
				one += " @" + q.server
			}
			if p := q.portOf(); p != "" {
				one = strings.TrimSuffix(one, " @") + map[bool]string{true: ":", false: " :"}[q.server != ""] + p
			}
			var codes []string
			for _, o := range q.options {
				codes = append(codes, fmt.Sprint(int(o.Code)))
			}
			for _, f := range []struct {
				on   bool
				name string
			}{{q.tcp, "tcp"}, {q.short, "short"}, {len(codes) > 0, "edns=" + strings.Join(codes, ",")}, {q.secure.https, "https"},
				{q.secure.tls && !q.secure.https, "tls"}} {
				if f.on {
					one += " " + f.name
				}
			}
			got = append(got, one)
		}
		if text := strings.Join(got, " | "); text != want {
			t.Errorf("%s:\ngot  %s\nwant %s", line, text, want)
		}
	}
	at := strings.Fields(strings.Repeat("aa ", maxQuestions))
	if _, err := parseDig(at, noGlobals, nil); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := parseDig(append(at, "aa"), noGlobals, nil); err == nil {
		t.Error("past the limit of names")
	}
	many := slices.Repeat([]string{"+ednsopt=1"}, maxOptions)
	if _, err := parseDig(many, noGlobals, nil); err != nil {
		t.Errorf("options at the limit: %v", err)
	}
	if _, err := parseDig(append(many, "+ednsopt=1"), noGlobals, nil); err == nil {
		t.Error("past the limit of options")
	}
}

// What the EDNS options become on the wire.
func TestDigEDNSOptions(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"+subnet=192.0.2.129/25":                               "8:00011900c0000280",
		"+subnet=192.0.2.129":                                  "8:00012000c0000281",
		"+subnet=192.0.255.0/17":                               "8:00011100c00080",
		"+subnet=2001:db8:ff00::/33":                           "8:0002210020010db880",
		"+subnet=0":                                            "8:00010000",
		"+cookie=0123456789ABCDEF":                             "10:0123456789abcdef",
		"+nsid +ednsopt=EDE:0a +ednsopt=65001":                 "3: 15:0a 65001:",
		"+ednsopt=expire +noednsopt":                           "",
		"+subnet=0 +nosubnet +cookie=0123456789ABCDEF +cookie": "",
	} {
		q, err := parseOne("x " + line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		var got []string
		for _, o := range q.message(dns.MustParseName("x.")).EDNS.Options {
			got = append(got, fmt.Sprintf("%d:%x", o.Code, o.Data))
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: %s, want %s", line, text, want)
		}
	}
	q, err := parseOne("x +ednsflags=0x8040 +opcode=notify +noedns +padding=1")
	if m := q.message(dns.MustParseName("x.")); err != nil || !m.EDNS.DO || m.EDNS.Z != 0x8040 || m.Opcode != dns.OpcodeNotify || q.padding != 1 {
		t.Errorf("%+v, %v", m, err)
	}
}

// A name is completed by the search list, as it is with few dots last, and with enough of them first.
func TestDigSearch(t *testing.T) {
	t.Parallel()
	system := resolvers{search: []string{"one.test", "two.test."}}
	for line, want := range map[string]string{
		"www":                                   "www.",
		"www +search":                           "www.one.test. www.two.test. www.",
		"www.a +search":                         "www.a. www.a.one.test. www.a.two.test.",
		"www.a +search +ndots=2":                "www.a.one.test. www.a.two.test. www.a.",
		"www. +search":                          "www.",
		"www +domain=three.test":                "www.three.test. www.",
		"www +dom=three.test +nosearch":         "www.",
		"www +domain=a.test +search":            "www.one.test. www.two.test. www.",
		strings.Repeat("a.", 124) + "b +search": strings.Repeat("a.", 124) + "b.",
	} {
		q, err := parseOne(line)
		if err != nil {
			t.Fatal(err)
		}
		names, err := q.names(system)
		var got []string
		for _, n := range names {
			got = append(got, n.String())
		}
		if text := strings.Join(got, " "); err != nil || text != want {
			t.Errorf("%s: %s, %v, want %s", line, text, err, want)
		}
	}
	port := testServer(t, example(t))
	out, _, code := runHere(t, "dig", "@127.0.0.1:"+port, "www", "+domain=example.test", "+short")
	if out != "192.0.2.1\n192.0.2.2\n" || code != 0 {
		t.Errorf("printed %q, exit %d", out, code)
	}
	out, _, _ = runHere(t, "dig", "@127.0.0.1:"+port, "nx", "+domain=example.test", "+noall", "+comments")
	if strings.Count(out, "Got answer") != 1 { // of the names that are not there the last alone
		t.Errorf("printed %q", out)
	}
}

func TestReadSearchList(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"search a.test b.test\n": "a.test b.test", "domain c.test d.test": "c.test", "domain c.test\nsearch a.test": "a.test",
		"search a\ndomain c.test": "c.test", "search": "", "search 1 2 3 4 5 6 7": "1 2 3 4 5 6",
	} {
		if got := strings.Join(readResolvConf(strings.NewReader(text)).search, " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// The lines of a file are questions; comments and empty lines are not, and what is wrong with one stops no other.
func TestDigFile(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	file := filepath.Join(t.TempDir(), "questions")
	const lines = "www.example.test\n# a comment\n ; another\n\n   \nmx.example.test MX\n+bogus\n-f other\n+time=1 +tries=1 silent.example.test\nwww.example.test A"
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	out, told, code := runHere(t, "dig", "@127.0.0.1:"+port, "+short", "-f", file, "alias.example.test", "AAAA")
	if want := "www.example.test.\n192.0.2.1\n2001:db8::1\n192.0.2.1\n192.0.2.2\n10 mail.example.test.\n20 mail2.a-rather-long-name.of-a-host.example.test.\n192.0.2.1\n192.0.2.2\n"; out != want || code != exitUnreachable {
		t.Errorf("exit %d, printed\n%swant\n%s", code, out, want)
	}
	for _, want := range []string{file + ":7: unknown option +bogus", file + ":8: -f and -h stand on the command line alone", "timed out"} {
		if !strings.Contains(told, want) {
			t.Errorf("%q is not in\n%s", want, told)
		}
	}
	out, _, code = runHere(t, "dig", "--json", "@127.0.0.1:"+port, "-f", file)
	var got []map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitUnreachable || len(got) != 6 || got[2]["error"] == nil || got[5]["responseMessage"] == nil {
		t.Errorf("%v, exit %d, %s", err, code, out)
	}
	// The input stands for a file named -, and a line may not be longer than any use.
	for size, want := range map[int]int{maxLine - 1: 0, maxLine + 1: 1} {
		line := "www.example.test" + strings.Repeat(" ", size-len("www.example.test"))
		var stdout, stderr strings.Builder
		s := &session{in: strings.NewReader(line), out: &stdout, err: &stderr, network: host.NewOS(host.OSOptions{})}
		root := newRoot(s)
		root.SetArgs([]string{"dig", "@127.0.0.1:" + port, "+short", "-f", "-"})
		if code := s.report(root.ExecuteContext(t.Context())); code != want || (stdout.String() == "192.0.2.1\n192.0.2.2\n") != (want == 0) {
			t.Errorf("%d octets: exit %d, %q, %q", size, code, stdout.String(), stderr.String())
		}
	}
}

// One answer is an object; where there may be several, they are in an array.
func TestDigJSONLists(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	for line, want := range map[string]int{
		"www.example.test mx.example.test MX": 2, "example.test AXFR": 1, "example.test IXFR=1 www.example.test": 2,
		"refused.example.test AXFR": 0, "www.example.test refused.example.test AXFR": 2,
	} {
		args := append([]string{"dig", "--json", "@127.0.0.1:" + port}, strings.Fields(line)...)
		out, _, code := runHere(t, args...)
		var got []map[string]any
		if err := json.Unmarshal([]byte(out), &got); err != nil || len(got) != max(want, 1) {
			t.Errorf("%s: %v, exit %d, %d elements\n%s", line, err, code, len(got), out)
			continue
		}
		if failed := strings.Contains(line, "refused"); failed != (code == exitProblems) || failed != (got[len(got)-1]["error"] != nil) {
			t.Errorf("%s: exit %d, %s", line, code, out)
		}
	}
	for n, want := range []string{"[]\n", "[\n  1\n]\n", "[\n  1,\n  2\n]\n"} {
		var b strings.Builder
		l := jsonList{to: &b, many: true}
		for i := range n {
			l.add(i + 1)
		}
		if l.end(); b.String() != want || l.err != nil {
			t.Errorf("%d: %q, %v", n, b.String(), l.err)
		}
	}
}

// The secret of a key stays out of what is printed.
func TestDigKeepsSecrets(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	const secret = "c2VjcmV0c2VjcmV0c2VjcmV0"
	for _, key := range [][]string{{"-y", "hmac-sha256:key:" + secret}, {"-ykey:" + secret}} {
		out, told, code := runHere(t, append([]string{"dig", "@127.0.0.1:" + port, "www.example.test", "+tries=1", "+time=1", "+qr", "-v"}, key...)...)
		if code == 0 || strings.Contains(out+told, secret) || !strings.Contains(out, "key:***") {
			t.Errorf("exit %d, %q, %q", code, out, told)
		}
	}
	if _, told, code := runHere(t, "dig", "x", "-y", "key:no base64 at all"); code != exitUsage || strings.Contains(told, "base64 at") {
		t.Errorf("exit %d, %q", code, told)
	}
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"one": {"key \"k\" { algorithm hmac-sha256; secret \"" + secret + "\"; };", true}, "none": {"", false},
		"two": {"key a { secret \"" + secret + "\"; }; key b { secret \"" + secret + "\"; };", false},
		"big": {strings.Repeat(" ", maxSmallFile+1), false},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		call, err := parseDig([]string{"x", "-k", path}, noGlobals, nil)
		if (err == nil) != c.ok || err != nil && strings.Contains(err.Error(), secret) || c.ok && call.key.Name.String() != "k." {
			t.Errorf("%s: %+v, %v", name, call, err)
		}
	}
}

// tlsServer answers every question on TLS with an address, and with HTTPS behind a path.
func tlsServer(t *testing.T) (dot, doh, ca string, opened *atomic.Int32) {
	t.Helper()
	cert := testcert.New(t, "ns1.example.test", "127.0.0.1")
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Leaf.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert.Leaf}}
	h := host.NewOS(host.OSOptions{})
	opened = &atomic.Int32{}
	l, err := h.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	serve := example(t)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			opened.Add(1)
			go func() {
				defer conn.Close()
				secured := tls.Server(conn, config)
				for {
					var prefix [2]byte
					if _, err := io.ReadFull(secured, prefix[:]); err != nil {
						return
					}
					wire := make([]byte, int(prefix[0])<<8|int(prefix[1]))
					if _, err := io.ReadFull(secured, wire); err != nil {
						return
					}
					out := reply(t, wire, false, serve)
					secured.Write(append([]byte{byte(len(out) >> 8), byte(len(out))}, out...))
				}
			}()
		}
	}()
	web, err := h.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{path}", func(w http.ResponseWriter, r *http.Request) {
		wire, _ := io.ReadAll(r.Body)
		if r.Method == http.MethodGet {
			wire, _ = base64.RawURLEncoding.DecodeString(r.URL.Query().Get("dns"))
		}
		if p := r.PathValue("path"); p != "dns-query" && p != "other" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/dns-message")
		w.Write(reply(t, wire, false, serve))
	})
	server := &http.Server{Handler: mux, TLSConfig: config.Clone(), ReadHeaderTimeout: time.Minute}
	go server.ServeTLS(web, "", "")
	t.Cleanup(func() { server.Close() })
	return l.Addr().String(), web.Addr().String(), ca, opened
}

func TestDigTLSAndHTTPS(t *testing.T) {
	t.Parallel()
	dot, doh, ca, opened := tlsServer(t)
	for line, want := range map[string]string{
		"@" + dot + " +tls":               "(TLS)",
		"@" + dot + " +tls +tls-ca=" + ca: "(TLS)",
		"@" + dot + " +tls +tls-ca=" + ca + " +tls-hostname=ns1.example.test": "(TLS)",
		"@" + dot + " +tls +tls-ca=" + ca + " +tls-hostname=other.test":       "the certificate is not to be trusted",
		"@" + dot + " +tls +tls-ca":                                           "the certificate is not to be trusted",
		"@" + doh + " +https":                                                 "(HTTPS)",
		"@" + doh + " +https-post +tls-ca=" + ca:                              "(HTTPS)",
		"@" + doh + " +https-get":                                             "(HTTPS-GET)",
		"@" + doh + " +https=/other":                                          "(HTTPS)",
		"@" + doh + " +https=/nothing":                                        "no DNS answer over HTTPS: status 404",
		"@" + doh + " +https-get=/Other":                                      "no DNS answer over HTTPS: status 404", // a path has its case
	} {
		out, told, code := runHere(t, append([]string{"dig", "www.example.test"}, strings.Fields(line)...)...)
		if !strings.Contains(out+told, want) || (code == 0) != strings.HasPrefix(want, "(") || code == 0 && !strings.Contains(out, "192.0.2.2") {
			t.Errorf("%s: exit %d, %q, %q", line, code, out, told)
		}
	}
	opened.Store(0)
	out, _, _ := runHere(t, "dig", "@"+dot, "+tls", "+keepopen", "+short", "www.example.test", "mx.example.test", "MX", "txt.example.test", "TXT")
	if n := opened.Load(); n != 1 || strings.Count(out, "\n") != 6 {
		t.Errorf("%d connections, printed %q", n, out)
	}
	opened.Store(0)
	runHere(t, "dig", "@"+dot, "+tls", "+short", "www.example.test", "mx.example.test", "MX")
	if n := opened.Load(); n != 2 {
		t.Errorf("without +keepopen: %d connections", n)
	}
}

func TestDigAsksFrom(t *testing.T) {
	t.Parallel()
	pc, err := host.NewOS(host.OSOptions{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	from := make(chan string, 1)
	go func() {
		buffer := make([]byte, 512)
		n, addr, err := pc.ReadFrom(buffer)
		if err != nil {
			return
		}
		from <- addr.String()
		pc.WriteTo(answered(buffer[:n]), addr)
	}()
	if _, told, code := runHere(t, "dig", "@"+pc.LocalAddr().String(), "x.test", "-b", "127.0.0.2"); code != 0 {
		t.Fatalf("exit %d, %s", code, told)
	}
	if got := <-from; !strings.HasPrefix(got, "127.0.0.2:") {
		t.Errorf("asked from %s", got)
	}
}

// A resolver whose answer makes no sense is not the last word: the next one is asked.
func TestAskerGoesOnAfterNonsense(t *testing.T) {
	t.Parallel()
	bad := rawServer(t, func(wire []byte) [][]byte { return [][]byte{append(answered(wire), 1, 2, 3)} })
	good := "127.0.0.1:" + testServer(t, example(t))
	q, err := parseOne("www.example.test +tries=1 +time=1")
	if err != nil {
		t.Fatal(err)
	}
	s := &session{network: host.NewOS(host.OSOptions{})}
	d := s.newDigger(&digCall{questions: []*digQuestion{q}})
	d.page = &digPage{digQuestion: q, call: &digCall{}}
	a, err := d.asker(q)
	if err != nil {
		t.Fatal(err)
	}
	m := q.message(dns.MustParseName(q.name))
	a.servers = []string{bad, good}
	if told, err := a.ask(t.Context(), m); err != nil || told.server != good {
		t.Errorf("%+v, %v", told, err)
	}
	// Where none makes sense, or answers, that is told of the one that did answer.
	a.servers = []string{bad, "127.0.0.1:1"}
	if _, err := a.ask(t.Context(), m); err == nil || !strings.Contains(err.Error(), "malformed answer") || errors.As(err, new(*exit)) {
		t.Errorf("%v", err)
	}
}

// Whatever the arguments are, they are read or refused.
func FuzzDigArguments(f *testing.F) {
	for _, line := range []string{"@s:1 a b +short", "-x 192.0.2.1 +subnet=192.0.2.0/24", "IXFR=1 +qr -p1 -t", "+ednsopt=1:aa +cookie=0123456789abcdef -y k:AA==", "-b ::1#1 +nottl +domain=a."} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, opens := range []string{"-f", "-k", "-ca", "-certfile", "-keyfile", "-anchor"} {
			if strings.Contains(line, opens) {
				return // it may name a file
			}
		}
		call, err := parseDig(strings.Fields(line), noGlobals, nil)
		if err != nil || call.help {
			return
		}
		for _, q := range call.questions {
			names, err := q.names(resolvers{search: []string{"example.test"}})
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			for _, n := range names {
				if _, err := q.message(n).Append(nil, dns.MaxMessageLen); err != nil {
					t.Fatalf("%q: %v", line, err)
				}
			}
		}
	})
}
