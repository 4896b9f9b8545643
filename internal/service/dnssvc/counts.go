package dnssvc

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsserver"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/control"
)

// MaxCountedZones is of how many zones queries are counted apart since the
// program started. Those about any further zone count as about none of ours.
const MaxCountedZones = 1000

// Reverse is the name under which queries about the zones of single addresses
// are counted, which come and go with these.
const Reverse = "reverse"

// ofNone and ofReverse are the numbers of what is no zone of its own.
const (
	ofNone uint32 = iota
	ofReverse
	firstNumber
)

// transports are all that queries come over; each stands at its own number.
var transports = [...]dnsserver.Transport{dnsserver.UDP, dnsserver.TCP, dnsserver.TLS, dnsserver.HTTPS}

// Counts counts what a name server has answered; it outlives the Service, which
// is made anew when the settings change. The zero value has counted nothing.
type Counts struct {
	over [len(transports)]counts

	mu      sync.Mutex
	numbers map[dns.Name]uint32
	zones   atomic.Pointer[[]*zoneCounter] // by number
}

// counts is what came over one transport.
type counts struct {
	codes             [dnsserver.OtherCode + 1]atomic.Uint64
	types             [dns.TypeCAA + 1]atomic.Uint64 // by type; above stands none that is counted apart
	opcodes           [16]atomic.Uint64
	truncated, dnssec atomic.Uint64
	received, sent    atomic.Uint64 // octets
}

type zoneCounter struct {
	name    string
	queries atomic.Uint64
}

// add adds what the server tells of.
func (c *Counts) add(over dnsserver.Transport, a *dnsserver.Answers) {
	if c == nil {
		return
	}
	o, in, out := &c.over[over], 0, 0
	for code, v := range a.Codes() {
		o.codes[code].Add(uint64(v.N))
		in, out = in+v.In, out+v.Out
	}
	o.received.Add(uint64(in))
	o.sent.Add(uint64(out))
	for t, n := range a.Types() {
		o.types[t].Add(uint64(n))
	}
	for op, n := range a.Opcodes() {
		o.opcodes[op].Add(uint64(n))
	}
	if a.Truncated > 0 {
		o.truncated.Add(uint64(a.Truncated))
	}
	if a.DNSSEC > 0 {
		o.dnssec.Add(uint64(a.DNSSEC))
	}
	zones := c.known()
	for number, n := range a.Zones() {
		zones[number].queries.Add(uint64(n))
	}
}

// known gives the zones that have a number.
func (c *Counts) known() []*zoneCounter {
	if zones := c.zones.Load(); zones != nil {
		return *zones
	}
	return c.number(nil)
}

// number gives zones their numbers, which are the same as long as the program
// runs; what it returns has all that there are.
func (c *Counts) number(names []dns.Name) []*zoneCounter {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*zoneCounter
	if zones := c.zones.Load(); zones != nil {
		all = append(all, *zones...)
	} else {
		all, c.numbers = []*zoneCounter{ofNone: {}, ofReverse: {name: Reverse}}, map[dns.Name]uint32{}
	}
	for _, name := range names {
		if _, ok := c.numbers[name]; !ok && len(all) < MaxCountedZones+int(firstNumber) {
			c.numbers[name] = uint32(len(all))
			all = append(all, &zoneCounter{name: name.String()})
		}
	}
	c.zones.Store(&all)
	return all
}

// numbersOf gives the numbers of the zones that are answered from; nil where
// nothing is counted.
func (c *Counts) numbersOf(all []made) map[*zone.Zone]uint32 {
	if c == nil {
		return nil
	}
	var names []dns.Name
	for _, m := range all {
		if m.reverse == nil {
			names = append(names, m.name)
		}
	}
	c.number(names)
	c.mu.Lock()
	defer c.mu.Unlock()
	numbers := map[*zone.Zone]uint32{}
	for _, m := range all {
		switch {
		case m.zone == nil:
		case m.reverse != nil:
			numbers[m.zone] = ofReverse
		default:
			numbers[m.zone] = c.numbers[m.name] // ofNone where it has none
		}
	}
	return numbers
}

// tellZone tells the server which zone a message is about that no Responder
// answers: one that is for a zone as a whole.
func (st *state) tellZone(m *dns.Message, from dnsserver.Client) {
	if len(m.Question) == 0 {
		return
	}
	if z := st.find(m.Question[0].Name.Canonical()); z != nil {
		from.Tell(st.numbers[z.zone], false)
	}
}

// Traffic tells all that was counted.
func (c *Counts) Traffic() control.Traffic {
	var t control.Traffic
	for i, over := range transports {
		o := &c.over[i]
		one := control.TransportTraffic{
			Transport: over.String(), Codes: map[string]uint64{}, Types: map[string]uint64{}, Opcodes: map[string]uint64{},
			Truncated: o.truncated.Load(), DNSSEC: o.dnssec.Load(), Received: o.received.Load(), Sent: o.sent.Load(),
		}
		for code := range o.codes {
			nonzero(one.Codes, codeName(dns.Rcode(code)), &o.codes[code])
		}
		for typ := range o.types {
			nonzero(one.Types, typeName(dns.Type(typ)), &o.types[typ])
		}
		for op := range o.opcodes {
			nonzero(one.Opcodes, opcodeName(dns.Opcode(op)), &o.opcodes[op])
		}
		t.Transports = append(t.Transports, one)
	}
	for _, z := range c.known() {
		t.Zones = append(t.Zones, control.ZoneTraffic{Zone: z.name, Queries: z.queries.Load()})
	}
	return t
}

// nonzero notes a counter that has counted something.
func nonzero(in map[string]uint64, name string, counter *atomic.Uint64) {
	if n := counter.Load(); n > 0 {
		in[name] += n
	}
}

// other is the name of what is not counted apart.
const other = "other"

func codeName(code dns.Rcode) string {
	if code == dnsserver.OtherCode {
		return other
	}
	return code.String()
}

func typeName(t dns.Type) string {
	if t == dnsserver.OtherType {
		return other
	}
	return t.String()
}

func opcodeName(op dns.Opcode) string {
	if s := op.String(); !strings.HasSuffix(s, strconv.Itoa(int(op))) {
		return s
	}
	return other
}
