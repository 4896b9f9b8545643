package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
)

func TestNslookup(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	const head = "Server:\t\t127.0.0.1\nAddress:\t127.0.0.1#PORT\n\n"
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"-qt=MX mx.example.test", head + "mx.example.test\tmail exchanger = 10 mail.example.test.\n" +
			"mx.example.test\tmail exchanger = 20 mail2.a-rather-long-name.of-a-host.example.test.\n\n", 0},
		{"www.example.test", head + "Name:\twww.example.test\nAddress: 192.0.2.1\nName:\twww.example.test\nAddress: 192.0.2.2\n" +
			"Name:\twww.example.test\nAddress: 192.0.2.1\nName:\twww.example.test\nAddress: 192.0.2.2\n\n", 0},
		{"-type=A www.example.test", head + "Name:\twww.example.test\nAddress: 192.0.2.1\nName:\twww.example.test\nAddress: 192.0.2.2\n\n", 0},
		{"-q=txt txt.example.test.", head + `txt.example.test	text = "v=spf1 -all" "a\"b\\c \027[31m\200"` + "\n" +
			`txt.example.test	hinfo = "a" "b"` + "\n\n", 0},
		{"-query=SOA soa.example.test", head + "example.test\n\torigin = ns1.example.test\n\tmail addr = hostmaster.example.test\n" +
			"\tserial = 2026112201\n\trefresh = 7200\n\tretry = 3600\n\texpire = 1209600\n\tminimum = 300\n\n", 0},
		{"-type=NS cached.example.test", head + "Non-authoritative answer:\ncached.example.test\tnameserver = ns1.example.test.\n" +
			"cached.example.test\tmail exchanger = 5 mail.example.test.\n\nAuthoritative answers can be found from:\n" +
			"example.test\tnameserver = ns1.example.test.\nns1.example.test\tinternet address = 192.0.2.53\n" +
			"ns1.example.test\thas AAAA address 2001:db8::53\n\n", 0},
		{"192.0.2.1", "1.2.0.192.in-addr.arpa\tname = www.example.test.\n\n", 0},
		{"-qt=PTR 192.0.2.1", head + "1.2.0.192.in-addr.arpa\tname = www.example.test.\n\n", 0},
		{"-type=NS .", head + "*** Can't find .: No answer\n\n", 0},
		{"nodata.example.test", head + "*** Can't find nodata.example.test: No answer\n\n", 0},
		{"nx.example.test", head + "** server can't find nx.example.test: NXDOMAIN\n\n", 1},
		{"-type=MX refused.example.test", head + "** server can't find refused.example.test: REFUSED\n\n", 1},
		{"-type=A cut.example.test", ";; Truncated, retrying in TCP mode.\n" + head + "Name:\tcut.example.test\nAddress: 192.0.2.1\n\n", 0},
		{"-vc -type=A cut.example.test", head + "Name:\tcut.example.test\nAddress: 192.0.2.1\n\n", 0},
	} {
		args := append([]string{"nslookup", "-port=" + port}, strings.Fields(c.args)...)
		out, errors, code := runHere(t, append(args, "127.0.0.1")...)
		if want := strings.ReplaceAll(c.want, "PORT", port); out != want || errors != "" || code != c.code {
			t.Errorf("%s: exit %d, %q\ngot  %q\nwant %q", c.args, code, errors, out, want)
		}
	}
}

// The second question of a name without a type is for the name that the first answer led to.
func TestNslookupFollowsAliases(t *testing.T) {
	t.Parallel()
	questions := make(chan string, 10)
	serve := example(t)
	port := testServer(t, func(q *dns.Message, udp bool) *dns.Message {
		questions <- q.Question[0].String()
		return serve(q, udp)
	})
	out, _, code := runHere(t, "nslookup", "-port="+port, "alias.example.test", "127.0.0.1")
	var asked []string
	for range len(questions) {
		asked = append(asked, <-questions)
	}
	if code != 0 || strings.Join(asked, ", ") != "alias.example.test. IN A, www.example.test. IN AAAA" {
		t.Errorf("exit %d, asked %q", code, asked)
	}
	if !strings.Contains(out, "alias.example.test\tcanonical name = www.example.test.\n") {
		t.Errorf("printed %s", out)
	}
}

