package main

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
)

// What the options with a plus set.

func setShort(q *digQuestion, on bool) {
	q.short = on
	if on {
		q.cmd = false
		s := &q.show
		s.comments, s.question, s.authority, s.additional, s.stats, s.answer = false, false, false, false, false, true
	}
}

func setAll(q *digQuestion, on bool) {
	q.cmd = on
	s := &q.show
	s.comments, s.question, s.answer, s.authority, s.additional, s.stats = on, on, on, on, on, on
	s.chosen.comments, s.chosen.question = true, true
}

// number reads a number up to most.
func number(option, what, v string, least, most uint64) (uint64, error) {
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil || n < least || n > most {
		return 0, usage("+%s: %q is no %s: %d to %d", option, v, what, least, most)
	}
	return n, nil
}

func setVersion(q *digQuestion, v string) error {
	n, err := number("edns", "version", v, 0, 255)
	if err == nil {
		q.edns, q.version = true, uint8(n)
	}
	return err
}

func setBufsize(q *digQuestion, v string) error {
	n, err := number("bufsize", "size", v, dns.MinUDPSize, dns.MaxMessageLen)
	if err == nil {
		q.edns, q.bufsize = true, uint16(n)
	}
	return err
}

func setTime(q *digQuestion, v string) error {
	const most = 3600
	n, err := number("time", "number of seconds", v, 1, most)
	if err == nil {
		q.timeout = time.Duration(n) * time.Second
	}
	return err
}

// setTries reads how often to ask; more are the tries that the number does not count.
func setTries(more int) func(*digQuestion, string) error {
	return func(q *digQuestion, v string) error {
		const most = 100
		n, err := strconv.Atoi(v)
		if err != nil || n+more < 1 || n+more > most {
			return usage("%q is no number of tries: %d to %d", v, 1-more, most-more)
		}
		q.tries = n + more
		return nil
	}
}

func setOpcode(q *digQuestion, v string) error {
	opcode, err := dns.ParseOpcode(v)
	if n, bad := strconv.ParseUint(v, 10, 4); bad == nil {
		opcode, err = dns.Opcode(n), nil
	}
	if err != nil {
		return usage("+opcode: %q is no opcode: QUERY, STATUS, NOTIFY, UPDATE, or 0 to 15", v)
	}
	q.opcode = opcode
	return nil
}

// setCookie reads a cookie in hexadecimal: the client's eight octets, and then none or eight to 32 of the server
// (RFC 7873 section 4).
func setCookie(q *digQuestion, v string) error {
	data, err := hex.DecodeString(v)
	if n := len(data); err != nil || n != 8 && n < 16 || n > 40 {
		return usage("+cookie: %q is no cookie: 16, or 32 to 80, hexadecimal digits", v)
	}
	q.edns, q.sendCookie, q.cookie = true, false, data
	return nil
}

// setSubnet reads ADDRESS or ADDRESS/BITS, of which 0 stands for 0.0.0.0/0.
func setSubnet(q *digQuestion, v string) error {
	if v == "0" {
		v = "0.0.0.0/0"
	}
	prefix, err := netip.ParsePrefix(v)
	if err != nil {
		var addr netip.Addr
		addr, err = netip.ParseAddr(v)
		prefix = netip.PrefixFrom(addr, addr.BitLen())
	}
	if err != nil || prefix.Addr().Zone() != "" {
		return usage("+subnet: %q is no network: such as 192.0.2.0/24", v)
	}
	q.edns, q.subnet = true, &prefix
	return nil
}

// optionNames are the names that +ednsopt takes for a code.
func optionNames() map[string]dns.OptionCode {
	return map[string]dns.OptionCode{
		"nsid": dns.OptionNSID, "ecs": dns.OptionClientSubnet, "cookie": dns.OptionCookie, "expire": optionExpire,
		"keepalive": dns.OptionTCPKeepalive, "padding": dns.OptionPadding, "ede": dns.OptionExtendedError,
	}
}

const optionExpire dns.OptionCode = 9 // RFC 7314

// maxOptions is how many EDNS options one question may be given.
const maxOptions = 100

// setOption reads CODE or CODE:HEX.
func setOption(q *digQuestion, v string) error {
	name, digits, _ := strings.Cut(v, ":")
	code, known := optionNames()[strings.ToLower(name)]
	if !known {
		n, err := strconv.ParseUint(name, 10, 16)
		if err != nil {
			return usage("+ednsopt: %q is no option: 0 to 65535, or nsid, ecs, cookie, expire, keepalive, padding, ede", name)
		}
		code = dns.OptionCode(n)
	}
	data, err := hex.DecodeString(digits)
	switch {
	case err != nil:
		return usage("+ednsopt: %q is not hexadecimal", digits)
	case len(q.options) == maxOptions:
		return usage("+ednsopt: more than %d options", maxOptions)
	}
	q.edns, q.options = true, append(q.options, dns.Option{Code: code, Data: data})
	return nil
}

func setFlags(q *digQuestion, v string) error {
	n, err := strconv.ParseUint(v, 0, 16)
	const do = 1 << 15
	if err != nil {
		return usage("+ednsflags: %q is no number: 0 to 65535, or 0x0000 to 0xffff", v)
	}
	q.edns, q.flags = true, uint16(n)
	q.dnssec = q.dnssec || n&do != 0
	return nil
}

func setPadding(q *digQuestion, v string) error {
	n, err := number("padding", "size", v, 0, dnsclient.MaxPadding)
	if err == nil {
		q.edns, q.padding = q.edns || n > 0, int(n)
	}
	return err
}

func setSplit(q *digQuestion, v string) error {
	const word = 4 // as dig does
	n, err := number("split", "number of characters", v, 0, 2048)
	if err == nil {
		q.show.split = int(n+word-1) / word * word
	}
	return err
}

func setNdots(q *digQuestion, v string) error {
	n, err := number("ndots", "number of dots", v, 0, 15)
	q.ndots = int(n)
	return err
}

func setDomain(q *digQuestion, v string) error {
	if _, err := dns.ParseName(v, dns.Root); err != nil {
		return usage("+domain: %w", err)
	}
	q.domain, q.search = v, true
	return nil
}

func setTrace(q *digQuestion, on bool) {
	q.trace = on
	if on { // as dig does
		q.dnssec, q.edns, q.sendCookie = true, true, false
		s := &q.show
		s.identify, s.comments, s.question, s.additional, s.stats = true, false, false, false, false
		s.authority, s.answer = true, true
	}
}

func setChain(q *digQuestion, on bool) {
	q.chain = on
	if on {
		q.dnssec, q.edns = true, true
	}
}

func setTLS(q *digQuestion, on bool) { q.secure.tls = on }

func setHTTPS(get bool) func(*digQuestion, bool) {
	return func(q *digQuestion, on bool) { q.secure.https, q.secure.get = on, get }
}

func setPath(get bool) func(*digQuestion, string) error {
	return func(q *digQuestion, v string) error {
		if !strings.HasPrefix(v, "/") {
			return usage("+https: the path %q does not begin with /", v)
		}
		q.secure.https, q.secure.get, q.secure.path = true, get, v
		return nil
	}
}
