package emunet

import (
	"fmt"
	"io"

	"github.com/network-utopia/utopia/host/pcapng"
)

// Capture writes what passes to a file that Wireshark, tshark and tcpdump read.
type Capture struct {
	net     *Net
	writer  *pcapng.Writer
	link    pcapng.LinkType
	at      map[*node]int // the interface of each node; nil for all nodes, each packet once
	packets int
	err     error
}

// Capture begins to write to w, as pcapng. Link is pcapng.IPv4 or pcapng.IPv6: a file has packets of one kind, the others
// are left out. With machines named it has what each of them sends and receives, as a capture on that machine would;
// without, each packet of the network once, as its sender sends it, whatever becomes of it. Packets that stay within one
// host are left out.
//
// Writing happens while the network waits. The first error ends the capture; Close and [Net.Close] give it.
func (n *Net) Capture(w io.Writer, link pcapng.LinkType, machines ...Node) (*Capture, error) {
	writer, err := pcapng.NewWriter(w, link, pcapng.Options{Application: "Utopia emunet"})
	if err != nil {
		return nil, fmt.Errorf("emunet: capture: %w", err)
	}
	n.use()
	defer n.settle()
	c := &Capture{net: n, writer: writer, link: link}
	if len(machines) == 0 {
		_, err = writer.Interface("internet")
	} else {
		c.at = map[*node]int{}
	}
	for _, m := range machines {
		if err == nil {
			c.at[m.base()], err = writer.Interface(m.base().name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("emunet: capture: %w", err)
	}
	n.captures = append(n.captures, c)
	return c, nil
}

// Packets is how many have been written.
func (c *Capture) Packets() int {
	c.net.use()
	defer c.net.settle()
	return c.packets
}

// Close ends the capture. It does not close the writer.
func (c *Capture) Close() error {
	n := c.net
	n.use()
	defer n.settle()
	for i, other := range n.captures {
		if other == c {
			n.captures = append(n.captures[:i:i], n.captures[i+1:]...)
			break
		}
	}
	return c.err
}

// capture shows a packet that begins its way at a node to whoever captures there.
func (n *Net) capture(v *node, p *packet, now Time) {
	for _, c := range n.captures {
		iface, ok := c.at[v]
		if ok || c.at == nil {
			c.write(iface, true, p, now)
		}
	}
}

// captureArrival shows a packet that has come to a node.
func (n *Net) captureArrival(v *node, p *packet, now Time) {
	for _, c := range n.captures {
		if iface, ok := c.at[v]; ok {
			c.write(iface, false, p, now)
		}
	}
}

func (c *Capture) write(iface int, out bool, p *packet, now Time) {
	if c.err != nil || p.src.Addr().Is4() != (c.link == pcapng.IPv4) {
		return
	}
	if err := c.writer.Packet(iface, c.net.start.Add(now), out, appendPacket(nil, p), ""); err != nil {
		c.err = fmt.Errorf("emunet: capture: %w", err)
		return
	}
	c.packets++
}

// appendPacket appends a packet in wire form.
func appendPacket(b []byte, p *packet) []byte {
	ip := pcapng.IP{Src: p.src.Addr(), Dst: p.dst.Addr(), ID: p.id, TTL: p.ttl}
	switch {
	case p.icmp != nil:
		kind, code := p.icmp.why.numbers(p.src.Addr().Is4())
		return pcapng.AppendICMP(b, ip, pcapng.ICMP{Type: kind, Code: code}, p.icmp.quoted)
	case p.proto == udpIP:
		return pcapng.AppendUDP(b, ip, pcapng.UDP{SrcPort: p.src.Port(), DstPort: p.dst.Port()}, p.data)
	}
	s := &p.segment
	return pcapng.AppendTCP(b, ip, pcapng.TCP{
		SrcPort: p.src.Port(), DstPort: p.dst.Port(), Seq: s.Seq, Ack: s.Ack, Flags: uint8(s.Flags), Window: s.Window,
		Options: s.AppendOptions(nil),
	}, s.Payload)
}

// quote is what an ICMP message repeats of a packet: its header and eight octets more (RFC 792).
func quote(p *packet) []byte {
	whole := appendPacket(nil, p)
	return whole[:min(len(whole), header(p.src.Addr())+8)]
}
