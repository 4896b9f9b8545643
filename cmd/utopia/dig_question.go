package main

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/network-utopia/utopia/dns"
)

// isIXFR says whether a word is IXFR with the serial since which changes are wanted: IXFR=2026112201.
func isIXFR(w string) bool {
	const prefix = "IXFR="
	return len(w) >= len(prefix) && strings.EqualFold(w[:len(prefix)], prefix)
}

func (q *digQuestion) setKind(s string) error {
	word, serial, _ := strings.Cut(s, "=")
	if !isIXFR(s) {
		word = s
	}
	kind, err := dns.ParseType(word)
	switch {
	case err != nil:
		return usage("%q is no record type\nhint: such as A, AAAA, MX, NS, SOA, TXT, ANY, or TYPE65 by its number", s)
	case q.haveKind && kind != q.kind:
		return usage("two types: %s and %s\nhint: a name that is also a type stands behind -q, or ends in a dot", q.kind, kind)
	case kind == dns.TypeIXFR:
		n, err := strconv.ParseUint(serial, 10, 32)
		if err != nil {
			return usage("IXFR needs the serial that is known: IXFR=2026112201")
		}
		q.serial = uint32(n)
	}
	q.kind, q.haveKind = kind, true
	return nil
}

func (q *digQuestion) setClass(s string) error {
	class, err := dns.ParseClass(s)
	switch {
	case err != nil:
		return usage("%q is no class: IN, CH, HS, ANY, or CLASS3 by its number", s)
	case q.haveClass && class != q.class:
		return usage("two classes: %s and %s", q.class, class)
	}
	q.class, q.haveClass = class, true
	return nil
}

// reverseNetwork gives the name of the reverse zone of an IPv4 network that is given by its first one to three octets,
// as dig takes it: of 192.0.2 it is 2.0.192.in-addr.arpa.
func reverseNetwork(s string) (name string, ok bool) {
	octets := strings.Split(strings.TrimSuffix(s, "."), ".")
	for _, o := range octets {
		if v, err := strconv.ParseUint(o, 10, 8); err != nil || strconv.FormatUint(v, 10) != o {
			return "", false
		}
	}
	slices.Reverse(octets)
	return strings.Join(octets, ".") + ".in-addr.arpa.", len(octets) < 4
}

// transfer says whether a whole zone, or what changed in it, is asked for.
func (q *digQuestion) transfer() bool { return q.kind == dns.TypeAXFR || q.kind == dns.TypeIXFR }

// settle fills in what depends on all the arguments.
func (q *digQuestion) settle() error {
	if q.name == "" {
		q.name = "."
		if !q.haveKind && q.kind == dns.TypeA {
			q.kind = dns.TypeNS
		}
	}
	if (q.kind == dns.TypeANY || q.transfer()) && !q.chosen {
		q.tcp = true // as dig does: such answers are long
	}
	if q.transfer() { // as dig does: page after page without the same header
		q.show.comments = q.show.comments && q.show.chosen.comments
		q.show.question = q.show.question && q.show.chosen.question
	}
	s := q.secure
	switch {
	case (s.verify || s.name != "" || s.certificate != "" || s.secretKey != "") && !s.tls && !s.https:
		return usage("a certificate needs +tls or +https")
	case (s.certificate == "") != (s.secretKey == ""):
		return usage("+tls-certfile and +tls-keyfile need each other")
	case q.transfer() && s.https:
		return usage("there are no zone transfers over HTTPS\nhint: +tls, or TCP")
	case q.transfer() && (q.trace || q.chain), q.trace && q.chain:
		return usage("+trace, +chain and a zone transfer exclude each other")
	}
	return nil
}

// portOf gives the port to ask, "" for that of the transport.
func (q *digQuestion) portOf() string {
	switch {
	case q.serverPort != 0:
		return strconv.Itoa(int(q.serverPort))
	case q.port != 0:
		return strconv.Itoa(int(q.port))
	}
	return ""
}

// names are those to ask for in turn, until there is one: with a search list, the name below each of its domains.
func (q *digQuestion) names(system resolvers) ([]dns.Name, error) {
	name, err := dns.ParseName(q.name, dns.Root)
	if err != nil {
		return nil, usage("%w", err)
	}
	list := system.search
	if q.domain != "" {
		list = []string{q.domain}
	}
	if !q.search || strings.HasSuffix(q.name, ".") {
		list = nil
	}
	var below []dns.Name
	for _, domain := range list {
		origin, err := dns.ParseName(domain, dns.Root)
		if err != nil {
			return nil, usage("%w", err)
		}
		if n, err := dns.ParseName(q.name, origin); err == nil { // else it would be too long
			below = append(below, n)
		}
	}
	if strings.Count(q.name, ".") >= q.ndots {
		return append([]dns.Name{name}, below...), nil
	}
	return append(below, name), nil
}

// message is the query that is sent for a name.
func (q *digQuestion) message(name dns.Name) *dns.Message {
	m := dns.NewQuery(0, name, q.kind)
	m.Opcode = q.opcode
	m.Question[0].Class = q.class
	m.RecursionDesired, m.AuthenticData, m.CheckingDisabled = q.recurse, q.ad, q.cd
	if q.transfer() {
		m.RecursionDesired = false // as dig does: it has no meaning there
	}
	if q.kind == dns.TypeIXFR {
		m.AuthenticData = false
		m.Authority = []dns.RR{dns.SOARR(name, 0, dns.SOA{MName: dns.Root, RName: dns.Root, Serial: q.serial})}
		m.Authority[0].Class = q.class
	}
	if q.edns {
		m.EDNS = &dns.EDNS{Version: q.version, UDPSize: q.bufsize, DO: q.dnssec, Z: q.flags, Options: q.ednsOptions()}
	}
	return m
}

func (q *digQuestion) ednsOptions() []dns.Option {
	var all []dns.Option
	if q.nsid {
		all = append(all, dns.Option{Code: dns.OptionNSID})
	}
	if q.subnet != nil {
		all = append(all, subnetOption(*q.subnet))
	}
	if q.cookie != nil {
		all = append(all, dns.Option{Code: dns.OptionCookie, Data: q.cookie})
	}
	return append(all, q.options...)
}

// subnetOption makes the option of RFC 7871 section 6, with no more octets of the address than the prefix has.
func subnetOption(p netip.Prefix) dns.Option {
	family, octets := byte(1), p.Masked().Addr().AsSlice()
	if p.Addr().Is6() {
		family = 2
	}
	data := append([]byte{0, family, byte(p.Bits()), 0}, octets[:(p.Bits()+7)/8]...)
	return dns.Option{Code: dns.OptionClientSubnet, Data: data}
}
