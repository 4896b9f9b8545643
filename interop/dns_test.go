package interop

import (
	"fmt"
	"strings"
	"testing"
)

// records is a user's zone file with what the cases below ask for.
const records = `$TTL 600
blog        IN CNAME www
far         IN CNAME www.example.org.
*.wild      IN A     192.0.2.42
a.b.deep    IN TXT   "empty non-terminals above"
child       IN NS    ns.child
ns.child    IN A     192.0.2.53
many        IN TXT   "%s"
many        IN TXT   "%s"
many        IN TXT   "%s"
many        IN TXT   "%s"
many        IN TXT   "%s"
many        IN TXT   "%s"
@           IN MX    10 mail
`

func withRecords(t *testing.T) *instance {
	t.Helper()
	var long []any
	for i := range 6 {
		long = append(long, strings.Repeat(string(rune('a'+i)), 250))
	}
	in := newInstance(t, "a.test", "extra.zone", fmt.Sprintf(records, long...))
	in.write("utopia.toml", fmt.Sprintf("domain = \"a.test\"\naddress = [%q]\n[dns]\nzone-file = \"extra.zone\"\n", in.address))
	in.start()
	return in
}

// answers are what a client's output must and must not hold. The words are the same in dig and kdig.
var answers = []struct {
	name string
	ask  string // arguments; TCP and EDNS are written in the way that both programs share
	want []string
	lack []string
}{
	{"address", "www.a.test A", []string{"NOERROR", "aa", "ADDRESS"}, nil},
	{"case", "wWw.A.tEsT A", []string{"NOERROR", "ADDRESS"}, nil},
	{"apex NS", "a.test NS", []string{"ns1.a.test.", "ADDRESS"}, nil},
	{"SOA", "a.test SOA", []string{"ns1.a.test. hostmaster.a.test."}, nil},
	{"NXDOMAIN", "nobody.a.test A", []string{"NXDOMAIN", "SOA"}, nil},
	{"NODATA", "www.a.test MX", []string{"NOERROR", "SOA"}, []string{"NXDOMAIN", "IN\tMX\t"}},
	{"empty non-terminal", "b.deep.a.test A", []string{"NOERROR", "SOA"}, []string{"NXDOMAIN"}},
	{"CNAME and its target", "blog.a.test A", []string{"CNAME", "www.a.test.", "ADDRESS"}, nil},
	{"CNAME out of the zone", "far.a.test A", []string{"NOERROR", "www.example.org."}, nil},
	{"wildcard", "x.y.wild.a.test A", []string{"NOERROR", "x.y.wild.a.test.", "192.0.2.42"}, nil},
	{"wildcard, other type", "x.wild.a.test TXT", []string{"NOERROR", "SOA"}, []string{"192.0.2.42", "NXDOMAIN"}},
	{"delegation", "www.child.a.test A", []string{"NOERROR", "ns.child.a.test.", "192.0.2.53"}, []string{" aa"}},
	{"MX with its address", "a.test MX", []string{"10 mail.a.test.", "ADDRESS"}, nil},
	{"somebody else's", "www.example.org A", []string{"REFUSED"}, []string{" aa"}},
	{"TCP", "+tcp www.a.test A", []string{"NOERROR", "ADDRESS"}, nil},
	{"large over UDP goes to TCP", "many.a.test TXT", []string{"NOERROR", "aaaaaaaaaa", "ffffffffff"}, nil},
	{"truncated", "+ignore +bufsize=512 many.a.test TXT", []string{"NOERROR", "tc"}, []string{"ffffffffff"}},
	{"no EDNS", "+noedns www.a.test A", []string{"NOERROR", "ADDRESS"}, []string{"OPT"}},
	{"EDNS version 1", "+edns=1 +noednsneg www.a.test A", []string{"BADVERS"}, nil},
	{"ANY", "a.test ANY", []string{"NOERROR"}, nil},
	{"class CH", "-c CH version.bind TXT", []string{"REFUSED"}, nil},
}

func TestDNSClients(t *testing.T) {
	for _, client := range []string{"dig", "kdig"} {
		t.Run(client, func(t *testing.T) {
			t.Parallel()
			path := foreign(t, client)
			in := withRecords(t)
			for _, c := range answers {
				ask1 := c.ask
				if client == "kdig" { // which has no negotiation to be switched off
					ask1 = strings.Replace(ask1, "+noednsneg ", "", 1)
				}
				args := append([]string{"@" + in.address, "-p", "8053"}, strings.Fields(ask1)...)
				out, code := ask(t, "", path, args...)
				if code != 0 {
					t.Errorf("%s: exit code %d\n%s", c.name, code, out)
					continue
				}
				for _, want := range c.want {
					if want = strings.Replace(want, "ADDRESS", in.address, 1); !strings.Contains(out, want) {
						t.Errorf("%s: the answer lacks %q\n%s", c.name, want, out)
					}
				}
				for _, lack := range c.lack {
					if strings.Contains(out, lack) {
						t.Errorf("%s: the answer has %q\n%s", c.name, lack, out)
					}
				}
			}
		})
	}
}

func TestTwoInstancesSideBySide(t *testing.T) {
	t.Parallel()
	dig := foreign(t, "dig")
	a, b := serve(t, "a.test"), serve(t, "b.test")
	for _, in := range []*instance{a, b} {
		for _, name := range []string{in.domain, "www." + in.domain, "ns1." + in.domain, "mail." + in.domain} {
			out, _ := ask(t, "", dig, "@"+in.address, "-p", "8053", name, "+short")
			if strings.TrimSpace(out) != in.address {
				t.Errorf("%s at %s is %q", name, in.address, out)
			}
		}
	}
	if out, _ := ask(t, "", dig, "@"+a.address, "-p", "8053", "www.b.test"); !strings.Contains(out, "REFUSED") {
		t.Errorf("a.test's server answers for b.test:\n%s", out)
	}
}

// TestOurDigAgrees holds utopia dig +short against dig's.
func TestOurDigAgrees(t *testing.T) {
	t.Parallel()
	dig := foreign(t, "dig")
	in := withRecords(t)
	for _, c := range answers {
		if strings.Contains(c.ask, "edns=1") || strings.Contains(c.ask, "+ignore") {
			continue // options that +short says nothing about
		}
		question := append([]string{"@" + in.address, "-p", "8053"}, strings.Fields(c.ask)...)
		question = append(question, "+short")
		theirs, _ := ask(t, "", dig, question...)
		ours, err := in.run("", append([]string{"dig"}, question...)...)
		if err != nil || sortLines(ours) != sortLines(theirs) {
			t.Errorf("%s: %v, ours\n%s\ndig's\n%s", c.name, err, ours, theirs)
		}
	}
}
