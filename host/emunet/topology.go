package emunet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// Node is a machine that links lead to: a [Host], a [Router], or one side of a [NAT].
type Node interface{ base() *node }

// maxNodes is how many machines a network may have; the keys of events have room for so many.
const maxNodes = 1 << 20

// node is what all machines have.
type node struct {
	net   *Net
	id    int
	name  string
	addrs []netip.Addr
	out   []*direction // the links' directions that lead away
	down  bool         // crashed
	rng   *rand.Rand

	host  *Host // what this is: a host,
	inner *NAT  // the inner side of a translator,
	outer *NAT  // its outer side, or a router where all are nil

	realm  *realm
	routes []*direction // by the id of the node that a packet is for; computed when needed
	ipID   uint16
}

func (v *node) base() *node { return v }

// realm is where an address means one machine: what can be reached without translation.
type realm struct {
	owners   map[netip.Addr]*node
	gateways []*node // inner sides of translators: where packets for elsewhere go
}

// add registers a node. Without addresses it gets one of IPv4 (10.0.0.0/8) and one of IPv6 (fd00::/8).
func (n *Net) add(name string, addrs []string) *node {
	if n.names[name] {
		misuse("there are two machines with the name %q", name)
	}
	if len(n.nodes) == maxNodes {
		misuse("more than %d machines", maxNodes)
	}
	n.names[name] = true
	v := &node{net: n, id: len(n.nodes), name: name}
	v.rng = n.random(1, uint64(v.id))
	v.ipID = uint16(v.rng.Uint32())
	number := v.id + 1
	if len(addrs) == 0 {
		addrs = []string{
			fmt.Sprintf("10.%d.%d.%d", number>>16, number>>8&255, number&255), fmt.Sprintf("fd00::%x:%x", number>>16, number&0xffff),
		}
	}
	for _, a := range addrs {
		v.addrs = append(v.addrs, mustAddr(a))
	}
	n.nodes = append(n.nodes, v)
	n.changed()
	return v
}

// Host adds a host. Addresses are IP addresses of either family; without any it gets one of each. A name or an address
// that another has is a panic, as is everything wrong in a topology: it is a fault of the program that builds it.
func (n *Net) Host(name string, addresses ...string) *Host {
	n.use()
	defer n.settle()
	v := n.add(name, addresses)
	h := &Host{node: v}
	h.reset()
	h.loopback = newDirection(n, v, v, linkConfig{mtu: maxPacket})
	v.host = h
	return h
}

// Router is a machine that passes packets on, along the path with the fewest links.
type Router struct{ *node }

// Router adds a router. It has addresses as a host has, for what it says itself (ICMP).
func (n *Net) Router(name string, addresses ...string) *Router {
	n.use()
	defer n.settle()
	return &Router{n.add(name, addresses)}
}

// Name is the machine's name.
func (v *node) Name() string { return v.name }

// Addrs are the machine's addresses, without loopback.
func (v *node) Addrs() []netip.Addr { return slices.Clone(v.addrs) }

// Addr is the machine's first address.
func (v *node) Addr() netip.Addr { return v.addrs[0] }

// Link joins two machines in both directions. Without options it takes no time and loses nothing.
func (n *Net) Link(a, b Node, options ...LinkOption) *Link {
	n.use()
	defer n.settle()
	from, to := a.base(), b.base()
	if from.net != n || to.net != n || from == to {
		misuse("a link joins two machines of one network, not %s and %s", from.name, to.name)
	}
	l := &Link{net: n}
	l.there, l.back = newDirection(n, from, to, linkConfig{}), newDirection(n, to, from, linkConfig{})
	l.there.link, l.back.link = l, l
	l.set(options)
	from.out = append(from.out, l.there)
	to.out = append(to.out, l.back)
	return l
}

