package main

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsserver/dnsservertest"
	"github.com/network-utopia/utopia/host"
)

// testServer answers over UDP and TCP as answer says; nil is silence. Over UDP it is told so by a true.
func testServer(t testing.TB, answer func(q *dns.Message, udp bool) *dns.Message) (port string) {
	t.Helper()
	l, pc := dnsservertest.Open(t, host.NewOS(host.OSOptions{}), "127.0.0.1:0")
	t.Cleanup(func() { l.Close(); pc.Close() })
	go serveDatagrams(t, pc, answer)
	go serveConnections(t, l, answer)
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

func reply(t testing.TB, wire []byte, udp bool, answer func(*dns.Message, bool) *dns.Message) []byte {
	q, err := dns.Parse(wire)
	if err != nil {
		t.Errorf("server: %v", err)
		return nil
	}
	m := answer(q, udp)
	if m == nil {
		return nil
	}
	out, err := m.Append(nil, 0)
	if err != nil {
		t.Errorf("server: %v", err)
	}
	return out
}

func serveDatagrams(t testing.TB, pc net.PacketConn, answer func(*dns.Message, bool) *dns.Message) {
	buffer := make([]byte, dns.MaxMessageLen)
	for {
		n, from, err := pc.ReadFrom(buffer)
		if err != nil {
			return
		}
		if out := reply(t, buffer[:n], true, answer); out != nil {
			pc.WriteTo(out, from)
		}
	}
}

func serveConnections(t testing.TB, l net.Listener, answer func(*dns.Message, bool) *dns.Message) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		var prefix [2]byte
		if _, err := io.ReadFull(conn, prefix[:]); err == nil {
			wire := make([]byte, binary.BigEndian.Uint16(prefix[:]))
			if _, err := io.ReadFull(conn, wire); err == nil {
				out := reply(t, wire, false, answer)
				conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...))
			}
		}
		conn.Close()
	}
}

func records(t testing.TB, lines ...string) []dns.RR {
	t.Helper()
	var out []dns.RR
	for _, l := range lines {
		rr, err := dns.ParseRR(l, dns.MustParseName("example.test."), 300)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rr)
	}
	return out
}

