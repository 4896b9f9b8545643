package main

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/host"
)

// runHere runs a command in this process.
func runHere(t testing.TB, args ...string) (out, errors string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	s := &session{in: strings.NewReader(""), out: &stdout, err: &stderr, network: host.NewOS(host.OSOptions{})}
	root := newRoot(s)
	root.SetArgs(args)
	code = s.report(root.ExecuteContext(t.Context()))
	return stdout.String(), stderr.String(), code
}

func TestDigShort(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	out, errors, code := runHere(t, "dig", "@127.0.0.1", "-p", port, "www.example.test", "A", "+short")
	if out != "192.0.2.1\n192.0.2.2\n" || errors != "" || code != 0 {
		t.Errorf("printed %q and %q, exit %d", out, errors, code)
	}
}

// NXDOMAIN and its like are answers: dig ends with 0.
func TestDigExitCodes(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	for name, want := range map[string]int{"www": 0, "nx": 0, "nodata": 0, "refused": 0, "options": 0, "silent": 3} {
		out, errors, code := runHere(t, "dig", "@127.0.0.1", "-p"+port, name+".example.test", "+tries=1", "+time=1")
		if code != want || (want == 3) != (out == "") || (want == 3) != strings.Contains(errors, "timed out") {
			t.Errorf("%s: exit %d, printed %q and %q", name, code, out, errors)
		}
	}
}

func TestDigUnreachable(t *testing.T) {
	t.Parallel()
	h := host.NewOS(host.OSOptions{})
	l, err := h.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	for _, args := range [][]string{{"+tcp"}, {}, {"--json"}} {
		out, errors, code := runHere(t, append([]string{"dig", "@" + address, "x.test"}, args...)...)
		if code != 3 || !strings.Contains(out+errors, "connection refused") {
			t.Errorf("%v: exit %d, %q %q", args, code, out, errors)
		}
	}
}

