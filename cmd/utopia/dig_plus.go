package main

import (
	"fmt"
	"slices"
	"strings"
)

// plusOption is an option such as +tcp, +notcp or +time=2.
type plusOption struct {
	name  string
	about string
	flag  func(q *digQuestion, on bool)        // nil where it needs a value
	value func(q *digQuestion, v string) error // nil where it has none
}

// plusOptions lists them; help and completion read it too.
func plusOptions() []plusOption {
	return slices.Concat(plusTransport(), plusHeader(), plusEDNS(), plusWay(), plusShow())
}

func plusTransport() []plusOption {
	tcp := func(q *digQuestion, on bool) { q.tcp, q.chosen = on, true }
	file := func(set func(*digQuestion, string)) func(*digQuestion, string) error {
		return func(q *digQuestion, v string) error { set(q, v); return nil }
	}
	return []plusOption{
		{name: "tcp", about: "ask over TCP", flag: tcp},
		{name: "vc", about: "the same as +tcp", flag: tcp},
		{name: "keepopen", about: "ask the next question over the same connection", flag: func(q *digQuestion, on bool) { q.keepOpen = on }},
		{name: "ignore", about: "take a truncated answer instead of asking over TCP", flag: func(q *digQuestion, on bool) { q.ignore = on }},
		{name: "tls", about: "ask over TLS, on port 853", flag: setTLS},
		{name: "tls-ca", about: "take no certificate but one that the system trusts, or the authorities in the file N",
			flag: func(q *digQuestion, on bool) { q.secure.verify, q.secure.ca = on, "" }, value: file(func(q *digQuestion, v string) { q.secure.verify, q.secure.ca = true, v })},
		{name: "tls-hostname", about: "take a certificate for this name, instead of the server's", value: file(func(q *digQuestion, v string) { q.secure.name = v })},
		{name: "tls-certfile", about: "show the certificate in this file", value: file(func(q *digQuestion, v string) { q.secure.certificate = v })},
		{name: "tls-keyfile", about: "of which the key is in this file", value: file(func(q *digQuestion, v string) { q.secure.secretKey = v })},
		{name: "https", about: "ask over HTTPS, on port 443, for the path N or /dns-query", flag: setHTTPS(false), value: setPath(false)},
		{name: "https-get", about: "the same, with GET instead of POST", flag: setHTTPS(true), value: setPath(true)},
		{name: "https-post", about: "the same as +https", flag: setHTTPS(false), value: setPath(false)},
		{name: "time", about: "wait so many seconds for an answer (5)", value: setTime},
		{name: "timeout", about: "the same as +time", value: setTime},
		{name: "tries", about: "ask so many times (3)", value: setTries(0)},
		{name: "retry", about: "ask again so many times (2)", value: setTries(1)},
	}
}

func plusHeader() []plusOption {
	recurse := func(q *digQuestion, on bool) { q.recurse = on }
	ad := func(q *digQuestion, on bool) { q.ad = on }
	cd := func(q *digQuestion, on bool) { q.cd = on }
	return []plusOption{
		{name: "recurse", about: "ask for recursion (on)", flag: recurse},
		{name: "rdflag", about: "the same as +recurse", flag: recurse},
		{name: "rd", about: "the same as +recurse", flag: recurse},
		{name: "adflag", about: "set the AD bit of the question (on)", flag: ad},
		{name: "ad", about: "the same as +adflag", flag: ad},
		{name: "cdflag", about: "set the CD bit of the question", flag: cd},
		{name: "cd", about: "the same as +cdflag", flag: cd},
		{name: "opcode", about: "send this opcode instead of QUERY", value: setOpcode, flag: func(q *digQuestion, _ bool) { q.opcode = 0 }},
	}
}

