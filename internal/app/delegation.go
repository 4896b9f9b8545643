package app

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/service/dnssvc"
)

// Outcome is what a check came to. A question without an answer is never taken for a no.
type Outcome string

// The four outcomes of a check.
const (
	OutcomeOK           Outcome = "ok"
	OutcomeWrong        Outcome = "wrong"
	OutcomeCouldNotTell Outcome = "could not tell"
	OutcomeDoesNotApply Outcome = "does not apply"
)

// Check is one thing that was looked at.
type Check struct {
	Zone    string  `json:"zone"`
	What    string  `json:"check"`
	Outcome Outcome `json:"outcome"`
	Text    string  `json:"text,omitempty"`
	Hint    string  `json:"hint,omitempty"`
}

// Lookup asks a resolver. The answer may have any code; an error means that there was none.
type Lookup func(ctx context.Context, name dns.Name, t dns.Type) (*dns.Message, error)

// The port at which resolvers ask name servers.
const dnsPort = 53

// CheckDelegation says whether the rest of the world finds a zone as its delegation says.
func CheckDelegation(ctx context.Context, d control.Delegation, lookup Lookup) []Check {
	c := delegation{Delegation: d, ctx: ctx, lookup: lookup}
	if why := unregistered(d.Zone); why != "" {
		c.add("delegation", OutcomeDoesNotApply, why, "")
		return c.checks
	}
	if c.pointers() && c.entered() {
		return c.checks
	}
	c.reach()
	c.servers()
	c.glue()
	c.ds()
	return c.checks
}

// unregistered says why no registrar has a zone to delegate: names that are kept apart from the tree of the Internet.
func unregistered(zone string) string {
	if name, err := dns.ParseName(zone, dns.Root); err == nil {
		if network, ok := dnsclient.ReverseNetwork(name); ok && dnssvc.IsLocal(network) {
			return "nobody delegates the names of private addresses (RFC 6303): they are known where resolvers are told of them"
		}
	}
	labels := strings.Split(strings.ToLower(strings.TrimSuffix(zone, ".")), ".")
	last := labels[len(labels)-1]
	for name, rfc := range map[string]string{
		"test": "RFC 6761", "localhost": "RFC 6761", "invalid": "RFC 6761", "example": "RFC 6761", "local": "RFC 6762",
		"onion": "RFC 7686", "alt": "RFC 9476", "internal": "ICANN, 2024",
	} {
		if last == name {
			return fmt.Sprintf("nobody registers names below %s. (%s): it works where resolvers are told of it", name, rfc)
		}
	}
	if strings.HasSuffix("."+strings.Join(labels, "."), ".home.arpa") {
		return "home.arpa. is every home's own (RFC 8375): it works where resolvers are told of it"
	}
	return ""
}

// delegation is the check of one.
type delegation struct {
	control.Delegation
	ctx    context.Context
	lookup Lookup
	checks []Check
}

func (c *delegation) add(what string, o Outcome, text, hint string) {
	c.checks = append(c.checks, Check{c.Zone, what, o, text, hint})
}

// reach looks at what stands in the way before anybody is asked.
func (c *delegation) reach() {
	if c.Port != 0 && c.Port != dnsPort {
		c.add("port", OutcomeWrong, fmt.Sprintf("others ask at port %d, and this server answers at %d", dnsPort, c.Port),
			"set port-offset = 0 in utopia.toml, or have port 53 forwarded")
	} else {
		c.add("port", OutcomeOK, "", "")
	}
	var private []string
	for _, g := range c.Glue {
		if a, err := netip.ParseAddr(g.Data); err == nil && (!a.IsGlobalUnicast() || a.IsPrivate()) {
			private = append(private, g.Data)
		}
	}
	switch {
	case len(c.Glue) == 0:
		c.add("addresses", OutcomeDoesNotApply, "its servers have names in other zones", "")
	case len(private) > 0:
		c.add("addresses", OutcomeWrong, strings.Join(private, ", ")+" cannot be reached from elsewhere",
			"set public-address in [dns]")
	default:
		c.add("addresses", OutcomeOK, "", "")
	}
}

// ask asks for records, and gives their data. Told is an outcome where there is no answer to compare.
func (c *delegation) ask(what, name string, t dns.Type) (data []string, answered bool) {
	n, err := dns.ParseName(name, dns.Root)
	if err != nil {
		c.add(what, OutcomeCouldNotTell, err.Error(), "")
		return nil, false
	}
	m, err := c.lookup(c.ctx, n, t)
	switch {
	case err != nil:
		c.add(what, OutcomeCouldNotTell, err.Error(), "")
		return nil, false
	case m.Rcode == dns.RcodeNXDomain, m.Rcode == dns.RcodeSuccess:
	default:
		c.add(what, OutcomeCouldNotTell, fmt.Sprintf("the resolver says %s for %s %s", m.Rcode, n, t), "")
		return nil, false
	}
	for _, rr := range m.Answer {
		if rr.Type == t {
			data = append(data, strings.ToLower(rr.DataString()))
		}
	}
	return data, true
}

