package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/network-utopia/utopia/dns"
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
	tcp := func(q *digQuestion, on bool) { q.tcp, q.chosen = on, true }
	dnssec := func(q *digQuestion, on bool) { q.dnssec = on; q.edns = q.edns || on }
	recurse := func(q *digQuestion, on bool) { q.recurse = on }
	ad := func(q *digQuestion, on bool) { q.ad = on }
	cd := func(q *digQuestion, on bool) { q.cd = on }
	return []plusOption{
		{name: "short", about: "print the data of the answers alone", flag: setShort},
		{name: "tcp", about: "ask over TCP", flag: tcp},
		{name: "vc", about: "the same as +tcp", flag: tcp},
		{name: "ignore", about: "take a truncated answer instead of asking over TCP", flag: func(q *digQuestion, on bool) { q.ignore = on }},
		{name: "recurse", about: "ask for recursion (on)", flag: recurse},
		{name: "rdflag", about: "the same as +recurse", flag: recurse},
		{name: "rd", about: "the same as +recurse", flag: recurse},
		{name: "adflag", about: "set the AD bit of the question (on)", flag: ad},
		{name: "ad", about: "the same as +adflag", flag: ad},
		{name: "cdflag", about: "set the CD bit of the question", flag: cd},
		{name: "cd", about: "the same as +cdflag", flag: cd},
		{name: "edns", about: "use EDNS (on), of the version named or 0", value: setVersion, flag: func(q *digQuestion, on bool) { q.edns, q.version = on, 0 }},
		{name: "bufsize", about: "announce that datagrams of so many octets are taken (1232)", value: setBufsize},
		{name: "dnssec", about: "ask for DNSSEC records", flag: dnssec},
		{name: "do", about: "the same as +dnssec", flag: dnssec},
		{name: "nsid", about: "ask for the server's identity", flag: func(q *digQuestion, on bool) { q.nsid = on; q.edns = q.edns || on }},
		{name: "time", about: "wait so many seconds for an answer (5)", value: setTime},
		{name: "timeout", about: "the same as +time", value: setTime},
		{name: "tries", about: "ask so many times (3)", value: setTries(0)},
		{name: "retry", about: "ask again so many times (2)", value: setTries(1)},
		{name: "all", about: "print every part, or with +noall none", flag: setAll},
		{name: "cmd", about: "print the first lines, with the arguments", flag: func(q *digQuestion, on bool) { q.show.cmd = on }},
		{name: "comments", about: "print the header and the names of the sections", flag: func(q *digQuestion, on bool) { q.show.comments = on }},
		{name: "question", about: "print the question", flag: func(q *digQuestion, on bool) { q.show.question = on }},
		{name: "answer", about: "print the answers", flag: func(q *digQuestion, on bool) { q.show.answer = on }},
		{name: "authority", about: "print the authority section", flag: func(q *digQuestion, on bool) { q.show.authority = on }},
		{name: "additional", about: "print the additional section", flag: func(q *digQuestion, on bool) { q.show.additional = on }},
		{name: "stats", about: "print the time, the server and the size", flag: func(q *digQuestion, on bool) { q.show.stats = on }},
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
	name, value, given := strings.Cut(strings.ToLower(text), "=")
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
	case o.flag == nil:
		return usage("+%s needs a value: +%s=…", o.name, o.name)
	}
	o.flag(q, !off)
	return nil
}

func findPlus(name string) (plusOption, error) {
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

func setShort(q *digQuestion, on bool) {
	q.show.short = on
	if on {
		q.show = digShow{short: true, answer: true}
	}
}

func setAll(q *digQuestion, on bool) {
	q.show = digShow{
		short: q.show.short,
		cmd:   on, comments: on, question: on, answer: on, authority: on, additional: on, stats: on,
	}
}

func setVersion(q *digQuestion, v string) error {
	n, err := strconv.ParseUint(v, 10, 8)
	if err != nil {
		return usage("+edns: %q is no version: 0 to 255", v)
	}
	q.edns, q.version = true, uint8(n)
	return nil
}

func setBufsize(q *digQuestion, v string) error {
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil || n < dns.MinUDPSize {
		return usage("+bufsize: %q is no size: 512 to 65535", v)
	}
	q.edns, q.bufsize = true, uint16(n)
	return nil
}

func setTime(q *digQuestion, v string) error {
	const most = 3600
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil || n < 1 || n > most {
		return usage("+time: %q is no number of seconds: 1 to %d", v, most)
	}
	q.timeout = time.Duration(n) * time.Second
	return nil
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

// plusHelp is the list of the options for the help page, indented so that it stays a list in the manual too.
func plusHelp() string {
	var b strings.Builder
	for _, o := range plusOptions() {
		name := "+[no]" + o.name
		switch {
		case o.flag == nil:
			name = "+" + o.name + "=N"
		case o.value != nil:
			name += "[=N]"
		}
		fmt.Fprintf(&b, "    %-18s %s\n", name, o.about)
	}
	return b.String()
}