func plusEDNS() []plusOption {
	dnssec := func(q *digQuestion, on bool) { q.dnssec = on; q.edns = q.edns || on }
	return []plusOption{
		{name: "edns", about: "use EDNS (on), of the version named or 0", value: setVersion, flag: func(q *digQuestion, on bool) { q.edns, q.version = on, 0 }},
		{name: "bufsize", about: "announce that datagrams of so many octets are taken (1232)", value: setBufsize},
		{name: "dnssec", about: "ask for DNSSEC records", flag: dnssec},
		{name: "do", about: "the same as +dnssec", flag: dnssec},
		{name: "nsid", about: "ask for the server's identity", flag: func(q *digQuestion, on bool) { q.nsid = on; q.edns = q.edns || on }},
		{name: "cookie", about: "send a cookie (on), of our own or the one given in hexadecimal", value: setCookie,
			flag: func(q *digQuestion, on bool) { q.sendCookie, q.cookie = on, nil }},
		{name: "subnet", about: "say that the question comes from this network", value: setSubnet, flag: func(q *digQuestion, _ bool) { q.subnet = nil }},
		{name: "ednsopt", about: "send an EDNS option: its code or name, and after a colon its data in hexadecimal", value: setOption,
			flag: func(q *digQuestion, _ bool) { q.options = nil }},
		{name: "ednsflags", about: "send these EDNS flags", value: setFlags, flag: func(q *digQuestion, _ bool) { q.flags = 0 }},
		{name: "padding", about: "make the question a multiple of so many octets long", value: setPadding, flag: func(q *digQuestion, _ bool) { q.padding = 0 }},
	}
}

func plusWay() []plusOption {
	return []plusOption{
		{name: "trace", about: "ask from the root down, and show each referral", flag: setTrace},
		{name: "chain", about: "show which signatures, keys and DS records prove the answer, up to the root", flag: setChain},
		{name: "sigchase", about: "the same as +chain", flag: setChain},
		{name: "trust-anchor", about: "the same, up to the DS and DNSKEY records in this file instead of those of the root", value: setAnchors},
		{name: "search", about: "complete the name by the domains of /etc/resolv.conf", flag: func(q *digQuestion, on bool) { q.search, q.domain = on, "" }},
		{name: "domain", about: "complete the name by this domain", value: setDomain},
		{name: "ndots", about: "try a name with so many dots as it is first (1)", value: setNdots},
	}
}

func plusShow() []plusOption {
	show := func(of func(*digShow) *bool) func(*digQuestion, bool) {
		return func(q *digQuestion, on bool) { *of(&q.show) = on }
	}
	hide := func(of func(*digShow) *bool) func(*digQuestion, bool) {
		return func(q *digQuestion, on bool) { *of(&q.show) = !on }
	}
	return []plusOption{
		{name: "short", about: "print the data of the answers alone", flag: setShort},
		{name: "all", about: "print every part, or with +noall none", flag: setAll},
		{name: "cmd", about: "print the first lines, with the arguments", flag: func(q *digQuestion, on bool) { q.cmd = on }},
		{name: "comments", about: "print the header and the names of the sections", flag: func(q *digQuestion, on bool) { q.show.comments, q.show.chosen.comments = on, true }},
		{name: "question", about: "print the question", flag: func(q *digQuestion, on bool) { q.show.question, q.show.chosen.question = on, true }},
		{name: "answer", about: "print the answers", flag: show(func(s *digShow) *bool { return &s.answer })},
		{name: "authority", about: "print the authority section", flag: show(func(s *digShow) *bool { return &s.authority })},
		{name: "additional", about: "print the additional section", flag: show(func(s *digShow) *bool { return &s.additional })},
		{name: "stats", about: "print the time, the server and the size", flag: show(func(s *digShow) *bool { return &s.stats })},
		{name: "qr", about: "print the question as it is sent", flag: show(func(s *digShow) *bool { return &s.query })},
		{name: "identify", about: "with +short or +nostats, say which server answered", flag: show(func(s *digShow) *bool { return &s.identify })},
		{name: "multiline", about: "print long records over several lines, with comments", flag: show(func(s *digShow) *bool { return &s.multiline })},
		{name: "rrcomments", about: "print comments on keys (on with +multiline)", flag: func(q *digQuestion, on bool) {
			q.show.recordComments = map[bool]int{true: 1, false: -1}[on]
		}},
		{name: "split", about: "cut keys and hashes into words of so many characters (56)", value: setSplit, flag: func(q *digQuestion, on bool) {
			q.show.split = map[bool]int{true: -1, false: 0}[on]
		}},
		{name: "crypto", about: "print keys, hashes and signatures (on)", flag: hide(func(s *digShow) *bool { return &s.noCrypto })},
		{name: "ttlid", about: "print times to live (on)", flag: hide(func(s *digShow) *bool { return &s.noTTL })},
		{name: "ttlunits", about: "print times to live in weeks, days, hours, minutes and seconds", flag: func(q *digQuestion, on bool) {
			q.show.units = on
			q.show.noTTL = q.show.noTTL && !on
		}},
		{name: "class", about: "print classes (on)", flag: hide(func(s *digShow) *bool { return &s.noClass })},
	}
}

