package dnsservertest_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsserver"
	"github.com/network-utopia/utopia/dns/dnsserver/dnsservertest"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/host/emunet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const master = "@ 60 SOA ns1 host 1 2 3 4 5\n@ 60 NS ns1\nns1 60 A 192.0.2.53\n"

// ask asks for the address of a name and gives the answer in short.
func ask(t *testing.T, h host.Host, network string, at netip.AddrPort, name string) string {
	t.Helper()
	conn, err := h.Dial(t.Context(), network, at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	query, err := dns.NewQuery(7, dns.MustParseName(name), dns.TypeA).Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, dns.MaxMessageLen)
	if network == "tcp" {
		query = append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)
	}
	if _, err := conn.Write(query); err != nil {
		t.Fatal(err)
	}
	if network == "tcp" {
		answer = readStream(t, conn)
	} else {
		n, err := conn.Read(answer)
		if err != nil {
			t.Fatal(err)
		}
		answer = answer[:n]
	}
	return dns.SummarizeWire(answer)
}

func readStream(t *testing.T, conn net.Conn) []byte {
	t.Helper()
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestServe(t *testing.T) {
	t.Parallel()
	h := host.NewOS(host.OSOptions{})
	var at netip.AddrPort
	t.Run("while the test runs", func(t *testing.T) {
		at = dnsservertest.Serve(t, h, "127.0.0.1:0", dnsserver.Options{Handler: dnsservertest.Zones(t, dnsservertest.Load(t, "example.test.", master))})
		for _, network := range []string{"udp", "tcp"} {
			if got := ask(t, h, network, at, "ns1.example.test."); got != "answer 7 NOERROR aa 1/0/0 ns1.example.test. A 192.0.2.53" {
				t.Errorf("%s: %s", network, got)
			}
			if got := ask(t, h, network, at, "elsewhere.test."); got != "answer 7 REFUSED 0/0/0 elsewhere.test. IN A" {
				t.Errorf("%s: %s", network, got)
			}
		}
	})
	if conn, err := h.Dial(t.Context(), "tcp", at.String()); err == nil {
		conn.Close()
		t.Error("the server outlives its test")
	}
}

// On an emulated host the address may be unspecified, with a port of its own.
func TestServeOverEmunet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := emunet.New(1)
		t.Cleanup(func() { n.Close() })
		router, server, client := n.Router("router"), n.Host("ns1", "192.0.2.53"), n.Host("client", "203.0.113.1")
		n.Link(server, router, emunet.Delay(time.Millisecond))
		n.Link(client, router, emunet.Delay(time.Millisecond))
		echo := dnsserver.HandlerFunc(func(dst, query []byte, _ dnsserver.Client) []byte {
			return append(dst, append(bytes.Clone(query[:2]), append([]byte{0x80, 0}, query[4:]...)...)...)
		})
		if at := dnsservertest.Serve(t, server, ":53", dnsserver.Options{Handler: echo}); at.Port() != 53 || !at.Addr().IsUnspecified() {
			t.Errorf("at %v", at)
		}
		for _, network := range []string{"udp", "tcp"} {
			if got := ask(t, client, network, netip.MustParseAddrPort("192.0.2.53:53"), "a.test."); got != "answer 7 NOERROR 0/0/0 a.test. IN A" {
				t.Errorf("%s: %s", network, got)
			}
		}
	})
}

// A port that is taken for UDP alone is passed over.
func TestOpen(t *testing.T) {
	t.Parallel()
	h := &choosy{Host: host.NewOS(host.OSOptions{}), refuse: 3}
	l, pc := dnsservertest.Open(t, h, "127.0.0.1:0")
	defer l.Close()
	defer pc.Close()
	if tcp, udp := host.AddrPort(l.Addr()), host.AddrPort(pc.LocalAddr()); tcp != udp || h.refuse != 0 {
		t.Errorf("TCP at %v, UDP at %v; %d ports were to be refused", tcp, udp, h.refuse)
	}
}

// choosy is a host on which some ports are taken for UDP.
type choosy struct {
	host.Host
	refuse int
}

func (c *choosy) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	if c.refuse == 0 {
		return c.Host.ListenPacket(ctx, network, address)
	}
	c.refuse--
	taken, err := c.Host.ListenPacket(ctx, network, address)
	if err != nil {
		return nil, err
	}
	defer taken.Close()
	return c.Host.ListenPacket(ctx, network, address)
}
