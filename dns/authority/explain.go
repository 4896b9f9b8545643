package authority

import (
	"fmt"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// Explain makes the response that Answer makes, and tells the steps that led to
// it. It is the same code: what is told is what was done.
func Explain(set *zone.Set, q *dns.Message) (*dns.Message, []Step) {
	var steps []Step
	r := answer(set, q, func(s Step) { steps = append(steps, s) })
	return r, steps
}

// Step is one step on the way to an answer.
type Step struct {
	What  What
	Name  dns.Name // that it is about
	Other dns.Name // such as the zone of Name, or what it is an alias of
	Type  dns.Type // of the records that it is about
	Count int      // of those records
	Code  dns.Rcode
}

// What happens in a step.
type What uint8

// What may happen in a step. Name, Other, Type, Count and Code are those of
// Step.
const (
	Refused       What = iota // the query is not looked at any further: Code
	InZone                    // Other is the deepest zone here that holds Name
	AtParent                  // DS records of Name are in the zone above: Other
	NoZone                    // no zone here holds Name
	MissingZone               // the zone that holds Name could not be made
	LeavesZones               // no zone here holds Name, which an alias led to
	Delegated                 // Name is at or below Other, which has NS records
	AtCut                     // Name has NS records, and its DS is on this side
	Renamed                   // Name is below Other, which owns a DNAME
	Exists                    // Name is there
	Empty                     // Name owns nothing, and names below it do
	NotThere                  // Name is not there; Other is its closest encloser
	FromWildcard              // Name is not there; the wildcard Other stands for it
	Alias                     // Name is an alias of Other
	TooLong                   // Name would become too long below the DNAME's target
	ChainEnds                 // no further alias is followed from Name
	Found                     // Name owns Count records of Type
	AnyType                   // of all types that Name owns one is given: Type
	NoSuchType                // Name owns no records of Type
	NoSuchName                // Name does not exist
	Refers                    // to Count name servers of Name
	AddsServices              // of Name, which an alias in the answer leads to: the records of Type
	AddsAddresses             // of Name, beside the answer
	AddsGlue                  // of Name, which is below the cut
	Proves                    // the record of the chain at Name (Type): what it covers is not there
	Signs                     // the records that are signed come with Count signatures
)

// String says what happened, in a sentence.
func (s Step) String() string {
	switch s.What {
	case Refused:
		return fmt.Sprintf("the query is not looked at any further: %s", s.Code)
	case InZone:
		return fmt.Sprintf("%s is the zone here that %s is in", s.Other, s.Name)
	case AtParent:
		return fmt.Sprintf("DS records of %s are on the parent's side of the cut: in %s", s.Name, s.Other)
	case NoZone:
		return fmt.Sprintf("no zone here holds %s: REFUSED", s.Name)
	case MissingZone:
		return fmt.Sprintf("the zone of %s should be here and could not be loaded: SERVFAIL", s.Name)
	case LeavesZones:
		return fmt.Sprintf("no zone here holds %s: the client goes on from there", s.Name)
	case Delegated:
		return fmt.Sprintf("%s owns NS records, so %s belongs to a zone of its own (a cut)", s.Other, s.Name)
	case AtCut:
		return fmt.Sprintf("%s owns NS records (a cut), and DS is what its parent has of it", s.Name)
	case Renamed:
		return fmt.Sprintf("%s owns a DNAME, and %s is below it", s.Other, s.Name)
	case Exists:
		return fmt.Sprintf("%s is there", s.Name)
	case Empty:
		return fmt.Sprintf("%s owns nothing, and is there since names below it are (an empty non-terminal)", s.Name)
	case NotThere:
		return fmt.Sprintf("%s is not there; of the names above it %s is the nearest that is, and it has no wildcard", s.Name, s.Other)
	case FromWildcard:
		return fmt.Sprintf("%s is not there; %s is the wildcard at the nearest name above it that is, and stands for it", s.Name, s.Other)
	case Alias:
		return fmt.Sprintf("%s is an alias of %s (CNAME): the search begins anew", s.Name, s.Other)
	}
	return s.outcome()
}

// outcome says what comes of the search.
func (s Step) outcome() string {
	switch s.What {
	case TooLong:
		return fmt.Sprintf("the new name for %s would be longer than a name may be: YXDOMAIN", s.Name)
	case ChainEnds:
		return fmt.Sprintf("the chain of aliases is too long, or comes back to %s: the client goes on", s.Name)
	case Found:
		return fmt.Sprintf("%s %s: %s", s.Name, s.Type, counted(s.Count, "record"))
	case AnyType:
		return fmt.Sprintf("asked for all types, %s is given of those that %s owns", s.Type, s.Name)
	case NoSuchType:
		return fmt.Sprintf("%s owns no %s: the answer is empty, and the SOA says for how long", s.Name, s.Type)
	case NoSuchName:
		return fmt.Sprintf("%s does not exist: NXDOMAIN, and the SOA says for how long", s.Name)
	case Refers:
		return fmt.Sprintf("the client is referred to the name servers of %s: %s", s.Name, counted(s.Count, "record"))
	case AddsServices:
		return fmt.Sprintf("the %s records of %s are added, which the alias leads to", s.Type, s.Name)
	case AddsAddresses:
		return fmt.Sprintf("the addresses of %s are added", s.Name)
	case AddsGlue:
		return fmt.Sprintf("the addresses of %s are added, without which it could not be reached (glue)", s.Name)
	case Proves:
		return fmt.Sprintf("the %s at %s proves what is not there", s.Type, s.Name)
	case Signs:
		return fmt.Sprintf("the client wants to validate (DO): %s", counted(s.Count, "signature"))
	}
	return "something that has no words"
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// RFC gives the section that wants the step to be so.
func (s Step) RFC() string {
	switch s.What {
	case Refused:
		return refusedBy(s.Code)
	case InZone, NoZone, LeavesZones:
		return "RFC 1034 section 4.3.2 step 2"
	case MissingZone:
		return "RFC 1035 section 4.1.1"
	case AtParent, AtCut:
		return "RFC 4035 section 3.1.4.1"
	case Delegated, Refers:
		return "RFC 1034 section 4.3.2 step 3b"
	case Renamed, TooLong:
		return "RFC 6672 section 3.2"
	case Exists, Found, Alias, ChainEnds:
		return "RFC 1034 section 4.3.2 step 3a"
	case Empty:
		return "RFC 4592 section 2.2.2"
	case NotThere, FromWildcard:
		return "RFC 4592 section 3.3.1"
	case AnyType:
		return "RFC 8482 section 4.1"
	case NoSuchType:
		return "RFC 2308 section 2.2"
	case NoSuchName:
		return "RFC 2308 section 2.1"
	case AddsServices:
		return "RFC 9460 section 4.1"
	case AddsAddresses:
		return "RFC 1034 section 4.3.2 step 6"
	case AddsGlue:
		return "RFC 9471 section 3"
	case Proves:
		if s.Type == dns.TypeNSEC3 {
			return "RFC 5155 section 7.2"
		}
		return "RFC 4035 section 3.1.3"
	case Signs:
		return "RFC 4035 section 3.1.1"
	}
	return ""
}

func refusedBy(code dns.Rcode) string {
	switch code {
	case dns.RcodeBadVers:
		return "RFC 6891 section 6.1.3"
	case dns.RcodeFormErr:
		return "RFC 9619 section 4"
	}
	return "RFC 1035 section 4.1.1"
}

// saw tells a step, where somebody wants to know.
func (a *answerer) saw(s Step) {
	if a.seen != nil {
		a.seen(s)
	}
}

// sawZone tells which zone a name is looked for in, z being nil for none.
func (a *answerer) sawZone(z *zone.Zone, name dns.Name) {
	switch {
	case a.seen == nil:
	case z != nil && a.qtype == dns.TypeDS && a.set.Find(name) != z:
		a.seen(Step{What: AtParent, Name: name, Other: z.Apex()})
	case z != nil:
		a.seen(Step{What: InZone, Name: name, Other: z.Apex()})
	case len(a.r.Answer) > 0:
		a.seen(Step{What: LeavesZones, Name: name})
	case a.set.Missing(name, a.qtype):
		a.seen(Step{What: MissingZone, Name: name})
	default:
		a.seen(Step{What: NoZone, Name: name})
	}
}

// sawMatch tells how a name stands in its zone.
func (a *answerer) sawMatch(m zone.Match, name dns.Name) {
	if a.seen == nil {
		return
	}
	s := Step{What: Exists, Name: name, Other: m.Node.Name()}
	switch m.Kind {
	case zone.None:
		s.What, s.Other = NotThere, m.Encloser
	case zone.Wildcard:
		s.What = FromWildcard
	case zone.Redirect:
		s.What = Renamed
	case zone.Cut:
		s.What = Delegated
		if a.qtype == dns.TypeDS && s.Other.Equal(name) {
			s.What = AtCut
		}
	case zone.Exact:
		if len(m.Node.Sets()) == 0 {
			s.What = Empty
		}
	}
	a.seen(s)
}

// sawFound tells what a name owns of a type.
func (a *answerer) sawFound(what What, node zone.Node, t dns.Type, name dns.Name) {
	if a.seen != nil {
		set, _ := node.RRset(t)
		a.seen(Step{What: what, Name: name, Type: t, Count: len(set.Data)})
	}
}

// sawAddresses tells of addresses that were added beside the answer.
func (a *answerer) sawAddresses(host dns.Name, n int) {
	if n > 0 && a.seen != nil {
		what := AddsAddresses
		if a.glue != nil && host.IsSubdomainOf(a.r.Authority[0].Name) { // of the cut's NS records
			what = AddsGlue
		}
		a.saw(Step{What: what, Name: host, Count: n})
	}
}

// sawSignatures tells how many signatures the response has.
func (a *answerer) sawSignatures() {
	if a.seen == nil || !a.do {
		return
	}
	n := 0
	for _, section := range [...][]dns.RR{a.r.Answer, a.r.Authority, a.r.Additional} {
		for _, rr := range section {
			if rr.Type == dns.TypeRRSIG {
				n++
			}
		}
	}
	if n > 0 {
		a.seen(Step{What: Signs, Count: n})
	}
}
