package emunet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// anyNet is a small internet by chance, and what happens on it.
type anyNet struct {
	t      testing.TB
	r      *rand.Rand
	net    *Net
	hosts  []*Host
	links  []*Link
	nats   int
	crash  bool // one of the mishaps
	start  time.Time
	wg     sync.WaitGroup
	mu     sync.Mutex
	logs   []*bytes.Buffer
	served map[*Host]func() // closes what serves on a host
}

// pick is one of several by chance.
func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func (a *anyNet) options() []LinkOption {
	r := a.r
	one := func() []LinkOption {
		return []LinkOption{
			Rate(pick(r, 0, 200*Kbit, 2*Mbit, 100*Mbit)), Delay(pick(r, 0, 50*time.Microsecond, ms, 20*ms, 150*ms)),
			Loss(pick(r, 0, 0, 0.02, 0.1)), Jitter(pick(r, 0, 0, 3*ms)), Reorder(pick(r, 0, 0, 0.05), 5*ms), Queue(pick(r, 0, 0, 5000)),
		}
	}
	return append(one(), Back(one()...))
}

// build makes routers in a tree with a few links more, translators, and hosts on either.
func (a *anyNet) build() {
	n, r := a.net, a.r
	var routers []Node
	for i := range 1 + r.IntN(4) {
		at := n.Router(fmt.Sprint("r", i))
		if i > 0 {
			a.links = append(a.links, n.Link(at, pick(r, routers...), a.options()...))
		}
		routers = append(routers, at)
	}
	if len(routers) > 2 && r.IntN(2) == 0 {
		a.links = append(a.links, n.Link(routers[0], routers[2], a.options()...))
	}
	public := routers
	var private []Node
	a.nats = r.IntN(3)
	for i := range a.nats {
		nat := n.NAT(fmt.Sprint("nat", i), fmt.Sprintf("203.0.113.%d", i+1), NATBehavior{Symmetric: r.IntN(2) == 0, Open: r.IntN(2) == 0})
		a.links = append(a.links, n.Link(nat.Outside(), pick(r, public...), a.options()...))
		private = append(private, nat)
	}
	for i := range 2 + r.IntN(5) {
		h := n.Host(fmt.Sprint("h", i))
		at := pick(r, public...)
		if i > 1 && len(private) > 0 && r.IntN(2) == 0 {
			at = pick(r, private...)
		}
		a.links = append(a.links, n.Link(h, at, a.options()...))
		a.hosts = append(a.hosts, h)
	}
	if r.IntN(3) == 0 {
		a.links = append(a.links, n.Link(a.hosts[0], a.hosts[1], a.options()...))
	}
}

// log gives a program a place to write down what it sees.
func (a *anyNet) log() *bytes.Buffer {
	b := &bytes.Buffer{}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.logs = append(a.logs, b)
	return b
}

func (a *anyNet) now() time.Duration { return time.Since(a.start) }

// octet is what a talk says at a place.
func octet(id, i int) byte { return byte(i*7 + i>>8 + id*31) }

func fill(p []byte, id, from int) {
	for i := range p {
		p[i] = octet(id, from+i)
	}
}

// right says whether p is what a talk says from a place on.
func right(p []byte, id, from int) bool {
	for i := range p {
		if p[i] != octet(id, from+i) {
			return false
		}
	}
	return true
}

// serve has a host answer: what it is sent, octet for octet.
func (a *anyNet) serve(h *Host) {
	l, err := h.Listen(background, "tcp", ":7")
	p, errPacket := h.ListenPacket(background, "udp", ":7")
	if err := errors.Join(err, errPacket); err != nil {
		if !errors.Is(err, net.ErrClosed) { // the network has been closed
			a.t.Error(err)
		}
		return
	}
	a.served[h] = func() { l.Close(); p.Close() }
	a.wg.Go(func() { echoDatagrams(p.(*packetConn)) })
	a.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			a.wg.Go(func() { a.echo(c) })
		}
	})
}

// echo reads a talk, checks it, and says it again.
func (a *anyNet) echo(c net.Conn) {
	defer c.Close()
	b := a.log()
	_ = c.SetDeadline(time.Now().Add(10 * time.Minute))
	var head [4]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		fmt.Fprintln(b, a.now(), "echo", err)
		return
	}
	id := int(binary.BigEndian.Uint32(head[:]))
	if _, err := c.Write(head[:]); err != nil {
		fmt.Fprintln(b, a.now(), "echo", id, err)
		return
	}
	buf := make([]byte, 5000)
	for at := 0; ; {
		k, err := c.Read(buf)
		if !right(buf[:k], id, at) {
			a.t.Errorf("talk %d: what came at %d is not what was said", id, at)
		}
		at += k
		if err == nil {
			_, err = c.Write(buf[:k])
		}
		if err != nil {
			fmt.Fprintln(b, a.now(), "echo", id, at, err)
			return
		}
	}
}