// parent is who delegates the zone.
func (c *delegation) parent() string {
	if c.OfAddresses {
		return "whoever gave you the addresses"
	}
	return "the registrar"
}

func (c *delegation) servers() {
	const what = "name servers"
	got, answered := c.ask(what, c.Zone, dns.TypeNS)
	if !answered {
		return
	}
	if len(got) == 0 {
		c.add(what, OutcomeWrong, "nothing is delegated: nobody knows "+c.Zone, "enter the name servers at "+c.parent())
		return
	}
	c.compare(what, got, lower(c.Servers))
}

// compare says what is missing among the data got, and what is there beyond; true for neither.
func (c *delegation) compare(what string, got, want []string) bool {
	missing, more := without(want, got), without(got, want)
	var text []string
	if len(missing) > 0 {
		text = append(text, "missing: "+strings.Join(missing, ", "))
	}
	if len(more) > 0 {
		text = append(text, "not ours: "+strings.Join(more, ", "))
	}
	if len(text) == 0 {
		c.add(what, OutcomeOK, strings.Join(want, ", "), "")
		return true
	}
	c.add(what, OutcomeWrong, strings.Join(text, "; "), "")
	return false
}

func lower(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(s)
	}
	return out
}

func without(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(others, s) })
}

// glue compares the addresses of the servers, which resolvers have from the parent at first.
func (c *delegation) glue() {
	for _, server := range c.Servers {
		want := map[dns.Type][]string{}
		for _, g := range c.Glue {
			if t, err := dns.ParseType(g.Type); err == nil && strings.EqualFold(g.Name, server) {
				want[t] = append(want[t], strings.ToLower(g.Data))
			}
		}
		for _, t := range [...]dns.Type{dns.TypeA, dns.TypeAAAA} {
			if len(want[t]) == 0 {
				continue
			}
			what := fmt.Sprintf("%s of %s", t, server)
			if got, answered := c.ask(what, server, t); answered {
				c.compare(what, got, want[t])
			}
		}
	}
}

// ds compares what the parent says about the zone's keys. One that is not ours may belong to a key of before; one is
// enough for a chain of trust.
func (c *delegation) ds() {
	const what = "DS"
	got, answered := c.ask(what, c.Zone, dns.TypeDS)
	if !answered {
		return
	}
	want := make([]string, len(c.DS))
	for i, r := range c.DS {
		want[i] = strings.ToLower(r.Data)
	}
	switch {
	case len(want) == 0 && len(got) == 0:
		c.add(what, OutcomeDoesNotApply, "the zone is not signed", "")
	case len(want) == 0:
		c.add(what, OutcomeWrong, "the parent says that the zone is signed, and it is not: whoever validates refuses it",
			"have the DS records removed at "+c.parent())
	case len(got) == 0:
		c.add(what, OutcomeWrong, "the parent has none: nobody can validate the zone's signatures", "enter the DS at "+c.parent())
	case len(without(want, got)) == len(want):
		c.add(what, OutcomeWrong, "none of those at the parent is of the zone's keys: whoever validates refuses it",
			"replace the DS at "+c.parent())
	default:
		c.add(what, OutcomeOK, "", "")
	}
}

// pointers compares the names of an address, and says whether they are known.
func (c *delegation) pointers() bool {
	const what = "PTR"
	if len(c.Pointers) == 0 {
		return false
	}
	want := make([]string, len(c.Pointers))
	for i, r := range c.Pointers {
		want[i] = strings.ToLower(r.Data)
	}
	got, answered := c.ask(what, c.Zone, dns.TypePTR)
	return answered && c.compare(what, got, want)
}

// entered says whether a name that is known is so without a delegation.
func (c *delegation) entered() bool {
	name, err := dns.ParseName(c.Zone, dns.Root)
	if err != nil {
		return false
	}
	m, err := c.lookup(c.ctx, name, dns.TypeNS)
	if err != nil || m.Rcode != dns.RcodeSuccess || slices.ContainsFunc(m.Answer, func(rr dns.RR) bool { return rr.Type == dns.TypeNS }) {
		return false
	}
	c.add("delegation", OutcomeDoesNotApply, "the name is known without it: "+c.parent()+" entered it", "")
	return true
}