func TestDigJSON(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	out, errors, code := runHere(t, "dig", "--json", "@127.0.0.1:"+port, "mx.example.test", "mx", "+tcp")
	var got struct {
		Server      string
		Network     string
		QueryTimeMS float64 `json:"queryTimeMs"`
		Size        int
		Tries       int
		Time        time.Time
		Response    struct {
			RCODEname string
			QTYPEname string
			ANCOUNT   int
			AnswerRRs []struct{ NAME, TYPEname, Rdata string } `json:"answerRRs"`
			EDNS      *struct {
				UDPSize int `json:"udpSize"`
			}
		} `json:"responseMessage"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || errors != "" {
		t.Fatalf("%v, exit %d, %q:\n%s", err, code, errors, out)
	}
	r := got.Response
	if got.Server != "127.0.0.1:"+port || got.Network != "tcp" || got.Size == 0 || got.Tries != 1 || got.QueryTimeMS <= 0 ||
		time.Since(got.Time) > time.Minute || r.RCODEname != "NOERROR" || r.QTYPEname != "MX" || r.ANCOUNT != 2 ||
		r.EDNS == nil || r.AnswerRRs[0].Rdata != "10 mail.example.test." {
		t.Errorf("got %+v", got)
	}
}

func TestDigVerboseShowsTheWire(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	for _, args := range [][]string{
		{"dig", "-v", "@127.0.0.1", "-p", port, "cut.example.test", "+short"},
		{"-v", "dig", "@127.0.0.1", "-p", port, "cut.example.test", "+short"},
		{"dig", "--verbose", "@127.0.0.1", "-p", port, "cut.example.test", "+short"},
	} {
		out, errors, _ := runHere(t, args...)
		if out != "192.0.2.1\n" {
			t.Errorf("printed %q", out)
		}
		for _, want := range []string{"= dns over udp with 127.0.0.1:" + port, "= dns over tcp with", "> query ", "< answer ", " tc "} {
			if !strings.Contains(errors, want) {
				t.Errorf("%q is not in the transcript:\n%s", want, errors)
			}
		}
	}
}

func TestDigTellsOfLies(t *testing.T) {
	t.Parallel()
	honest := example(t)
	port := testServer(t, func(q *dns.Message, udp bool) *dns.Message {
		m := honest(q, udp)
		m.ID++
		return m
	})
	_, errors, code := runHere(t, "dig", "@127.0.0.1:"+port, "www.example.test", "+tries=1", "+time=1")
	if code != 3 || !strings.Contains(errors, "ignored 1 that did not match (the last: id ") {
		t.Errorf("exit %d, %q", code, errors)
	}
}

// What the options do to the question.
func TestDigQuestions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{"", "NS . IN rd ad edns=0/1232"},
		{"www.example.test", "A www.example.test. IN rd ad edns=0/1232"},
		{"mx", "MX . IN rd ad edns=0/1232"},
		{"-q mx", "A mx. IN rd ad edns=0/1232"},
		{"mx. txt", "TXT mx. IN rd ad edns=0/1232"},
		{"AAAA example.test", "AAAA example.test. IN rd ad edns=0/1232"},
		{"ch txt version.bind", "TXT version.bind. CH rd ad edns=0/1232"},
		{"-c hs -t TYPE999 -q x", "TYPE999 x. HS rd ad edns=0/1232"},
		{"-cCH -tTXT -qx", "TXT x. CH rd ad edns=0/1232"},
		{"CLASS5 x A", "A x. CLASS5 rd ad edns=0/1232"},
		{"A x A IN IN", "A x. IN rd ad edns=0/1232"},
		{"-x 192.0.2.1", "PTR 1.2.0.192.in-addr.arpa. IN rd ad edns=0/1232"},
		{"-x 192.0.2.1 TXT", "TXT 1.2.0.192.in-addr.arpa. IN rd ad edns=0/1232"},
		{"TXT -x 192.0.2.1", "TXT 1.2.0.192.in-addr.arpa. IN rd ad edns=0/1232"},
		{"-x 192.0.2", "PTR 2.0.192.in-addr.arpa. IN rd ad edns=0/1232"},
		{"-x 10. SOA -r", "SOA 10.in-addr.arpa. IN rd ad edns=0/1232"},
		{"-x ::1", "PTR 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa. IN rd ad edns=0/1232"},
		{"x ANY", "ANY x. IN rd ad edns=0/1232 tcp"},
		{"x ANY +notcp", "ANY x. IN rd ad edns=0/1232"},
		{"x +tcp", "A x. IN rd ad edns=0/1232 tcp"},
		{"x +vc", "A x. IN rd ad edns=0/1232 tcp"},
		{"x +tcp +novc", "A x. IN rd ad edns=0/1232"},
		{"x +noedns", "A x. IN rd ad"},
		{"x +noedns +bufsize=4096", "A x. IN rd ad edns=0/4096"},
		{"x +bufsize=512", "A x. IN rd ad edns=0/512"},
		{"x +bufsize=65535", "A x. IN rd ad edns=0/65535"},
		{"x +edns=255", "A x. IN rd ad edns=255/1232"},
		{"x +edns=1 +edns", "A x. IN rd ad edns=0/1232"},
		{"x +dnssec", "A x. IN rd ad edns=0/1232 do"},
		{"x +noedns +do", "A x. IN rd ad edns=0/1232 do"},
		{"x +do +nodnssec", "A x. IN rd ad edns=0/1232"},
		{"x +nsid", "A x. IN rd ad edns=0/1232 nsid"},
		{"x +norec", "A x. IN ad edns=0/1232"},
		{"x +nord +cd +noad", "A x. IN cd edns=0/1232"},
		{"x +norecurse +rdflag +cdflag +noadflag", "A x. IN rd cd edns=0/1232"},
		{"x +IGNORE +time=1 +tries=1 +retry=0", "A x. IN rd ad edns=0/1232 ignore"},
		{"@ns1.example -4 -6 -p 1 x", "A x. IN rd ad edns=0/1232 @ns1.example:1 ip6"},
		{"@[2001:db8::1]:65535 x", "A x. IN rd ad edns=0/1232 @2001:db8::1:65535"},
		{"@127.0.0.1#8053 x", "A x. IN rd ad edns=0/1232 @127.0.0.1:8053"},
		{"@::1#8053 x", "A x. IN rd ad edns=0/1232 @::1:8053"},
		{"@::1 x", "A x. IN rd ad edns=0/1232 @::1:"},
		{"@[::1] x", "A x. IN rd ad edns=0/1232 @::1:"},
	} {
		q, err := parseOne(c.args)
		if err != nil {
			t.Errorf("%s: %v", c.args, err)
			continue
		}
		if got := describe(t, q); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.args, got, c.want)
		}
	}
}

// parseOne reads a line with one question.
func parseOne(line string) (*digQuestion, error) {
	call, err := parseDig(strings.Fields(line), noGlobals, nil)
	if err != nil {
		return nil, err
	}
	return call.questions[0], nil
}

func noGlobals([]string) (int, error) { return 0, nil }

func describe(t *testing.T, q *digQuestion) string {
	m := q.message(dns.MustParseName(q.name))
	one := m.Question[0]
	words := []string{one.Type.String(), one.Name.String(), one.Class.String()}
	for _, f := range []struct {
		on   bool
		name string
	}{{m.RecursionDesired, "rd"}, {m.AuthenticData, "ad"}, {m.CheckingDisabled, "cd"}} {
		if f.on {
			words = append(words, f.name)
		}
	}
	if e := m.EDNS; e != nil {
		words = append(words, "edns="+strconv.Itoa(int(e.Version))+"/"+strconv.Itoa(int(e.UDPSize)))
		if e.DO {
			words = append(words, "do")
		}
		if _, ok := e.Option(dns.OptionNSID); ok {
			words = append(words, "nsid")
		}
	}
	for _, f := range []struct {
		on   bool
		name string
	}{{q.tcp, "tcp"}, {q.ignore, "ignore"}, {q.server != "", "@" + q.server + ":" + q.portOf()},
		{q.ipVersion != 0, "ip" + strconv.Itoa(q.ipVersion)}} {
		if f.on {
			words = append(words, f.name)
		}
	}
	return strings.Join(words, " ")
}

func TestDigTimesAndTries(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args  string
		time  time.Duration
		tries int
	}{
		{"x", 5 * time.Second, 3},
		{"x +time=1 +tries=1", time.Second, 1},
		{"x +timeout=3600 +tries=100", time.Hour, 100},
		{"x +retry=0", 5 * time.Second, 1},
		{"x +retry=99", 5 * time.Second, 100},
	} {
		q, err := parseOne(c.args)
		if err != nil || q.timeout != c.time || q.tries != c.tries {
			t.Errorf("%s: %v, %v and %d", c.args, err, q.timeout, q.tries)
		}
	}
}

// Wrong arguments end with 2, say what is wrong, and ask nobody.
func TestDigUsage(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64) + ".test"
	for args, want := range map[string]string{
		"x +bogus":                     "unknown option +bogus\nhint: utopia dig --help lists them",
		"x +tpc":                       "unknown option +tpc\nhint: did you mean +tcp?",
		"x +noshrt":                    "unknown option +shrt\nhint: did you mean +short?",
		"x --jsn":                      "unknown option --jsn\nhint: did you mean --json?",
		"x -Z":                         "unknown option -Z\nhint: utopia dig --help lists them",
		"x +t=1":                       "+t may mean +tcp or +tls",
		"x +":                          "unknown option +\nhint: utopia dig --help lists them",
		"x +no":                        "unknown option +\nhint: utopia dig --help lists them",
		"x +tcp=yes":                   "+tcp has no value",
		"x +time":                      "+time needs a value: +time=…",
		"x +notime":                    "+notime does not exist\nhint: +time=… sets it",
		"x +notime=1":                  "+notime does not exist\nhint: +time=… sets it",
		"x +time=0":                    `+time: "0" is no number of seconds: 1 to 3600`,
		"x +time=3601":                 `+time: "3601" is no number of seconds: 1 to 3600`,
		"x +tries=0":                   `"0" is no number of tries: 1 to 100`,
		"x +tries=101":                 `"101" is no number of tries: 1 to 100`,
		"x +retry=-1":                  `"-1" is no number of tries: 0 to 99`,
		"x +retry=100":                 `"100" is no number of tries: 0 to 99`,
		"x +bufsize=511":               `+bufsize: "511" is no size: 512 to 65535`,
		"x +bufsize=65536":             `+bufsize: "65536" is no size: 512 to 65535`,
		"x +edns=256":                  `+edns: "256" is no version: 0 to 255`,
		"x -p 0":                       `-p: "0" is no port: 1 to 65535`,
		"x -p65536":                    `-p: "65536" is no port: 1 to 65535`,
		"x @127.0.0.1:dns":             `-p: "dns" is no port: 1 to 65535`,
		"x -p":                         "-p needs a value",
		"x -t BOGUS":                   `"BOGUS" is no record type` + "\nhint: such as A, AAAA, MX, NS, SOA, TXT, ANY, or TYPE65 by its number",
		"x -c BOGUS":                   `"BOGUS" is no class: IN, CH, HS, ANY, or CLASS3 by its number`,
		"x -x example.test":            `-x: "example.test" is no address` + "\nhint: such as 192.0.2.1 or 2001:db8::1",
		"x -x 10.256":                  `-x: "10.256" is no address` + "\nhint: such as 192.0.2.1 or 2001:db8::1",
		"x -x 010":                     `-x: "010" is no address` + "\nhint: such as 192.0.2.1 or 2001:db8::1",
		"x -x .":                       `-x: "." is no address` + "\nhint: such as 192.0.2.1 or 2001:db8::1",
		"x -x 192.0.2.1.5":             `-x: "192.0.2.1.5" is no address` + "\nhint: such as 192.0.2.1 or 2001:db8::1",
		"x A MX":                       "two types: A and MX\nhint: a name that is also a type stands behind -q, or ends in a dot",
		"x IN CH":                      "two classes: IN and CH",
		"@a @b":                        "two servers: @a and @b",
		"@ x":                          "@ needs a server\nhint: such as @127.0.0.1",
		"x IXFR":                       "IXFR needs the serial that is known: IXFR=2026112201",
		"x IXFR=a":                     "IXFR needs the serial that is known: IXFR=2026112201",
		"x IXFR=4294967296":            "IXFR needs the serial that is known: IXFR=2026112201",
		"x AXFR +https":                "there are no zone transfers over HTTPS\nhint: +tls, or TCP",
		"x AXFR +trace":                "+trace, +chain and a zone transfer exclude each other",
		"x +trace +chain":              "+trace, +chain and a zone transfer exclude each other",
		"x +tls-ca":                    "a certificate needs +tls or +https",
		"x +tls-hostname=a":            "a certificate needs +tls or +https",
		"x +tls +tls-certfile=a":       "+tls-certfile and +tls-keyfile need each other",
		"x +tls +tls-ca=/no/file":      "+tls-ca: open /no/file: no such file or directory",
		"x +https=dns-query":           `+https: the path "dns-query" does not begin with /`,
		"x +cookie=0":                  `+cookie: "0" is no cookie: 16, or 32 to 80, hexadecimal digits`,
		"x +cookie=00112233445566":     `+cookie: "00112233445566" is no cookie: 16, or 32 to 80, hexadecimal digits`,
		"x +cookie=001122334455667788": `+cookie: "001122334455667788" is no cookie: 16, or 32 to 80, hexadecimal digits`,
		"x +subnet=192.0.2.0/33":       `+subnet: "192.0.2.0/33" is no network: such as 192.0.2.0/24`,
		"x +subnet":                    "+subnet needs a value: +subnet=…",
		"x +ednsopt=65536":             `+ednsopt: "65536" is no option: 0 to 65535, or nsid, ecs, cookie, expire, keepalive, padding, ede`,
		"x +ednsopt=nsid:0g":           `+ednsopt: "0g" is not hexadecimal`,
		"x +ednsflags=0x10000":         `+ednsflags: "0x10000" is no number: 0 to 65535, or 0x0000 to 0xffff`,
		"x +padding=4097":              `+padding: "4097" is no size: 0 to 4096`,
		"x +opcode=16":                 `+opcode: "16" is no opcode: QUERY, STATUS, NOTIFY, UPDATE, or 0 to 15`,
		"x +split=2049":                `+split: "2049" is no number of characters: 0 to 2048`,
		"x +ndots=16":                  `+ndots: "16" is no number of dots: 0 to 15`,
		"x +domain=a..b":               `+domain: dns: name "a..b": empty label`,
		"x -b nobody":                  `-b: "nobody" is no address` + "\nhint: such as 192.0.2.1 or 192.0.2.1#5353",
		"x -b 192.0.2.1#65536":         `-b: "65536" is no port: 1 to 65535`,
		"x -k /no/file":                "-k: open /no/file: no such file or directory",
		"-f a -f b":                    "two files of questions: -f a and -f b",
		"-f /no/file":                  "-f: open /no/file: no such file or directory",
		"x @a @b":                      "two servers: @a and @b",
		"a..b":                         `dns: name "a..b": empty label`,
		long:                           `dns: name "` + long + `": label is longer than 63 octets`,
		"x -C":                         "-C needs a value",
		"x --directory":                "--directory needs a value",
		"x --json=maybe":               `invalid argument "maybe" for "--json" flag: strconv.ParseBool: parsing "maybe": invalid syntax`,
	} {
		out, errors, code := runHere(t, append([]string{"dig"}, strings.Fields(args)...)...)
		if code != exitUsage || out != "" || errors != "utopia: "+want+"\n" {
			t.Errorf("%s: exit %d, printed %q and\n%s", args, code, out, errors)
		}
	}
}

func TestDigGlobalFlags(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	for _, args := range [][]string{
		{"--json", "dig", "@127.0.0.1:" + port, "x.example.test"},
		{"dig", "@127.0.0.1:" + port, "x.example.test", "--json"},
		{"dig", "@127.0.0.1:" + port, "-C", "/tmp", "x.example.test", "--json=true"},
		{"-C", "/tmp", "dig", "@127.0.0.1:" + port, "--directory=/tmp", "x.example.test", "--json"},
	} {
		out, errors, code := runHere(t, args...)
		if code != 0 || !json.Valid([]byte(out)) {
			t.Errorf("%q: exit %d, %q, %q", args, code, out, errors)
		}
	}
}

func TestDigHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"dig", "--help"}, {"dig", "-h"}, {"dig", "@127.0.0.1", "x", "+short", "--help"}, {"help", "dig"}} {
		out, errors, code := runHere(t, args...)
		if code != 0 || errors != "" || !strings.Contains(out, "utopia dig [@server] [name]") {
			t.Errorf("%q: exit %d, %q, %q", args, code, out, errors)
		}
		for _, o := range plusOptions() {
			if !strings.Contains(out, o.name) {
				t.Errorf("%q: +%s is not in the help", args, o.name)
			}
		}
	}
}

// The words offered as flags of all commands are such flags.
func TestGlobalWords(t *testing.T) {
	t.Parallel()
	root := newRoot(&session{out: io.Discard, err: io.Discard})
	for _, w := range globalWords {
		if name := strings.TrimPrefix(w, "--"); name != "help" && root.PersistentFlags().Lookup(name) == nil {
			t.Errorf("%s is no flag of all commands", w)
		}
	}
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(globalWords[:], "--"+f.Name) {
			t.Errorf("--%s is not offered", f.Name)
		}
	})
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	noFiles := cobra.ShellCompDirectiveNoFileComp
	for _, c := range []struct {
		command, args, begun string
		want                 string // the words without what is about them
		directive            cobra.ShellCompDirective
	}{
		{"dig", "", "+sh", "+short", noFiles},
		{"dig", "x", "+notc", "+notcp", noFiles},
		{"dig", "x", "+bu", "+bufsize=", noFiles | cobra.ShellCompDirectiveNoSpace},
		{"dig", "x", "+ti", "+time= +timeout=", noFiles},
		{"dig", "x", "m", "MX", noFiles},
		{"dig", "-t", "AA", "AAAA", noFiles},
		{"dig", "-c", "", "IN CH HS", noFiles},
		{"dig", "-p", "", "", noFiles},
		{"dig", "", "@", "@127.0.0.1", noFiles},
		{"dig", "", "--j", "--json", noFiles},
		{"nslookup", "", "-ty", "-type=", noFiles | cobra.ShellCompDirectiveNoSpace},
		{"nslookup", "", "-qt=M", "-qt=MX", noFiles},
		{"nslookup", "", "-no", "-novc -norecurse -nosearch -nodebug -nod2", noFiles},
		{"nslookup", "", "--v", "--verbose", noFiles},
		{"nslookup", "", "w", "", noFiles},
	} {
		complete := completeDig
		if c.command == "nslookup" {
			complete = completeNslookup
		}
		words, directive := complete(nil, strings.Fields(c.args), c.begun)
		for i, w := range words {
			words[i], _, _ = strings.Cut(w, "\t")
		}
		if got := strings.Join(words, " "); got != c.want || directive != c.directive {
			t.Errorf("%s %s %s: %q and %v, want %q and %v", c.command, c.args, c.begun, got, directive, c.want, c.directive)
		}
	}
	out, _, code := runHere(t, "__complete", "dig", "@127.0.0.1", "+sho")
	if code != 0 || !strings.HasPrefix(out, "+short\t") {
		t.Errorf("through the shell's door: %q, exit %d", out, code)
	}
}

// page prints a message as dig does with all its parts.
func page(m *dns.Message) string {
	q := newDigQuestion()
	var out bytes.Buffer
	p := &digPage{digQuestion: q, call: &digCall{}, out: &out}
	p.printf(";; Got answer:\n")
	p.message(m)
	p.shortAnswer(told{Answer: &dnsclient.Answer{Message: m}})
	lookupPage{nslookupQuestion: &nslookupQuestion{}, out: &out}.records(m.Answer, true)
	return out.String()
}

// manyLines prints a message with records over several lines.
func manyLines(m *dns.Message) string {
	q := newDigQuestion()
	q.show.multiline, q.show.units = true, true
	var out bytes.Buffer
	(&digPage{digQuestion: q, call: &digCall{}, out: &out}).message(m)
	return out.String()
}

// checkPrintable fails for whatever a terminal could take for a command.
func checkPrintable(t *testing.T, text, about string) {
	t.Helper()
	for i, c := range []byte(text) {
		if (c < ' ' && c != '\n' && c != '\t') || c > '~' {
			t.Fatalf("octet %#x at %d of\n%q\n%s", c, i, text, about)
		}
	}
}

// No record of any type, whatever it holds, sends a control character to the terminal.
func TestPagesArePrintable(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	types := []dns.Type{32768, 32769, 65280, 65535}
	for kind := dns.Type(1); kind < 300; kind++ {
		types = append(types, kind)
	}
	for _, kind := range types {
		for range 40 {
			m := dns.NewQuery(1, dns.Name("\x03\x1b[m\x02\x9b1\x01\x7f\x00"), kind).Reply(dns.RcodeSuccess)
			data := make([]byte, 1+random.IntN(40))
			for i := range data {
				data[i] = byte(random.Uint32())
				if random.IntN(3) == 0 {
					data[i] = "\x1b\x9b\x07\x00\x01\x02\x7f\n"[random.IntN(8)]
				}
			}
			m.Answer = []dns.RR{{Name: m.Question[0].Name, Type: kind, Class: dns.ClassIN, Data: data}}
			checkPrintable(t, page(m)+manyLines(m), kind.String())
		}
	}
}

func TestOptionsArePrintable(t *testing.T) {
	t.Parallel()
	m := dns.NewQuery(1, dns.Root, dns.TypeA).Reply(dns.RcodeSuccess)
	m.EDNS = &dns.EDNS{Options: hostileOptions()}
	for code := range dns.OptionCode(20) {
		for size := range 12 {
			m.EDNS.Options = append(m.EDNS.Options, dns.Option{Code: code, Data: bytes.Repeat([]byte{0x1b}, size)})
		}
	}
	checkPrintable(t, page(m)+manyLines(m), "options")
}

func TestOptionText(t *testing.T) {
	t.Parallel()
	var got []string
	for _, o := range append(hostileOptions(),
		dns.Option{Code: dns.OptionNSID},
		dns.Option{Code: dns.OptionCookie, Data: []byte{1, 2, 0xab}},
		dns.Option{Code: dns.OptionExtendedError, Data: []byte{0}},
		dns.Option{Code: dns.OptionClientSubnet, Data: []byte{0, 1, 33, 0, 1, 2, 3, 4}},
		dns.Option{Code: dns.OptionClientSubnet, Data: []byte{0, 1, 24, 0, 1, 2}},
		dns.Option{Code: dns.OptionTCPKeepalive},
	) {
		got = append(got, optionText(o))
	}
	want := []string{
		`EDE: 20 (Not Authoritative): (not mine .[31m)`, `NSID: 6e 73 31 9b ("ns1.")`, `OPT=65001: 61 62 1b ("ab.")`,
		`EDE: 24 (Invalid Data)`, `PAD: (5 bytes)`, `TCP KEEPALIVE: 10.0 secs`, `CLIENT-SUBNET: 192.0.2.0/24/0`,
		`CLIENT-SUBNET: 2001:db8::/32/16`, `EDE: 99: (x)`,
		`NSID:`, `OPT=65002:`, `TCP KEEPALIVE:`, `PAD:`,
		`NSID:`, `COOKIE: 0102ab`, `EDE: 00 (".")`, `CLIENT-SUBNET: 00 01 21 00 01 02 03 04 ("..!.....")`,
		`CLIENT-SUBNET: 00 01 18 00 01 02 ("......")`, `TCP KEEPALIVE:`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestOnlyASCII(t *testing.T) {
	t.Parallel()
	if got := onlyASCII("plain ~ text"); got != "plain ~ text" {
		t.Errorf("%q", got)
	}
	if got, want := onlyASCII("a\x1b[31m\x7f\u009b\nb"), `a\027[31m\127\194\155\010b`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// FuzzDigPage: whatever message a server sends, its page is printable.
func FuzzDigPage(f *testing.F) {
	serve := example(f)
	for _, name := range []string{"www", "txt", "signed", "ctl", "options"} {
		q := dns.NewQuery(1, dns.MustParseName(name+".example.test."), dns.TypeANY)
		q.EDNS = &dns.EDNS{}
		wire, err := serve(q, false).Append(nil, 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		if m, err := dns.Parse(wire); err == nil {
			checkPrintable(t, page(m)+manyLines(m), "")
		}
	})
}

func TestReadResolvConf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"": nil,
		"# nameserver 192.0.2.9\nsearch example.test\nnameserver 192.0.2.1\nnameserver 2001:db8::1 # first\n": {"192.0.2.1", "2001:db8::1"},
		"nameserver\nnameserver ns1.example.test\nnameserver\t fe80::1%eth0":                                  {"fe80::1%eth0"},
		strings.Repeat("nameserver 192.0.2.1\n", 9):                                                           {"192.0.2.1", "192.0.2.1", "192.0.2.1"},
		strings.Repeat("#", maxResolvConf) + "\nnameserver 192.0.2.1":                                         nil,
	} {
		if got := readResolvConf(strings.NewReader(text)).servers; !slices.Equal(got, want) {
			t.Errorf("%.60q: %q, want %q", text, got, want)
		}
	}
	if len(systemResolvers().servers) == 0 {
		t.Error("the system has no servers, not even itself")
	}
}

func TestServersInTurn(t *testing.T) {
	t.Parallel()
	port := testServer(t, example(t))
	q, err := parseOne("-p " + port + " www.example.test +tries=1")
	if err != nil {
		t.Fatal(err)
	}
	m := q.message(dns.MustParseName(q.name))
	s := &session{network: host.NewOS(host.OSOptions{})}
	d := s.newDigger(&digCall{questions: []*digQuestion{q}})
	d.page = &digPage{digQuestion: q, call: &digCall{}, out: &bytes.Buffer{}}
	a, err := d.asker(q)
	if err != nil {
		t.Fatal(err)
	}
	a.servers = []string{"127.0.0.2", "127.0.0.1"} // nothing listens on the first
	answer, err := a.ask(t.Context(), m)
	if err != nil || answer.server != "127.0.0.1" {
		t.Errorf("answered by %q, %v", answer.server, err)
	}
	a.servers = []string{"127.0.0.2", "127.0.0.3"}
	_, err = a.ask(t.Context(), m)
	if err == nil || !strings.HasPrefix(err.Error(), "none of 127.0.0.2, 127.0.0.3 answered; the last: ask 127.0.0.3:") {
		t.Errorf("got %v", err)
	}
	a.servers, a.port = []string{"127.0.0.9"}, ""
	if hint := a.failure(t.Context(), a.failure(t.Context(), dnsclient.ErrUnreachable)).Error(); !strings.Contains(hint, "hint: utopia up answers on port 8053") {
		t.Errorf("no hint in %q", hint)
	}
}

func TestDigPageGolden(t *testing.T) {
	t.Parallel()
	serve := example(t)
	var b strings.Builder
	for _, name := range []string{"www", "signed", "options", "formerr", "cached"} {
		q := dns.NewQuery(4711, dns.MustParseName(name+".example.test."), dns.TypeANY)
		q.RecursionDesired, q.EDNS = true, &dns.EDNS{}
		b.WriteString(page(serve(q, false)))
	}
	golden(t, filepath.Join("testdata", "dig.golden"), b.String())
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-rewrite writes it anew); got\n%s", path, got)
	}
}