// example is a server with one example for every kind of answer.
func example(t testing.TB) func(q *dns.Message, udp bool) *dns.Message {
	soa := records(t, "@ 3600 SOA ns1 hostmaster 2026112201 7200 3600 1209600 300")
	answers := map[string][]dns.RR{
		"www":   records(t, "www A 192.0.2.1", "www A 192.0.2.2"),
		"mx":    records(t, "mx MX 10 mail", "mx MX 20 mail2.a-rather-long-name.of-a-host"),
		"txt":   records(t, `txt TXT "v=spf1 -all" "a\"b\\c \027[31m\200"`, `txt 86400 HINFO "a" "b"`),
		"alias": records(t, "alias CNAME www", "www A 192.0.2.1", "www AAAA 2001:db8::1"),
		"soa":   soa,
		"ctl":   records(t, `a\027\[31mb\.c\"d CNAME \200\001x`),
		"signed": records(t, "signed DS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			"signed TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			"signed SSHFP 1 1 0123456789abcdef0123456789abcdef01234567",
			"signed DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==",
			"signed RRSIG A 13 2 300 20260101000000 20250101000000 12345 @ mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==",
			"signed NSEC a A RRSIG NSEC", `signed TYPE65534 \# 4 01aBcdEf`, `signed 2147483647 SRV 0 5 5060 sip`,
			`signed CAA 0 issue "ca.example"`, `signed NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:x@y!" .`,
			`signed TYPE65533 \# 70 `+strings.Repeat("0f", 70)),
		"keys": records(t, "2t7b4g4vsa5smi47k61mv5bv1a22bojr NSEC3 1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG", "2t7b4g4vsa5smi47k61mv5bv1a22bojr NSEC3 1 0 0 - 2vptu5timamqttgl4luu9kg21e0aor3s",
			"keys DNSKEY 256 3 8 AwEAAaetidLzsKWUt4swWR8yu0wPHPiUi8LUsAD0QPWU+wzt89epO6tHzkMBVDkC7qphQO2hTY4hHn9npWFRw5BYubE=",
			"keys 0 DNSKEY 385 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=", "keys 90061 CDNSKEY 0 3 0 AA==", "keys 3600 CDS 0 0 0 00",
			"keys CDS 1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			"keys OPENPGPKEY mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==",
			"keys SMIMEA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			"keys ZONEMD 1 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			`keys HTTPS 1 . alpn="h2,h3" ipv4hint=192.0.2.1`, "keys 604800 NSEC3PARAM 1 0 0 aabb"),
		"a-name-that-goes-past-the-column-of-the-class": records(t, "a-name-that-goes-past-the-column-of-the-class 2147483647 AAAA 2001:db8::1"),
	}
	return func(q *dns.Message, udp bool) *dns.Message {
		first := q.Question[0].Name.Label()
		m := q.Reply(dns.RcodeSuccess)
		m.Authoritative = true
		if q.EDNS != nil {
			m.EDNS = &dns.EDNS{UDPSize: 1232, DO: q.EDNS.DO}
		}
		m.Answer = answers[first]
		if kind := q.Question[0].Type; (kind == dns.TypeAXFR || kind == dns.TypeIXFR) && first == "example" {
			m.Answer = slices.Concat(soa, records(t, "@ NS ns1", "ns1 A 192.0.2.53"), answers["www"], answers["txt"], soa)
			if kind == dns.TypeIXFR && serialOf(q) == 2026112201 {
				m.Answer = soa
			}
		}
		if q.Opcode != dns.OpcodeQuery {
			m.Answer = nil
		}
		switch first {
		case "www":
			m.Authority = records(t, "@ 3600 NS ns1")
			m.Additional = records(t, "ns1 3600 A 192.0.2.53")
		case "cached":
			m.Authoritative, m.RecursionAvailable, m.AuthenticData = false, true, true
			m.Answer = records(t, "cached NS ns1", "cached MX 5 mail")
			m.Authority = records(t, "@ 3600 NS ns1")
			m.Additional = records(t, "ns1 3600 A 192.0.2.53", "ns1 3600 AAAA 2001:db8::53")
		case "nx":
			m.Rcode, m.Authority = dns.RcodeNXDomain, soa
		case "nodata":
			m.Authority = soa
		case "refused":
			m.Rcode, m.Authoritative = dns.RcodeRefused, false
		case "formerr":
			if m.EDNS != nil {
				m.Rcode, m.EDNS, m.Question = dns.RcodeFormErr, nil, nil
			}
		case "cookie":
			if sent, ok := q.EDNS.Option(dns.OptionCookie); ok {
				m.EDNS.Options = []dns.Option{{Code: dns.OptionCookie, Data: append(slices.Clone(sent[:8]), make([]byte, 16)...)}}
			}
		case "options":
			m.Rcode = dns.RcodeServFail
			if m.EDNS != nil {
				m.EDNS.Options = hostileOptions()
			}
		case "cut":
			m.Answer = records(t, "cut A 192.0.2.1")
			if udp {
				m.Truncated, m.Answer = true, nil
			}
		case "silent":
			return nil
		default:
			if strings.HasSuffix(q.Question[0].Name.String(), ".arpa.") {
				m.Answer = []dns.RR{dns.NameRR(q.Question[0].Name, 300, dns.TypePTR, dns.MustParseName("www.example.test."))}
			}
		}
		return m
	}
}

// serialOf is the serial that an IXFR names.
func serialOf(q *dns.Message) uint32 {
	soa, _ := q.Authority[0].SOA()
	return soa.Serial
}

func hostileOptions() []dns.Option {
	return []dns.Option{
		{Code: dns.OptionExtendedError, Data: append([]byte{0, 20}, "not mine \x1b[31m"...)},
		{Code: dns.OptionNSID, Data: []byte("ns1\x9b")},
		{Code: 65001, Data: []byte("ab\x1b")},
		{Code: dns.OptionExtendedError, Data: []byte{0, 24}},
		{Code: dns.OptionPadding, Data: make([]byte, 5)},
		{Code: dns.OptionTCPKeepalive, Data: []byte{0, 100}},
		{Code: dns.OptionClientSubnet, Data: []byte{0, 1, 24, 0, 192, 0, 2}},
		{Code: dns.OptionClientSubnet, Data: []byte{0, 2, 32, 16, 0x20, 0x01, 0x0d, 0xb8}},
		{Code: dns.OptionExtendedError, Data: []byte{0, 99, 'x'}},
		{Code: dns.OptionNSID}, {Code: 65002}, {Code: dns.OptionTCPKeepalive}, {Code: dns.OptionPadding},
	}
}
