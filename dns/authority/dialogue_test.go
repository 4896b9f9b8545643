package authority

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

var rewrite = flag.Bool("rewrite", false, "write the answers that are given now into testdata")

// minCases: the dialogues are the specification that a student reads; they
// must not get lost.
const minCases = 160

// TestDialogues plays testdata/*.txt: each file has its zones on top, and then
// cases of a title, an RFC section, a question (Q:) and its answer (A:).
// testdata/README.md explains the format.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, path := range files {
		d := readDialogue(t, path)
		for _, c := range d.cases {
			count++
			t.Run(filepath.Base(path)+"/"+c.title, func(t *testing.T) {
				if c.rfc == "" {
					t.Error("no RFC section is named")
				}
				c.got = ask(t, d.set, c.question)
				if got, want := strings.Join(c.got, "\n"), strings.Join(c.want, "\n"); got != want && !*rewrite {
					t.Errorf("%s:%d: Q: %s\ngot\n%s\nwant\n%s", path, c.line, c.question, got, want)
				}
			})
		}
		if *rewrite {
			d.rewrite(t, path)
		}
	}
	if count < minCases {
		t.Errorf("%d cases; there were %d once", count, minCases)
	}
}

type dialogue struct {
	set   *zone.Set
	lines []string
	cases []*dialogueCase
}

type dialogueCase struct {
	title, rfc, question string
	line                 int // of the question, from 1
	want, got            []string
}

var titleForm = regexp.MustCompile(`^(.*) \[RFC (\d+[^\]]*)\]$`)

