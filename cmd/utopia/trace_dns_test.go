package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/querylog"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/transcript"
)

// traced makes the lines of a query and its answer, as the instance sends them.
func traced(t *testing.T, id transcript.ID, name string, code dns.Rcode, raw bool) []control.Line {
	t.Helper()
	h := &transcript.Head{ID: id, Service: "dns", Network: "udp", Remote: netip.MustParseAddrPort("192.0.2.7:5000"), Start: time.Unix(1e9, 0)}
	q := dns.NewQuery(uint16(id), dns.MustParseName(name), dns.TypeA)
	lines := []control.Line{{Event: "begin", Head: h}}
	for i, m := range []*dns.Message{q, q.Reply(code)} {
		wire, err := m.Append(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		line, fields := querylog.Describe(wire)
		e := &transcript.Entry{
			Time: h.Start.Add(time.Duration(i) * 85 * time.Microsecond), Dir: transcript.Direction(i), Bytes: len(wire), Text: line, Fields: fields,
		}
		if raw {
			e.Raw = wire
		}
		lines = append(lines, control.Line{Event: "entry", Head: h, Entry: e})
	}
	return append(lines, control.Line{Event: "end", Head: h, Record: &transcript.Record{Head: *h, End: time.Now()}})
}

// runTrace gives a tracer lines, and says what it printed and how it ended.
func runTrace(t *testing.T, s session, count int, wanted querylog.Spec, lines ...control.Line) (out, told string, err error) {
	t.Helper()
	filter, err := querylog.NewFilter(wanted)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	s.out, s.err = &stdout, &stderr
	q := &queryTracer{tracer: &tracer{session: &s, left: count}, filter: filter, under: map[transcript.ID]*querylog.Pairing{}}
	for _, l := range lines {
		if err = q.line(l); err != nil {
			break
		}
	}
	if err == nil && len(q.under) > 0 {
		t.Errorf("%d exchanges are held after their end", len(q.under))
	}
	return stdout.String(), stderr.String(), err
}

func TestQueryLog(t *testing.T) {
	www, gone := traced(t, 1, "www.example.test.", dns.RcodeSuccess, false), traced(t, 2, "gone.example.test.", dns.RcodeNXDomain, false)
	// What is said is interleaved, and the answer to the second one comes first.
	lines := []control.Line{{Event: "alive"}, www[0], gone[0], www[1], gone[1], gone[2], www[2], gone[3], www[3]}
	clock := time.Unix(1e9, 0).Local().Format("15:04:05.000")
	want := clock + " 192.0.2.7:5000 udp gone.example.test. A - NXDOMAIN 0/0/0 35B 85µs -\n" +
		clock + " 192.0.2.7:5000 udp www.example.test. A - NOERROR 0/0/0 34B 85µs -\n"
	if out, told, err := runTrace(t, session{}, 0, querylog.Spec{}, lines...); out != want || told != "" || err != nil {
		t.Errorf("%s%s, %v\nwant %s", out, told, err, want)
	}
	if out, _, err := runTrace(t, session{}, 1, querylog.Spec{Code: "NOERROR"}, lines...); strings.Count(out, "\n") != 1 || !strings.Contains(out, " www.") || !errors.Is(err, errEnough) {
		t.Errorf("one that was answered: %s, %v", out, err)
	}
	lost := append(lines, control.Line{Event: "alive", Lost: 3}, control.Line{Event: "alive", Lost: 3})
	if _, told, _ := runTrace(t, session{}, 0, querylog.Spec{Name: "elsewhere"}, lost...); !strings.Contains(told, "3 steps were left out") || strings.Count(told, "\n") != 1 {
		t.Errorf("told %q of what was lost", told)
	}
	synctest.Test(t, func(t *testing.T) { // once a second
		var stderr bytes.Buffer
		tell := &tracer{session: &session{err: &stderr}}
		for range 21 {
			tell.missed(tell.lost + 5)
			time.Sleep(100 * time.Millisecond)
		}
		tell.tellLosses()
		tell.tellLosses()
		var told []string
		for line := range strings.Lines(stderr.String()) {
			told = append(told, strings.Fields(line)[1])
		}
		if got := strings.Join(told, " "); got != "5 50 50" {
			t.Errorf("told of %s steps", got)
		}
	})
}

// A query whose answer never came is told at the end.
func TestQueryLogOfNoAnswer(t *testing.T) {
	lines := traced(t, 1, "www.example.test.", dns.RcodeSuccess, false)
	out, _, err := runTrace(t, session{}, 1, querylog.Spec{Code: "none"}, lines[0], lines[1], lines[3])
	if !strings.HasSuffix(out, " none - - - - (not answered)\n") || !errors.Is(err, errEnough) {
		t.Errorf("%s, %v", out, err)
	}
}

func TestQueryLogWithMessages(t *testing.T) {
	lines := traced(t, 1, "www.example.test.", dns.RcodeSuccess, true)
	out, _, err := runTrace(t, session{verbose: true}, 0, querylog.Spec{}, lines...)
	for _, want := range []string{";; Query:\n;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1\n", ";; Answer:\n;; ->>HEADER<<-", ";www.example.test.\t\tIN\tA\n"} {
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("%s lacks %q (%v)", out, want, err)
		}
	}
	lines[1].Entry.Raw = []byte("no message")
	if out, _, _ = runTrace(t, session{verbose: true}, 0, querylog.Spec{}, lines...); !strings.Contains(out, "no message:\n; 6e6f206d657373616765\n") {
		t.Errorf("octets that are no message: %s", out)
	}
}

