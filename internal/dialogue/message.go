package dialogue

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/network-utopia/utopia/dns"
)

// ID is that of every question.
const ID = 4711

// Query makes the octets of a question such as "www.example.test. IN A +edns +do", or of "hex" and octets, and says
// whether it goes over a stream: that is TCP.
func Query(question string) (wire []byte, stream bool, err error) {
	if digits, ok := strings.CutPrefix(question, "hex "); ok {
		wire, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		if err != nil {
			return nil, false, fmt.Errorf("the question %q: %w", question, err)
		}
		return wire, false, nil
	}
	words := strings.Fields(question)
	if len(words) < 3 {
		return nil, false, fmt.Errorf("the question %q: name, class and type are wanted", question)
	}
	q, err := plain(words[0], words[1], words[2])
	if err != nil {
		return nil, false, fmt.Errorf("the question %q: %w", question, err)
	}
	for _, w := range words[3:] {
		if w == "+tcp" {
			stream = true
		} else if err := option(q, w); err != nil {
			return nil, false, fmt.Errorf("the question %q: %w", question, err)
		}
	}
	if wire, err = q.Append(nil, 0); err != nil {
		return nil, false, fmt.Errorf("the question %q: %w", question, err)
	}
	return wire, stream, nil
}

func plain(name, class, typ string) (*dns.Message, error) {
	n, err := dns.ParseName(name, dns.Root)
	if err != nil {
		return nil, err
	}
	t, err := dns.ParseType(typ)
	if err != nil {
		return nil, err
	}
	q := dns.NewQuery(ID, n, t)
	q.Question[0].Class, err = dns.ParseClass(class)
	return q, err
}

// option puts into a query what a word such as +edns=4096 says.
func option(q *dns.Message, word string) (err error) {
	key, value, _ := strings.Cut(word, "=")
	number, _ := strconv.Atoi(value)
	if q.EDNS == nil && (key == "+edns" || key == "+do" || key == "+version") {
		q.EDNS = &dns.EDNS{UDPSize: 1232}
	}
	switch key {
	case "+edns":
		if value != "" {
			q.EDNS.UDPSize = uint16(number)
		}
	case "+do":
		q.EDNS.DO = true
	case "+version":
		q.EDNS.Version = uint8(number)
	case "+rd":
		q.RecursionDesired = true
	case "+cd":
		q.CheckingDisabled = true
	case "+ad":
		q.AuthenticData = true
	case "+opcode":
		q.Opcode, err = dns.ParseOpcode(value)
	case "+questions":
		for len(q.Question) < number {
			q.Question = append(q.Question, q.Question[0])
		}
		q.Question = q.Question[:number]
	default:
		return fmt.Errorf("what is %s?", word)
	}
	return err
}

// Lines writes an answer in the words of the dialogues. Silence is an answer of no octets.
func Lines(query, answer []byte) ([]string, error) {
	if len(answer) == 0 {
		return []string{"(silence)"}, nil
	}
	r, err := dns.Parse(answer)
	if err != nil {
		return nil, fmt.Errorf("the answer is malformed: %w", err)
	}
	if asked, _, err := dns.ParseHeader(query); err != nil || r.ID != asked.ID || !r.Response {
		return nil, fmt.Errorf("the answer has the ID %d, and QR is %v", r.ID, r.Response)
	}
	out := []string{head(query, r)}
	for _, s := range []struct {
		name string
		rrs  []dns.RR
	}{{"answer    ", r.Answer}, {"authority ", r.Authority}, {"additional", r.Additional}} {
		for _, rr := range s.rrs {
			out = append(out, s.name+" "+strings.ReplaceAll(rr.String(), "\t", " "))
		}
	}
	return out, nil
}

// head is the first line: code, flags, EDNS, and the question where it is not the one that was asked.
func head(query []byte, r *dns.Message) string {
	words := []string{r.Rcode.String()}
	for _, f := range []struct {
		on   bool
		name string
	}{
		{r.Authoritative, "aa"}, {r.Truncated, "tc"}, {r.RecursionDesired, "rd"},
		{r.RecursionAvailable, "ra"}, {r.AuthenticData, "ad"}, {r.CheckingDisabled, "cd"},
	} {
		if f.on {
			words = append(words, f.name)
		}
	}
	if r.EDNS != nil {
		words = append(words, fmt.Sprintf("edns=%d", r.EDNS.UDPSize))
		if r.EDNS.DO {
			words = append(words, "do")
		}
		for _, e := range r.EDNS.ExtendedErrors() {
			words = append(words, fmt.Sprintf("ede=%d", e.Code))
		}
	}
	if q, err := dns.Parse(query); err != nil || len(r.Question) != len(q.Question) {
		words = append(words, fmt.Sprintf("questions=%d", len(r.Question)))
	} else if len(q.Question) > 0 && r.Question[0] != q.Question[0] {
		words = append(words, "question="+r.Question[0].String())
	}
	return strings.Join(words, " ")
}
