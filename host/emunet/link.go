package emunet

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Bits per second.
const (
	Kbit int64 = 1000
	Mbit       = 1000 * Kbit
	Gbit       = 1000 * Mbit
)

// The sizes of packets, in octets.
const (
	defaultMTU = 1500
	maxPacket  = 65535
	minQueue   = 64 << 10
)

// linkConfig are the properties of one direction of a link.
type linkConfig struct {
	rate    int64 // bit/s; 0 for no limit
	delay   time.Duration
	queue   int // octets; 0 for 100 ms at the rate
	loss    float64
	jitter  time.Duration
	reorder float64
	hold    time.Duration
	mtu     int
}

// LinkOption is a property of a link, of both of its directions unless [Back] says otherwise.
type LinkOption func(there, back *linkConfig)

func both(set func(*linkConfig)) LinkOption {
	return func(there, back *linkConfig) { set(there); set(back) }
}

// Rate is how many bits the link takes in a second, such as 10*Mbit; 0 sets no limit.
func Rate(bits int64) LinkOption {
	if bits < 0 {
		misuse("Rate(%d)", bits)
	}
	return both(func(c *linkConfig) { c.rate = bits })
}

// Delay is how long a bit is on its way, one way.
func Delay(d time.Duration) LinkOption {
	if d < 0 {
		misuse("Delay(%v)", d)
	}
	return both(func(c *linkConfig) { c.delay = d })
}

// Queue is how many octets may wait for the link, the packet that is being sent included; a packet for which there is no
// room is dropped (drop-tail). An idle link takes every packet. Zero, the default, is what the link sends in 100 ms, and
// at least 64 KiB.
func Queue(octets int) LinkOption {
	if octets < 0 {
		misuse("Queue(%d)", octets)
	}
	return both(func(c *linkConfig) { c.queue = octets })
}

// Loss is the share of packets that are lost on the way, each by itself.
func Loss(share float64) LinkOption {
	if share < 0 || share > 1 {
		misuse("Loss(%v)", share)
	}
	return both(func(c *linkConfig) { c.loss = share })
}

// Jitter adds to the delay of each packet, by chance, up to d. Packets stay in order.
func Jitter(d time.Duration) LinkOption {
	if d < 0 {
		misuse("Jitter(%v)", d)
	}
	return both(func(c *linkConfig) { c.jitter = d })
}

// Reorder holds up a share of the packets, each by the time given, so that later ones overtake them.
func Reorder(share float64, by time.Duration) LinkOption {
	if share < 0 || share > 1 || by < 0 {
		misuse("Reorder(%v, %v)", share, by)
	}
	return both(func(c *linkConfig) { c.reorder, c.hold = share, by })
}

// MTU is the largest TCP/IP packet that the link takes; 1500 unless set. Datagrams are never split, so it bounds
// segments of TCP alone: both ends know the least on their path.
func MTU(octets int) LinkOption {
	if octets < 576 || octets > maxPacket {
		misuse("MTU(%d)", octets)
	}
	return both(func(c *linkConfig) { c.mtu = octets })
}

// Back has options for the direction from the second machine of the link to the first alone.
func Back(options ...LinkOption) LinkOption {
	return func(_, back *linkConfig) {
		for _, o := range options {
			o(&linkConfig{}, back)
		}
	}
}

// Link joins two machines.
type Link struct {
	net         *Net
	there, back *direction
}

func (l *Link) set(options []LinkOption) {
	for _, o := range options {
		o(&l.there.linkConfig, &l.back.linkConfig)
	}
	l.net.changed()
}

// Set changes properties of the link for the packets that come from now on.
func (l *Link) Set(options ...LinkOption) {
	l.net.use()
	defer l.net.settle()
	l.set(options)
}

// Cut has the link lose everything, what is on its way included, until Heal. Nobody is told.
func (l *Link) Cut() { l.cut(true) }

// Heal ends a Cut.
func (l *Link) Heal() { l.cut(false) }

func (l *Link) cut(down bool) {
	l.net.use()
	defer l.net.settle()
	l.there.down, l.back.down = down, down
}

// Counts is what one direction of a link has done.
type Counts struct {
	Packets, Octets uint64 // sent, those lost on the way included
	Dropped         uint64 // packets for which the queue had no room
	Lost            uint64 // packets lost by [Loss] or by a cut
	Queued          int    // octets that wait now, the packet that is being sent included
}

// Counts tells of both directions, the one from the first machine to the second first.
func (l *Link) Counts() (there, back Counts) {
	l.net.use()
	defer l.net.settle()
	now := l.net.clock()
	there, back = l.there.counts, l.back.counts
	there.Queued, back.Queued = l.there.backlog(now), l.back.backlog(now)
	return there, back
}