func readDialogue(t *testing.T, path string) *dialogue {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := &dialogue{lines: strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")}
	var zones []*zone.Zone
	for i := 0; i < len(d.lines); i++ {
		line := d.lines[i]
		tag, rest, _ := strings.Cut(line, ": ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "zone "):
			end := i + 1
			for d.lines[end] != "end" {
				end++
			}
			zones = append(zones, loadZone(t, strings.TrimPrefix(line, "zone "), d.lines[i+1:end]))
			i = end
		case tag == "case":
			m := titleForm.FindStringSubmatch(rest)
			if m == nil {
				t.Fatalf("%s:%d: want case: title [RFC number section]", path, i+1)
			}
			d.cases = append(d.cases, &dialogueCase{title: m[1], rfc: m[2]})
		case tag == "Q" && len(d.cases) > 0:
			d.cases[len(d.cases)-1].question = rest
			d.cases[len(d.cases)-1].line = i + 1
		case tag == "A" && len(d.cases) > 0:
			c := d.cases[len(d.cases)-1]
			c.want = append(c.want, rest)
		default:
			t.Fatalf("%s:%d: what is this? %q", path, i+1, line)
		}
	}
	if d.set, err = zone.NewSet(zones...); err != nil {
		t.Fatal(err)
	}
	return d
}

func loadZone(t *testing.T, apex string, lines []string) *zone.Zone {
	t.Helper()
	opts := zone.ReadOptions{Origin: dns.MustParseName(apex), File: apex}
	z, _, err := zone.Load(strings.NewReader(strings.Join(lines, "\n")+"\n"), opts)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func (d *dialogue) rewrite(t *testing.T, path string) {
	t.Helper()
	answers := map[int][]string{}
	for _, c := range d.cases {
		answers[c.line] = c.got
	}
	var out []string
	for i, line := range d.lines {
		if strings.HasPrefix(line, "A: ") {
			continue
		}
		out = append(out, line)
		for _, a := range answers[i+1] {
			out = append(out, "A: "+a)
		}
	}
	if err := os.WriteFile(path, []byte(strings.Join(out, "\n")+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
}

// ask puts a question in the form of the dialogues and renders the answer.
func ask(t *testing.T, set *zone.Set, question string) []string {
	t.Helper()
	wire, maxUDP := questionWire(t, question)
	before := []byte("before")
	out := Respond(set, before, wire, maxUDP)
	out, ok := bytes.CutPrefix(out, before)
	if !ok {
		t.Fatal("what stood before the response was changed")
	}
	if len(out) == 0 {
		return []string{"(silence)"}
	}
	r, err := dns.Parse(out)
	if err != nil {
		t.Fatalf("the answer is malformed: %v", err)
	}
	if r.ID != 4711 || !r.Response {
		t.Errorf("ID %d, QR %v", r.ID, r.Response)
	}
	return render(wire, r)
}

// questionWire makes the octets of a question such as "www.example.test. IN A
// +edns +do", or of "hex" and octets. Over UDP the size limit is that of a
// server with the default settings.
func questionWire(t *testing.T, question string) (wire []byte, maxUDP int) {
	t.Helper()
	if digits, ok := strings.CutPrefix(question, "hex "); ok {
		wire, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return wire, DefaultUDPSize
	}
	words := strings.Fields(question)
	typ, err := dns.ParseType(words[2])
	if err != nil {
		t.Fatal(err)
	}
	class, err := dns.ParseClass(words[1])
	if err != nil {
		t.Fatal(err)
	}
	q := dns.NewQuery(4711, dns.MustParseName(words[0]), typ)
	q.Question[0].Class = class
	maxUDP = DefaultUDPSize
	for _, w := range words[3:] {
		key, value, _ := strings.Cut(w, "=")
		number, _ := strconv.Atoi(value)
		if q.EDNS == nil && (key == "+edns" || key == "+do" || key == "+version") {
			q.EDNS = &dns.EDNS{UDPSize: 1232}
		}
		switch key {
		case "+edns":
			if value != "" {
				q.EDNS.UDPSize = uint16(number)
			}
		case "+do":
			q.EDNS.DO = true
		case "+version":
			q.EDNS.Version = uint8(number)
		case "+rd":
			q.RecursionDesired = true
		case "+cd":
			q.CheckingDisabled = true
		case "+ad":
			q.AuthenticData = true
		case "+tcp":
			maxUDP = Stream
		case "+opcode":
			if q.Opcode, err = dns.ParseOpcode(value); err != nil {
				t.Fatal(err)
			}
		case "+questions":
			for len(q.Question) < number {
				q.Question = append(q.Question, q.Question[0])
			}
			q.Question = q.Question[:number]
		default:
			t.Fatalf("what is %s?", w)
		}
	}
	if wire, err = q.Append(nil, 0); err != nil {
		t.Fatal(err)
	}
	return wire, maxUDP
}

func render(query []byte, r *dns.Message) []string {
	head := r.Rcode.String()
	for _, f := range []struct {
		on   bool
		name string
	}{
		{r.Authoritative, "aa"}, {r.Truncated, "tc"}, {r.RecursionDesired, "rd"},
		{r.RecursionAvailable, "ra"}, {r.AuthenticData, "ad"}, {r.CheckingDisabled, "cd"},
	} {
		if f.on {
			head += " " + f.name
		}
	}
	if r.EDNS != nil {
		head += fmt.Sprintf(" edns=%d", r.EDNS.UDPSize)
		if r.EDNS.DO {
			head += " do"
		}
		for _, e := range r.EDNS.ExtendedErrors() {
			head += " " + fmt.Sprintf("ede=%d", e.Code)
		}
	}
	if q, err := dns.Parse(query); err != nil || len(r.Question) != len(q.Question) {
		head += fmt.Sprintf(" questions=%d", len(r.Question))
	} else if len(q.Question) > 0 && r.Question[0] != q.Question[0] {
		head += " question=" + r.Question[0].String()
	}
	out := []string{head}
	for _, s := range []struct {
		name string
		rrs  []dns.RR
	}{{"answer    ", r.Answer}, {"authority ", r.Authority}, {"additional", r.Additional}} {
		for _, rr := range s.rrs {
			out = append(out, s.name+" "+strings.ReplaceAll(rr.String(), "\t", " "))
		}
	}
	return out
}
