package dnsclient

import (
	"errors"
	"fmt"

	"github.com/network-utopia/utopia/dns"
)

var errNoResponse = errors.New("a question, not an answer")

// match says why a message is no answer to q (RFC 5452 section 9.1); nil if
// it is one. The source address was checked by the connected socket. Of the
// message only the header and the question are looked at.
//
// Servers that could not read a question may answer an error without it (RFC
// 1035 section 4.1.1 leaves that open, and BIND does so for FORMERR), which
// is taken: it says nothing about any name.
func match(q *dns.Message, wire []byte) error {
	h, counts, err := dns.ParseHeader(wire)
	if err != nil {
		return err
	}
	switch {
	case h.ID != q.ID:
		return fmt.Errorf("id %d instead of %d", h.ID, q.ID)
	case !h.Response:
		return errNoResponse
	case h.Opcode != q.Opcode:
		return fmt.Errorf("opcode %s instead of %s", h.Opcode, q.Opcode)
	case counts.Question == 0 && saysNothing(h.Rcode):
		return nil
	case counts.Question != 1:
		return fmt.Errorf("%d questions", counts.Question)
	}
	got, err := question(wire)
	if err != nil {
		return err
	}
	if want := q.Question[0]; !got.Equal(want) {
		return fmt.Errorf("answers %s instead of %s", got, want)
	}
	return nil
}

// saysNothing is true of the codes by which a server says that it could not
// or would not look anything up.
func saysNothing(code dns.Rcode) bool {
	switch code {
	case dns.RcodeFormErr, dns.RcodeServFail, dns.RcodeNotImp, dns.RcodeRefused:
		return true
	}
	return false
}

// question reads the first question. It stands right behind the header, where
// nothing before it could be pointed at: so its name is never compressed.
func question(wire []byte) (dns.Question, error) {
	rest := wire[dns.HeaderLen:]
	name, size, err := dns.NameFromWire(rest)
	if err != nil {
		return dns.Question{}, fmt.Errorf("question: %w", err)
	}
	if len(rest) < size+4 {
		return dns.Question{}, errors.New("question is cut off")
	}
	u := func(i int) uint16 { return uint16(rest[size+i])<<8 | uint16(rest[size+i+1]) }
	return dns.Question{Name: name, Type: dns.Type(u(0)), Class: dns.Class(u(2))}, nil
}
