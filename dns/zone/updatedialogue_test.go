package zone

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
)

var rewrite = flag.Bool("rewrite", false, "write what updates do now into testdata/update")

// minUpdateCases: the cases are the specification that a student reads; they must not get lost.
const minUpdateCases = 85

var updateTitle = regexp.MustCompile(`^case: (.*) \[RFC \d+[^\]]*\]$`)

// TestUpdateDialogues plays testdata/update/*.txt, whose README.md explains the format.
func TestUpdateDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/update/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, path := range files {
		count += playUpdates(t, path)
	}
	if count < minUpdateCases {
		t.Errorf("%d cases; there were %d once", count, minUpdateCases)
	}
}

// playUpdates plays one file, and counts its cases.
func playUpdates(t *testing.T, path string) (count int) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), "\nend\n")
	_, file, ok2 := strings.Cut(head, "zone example.test.\n")
	if !ok || !ok2 {
		t.Fatalf("%s has no zone on top", path)
	}
	z, _ := load(t, file+"\n")
	out := []string{head + "\nend"}
	for _, c := range strings.Split(strings.TrimSpace(rest), "\n\n") {
		lines := strings.Split(c, "\n")
		if !updateTitle.MatchString(lines[0]) {
			t.Fatalf("%s: want case: title [RFC number section]: %q", path, lines[0])
		}
		count++
		var asked, want []string
		for _, line := range lines[1:] {
			if a, ok := strings.CutPrefix(line, "A: "); ok {
				want = append(want, a)
			} else {
				asked = append(asked, strings.TrimPrefix(line, "U:"))
			}
		}
		got := playUpdate(t, z, asked)
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w && !*rewrite {
			t.Errorf("%s: %s\ngot\n%s\nwant\n%s", path, lines[0], g, w)
		}
		out = append(out, strings.Join(lines[:1+len(asked)], "\n")+"\nA: "+strings.Join(got, "\nA: "))
	}
	if *rewrite {
		if err := os.WriteFile(path, []byte(strings.Join(out, "\n\n")+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return count
}

func playUpdate(t *testing.T, z *Zone, lines []string) []string {
	t.Helper()
	m, opts := updateOf(t, lines)
	// What goes over the wire is what counts.
	wire, err := m.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = dns.Parse(wire); err != nil {
		return []string{"FORMERR " + err.Error()}
	}
	next, d, err := Update(z, m, opts)
	if err != nil {
		var why *UpdateError
		if !errors.As(err, &why) || next != z || len(d.Deleted)+len(d.Added) > 0 {
			t.Errorf("%v, and something has changed", err)
		}
		return []string{strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\t", " "), "update: ")}
	}
	out := []string{fmt.Sprintf("NOERROR serial=%d", next.SOA().Serial)}
	for _, part := range []struct {
		sign string
		rrs  []dns.RR
	}{{"- ", d.Deleted}, {"+ ", d.Added}} {
		for _, rr := range part.rrs {
			out = append(out, part.sign+strings.ReplaceAll(rr.String(), "\t", " "))
		}
	}
	return out
}

// updateOf makes a message of the lines of a case.
func updateOf(t testing.TB, lines []string) (*dns.Message, UpdateOptions) {
	t.Helper()
	m := dns.NewQuery(1, origin, dns.TypeSOA)
	m.Opcode = dns.OpcodeUpdate
	opts := UpdateOptions{Allow: func(dns.Name, dns.Type) bool { return true }}
	var grants Grants
	for _, line := range lines {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		data := ""
		switch words[0] {
		case "zone":
			m.Question[0].Name, m.Question[0].Type = nameOf(t, words[1]), typeOf(t, words[2])
		case "signed":
			opts.Signed = true
		case "allow":
			grants = append(grants, grantOf(t, words[1:]))
			opts.Allow = grants.Allow
		case "prereq", "update":
			if len(words) > 4 {
				data = strings.Join(words[4:], " ")
			}
			addLine(t, m, words, data)
		case "raw":
			ttl, _ := strconv.Atoi(words[3])
			class, err := dns.ParseClass(words[4])
			if err != nil {
				t.Fatal(err)
			}
			rr := record(t, words[2], ttl, class, words[5], strings.Join(words[6:], " "))
			if words[1] == "prereq" {
				m.Answer = append(m.Answer, rr)
			} else {
				m.Authority = append(m.Authority, rr)
			}
		default:
			t.Fatalf("what is %q?", line)
		}
	}
	return m, opts
}

// addLine adds what a line says in the language of nsupdate.
func addLine(t testing.TB, m *dns.Message, words []string, data string) {
	t.Helper()
	typ := "ANY"
	if len(words) > 3 {
		typ = words[3]
	}
	switch verb := words[0] + " " + words[1]; verb {
	case "prereq yxdomain", "prereq yxrrset":
		class := dns.ClassANY
		if data != "" {
			class = dns.ClassIN
		}
		m.Answer = append(m.Answer, record(t, words[2], 0, class, typ, data))
	case "prereq nxdomain", "prereq nxrrset":
		m.Answer = append(m.Answer, record(t, words[2], 0, dns.ClassNONE, typ, ""))
	case "update delete":
		class := dns.ClassANY
		if data != "" {
			class = dns.ClassNONE
		}
		m.Authority = append(m.Authority, record(t, words[2], 0, class, typ, data))
	case "update add":
		ttl, err := strconv.Atoi(words[3])
		if err != nil {
			t.Fatal(err)
		}
		m.Authority = append(m.Authority, record(t, words[2], ttl, dns.ClassIN, words[4], strings.Join(words[5:], " ")))
	default:
		t.Fatalf("what is %s?", verb)
	}
}

func record(t testing.TB, name string, ttl int, class dns.Class, typ, data string) dns.RR {
	t.Helper()
	rr := dns.RR{Name: nameOf(t, name), Type: typeOf(t, typ), Class: class, TTL: uint32(ttl)}
	switch data {
	case "", `\# 0`:
	case `\# 1 00`:
		rr.Data = []byte{0}
	default:
		var err error
		if rr.Data, err = dns.ParseData(rr.Type, data, origin); err != nil {
			t.Fatal(err)
		}
	}
	return rr
}

func grantOf(t testing.TB, words []string) Grant {
	t.Helper()
	var g Grant
	if words[0] == "below" {
		g.Below, words = true, words[1:]
	}
	g.Name = nameOf(t, words[0])
	for _, w := range words[1:] {
		g.Types = append(g.Types, typeOf(t, w))
	}
	return g
}

func nameOf(t testing.TB, s string) dns.Name {
	t.Helper()
	n, err := dns.ParseName(s, origin)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func typeOf(t testing.TB, s string) dns.Type {
	t.Helper()
	typ, err := dns.ParseType(s)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}
