package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/network-utopia/utopia/dns"
)

// lookupPage prints answers in nslookup's layout.
type lookupPage struct {
	*nslookupQuestion
	out *bytes.Buffer
}

func (p lookupPage) printf(format string, args ...any) { fmt.Fprintf(p.out, format, args...) }

// answers prints the answers to one lookup: the server, then what it said to each question.
func (p lookupPage) answers(all []told) {
	first := all[0]
	reverse := !p.haveKind && first.asked.Type == dns.TypePTR
	if first.Truncated {
		p.printf(";; Truncated, retrying in TCP mode.\n")
	}
	if !reverse { // of the name of an address nslookup prints the name alone
		p.printf("Server:\t\t%s\nAddress:\t%s\n\n", onlyASCII(first.server), hashPort(first.Server))
	}
	silent := true
	for i, t := range all {
		if p.debug {
			p.whole(t.Message)
		}
		switch {
		case t.Message.Rcode != dns.RcodeSuccess:
			p.printf("** server can't find %s: %s\n", bareName(t.asked.Name), t.Message.Rcode)
			silent = false
		default:
			if i == 0 && !reverse && !t.Message.Authoritative {
				p.printf("Non-authoritative answer:\n")
			}
			p.records(t.Message.Answer, true)
			silent = silent && len(t.Message.Answer) == 0
		}
	}
	if silent {
		p.printf("*** Can't find %s: No answer\n", bareName(first.asked.Name))
	}
	p.authorities(all[len(all)-1])
}

// whole prints everything that an answer has.
func (p lookupPage) whole(m *dns.Message) {
	const rule = "------------\n"
	p.printf("%s    QUESTIONS:\n", rule)
	for _, q := range m.Question {
		p.printf("\t%s, type = %s, class = %s\n", bareName(q.Name), q.Type, q.Class)
	}
	for _, s := range []struct {
		name    string
		records []dns.RR
	}{{"ANSWERS", m.Answer}, {"AUTHORITY RECORDS", m.Authority}, {"ADDITIONAL RECORDS", m.Additional}} {
		p.printf("    %s:\n", s.name)
		for _, rr := range s.records {
			p.printf("    ->  %s\n", bareName(rr.Name))
			p.fields(rr)
			p.printf("\tttl = %d\n", rr.TTL)
		}
	}
	p.printf("%s", rule)
}

// fields prints the data of a record, below its name.
func (p lookupPage) fields(rr dns.RR) {
	if addr, ok := rr.Addr(); ok {
		kind := "has AAAA address"
		if addr.Is4() {
			kind = "internet address ="
		}
		p.printf("\t%s %v\n", kind, addr)
		return
	}
	if soa, ok := rr.SOA(); ok {
		p.soa(soa)
		return
	}
	p.printf("\t%s = %s\n", recordKind(rr.Type), recordData(rr))
}

func (p lookupPage) soa(soa dns.SOA) {
	p.printf("\torigin = %s\n\tmail addr = %s\n\tserial = %d\n\trefresh = %d\n\tretry = %d\n\texpire = %d\n"+
		"\tminimum = %d\n", bareName(soa.MName), bareName(soa.RName), soa.Serial, soa.Refresh, soa.Retry,
		soa.Expire, soa.Minimum)
}

// authorities prints who would know better than a server that is not authoritative.
func (p lookupPage) authorities(t told) {
	m, kind := t.Message, t.asked.Type
	if m.Rcode != dns.RcodeSuccess || m.Authoritative || kind == dns.TypeA || kind == dns.TypeAAAA {
		return
	}
	p.printf("\nAuthoritative answers can be found from:\n")
	const inAnswer = false
	p.records(m.Authority, inAnswer)
	p.records(m.Additional, inAnswer)
}

func (p lookupPage) records(rrs []dns.RR, inAnswer bool) {
	for _, rr := range rrs {
		name := bareName(rr.Name)
		if addr, ok := rr.Addr(); ok {
			p.address(name, addr, inAnswer)
			continue
		}
		if soa, ok := rr.SOA(); ok {
			p.printf("%s\n", name)
			p.soa(soa)
			continue
		}
		p.printf("%s\t%s = %s\n", name, recordKind(rr.Type), recordData(rr))
	}
}

func (p lookupPage) address(name string, addr netip.Addr, inAnswer bool) {
	switch {
	case inAnswer:
		p.printf("Name:\t%s\nAddress: %v\n", name, addr)
	case addr.Is4():
		p.printf("%s\tinternet address = %v\n", name, addr)
	default:
		p.printf("%s\thas AAAA address %v\n", name, addr)
	}
}

// bareName gives a name without its final dot.
func bareName(n dns.Name) string {
	text := onlyASCII(n.String())
	if n == dns.Root {
		return text
	}
	return strings.TrimSuffix(text, ".")
}

// recordKind is what nslookup calls a type of record.
func recordKind(t dns.Type) string {
	switch t {
	case dns.TypeNS:
		return "nameserver"
	case dns.TypeCNAME:
		return "canonical name"
	case dns.TypePTR:
		return "name"
	case dns.TypeMX:
		return "mail exchanger"
	case dns.TypeTXT:
		return "text"
	case dns.TypeHINFO:
		return "hinfo"
	case dns.TypeMINFO:
		return "minfo"
	case dns.TypeRP:
		return "rp"
	case dns.TypeAFSDB:
		return "afsdb"
	case dns.TypeSRV:
		return "service"
	case dns.TypeNAPTR:
		return "naptr"
	case dns.TypeDNAME:
		return "dname"
	}
	return fmt.Sprintf("rdata_%d", uint16(t))
}
