// Package batch reads and answers many datagrams in one system call, for servers whose requests and answers are one
// datagram each: DNS, trackers, distributed hash tables.
//
// On Linux a [Conn] over a *net.UDPConn uses recvmmsg(2) and sendmmsg(2): one call takes what waits, and one sends all
// answers to it. All memory is made once for each Conn; nothing is allocated for a datagram or a batch. The socket stays
// in the runtime's poller, so a Conn that waits holds no thread. Elsewhere, and over other sockets such as those of an
// emulated host, the same API reads and answers one datagram at a time.
//
// Answers leave from the address that was asked (RFC 1122 section 4.1.3.5), as with [host.DatagramSocket], whose rules
// hold here too.
package batch

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/network-utopia/utopia/host"
)

// Limits of Options where it names none.
const (
	DefaultSize        = 64   // datagrams at once
	DefaultMaxDatagram = 4096 // octets kept of a datagram
	DefaultMaxAnswer   = 1232 // octets of an answer that have their place from the beginning
)

// MaxSize is the most that Options.Size can be: the kernel takes no more in one call (UIO_MAXIOV).
const MaxSize = 1024

// maxDatagram is the longest that a datagram can be.
const maxDatagram = 1<<16 - 1

var errSentToAll = errors.New("the datagram was not sent to one address of this host")

// Options are the limits of a [Conn]. Zero values mean the defaults. A Conn has Size times MaxDatagram and MaxAnswer
// octets of buffers; the system gives memory for those of them that datagrams touch.
type Options struct {
	Size        int // datagrams at once, at most [MaxSize]
	MaxDatagram int // octets kept of a datagram, at most 65,535; a longer one is cut off
	MaxAnswer   int // octets of an answer that have their place from the beginning; longer ones are sent too

	// Group is shared by the Conns of sockets that share an address. Nil: the system spreads the datagrams over them.
	Group *Group
}

func (o Options) withDefaults() Options {
	limit := func(v *int, unset, most int) {
		if *v <= 0 {
			*v = unset
		}
		*v = min(*v, most)
	}
	limit(&o.Size, DefaultSize, MaxSize)
	limit(&o.MaxDatagram, DefaultMaxDatagram, maxDatagram)
	limit(&o.MaxAnswer, DefaultMaxAnswer, maxDatagram)
	return o
}

// Datagram is one that was read, with its answer.
type Datagram struct {
	Data   []byte         // at most Options.MaxDatagram octets
	Cut    bool           // the datagram was longer: Data is its beginning
	Remote netip.AddrPort // where it came from; IPv4 is never in its 4-in-6 form
	// Local is where it was sent to. Its address is invalid where that is not one of this host alone (broadcast,
	// multicast), or was not told: there is no answer then. See [host.Answerable].
	Local netip.AddrPort

	// Answer is what [Conn.Send] sends; nothing where it is empty, as it is at first. It then has room for
	// Options.MaxAnswer octets, to append to.
	Answer []byte
	// Err is why the answer could not be sent, once Send has returned.
	Err error

	room []byte // Answer as it is at first
	at   int    // in the batch
}

// Conn reads batches of datagrams from a socket and answers them. It is made by [New] and belongs to one goroutine, but
// for [Conn.Reply]. On sockets that share an address (host.ListenPackets) there is one for each.
type Conn struct {
	batch []Datagram
	got   int     // datagrams of the batch at hand that Send has not seen
	many  *system // nil where one datagram is read at a time

	sock *host.DatagramSocket
	one  host.Datagram
	most int // octets kept of a datagram
}