// direction is one way over a link: a queue, the sender, and the line.
type direction struct {
	linkConfig
	net      *Net
	link     *Link // nil for loopback
	from, to *node
	key      uint64
	rng      *rand.Rand
	down     bool
	cuts     int  // partitions that cut it
	patient  bool // leads to a router from where everything takes a while: see findPatient

	free   Time // when the sender is free
	last   Time // when the last packet arrives
	line   fifo
	held   uint64 // how many were held up
	counts Counts
}

func newDirection(n *Net, from, to *node, c linkConfig) *direction {
	d := &direction{linkConfig: c, net: n, from: from, to: to, last: -1}
	d.key = uint64(from.id)<<24 | uint64(to.id)<<4 | uint64(len(from.out)&15)
	d.rng = n.random(2, d.key)
	return d
}

func (d *direction) String() string { return fmt.Sprintf("%s to %s", d.from.name, d.to.name) }

// largest is the largest packet that TCP may send.
func (d *direction) largest() int {
	if d.mtu == 0 {
		return defaultMTU
	}
	return d.mtu
}

// room is the queue's length in octets.
func (d *direction) room() int {
	if d.queue > 0 {
		return d.queue
	}
	return max(minQueue, int(d.rate/80))
}

// backlog is what waits or is being sent, in octets.
func (d *direction) backlog(now Time) int {
	if d.free <= now || d.rate == 0 {
		return 0
	}
	return int(float64(d.free-now) * float64(d.rate) / 8e9)
}

// sending is how long the sender needs for so many octets.
func (d *direction) sending(octets int) Time {
	if d.rate == 0 {
		return 0
	}
	return Time(int64(octets) * 8e9 / d.rate)
}

// send takes a packet: it is dropped, lost, or arrives later.
func (d *direction) send(p *packet, now Time) {
	if d.rate > 0 && d.free > now && d.backlog(now)+p.size > d.room() {
		d.counts.Dropped++
		d.net.release(p)
		return
	}
	d.free = max(d.free, now) + d.sending(p.size)
	d.counts.Packets++
	d.counts.Octets += uint64(p.size)
	if d.cut() || d.loss > 0 && d.rng.Float64() < d.loss {
		d.counts.Lost++
		d.net.release(p)
		return
	}
	// A few nanoseconds by chance: of two packets that would come at the same moment, either may be the first.
	arrival := d.free + d.delay + Time(d.rng.Uint32()&127)
	if d.jitter > 0 {
		arrival += Time(d.rng.Int64N(int64(d.jitter) + 1))
	}
	if d.reorder > 0 && d.rng.Float64() < d.reorder {
		d.held++
		d.net.at(arrival+d.hold, keyHeld|d.key<<8|d.held&255, &overtaken{d, p})
		return
	}
	p.arrival = max(arrival, d.last+1)
	d.last = p.arrival
	if d.line.push(p); d.line.length == 1 {
		d.expect(p.arrival)
	}
}

// expect has the first packet on the line delivered.
func (d *direction) expect(at Time) {
	if d.patient && d.net.realms {
		d.net.inside.push(event{at, keyDeliver | d.key, d})
		return
	}
	d.net.at(at, keyDeliver|d.key, d)
}

func (d *direction) cut() bool { return d.down || d.cuts > 0 }

// happen delivers the first packet on the line.
func (d *direction) happen(now Time) {
	p := d.line.pop()
	if d.line.length > 0 {
		d.expect(d.line.first().arrival)
	}
	d.deliver(p, now)
}

func (d *direction) deliver(p *packet, now Time) {
	if d.cut() {
		d.counts.Lost++
		d.net.release(p)
		return
	}
	d.to.receive(p, now)
}

// overtaken is a packet that was held up.
type overtaken struct {
	d *direction
	p *packet
}

func (o *overtaken) happen(now Time) { o.d.deliver(o.p, now) }

// fifo is a ring of packets.
type fifo struct {
	ring         []*packet
	head, length int
}

func (f *fifo) first() *packet { return f.ring[f.head] }

func (f *fifo) push(p *packet) {
	if f.length == len(f.ring) {
		larger := make([]*packet, max(16, 2*len(f.ring)))
		for i := range f.length {
			larger[i] = f.ring[(f.head+i)%len(f.ring)]
		}
		f.ring, f.head = larger, 0
	}
	f.ring[(f.head+f.length)&(len(f.ring)-1)] = p
	f.length++
}

func (f *fifo) pop() *packet {
	p := f.ring[f.head]
	f.ring[f.head] = nil
	f.head = (f.head + 1) & (len(f.ring) - 1)
	f.length--
	return p
}

// reverse is the other way over the same link.
func (d *direction) reverse() *direction {
	if d.link.there == d {
		return d.link.back
	}
	return d.link.there
}