func TestQueryLogAsJSON(t *testing.T) {
	lines := traced(t, 1, "www.example.test.", dns.RcodeNXDomain, true)
	for _, verbose := range []bool{false, true} {
		out, _, err := runTrace(t, session{json: true, verbose: verbose}, 0, querylog.Spec{}, lines...)
		var got struct {
			Name, Code string
			Took       int            `json:"took_us"`
			Asked      map[string]any `json:"query_message"`
			Told       map[string]any `json:"answer_message"`
		}
		if err == nil {
			err = json.Unmarshal([]byte(out), &got)
		}
		if err != nil || got.Name != "www.example.test." || got.Code != "NXDOMAIN" || got.Took != 85 || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: %v", out, err)
		}
		if verbose != (got.Asked["QNAME"] == "www.example.test.") || verbose != (got.Told["RCODEname"] == "NXDOMAIN") {
			t.Errorf("verbose %v: %s", verbose, out)
		}
	}
}

// Exchanges whose end was lost do not fill the memory.
func TestQueryLogIsBounded(t *testing.T) {
	q := &queryTracer{tracer: &tracer{session: &session{}}, under: map[transcript.ID]*querylog.Pairing{}}
	for id := range maxPairings + 1 {
		q.pairing(transcript.Head{ID: transcript.ID(id + 1)})
	}
	if len(q.under) != maxPairings || q.under[1] != nil || q.under[2] == nil || q.under[maxPairings+1] == nil {
		t.Errorf("%d are held", len(q.under))
	}
}

func TestQueryFilterFlags(t *testing.T) {
	for _, tt := range []struct {
		args, want string
		alone      bool
	}{
		{"--name=example.test --type=A", "", true},
		{"", "", false},
		{"--name=example.test", "--name is about the name server's queries\nhint: utopia trace dns --name …", false},
		{"--type=A --pcap=x", "--type and --pcap", true},
		{"--type=A,NOSUCH", `--type "NOSUCH": dns: unknown record type`, true},
		{"--client=nobody", `--client "nobody": neither an address nor a network`, true},
	} {
		var wanted querylog.Spec
		c := &cobra.Command{}
		c.Flags().String("pcap", "", "")
		addQueryFlags(c, &wanted)
		if err := c.ParseFlags(strings.Fields(tt.args)); err != nil {
			t.Fatal(err)
		}
		_, err := queryFilter(c.Flags(), wanted, tt.alone)
		var e *exit
		if tt.want == "" && err != nil || tt.want != "" && (!errors.As(err, &e) || e.code != exitUsage || !strings.HasPrefix(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %s", tt.args, err, tt.want)
		}
	}
}

func TestCompletionOfLists(t *testing.T) {
	complete := listOf([]string{"A", "AAAA", "IXFR=", "MX"})
	for begun, want := range map[string]string{"": "A AAAA IXFR MX", "a": "A AAAA", "MX,i": "MX,IXFR", "MX,": "MX,A MX,AAAA MX,IXFR MX,MX", "z": ""} {
		if got, _ := complete(nil, nil, begun); strings.Join(got, " ") != want {
			t.Errorf("%q: %s, want %s", begun, got, want)
		}
	}
}