// Partition cuts every link between the machines named and all others, until heal is called.
func (n *Net) Partition(machines ...Node) (heal func()) {
	n.use()
	defer n.settle()
	inside := map[*node]bool{}
	for _, m := range machines {
		inside[m.base()] = true
	}
	var cut []*direction
	for v := range inside {
		for _, d := range v.out {
			if !inside[d.to] {
				cut = append(cut, d.link.there, d.link.back)
			}
		}
	}
	for _, d := range cut {
		d.cuts++
	}
	return func() {
		n.use()
		defer n.settle()
		for _, d := range cut {
			d.cuts--
		}
		cut = nil
	}
}

// explore finds the realms anew after a change of the topology; routes are found when they are needed.
func (n *Net) explore() {
	n.realms = true
	n.findPatient()
	for _, v := range n.nodes {
		v.realm, v.routes = nil, nil
	}
	for _, v := range n.nodes {
		if v.realm != nil {
			continue
		}
		r := &realm{owners: map[netip.Addr]*node{}}
		v.realm = r
		for queue := []*node{v}; len(queue) > 0; queue = queue[1:] {
			r.join(queue[0])
			for _, d := range queue[0].out {
				if d.to.realm == nil {
					d.to.realm = r
					queue = append(queue, d.to)
				}
			}
		}
	}
}

// defaultPatience is the least delay after a router for which it pays to look later at what arrives there.
const defaultPatience = 100 * time.Microsecond

// changed forgets what was derived from the topology.
func (n *Net) changed() {
	n.realms = false
	n.hurry()
}

// hurry has everything happen in time that is on its way: how long it may be put off is no longer known.
func (n *Net) hurry() {
	for _, e := range n.inside {
		n.events.push(e)
	}
	n.inside = nil
}

// findPatient finds the directions that lead to routers from where everything takes a while.
func (n *Net) findPatient() {
	n.slack = math.MaxInt64 / 2
	for _, v := range n.nodes {
		least := Time(math.MaxInt64)
		for _, d := range v.out {
			least = min(least, d.delay)
		}
		router := v.host == nil && v.inner == nil && v.outer == nil && least >= v.net.patience && len(v.out) > 0
		if router {
			n.slack = min(n.slack, least)
		}
		for _, d := range v.out {
			d.reverse().patient = router
		}
	}
}

func (r *realm) join(v *node) {
	for _, a := range v.addrs {
		if other := r.owners[a]; other != nil {
			misuse("%s and %s have the same address %v", other.name, v.name, a)
		}
		r.owners[a] = v
	}
	if v.inner != nil {
		r.gateways = append(r.gateways, v)
	}
}

// route is where a packet for an address goes from here: itself where it has arrived. A direction is nil where the node
// is the last; ok is false where there is no way.
func (v *node) route(to netip.Addr) (d *direction, here, ok bool) {
	if !v.net.realms {
		v.net.explore()
	}
	owner := v.realm.owners[to]
	if owner == v || v.host != nil && to.IsLoopback() {
		return nil, true, true
	}
	if v.routes == nil {
		v.findRoutes()
	}
	if owner != nil {
		d = v.routes[owner.id]
		return d, false, d != nil
	}
	if v.inner != nil {
		return nil, true, true // out, through the translator
	}
	for _, g := range v.realm.gateways {
		if v.routes[g.id] != nil {
			return v.routes[g.id], false, true
		}
	}
	if v.host != nil && len(v.out) > 0 && v.out[0].to.host == nil {
		return v.out[0], false, true // the router that it is linked with first knows, or says that nobody does
	}
	return nil, false, false
}

// findRoutes walks the realm from v on, breadth first: the fewest links win, and of those the one linked first. Hosts
// pass nothing on.
func (v *node) findRoutes() {
	v.routes = make([]*direction, len(v.net.nodes))
	seen := make([]bool, len(v.net.nodes))
	seen[v.id] = true
	type step struct {
		at    *node
		first *direction
	}
	for queue := []step{{at: v}}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		if s.at != v && s.at.host != nil {
			continue
		}
		for _, d := range s.at.out {
			if seen[d.to.id] {
				continue
			}
			seen[d.to.id] = true
			first := s.first
			if first == nil {
				first = d
			}
			v.routes[d.to.id] = first
			queue = append(queue, step{d.to, first})
		}
	}
}
