package dnssvc

import (
	"context"
	"strings"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/authority"
	"github.com/network-utopia/utopia/internal/control"
)

// Explain answers a question from the zones in force, and says how it came to
// the answer. What the server adds for the client, such as a cookie, and what it
// leaves out for lack of room are not in it.
func (s *Service) Explain(_ context.Context, asked control.Question) (control.Explanation, error) {
	st := s.current.Load()
	origin := dns.Root
	if !strings.Contains(asked.Name, ".") {
		origin = st.own().name
	}
	name, err := dns.ParseName(asked.Name, origin)
	if err != nil {
		return control.Explanation{}, &control.Error{Kind: control.Invalid, Message: err.Error()}
	}
	t, err := dns.ParseType(asked.Type)
	if err != nil {
		return control.Explanation{}, &control.Error{Kind: control.Invalid, Message: err.Error()}
	}
	q := dns.NewQuery(0, name, t)
	if asked.DNSSEC {
		q.EDNS = &dns.EDNS{UDPSize: authority.DefaultUDPSize, DO: true}
	}
	r, steps := authority.Explain(st.set, q)
	e := control.Explanation{
		Question: name.String() + " " + t.String(), Code: r.Rcode.String(), Own: r.Authoritative,
		Answer: lines(r.Answer), Authority: lines(r.Authority), Additional: lines(r.Additional),
	}
	for _, step := range steps {
		e.Steps = append(e.Steps, control.Step{Text: step.String(), RFC: step.RFC()})
	}
	return e, nil
}

func lines(section []dns.RR) []string {
	list := []string{}
	for _, rr := range section {
		list = append(list, strings.ReplaceAll(rr.String(), "\t", " "))
	}
	return list
}
