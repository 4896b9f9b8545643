package dnssvc

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/state/disk"
	"github.com/network-utopia/utopia/internal/state/disk/disktest"
	"github.com/network-utopia/utopia/internal/state/zones"
)

// onStallingDisk is a service whose zones are kept on a disk that can hang.
func onStallingDisk(t *testing.T) (*Service, *disktest.Stall) {
	t.Helper()
	f, err := disk.Open(t.TempDir(), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	stall := disktest.NewStall(f)
	opts, _ := dynamic(t, t.TempDir())
	opts.Keep = zones.New(stall)
	return started(t, opts), stall
}

// conversation is a TCP connection to a service on which messages are sent without waiting.
type conversation struct {
	net.Conn
	t *testing.T
}

func converse(t *testing.T, s *Service) conversation {
	t.Helper()
	for _, e := range s.Endpoints() {
		if e.Network == "tcp" {
			conn, err := host.NewOS(host.OSOptions{}).Dial(t.Context(), "tcp", e.Address)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			return conversation{conn, t}
		}
	}
	t.Fatal("no endpoint")
	return conversation{}
}

// say sends a message, signed where it is an update.
func (c conversation) say(id uint16, m *dns.Message) {
	c.t.Helper()
	m.ID = id
	wire, err := m.Append(nil, 0)
	if err == nil && m.Opcode == dns.OpcodeUpdate {
		wire, _, err = dns.SignTSIG(nil, wire, laptop, time.Now())
	}
	if err == nil {
		_, err = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))), wire...))
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// hear gives the ID and the code of the next answer.
func (c conversation) hear() string {
	c.t.Helper()
	var length [2]byte
	_, err := io.ReadFull(c, length[:])
	wire := make([]byte, binary.BigEndian.Uint16(length[:]))
	if err == nil {
		_, err = io.ReadFull(c, wire)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	m, err := dns.Parse(wire)
	if err != nil {
		c.t.Fatal(err)
	}
	return fmt.Sprint(m.ID, " ", m.Rcode)
}

// TestADiskThatHangs: who changes a zone waits for it, and nobody else does: neither other clients nor other queries of
// the same connection.
func TestADiskThatHangs(t *testing.T) {
	t.Parallel()
	s, stall := onStallingDisk(t)
	goOn := stall.Hang()
	defer goOn() // before the service stops
	tcp := converse(t, s)
	remove := addText(t, "a", "1")
	remove.Class, remove.TTL = dns.ClassNONE, 0
	tcp.say(1, message(addText(t, "a", "1")))
	tcp.say(2, message(remove, addText(t, "a", "2")))
	tcp.say(3, dns.NewQuery(0, dynApex, dns.TypeNS))
	if got := tcp.hear(); got != "3 NOERROR" {
		t.Errorf("a query behind two updates: %s", got)
	}
	const others = 30
	updated := make(chan string, others)
	for i := range others {
		go func() {
			code, _ := send(t, s, "udp", message(addText(t, fmt.Sprint("u", i), "1")), &laptop)
			updated <- code
		}()
	}
	for stall.Waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	for _, network := range []string{"udp", "tcp"} {
		for range 20 { // UDP has several sockets
			begun := time.Now()
			if code, _ := send(t, s, network, dns.NewQuery(0, dynApex, dns.TypeNS), nil); code != "NOERROR" {
				t.Errorf("%s: %s", network, code)
			}
			if took := time.Since(begun); took > 2*time.Second {
				t.Errorf("%s: took %v", network, took)
			}
		}
	}
	if got := texts(t, s, "a"); got != "NXDOMAIN" {
		t.Errorf("what is not durable is answered: %s", got)
	}
	tcp.say(4, dns.NewQuery(0, dynApex, dns.TypeSOA))
	if got := tcp.hear(); got != "4 NOERROR" {
		t.Errorf("a query while the disk hangs: %s", got)
	}
	goOn()
	for _, want := range []string{"1 NOERROR", "2 NOERROR"} { // the updates of a connection are made in order
		if got := tcp.hear(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := texts(t, s, "a"); got != `NOERROR "2"` {
		t.Errorf("after both updates: %s", got)
	}
	for range others {
		if code := <-updated; code != "NOERROR" {
			t.Errorf("an update over UDP: %s", code)
		}
	}
}
