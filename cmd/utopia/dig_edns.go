package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/network-utopia/utopia/dns"
)

func (p *digPage) pseudoSection(m *dns.Message) {
	e := m.EDNS
	if e == nil {
		return
	}
	do := ""
	if e.DO {
		do = " do"
	}
	p.printf(";; OPT PSEUDOSECTION:\n; EDNS: version: %d, flags:%s; ", e.Version, do)
	const doBit = 1 << 15
	if z := e.Z &^ doBit; z != 0 {
		p.printf("MBZ: 0x%04x, ", z)
	}
	p.printf("udp: %d\n", e.UDPSize)
	for _, o := range e.Options {
		p.printf("; %s", optionText(o))
		if o.Code == dns.OptionCookie && m.Response {
			p.printf("%s", p.judgeCookie(o.Data))
		}
		p.printf("\n")
	}
}

// judgeCookie says whether the server sent the cookie back that it got (RFC 7873 section 5.3).
func (p *digPage) judgeCookie(got []byte) string {
	const own = 8 // octets of the client
	if p.query == nil {
		return ""
	}
	sent, ok := p.query.EDNS.Option(dns.OptionCookie)
	switch {
	case !ok:
		return ""
	case len(sent) >= own && len(got) >= own && bytes.Equal(sent[:own], got[:own]):
		return " (good)"
	}
	return " (bad)"
}

// optionText gives an EDNS option as dig does.
func optionText(o dns.Option) string {
	switch d := o.Data; {
	case o.Code == dns.OptionExtendedError && len(d) >= 2:
		return extendedError(binary.BigEndian.Uint16(d), d[2:])
	case o.Code == dns.OptionCookie:
		return "COOKIE: " + hex.EncodeToString(d)
	case o.Code == dns.OptionPadding && len(d) > 0:
		return fmt.Sprintf("PAD: (%d bytes)", len(d))
	case o.Code == dns.OptionTCPKeepalive && len(d) == 2:
		tenths := binary.BigEndian.Uint16(d)
		return fmt.Sprintf("TCP KEEPALIVE: %d.%d secs", tenths/10, tenths%10)
	case o.Code == dns.OptionClientSubnet:
		if text, ok := clientSubnet(d); ok {
			return "CLIENT-SUBNET: " + text
		}
	}
	name := fmt.Sprintf("OPT=%d", o.Code)
	switch o.Code {
	case dns.OptionNSID:
		name = "NSID"
	case dns.OptionClientSubnet:
		name = "CLIENT-SUBNET"
	case dns.OptionTCPKeepalive:
		name = "TCP KEEPALIVE"
	case dns.OptionPadding:
		name = "PAD"
	case dns.OptionExtendedError:
		name = "EDE"
	}
	if len(o.Data) == 0 {
		return name + ":"
	}
	return fmt.Sprintf(`%s: % x ("%s")`, name, o.Data, dotted(o.Data))
}

// clientSubnet gives the option of RFC 7871 section 6: family, prefix lengths of the source and the scope, address.
func clientSubnet(d []byte) (string, bool) {
	if len(d) < 4 {
		return "", false
	}
	size := map[uint16]int{1: 4, 2: 16}[binary.BigEndian.Uint16(d)]
	bits := int(d[2])
	if size == 0 || len(d)-4 > size || bits > 8*size || len(d)-4 < (bits+7)/8 {
		return "", false
	}
	addr, _ := netip.AddrFromSlice(append(bytes.Clone(d[4:]), make([]byte, size-len(d)+4)...))
	return fmt.Sprintf("%v/%d/%d", addr, d[2], d[3]), true
}

// extendedErrors are the codes of RFC 8914 section 4, by their number, as IANA names them.
var extendedErrors = [...]string{
	"Other", "Unsupported DNSKEY Algorithm", "Unsupported DS Digest Type", "Stale Answer", "Forged Answer",
	"DNSSEC Indeterminate", "DNSSEC Bogus", "Signature Expired", "Signature Not Yet Valid", "DNSKEY Missing",
	"RRSIGs Missing", "No Zone Key Bit Set", "NSEC Missing", "Cached Error", "Not Ready", "Blocked", "Censored",
	"Filtered", "Prohibited", "Stale NXDOMAIN Answer", "Not Authoritative", "Not Supported", "No Reachable Authority",
	"Network Error", "Invalid Data",
}

func extendedError(code uint16, text []byte) string {
	s := "EDE: " + strconv.Itoa(int(code))
	if int(code) < len(extendedErrors) {
		s += " (" + extendedErrors[code] + ")"
	}
	if len(text) > 0 {
		s += ": (" + dotted(text) + ")"
	}
	return s
}