func TestCanonicalName(t *testing.T) {
	t.Parallel()
	for want, lines := range map[string][]string{
		"a.example.test.": {"b CNAME c", "a A 192.0.2.1"},
		"c.example.test.": {"b CNAME c", "A CNAME b", "c A 192.0.2.1"},
		"b.example.test.": {"a CNAME b", "c CNAME a"},
	} {
		if got := canonicalName(dns.MustParseName("a.example.test."), records(t, lines...)); !got.Equal(dns.MustParseName(want)) {
			t.Errorf("%q: %s, want %s", lines, got, want)
		}
	}
	// A circle ends.
	canonicalName(dns.MustParseName("a.example.test."), records(t, "a CNAME b", "b CNAME a"))
}

func TestNslookupJSON(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	out, _, code := runHere(t, "nslookup", "--json", "-port="+port, "www.example.test", "127.0.0.1")
	var got []struct {
		Response struct{ QTYPEname string } `json:"responseMessage"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
		t.Fatalf("%v, exit %d:\n%s", err, code, out)
	}
	if len(got) != 2 || got[0].Response.QTYPEname != "A" || got[1].Response.QTYPEname != "AAAA" {
		t.Errorf("got %+v", got)
	}
	if out, _, code := runHere(t, "nslookup", "--json", "-port="+port, "nx.example.test", "127.0.0.1"); code != 1 || !json.Valid([]byte(out)) {
		t.Errorf("NXDOMAIN: exit %d, %s", code, out)
	}
}

func TestNslookupNoServer(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	out, errors, code := runHere(t, "nslookup", "-port="+port, "-timeout=1", "-retry=1", "silent.example.test", "127.0.0.1")
	if code != 3 || out != "" || !strings.Contains(errors, "timed out") {
		t.Errorf("exit %d, %q, %q", code, out, errors)
	}
	const nobody = "127.0.0.2" // the server listens on 127.0.0.1 alone
	if _, errors, code := runHere(t, "nslookup", "-port="+port, "www.example.test", nobody); code != 3 || !strings.Contains(errors, "refused") {
		t.Errorf("exit %d, %q", code, errors)
	}
}

func TestNslookupQuestions(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"x":                      "x. IN A rd",
		"x -type=MX":             "x. IN MX rd",
		"-querytype=ns x [::1]":  "x. IN NS rd @::1",
		"-class=ch -qt=txt x":    "x. CH TXT rd",
		"-norecurse x 192.0.2.1": "x. IN A @192.0.2.1",
		"x 192.0.2.1:8053":       "x. IN A rd @192.0.2.1 port 8053",
		"x 192.0.2.1#8053":       "x. IN A rd @192.0.2.1 port 8053",
		"x [::1]:8053":           "x. IN A rd @::1 port 8053",
		"-NOREC x":               "x. IN A",
		"-norecu x":              "", // no further abbreviations here
		"-search x.":             "x. IN A rd",
		"-domain=a.test x":       "x.a.test. IN A rd",
		"-domain=a.test x.y":     "x.y. IN A rd",
		"-novc -recurse x":       "x. IN A rd",
		"2001:db8::1":            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. IN PTR rd",
		"192.0.2.1 -qt=A":        "1.2.0.192.in-addr.arpa. IN PTR rd",
		"--help":                 "help",
	} {
		q, err := parseNslookup(strings.Fields(args), noGlobals)
		if err != nil {
			if want != "" {
				t.Errorf("%s: %v", args, err)
			}
			continue
		}
		got := "help"
		if !q.help {
			all, err := q.first()
			if err != nil {
				t.Fatal(err)
			}
			m := all[0]
			got = m.Question[0].String()
			if m.RecursionDesired {
				got += " rd"
			}
			if q.server != "" {
				got += " @" + q.server
			}
			if q.port != 53 {
				got += fmt.Sprint(" port ", q.port)
			}
			if m.EDNS != nil {
				got += " edns"
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
}

func TestNslookupUsage(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"x :53":          `":53" is no server` + "\nhint: such as 127.0.0.1",
		"x 127.0.0.1:0":  `-port: "0" is no port: 1 to 65535`,
		"a b c":          `"c" is one argument too many` + "\nusage: utopia nslookup [-option…] [NAME|ADDRESS [SERVER]]",
		"-tipe=MX x":     "unknown option -tipe=MX\nhint: did you mean -type?",
		"--jsn x":        "unknown option --jsn\nhint: did you mean --json?",
		"-bogus x":       "unknown option -bogus\nhint: utopia nslookup --help lists them",
		"-type x":        "-type needs a value: -type=…",
		"-notype=MX x":   "unknown option -notype=MX\nhint: did you mean -type?",
		"-vc=1 x":        "unknown option -vc=1\nhint: did you mean -vc?",
		"-qt=BOGUS x":    `"BOGUS" is no record type` + "\nhint: such as A, AAAA, MX, NS, SOA, TXT, ANY, or TYPE65 by its number",
		"-class=BOGUS x": `"BOGUS" is no class: IN, CH, HS, ANY, or CLASS3 by its number`,
		"-port=0 x":      `-port: "0" is no port: 1 to 65535`,
		"-timeout=0 x":   `-timeout: "0" is no number of seconds: 1 to 3600`,
		"-retry=0 x":     `"0" is no number of tries: 1 to 100`,
		"a..b":           `dns: name "a..b": empty label`,
		"x -C":           "-C needs a value",
		"- a b":          `"b" is one argument too many` + "\nusage: utopia nslookup [-option…] [NAME|ADDRESS [SERVER]]",
		"-ndots=16 x":    `+ndots: "16" is no number of dots: 0 to 15`,
		"-domain=a..b x": `-domain: dns: name "a..b": empty label`,
		"-qt=AXFR x":     "nslookup looks one name up\nhint: utopia dig AXFR transfers a zone",
	} {
		out, errors, code := runHere(t, append([]string{"nslookup"}, strings.Fields(args)...)...)
		if code != exitUsage || out != "" || errors != "utopia: "+want+"\n" {
			t.Errorf("%s: exit %d, printed %q and\n%s", args, code, out, errors)
		}
	}
}

func TestNslookupHelp(t *testing.T) {
	t.Parallel()
	out, errors, code := runHere(t, "nslookup", "x", "--help")
	if code != 0 || errors != "" || !strings.Contains(out, "-querytype=") || !strings.Contains(out, "-qt=MX") {
		t.Errorf("exit %d, %q, %q", code, errors, out)
	}
}

// converse has nslookup read lines.
func converse(t testing.TB, lines string, args ...string) (out, errors string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	s := &session{in: strings.NewReader(lines), out: &stdout, err: &stderr, network: host.NewOS(host.OSOptions{})}
	root := newRoot(s)
	root.SetArgs(append([]string{"nslookup"}, args...))
	code = s.report(root.ExecuteContext(t.Context()))
	return stdout.String(), stderr.String(), code
}

// What lines do, and that none of them ends it.
func TestNslookupTalk(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	const head = "Server:\t\t127.0.0.1\nAddress:\t127.0.0.1#PORT\n\n"
	const www = "Name:\twww.example.test\nAddress: 192.0.2.1\nName:\twww.example.test\nAddress: 192.0.2.2\n"
	for lines, want := range map[string]struct {
		out, errors string
		code        int
	}{
		"":                                       {"", "", 0},
		"exit\nwww.example.test\n":               {"", "", 0},
		"set type=A\nwww.example.test":           {head + www, "", 0},
		"  set   ty=A  \r\n\n www.example.test ": {head + www, "", 0},
		"set type=A domain=example.test\nwww":    {head + www, "", 0},
		"set type=A domain=example.test nosearch\nnx.example.test": {head + "** server can't find nx.example.test: NXDOMAIN\n", "", 1},
		"nx.example.test\nset type=A\nwww.example.test":            {head + "** server can't find nx.example.test: NXDOMAIN\n" + head + www, "", 1},
		"a..b\nset type=A\nnx.example.test":                        {head + "** server can't find nx.example.test: NXDOMAIN\n", "*** dns: name \"a..b\": empty label\n", 2},
		"set bogus\nset\nset port=0\nset type=A\nwww.example.test": {head + www,
			"*** unknown option -bogus\nhint: utopia nslookup --help lists them\n*** set needs an option: help lists them\n" +
				"*** -port: \"0\" is no port: 1 to 65535\n", 0},
		"a b c":                          {"", "*** \"c\" is one word too many\nhint: NAME [SERVER]\n", 2},
		"a..b":                           {"", "*** dns: name \"a..b\": empty label\n", 2},
		"ls example.test\nfinger":        {"", "*** ls is not here\nhint: utopia dig DOMAIN AXFR lists a zone, where its server allows that\n*** finger is not here\nhint: help lists what is\n", 0},
		"server\nserver :1\nlserver a b": {"", "*** server needs one: an address or a name\n*** \":1\" is no server\nhint: such as 127.0.0.1\n*** server needs one: an address or a name\n", 0},
		"server 127.0.0.9#54\nlserver 127.0.0.1:PORT": {"Default server: 127.0.0.9\nAddress: 127.0.0.9#54\nDefault server: 127.0.0.1\nAddress: 127.0.0.1#PORT\n", "", 0},
		"server nodata.example.test":                  {"", "*** the server nodata.example.test has no address\n", 0},
		"server www.example.test":                     {"Default server: 192.0.2.1\nAddress: 192.0.2.1#PORT\n", "", 0},
		"help":                                        {talkHelp, "", 0},
		"set vc norecurse debug type=MX cl=ch retry=2 t=7 ndots=3 domain=example.test all": {
			"Default server: 127.0.0.1\nAddress: 127.0.0.1#PORT\n\nSet options:\n  vc\t\t\tdebug\t\tnod2\n  search\t\tnorecurse\n" +
				"  timeout = 7\t\tretry = 2\tport = PORT\tndots = 3\n  querytype = MX      \tclass = CH\n  srchlist = example.test\n", "", 0},
		strings.Repeat("x", maxTalkLine+10) + "\nset type=A\nwww.example.test": {head + www, "*** a line of more than 65536 octets\n", 0},
	} {
		fill := strings.NewReplacer("PORT", port).Replace
		out, errors, code := converse(t, fill(lines), "-port="+port, "-", "127.0.0.1")
		if out != fill(want.out)+"\n" || errors != want.errors || code != want.code {
			t.Errorf("%.80q: exit %d, want %d\ngot  %q\nwant %q\ngot  %q\nwant %q", lines, code, want.code, out, fill(want.out), errors, want.errors)
		}
	}
	_, errors, code := converse(t, "x.example.test\nset retry=1 timeout=1\nsilent.example.test", "-port="+port, "-", "127.0.0.1")
	if code != exitUnreachable || !strings.Contains(errors, "timed out") {
		t.Errorf("exit %d, %q", code, errors)
	}
	_, errors, _ = converse(t, "set d2\nset type=A\nwww.example.test", "-port="+port, "-", "127.0.0.1")
	if !strings.Contains(errors, "> query ") || !strings.Contains(errors, "< answer ") {
		t.Errorf("d2 shows %q", errors)
	}
}

// A look-up at another server leaves the first one in place, and lserver asks the one that was there at the beginning.
func TestNslookupTalkServers(t *testing.T) {
	t.Parallel()
	serve := example(t)
	port := testServer(t, func(q *dns.Message, udp bool) *dns.Message {
		m := serve(q, udp)
		if q.Question[0].Name.Label() == "ns" && q.Question[0].Type == dns.TypeA {
			m.Answer = records(t, "ns A 127.0.0.1")
		}
		return m
	})
	out, errors, code := converse(t, "set type=A\nwww.example.test 127.0.0.9\nwww.example.test\nserver 127.0.0.9\nlserver ns.example.test\nwww.example.test\n",
		"-port="+port, "-retry=1", "-", "127.0.0.1")
	if code != exitUnreachable || strings.Count(out, "Name:\twww.example.test\n") != 4 || strings.Count(errors, "connection refused") != 1 {
		t.Errorf("exit %d, %q, %q", code, out, errors)
	}
}