// talk says something to an echo, and ends in one of several ways.
func (a *anyNet) talk(id int, h *Host, to string, r *rand.Rand, b *bytes.Buffer) {
	note := func(what ...any) { fmt.Fprintln(b, append([]any{a.now(), id}, what...)...) }
	c, err := h.Dial(background, "tcp", to)
	if err != nil {
		note(err)
		return
	}
	note(c.LocalAddr(), c.RemoteAddr())
	defer func() { note("closed", c.Close()) }()
	_ = c.SetDeadline(time.Now().Add(5 * time.Minute))
	size, end, slow := pick(r, 0, 1, 1460, 30000, 200000), r.IntN(4), r.IntN(3) == 0
	var reading sync.WaitGroup
	defer reading.Wait()
	heard, whole := a.log(), true
	reading.Go(func() {
		var head [4]byte
		_, err := io.ReadFull(c, head[:])
		buf, at, calls := make([]byte, 3000), 0, 0
		for err == nil {
			if slow {
				time.Sleep(3*ms + 7)
			}
			var k int
			k, err = c.Read(buf)
			if !right(buf[:k], id, at) {
				a.t.Errorf("talk %d: what comes back at %d is not what was said", id, at)
			}
			at += k
			calls++
		}
		fmt.Fprintln(heard, a.now(), id, "read", at, calls, err)
		whole = err != io.EOF || at == size
	})
	said := binary.BigEndian.AppendUint32(nil, uint32(id))
	said = append(said, make([]byte, size)...)
	fill(said[4:], id, 0)
	for len(said) > 0 {
		k, err := c.Write(said[:min(len(said), 1+r.IntN(20000))])
		if said = said[k:]; err != nil {
			note("write", err)
			return
		}
		if r.IntN(4) == 0 {
			time.Sleep(time.Duration(r.IntN(30000))*time.Microsecond + 13)
		}
	}
	switch end {
	case 0, 1:
		note("end", c.(*stream).CloseWrite())
		if reading.Wait(); !whole {
			a.t.Errorf("talk %d: less came back than was said, and that was all", id)
		}
	case 2:
		_ = c.(*stream).SetLinger(0)
	}
}

// knockOn sends datagrams to an echo, and notes what comes back.
func (a *anyNet) knockOn(id int, h *Host, to string, r *rand.Rand, b *bytes.Buffer) {
	note := func(what ...any) { fmt.Fprintln(b, append([]any{a.now(), id}, what...)...) }
	c, err := h.Dial(background, "udp", to)
	if err != nil {
		note(err)
		return
	}
	defer c.Close()
	for range 1 + r.IntN(10) {
		p := make([]byte, r.IntN(1400))
		fill(p, id, 0)
		if _, err := c.Write(p); err != nil {
			note("write", err)
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Duration(r.IntN(100))*ms + 17))
		got := make([]byte, 1400)
		k, err := c.Read(got)
		if !right(got[:k], id, 0) {
			a.t.Errorf("datagram %d is not what was said", id)
		}
		note(k, err)
	}
}

// mishap is something that goes wrong on the network, or looks at it.
func (a *anyNet) mishap(b *bytes.Buffer) {
	l, h := pick(a.r, a.links...), pick(a.r, a.hosts...)
	switch a.r.IntN(7) {
	case 0:
		l.Cut()
	case 1, 2:
		l.Heal()
	case 3:
		l.Set(Delay(pick(a.r, 0, ms, 50*ms)), Loss(pick(a.r, 0, 0.05)))
	case 4:
		a.crash = true
		h.Crash()
		time.Sleep(time.Duration(1+a.r.IntN(200)) * ms)
		h.Restart()
		a.serve(h)
	case 5:
		heal := a.net.Partition(h)
		time.Sleep(time.Duration(1+a.r.IntN(200)) * ms)
		heal()
	case 6:
		there, back := l.Counts()
		fmt.Fprintln(b, a.now(), there, back)
	}
}

// program has everything happen, and returns when it is over.
func (a *anyNet) program() {
	for _, h := range a.hosts {
		a.serve(h)
	}
	var talks sync.WaitGroup
	for id := range 2 + a.r.IntN(12) {
		from, to := pick(a.r, a.hosts...), pick(a.r, a.hosts...)
		address := at(to, 7)
		if a.r.IntN(3) == 0 {
			address = netip.AddrPortFrom(to.addrs[1], 7).String()
		}
		b, r, talk := a.log(), rand.New(rand.NewPCG(a.r.Uint64(), 1)), a.talk
		if a.r.IntN(3) == 0 {
			talk = a.knockOn
		}
		// Each at a moment of its own: two that begin at one may get each other's port.
		at := time.Duration(a.r.IntN(500))*ms + time.Duration(id+1)*10*time.Microsecond + 123
		talks.Go(func() {
			time.Sleep(at)
			talk(id, from, address, r, b)
		})
	}
	b := a.log()
	for range a.r.IntN(8) {
		time.Sleep(time.Duration(a.r.IntN(200))*ms + 77)
		a.mishap(b)
	}
	for _, l := range a.links {
		l.Heal()
	}
	talks.Wait()
}

// end closes what serves.
func (a *anyNet) end() {
	for _, h := range a.hosts {
		a.served[h]()
	}
}
