package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/control"
)

// world answers as a resolver would that knows these records; what is not in them does not exist.
type world struct {
	records []string
	codes   map[string]dns.Rcode // by name and type
	err     error
}

func (w world) lookup(_ context.Context, name dns.Name, t dns.Type) (*dns.Message, error) {
	if w.err != nil {
		return nil, w.err
	}
	m := dns.NewQuery(1, name, t).Reply(dns.RcodeNXDomain)
	for _, line := range w.records {
		rr, err := dns.ParseRR(line, dns.Root, 60)
		if err != nil {
			return nil, err
		}
		if rr.Name.Equal(name) {
			m.Rcode = dns.RcodeSuccess
			if rr.Type == t {
				m.Answer = append(m.Answer, rr)
			}
		}
	}
	if code, ok := w.codes[name.String()+" "+t.String()]; ok {
		m.Rcode, m.Answer = code, nil
	}
	return m, nil
}

// outcomes gives the checks in short.
func outcomes(checks []Check) string {
	var b strings.Builder
	for _, c := range checks {
		fmt.Fprintf(&b, "%s: %s", c.What, c.Outcome)
		if c.Text != "" {
			b.WriteString(": " + c.Text)
		}
		b.WriteString("\n")
	}
	return b.String()
}

const (
	digest      = "4711 13 2 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
	otherDigest = "4712 13 2 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
)

func TestCheckDelegation(t *testing.T) {
	t.Parallel()
	d := control.Delegation{
		Zone: "example.org.", Servers: []string{"NS1.example.org.", "ns.other.net."}, TTL: 60, Port: 53,
		Glue: []control.Record{{Name: "NS1.example.org.", Type: "A", Data: "198.51.100.1"}, {Name: "NS1.example.org.", Type: "AAAA", Data: "2001:DB8::1"}},
		DS:   []control.Record{{Name: "example.org.", Type: "DS", Data: strings.ToUpper(digest)}},
	}
	right := []string{
		"example.org. NS ns1.Example.org.", "example.org. NS ns.other.net.", "ns1.example.org. A 198.51.100.1",
		"ns1.example.org. AAAA 2001:db8::1", "example.org. DS " + digest,
	}
	without := func(part string) []string {
		return slices.DeleteFunc(slices.Clone(right), func(s string) bool { return strings.Contains(s, part) })
	}
	const good = "port: ok\naddresses: ok\nname servers: ok: ns1.example.org., ns.other.net.\n" +
		"A of NS1.example.org.: ok: 198.51.100.1\nAAAA of NS1.example.org.: ok: 2001:db8::1\nDS: ok\n"
	for name, tt := range map[string]struct {
		world world
		want  string
	}{
		"as it should be":     {world{records: right}, good},
		"a DS more":           {world{records: append(without("nothing"), "example.org. DS "+otherDigest)}, good},
		"no DS":               {world{records: without("DS")}, strings.Replace(good, "DS: ok", "DS: wrong: the parent has none: nobody can validate the zone's signatures", 1)},
		"another DS":          {world{records: append(without("DS"), "example.org. DS "+otherDigest)}, strings.Replace(good, "DS: ok", "DS: wrong: none of those at the parent is of the zone's keys: whoever validates refuses it", 1)},
		"a server is missing": {world{records: without("other")}, strings.Replace(good, "ok: ns1.example.org., ns.other.net.", "wrong: missing: ns.other.net.", 1)},
		"a server more":       {world{records: append(without("nothing"), "example.org. NS old.net.")}, strings.Replace(good, "ok: ns1.example.org., ns.other.net.", "wrong: not ours: old.net.", 1)},
		"another address":     {world{records: append(without("198.51"), "ns1.example.org. A 198.51.100.9")}, strings.Replace(good, "ok: 198.51.100.1", "wrong: missing: 198.51.100.1; not ours: 198.51.100.9", 1)},
		"the resolver is silent": {world{err: errors.New("timed out")}, "port: ok\naddresses: ok\nname servers: could not tell: timed out\n" +
			"A of NS1.example.org.: could not tell: timed out\nAAAA of NS1.example.org.: could not tell: timed out\nDS: could not tell: timed out\n"},
		"the resolver is at a loss": {world{records: right, codes: map[string]dns.Rcode{"example.org. NS": dns.RcodeServFail, "example.org. DS": dns.RcodeRefused}},
			strings.NewReplacer("ok: ns1.example.org., ns.other.net.", "could not tell: the resolver says SERVFAIL for example.org. NS",
				"DS: ok", "DS: could not tell: the resolver says REFUSED for example.org. DS").Replace(good)},
		"nothing is there": {world{}, "port: ok\naddresses: ok\nname servers: wrong: nothing is delegated: nobody knows example.org.\n" +
			"A of NS1.example.org.: wrong: missing: 198.51.100.1\nAAAA of NS1.example.org.: wrong: missing: 2001:db8::1\n" +
			"DS: wrong: the parent has none: nobody can validate the zone's signatures\n"},
	} {
		if got := outcomes(CheckDelegation(t.Context(), d, tt.world.lookup)); got != tt.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, tt.want)
		}
	}

	unsigned := d
	unsigned.DS = nil
	if got := outcomes(CheckDelegation(t.Context(), unsigned, world{records: right}.lookup)); !strings.Contains(got, "DS: wrong: the parent says that the zone is signed, and it is not") {
		t.Error(got)
	}
	if got := outcomes(CheckDelegation(t.Context(), unsigned, world{records: without("DS")}.lookup)); !strings.Contains(got, "DS: does not apply: the zone is not signed\n") {
		t.Error(got)
	}
}