// New returns the way to read and answer many datagrams of pc at once that suits it. A socket that is bound to an
// unspecified address must tell where each datagram was sent to, as [host.NewDatagramSocket] says, whose error it is
// otherwise. Whoever opened pc closes it.
func New(pc net.PacketConn, opts Options) (*Conn, error) {
	sock, err := host.NewDatagramSocket(pc)
	if err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	opts = opts.withDefaults()
	c := &Conn{sock: sock, most: opts.MaxDatagram}
	if udp, ok := pc.(*net.UDPConn); ok {
		if c.many, err = newSystem(udp, sock, opts); err != nil {
			return nil, fmt.Errorf("batch: %w", err)
		}
	}
	if c.many == nil {
		opts.Size = 1
	}
	c.batch = make([]Datagram, opts.Size)
	answers := make([]byte, opts.Size*opts.MaxAnswer)
	for i := range c.batch {
		c.batch[i].room = answers[i*opts.MaxAnswer : i*opts.MaxAnswer : (i+1)*opts.MaxAnswer]
		c.batch[i].at = i
	}
	return c, nil
}

// Size is how many datagrams a batch can have: 1 where they are read one at a time.
func (c *Conn) Size() int { return len(c.batch) }

// Serve waits for datagrams and calls answer with each batch of them, at least one, until reading fails; it returns
// that error. Read deadlines of the socket hold. Answer fills in the answers and calls [Conn.Send]; a batch is valid
// until it returns.
//
// While Serve runs nothing else can read from a *net.UDPConn, and its Close waits until Serve has returned: answer must
// not close it.
func (c *Conn) Serve(answer func(batch []Datagram)) error {
	if c.many != nil {
		return c.many.serve(func(n int) { answer(c.take(n)) })
	}
	for {
		if err := c.sock.Receive(&c.one); err != nil {
			return fmt.Errorf("batch: %w", err)
		}
		answer(c.takeOne())
	}
}

// take makes a batch of the first n datagrams that the system has read.
func (c *Conn) take(n int) []Datagram {
	c.got = n
	for i := range c.batch[:n] {
		d := &c.batch[i]
		c.many.read(i, d)
		d.Answer, d.Err = d.room, nil
	}
	return c.batch[:n]
}

// takeOne makes a batch of the datagram that was read.
func (c *Conn) takeOne() []Datagram {
	c.got = 1
	d := &c.batch[0]
	size := min(len(c.one.Data), c.most)
	d.Data, d.Cut = c.one.Data[:size:size], size < len(c.one.Data)
	d.Remote, d.Local = c.one.Remote, c.one.Local
	d.Answer, d.Err = d.room, nil
	return c.batch
}

// Send sends the answers to the batch at hand, each from its datagram's Local to its Remote, and returns how many could
// not be sent; the Err of each such datagram says why. That does not keep the others from being sent. It waits where the
// socket takes no more for now; write deadlines of the socket hold. A second call for a batch sends nothing.
func (c *Conn) Send() (failed int) {
	batch := c.batch[:c.got]
	c.got = 0
	for i := range batch {
		d := &batch[i]
		switch {
		case len(d.Answer) == 0:
		case !d.Local.Addr().IsValid():
			d.Err = fmt.Errorf("batch: send: %w", errSentToAll)
		case c.many == nil:
			d.Err = c.sock.Reply(&c.one, d.Answer)
		default:
			c.many.queue(i, d.Answer)
		}
	}
	if c.many != nil {
		c.many.send(batch)
	}
	for i := range batch {
		if batch[i].Err != nil {
			failed++
		}
	}
	return failed
}

// Keep copies a datagram of the batch at hand whose answer is not ready yet, for [Conn.Reply]. Data is what was kept of
// it, at most Options.MaxDatagram octets.
func (c *Conn) Keep(d *Datagram) *host.Datagram {
	if c.many != nil {
		return c.sock.Received(d.Data, d.Remote, c.many.told(d.at))
	}
	kept := c.one.Clone()
	kept.Data = kept.Data[:len(d.Data)]
	return kept
}

// Reply answers a datagram that was kept, from the address that it was sent to. It may be called by any goroutine, also
// while Serve runs. Write deadlines of the socket hold.
func (c *Conn) Reply(d *host.Datagram, answer []byte) error {
	if err := c.sock.Reply(d, answer); err != nil {
		return fmt.Errorf("batch: %w", err)
	}
	return nil
}