func unknownDig(option string) error {
	known := slices.Clone(globalWords[:])
	for _, o := range plusOptions() {
		known = append(known, "+"+o.name)
	}
	return usage("unknown option %s%s", option, didYouMean(option, known, "utopia dig --help lists them"))
}

// plus reads an option without its sign. As with dig, a beginning that only one option has stands for it.
func (q *digQuestion) plus(text string) error {
	name, value, given := strings.Cut(text, "=")
	name = strings.ToLower(name)
	bare, off := strings.CutPrefix(name, "no")
	o, err := findPlus(bare)
	switch {
	case err != nil:
		return err
	case given && o.value == nil:
		return usage("+%s has no value", o.name)
	case off && (given || o.flag == nil):
		return usage("+no%s does not exist\nhint: +%s=… sets it", o.name, o.name)
	case given:
		return o.value(q, value)
	case o.flag == nil, !off && clears(o.name):
		return usage("+%s needs a value: +%s=…", o.name, o.name)
	}
	o.flag(q, !off)
	return nil
}

// clears says of options with a value that their bare form says nothing: +nosubnet does, and +subnet does not.
func clears(name string) bool {
	return slices.Contains([]string{"opcode", "subnet", "ednsopt", "ednsflags", "padding"}, name)
}

// abbreviations are those that dig has, though more options begin so.
var abbreviations = [...][2]string{{"ttl", "ttlid"}, {"multi", "multiline"}, {"dom", "domain"}, {"cl", "class"}, {"rec", "recurse"}}

func findPlus(name string) (plusOption, error) {
	for _, a := range abbreviations {
		if a[0] == name {
			name = a[1]
		}
	}
	var begun []plusOption
	for _, o := range plusOptions() {
		if o.name == name {
			return o, nil
		}
		if name != "" && strings.HasPrefix(o.name, name) {
			begun = append(begun, o)
		}
	}
	switch len(begun) {
	case 0:
		return plusOption{}, unknownDig("+" + name)
	case 1:
		return begun[0], nil
	}
	return plusOption{}, usage("+%s may mean +%s or +%s", name, begun[0].name, begun[1].name)
}

// plusHelp is the list of the options for the help page, indented so that it stays a list in the manual too.
func plusHelp() string {
	var b strings.Builder
	for _, o := range plusOptions() {
		name := "+[no]" + o.name
		switch {
		case o.flag == nil:
			name = "+" + o.name + "=N"
		case clears(o.name):
			name = "+" + o.name + "=N, +no" + o.name
		case o.value != nil:
			name += "[=N]"
		}
		fmt.Fprintf(&b, "    %-26s %s\n", name, o.about)
	}
	return b.String()
}