// TestWhatStandsInTheWay: what cannot work whatever the registrar has.
func TestWhatStandsInTheWay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		d    control.Delegation
		want string
	}{
		{control.Delegation{Zone: "example.org.", Port: 8053, Glue: []control.Record{{Data: "192.168.1.1"}, {Data: "198.51.100.1"}, {Data: "127.0.0.1"}, {Data: "fd00::1"}}},
			"port: wrong: others ask at port 53, and this server answers at 8053\naddresses: wrong: 192.168.1.1, 127.0.0.1, fd00::1 cannot be reached from elsewhere\n"},
		{control.Delegation{Zone: "example.org."}, "port: ok\naddresses: does not apply: its servers have names in other zones\n"},
	} {
		if got := outcomes(CheckDelegation(t.Context(), tt.d, world{}.lookup)); !strings.HasPrefix(got, tt.want) {
			t.Errorf("got\n%swant\n%s", got, tt.want)
		}
	}
	for zone, want := range map[string]bool{
		"networkutopia.test.": true, "a.b.EXAMPLE.": true, "x.internal.": true, "printer.home.arpa.": true, "home.arpa.": true,
		"1.0.0.127.in-addr.arpa.": true, "168.192.in-addr.arpa.": true, "D.F.ip6.arpa.": true, "192.in-addr.arpa.": false, "1.0.18.198.in-addr.arpa.": false,
		"example.com.": false, "test.org.": false, "myhome.arpa.": false, "latest.": false,
	} {
		checks := CheckDelegation(t.Context(), control.Delegation{Zone: zone}, world{}.lookup)
		if got := len(checks) == 1 && checks[0].Outcome == OutcomeDoesNotApply; got != want {
			t.Errorf("%s: %v", zone, checks)
		}
	}
}

// TestCheckDelegationOfAddresses: a name of an address that is known needs no delegation; until then it does.
func TestCheckDelegationOfAddresses(t *testing.T) {
	t.Parallel()
	const zone = "1.0.18.198.in-addr.arpa."
	d := control.Delegation{
		Zone: zone, Servers: []string{"ns1.example.org."}, TTL: 60, Port: 53, OfAddresses: true,
		Pointers: []control.Record{{Name: zone, TTL: 60, Type: "PTR", Data: "Example.org."}},
		DS:       []control.Record{{Name: zone, Type: "DS", Data: digest}},
	}
	const rest = "port: ok\naddresses: does not apply: its servers have names in other zones\n"
	for name, tt := range map[string]struct {
		world world
		want  string
		hint  string
	}{
		"delegated": {world{records: []string{zone + " NS ns1.example.org.", zone + " PTR example.org.", zone + " DS " + digest}},
			"PTR: ok: example.org.\n" + rest + "name servers: ok: ns1.example.org.\nDS: ok\n", ""},
		"entered": {world{records: []string{zone + " PTR EXAMPLE.org."}},
			"PTR: ok: example.org.\ndelegation: does not apply: the name is known without it: whoever gave you the addresses entered it\n", ""},
		"another name": {world{records: []string{zone + " PTR host-1.example.net."}},
			"PTR: wrong: missing: example.org.; not ours: host-1.example.net.\n" + rest + "name servers: wrong: nothing is delegated: nobody knows " + zone +
				"\nDS: wrong: the parent has none: nobody can validate the zone's signatures\n", "enter the name servers at whoever gave you the addresses"},
		"the resolver is silent": {world{err: errors.New("timed out")}, "PTR: could not tell: timed out\n" + rest +
			"name servers: could not tell: timed out\nDS: could not tell: timed out\n", ""},
		"the resolver says nothing of delegations": {world{records: []string{zone + " PTR example.org."}, codes: map[string]dns.Rcode{zone + " NS": dns.RcodeServFail}},
			"PTR: ok: example.org.\n" + rest + "name servers: could not tell: the resolver says SERVFAIL for " + zone + " NS\n" +
				"DS: wrong: the parent has none: nobody can validate the zone's signatures\n", "enter the DS at whoever gave you the addresses"},
	} {
		checks := CheckDelegation(t.Context(), d, tt.world.lookup)
		if got := outcomes(checks); got != tt.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, tt.want)
		}
		if hinted := slices.ContainsFunc(checks, func(c Check) bool { return c.Hint == tt.hint }); !hinted {
			t.Errorf("%s: no hint %q", name, tt.hint)
		}
	}
}
