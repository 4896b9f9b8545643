package emunet

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/host/pcapng"
)

// story is what a run is told by: what its programs saw, when, and the captures of both families.
type story struct {
	seen       string
	v4, v6     bytes.Buffer // each packet once
	all4, all6 bytes.Buffer // as each machine sees it
}

// sum names a story.
func (s *story) sum() string {
	h := sha256.New()
	_, _ = io.WriteString(h, s.seen)
	h.Write(s.v4.Bytes())
	h.Write(s.v6.Bytes())
	h.Write(s.all4.Bytes())
	h.Write(s.all6.Bytes())
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// tell runs some minutes on a small internet on which everything goes wrong now and then: many connections begun at one
// moment, loss, jitter, packets out of order, a translator, a cut and a crash.
func tell(t *testing.T, seed uint64) *story {
	s := &story{}
	virtually(t, seed, func(t *testing.T, n *Net) {
		for link, w := range map[pcapng.LinkType]io.Writer{pcapng.IPv4: &s.v4, pcapng.IPv6: &s.v6} {
			if _, err := n.Capture(w, link); err != nil {
				t.Fatal(err)
			}
		}
		r := n.Router("r")
		server := n.Host("server")
		core := n.Link(server, r, Rate(5*Mbit), Delay(20*ms), Jitter(3*ms), Loss(0.02), Reorder(0.02, 10*ms))
		nat := n.NAT("nat", "203.0.113.7", NATBehavior{})
		n.Link(nat.Outside(), r, Rate(2*Mbit), Delay(7*ms))
		var clients []*Host
		for i := range 4 {
			c := n.Host(fmt.Sprint("c", i))
			if i < 2 {
				n.Link(c, nat, Delay(ms))
			} else {
				n.Link(c, r, Rate(3*Mbit), Delay(5*ms))
			}
			clients = append(clients, c)
		}
		objects(t, server, 80)
		objects(t, server, 81)
		go echoDatagrams(listenPacket(t, server, ":7"))
		start := time.Now()
		seen := make([]bytes.Buffer, 12)
		var wg sync.WaitGroup
		for i, c := range clients {
			for j := range 2 {
				wg.Go(func() {
					address := at(server, uint16(80+j)) // two at one moment to one place might get each other's port
					if i >= 2 && j == 1 {
						address = fmt.Sprintf("[%v]:80", server.addrs[1])
					}
					talk(c, address, 20000*(i+1), start, &seen[2*i+j])
				})
			}
			wg.Go(func() { knock(c, at(server, 7), start, &seen[8+i]) })
		}
		time.AfterFunc(300*ms, core.Cut)
		time.AfterFunc(700*ms, core.Heal)
		time.AfterFunc(2*time.Second, clients[3].Crash)
		wg.Wait()
		for i := range seen {
			s.seen += seen[i].String()
		}
		s.seen += fmt.Sprint(time.Since(start))
		time.Sleep(5 * time.Minute) // the rest of all connections
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
	return s
}

// talk fetches something, and notes when which part of it came.
func talk(h *Host, address string, size int, start time.Time, seen *bytes.Buffer) {
	c, err := h.Dial(background, "tcp", address)
	if err != nil {
		fmt.Fprintln(seen, time.Since(start), err)
		return
	}
	defer c.Close()
	fmt.Fprintln(seen, time.Since(start), c.LocalAddr())
	fmt.Fprintln(c, size)
	buf := make([]byte, 5000)
	for got := 0; got < size; {
		k, err := c.Read(buf)
		fmt.Fprintln(seen, time.Since(start), k, err)
		if got += k; err != nil {
			return
		}
	}
}

// knock sends datagrams, and notes the answers.
func knock(h *Host, address string, start time.Time, seen *bytes.Buffer) {
	c, err := h.Dial(background, "udp", address)
	if err != nil {
		return
	}
	defer c.Close()
	for i := range 20 {
		fmt.Fprintf(c, "knock %d", i)
		_ = c.SetReadDeadline(time.Now().Add(100 * ms))
		buf := make([]byte, 99)
		k, err := c.Read(buf)
		fmt.Fprintf(seen, "%v %q %v\n", time.Since(start), buf[:k], err)
	}
}

// The same seed gives the same run, to the octet and the nanosecond; another seed another one.
func TestTheSameRun(t *testing.T) {
	t.Parallel()
	runs := 100
	if raceDetector {
		runs = 10
	}
	first := tell(t, 1)
	if first.v4.Len() < 100000 || first.v6.Len() < 20000 || len(first.seen) < 5000 {
		t.Errorf("the story is short: %d and %d octets captured, %d seen", first.v4.Len(), first.v6.Len(), len(first.seen))
	}
	for i := range runs - 1 {
		if again := tell(t, 1); again.sum() != first.sum() {
			t.Fatalf("run %d differs: seen %v, IPv4 %v, IPv6 %v", i+2, again.seen == first.seen,
				bytes.Equal(again.v4.Bytes(), first.v4.Bytes()), bytes.Equal(again.v6.Bytes(), first.v6.Bytes()))
		}
	}
	sums := map[string]uint64{first.sum(): 1}
	for seed := uint64(2); seed < 12; seed++ {
		sum := tell(t, seed).sum()
		if other, ok := sums[sum]; ok {
			t.Errorf("seeds %d and %d give the same run", seed, other)
		}
		sums[sum] = seed
	}
}

// What is sent at one moment leaves in an order that does not depend on who spoke first.
func TestOneMoment(t *testing.T) {
	t.Parallel()
	var first string
	for range 50 {
		var order bytes.Buffer
		virtually(t, 1, func(t *testing.T, n *Net) {
			a, b, _ := twoHosts(n, Delay(ms), Rate(Mbit))
			to := listenPacket(t, b, ":9")
			var sockets []net.Conn
			for range 20 {
				sockets = append(sockets, dial(t, a, "udp", at(b, 9)))
			}
			go func() {
				for {
					_, from, err := to.ReadFrom(make([]byte, 9))
					if err != nil {
						return
					}
					fmt.Fprintln(&order, from)
				}
			}()
			var wg sync.WaitGroup
			for _, c := range sockets {
				wg.Go(func() {
					time.Sleep(time.Second)
					_, _ = c.Write([]byte("x"))
				})
			}
			wg.Wait()
			time.Sleep(time.Second)
			to.Close()
			synctest.Wait()
		})
		if first == "" {
			first = order.String()
		}
		if strings.Count(first, "\n") != 20 {
			t.Fatalf("not all came:\n%s", first)
		}
		if order.String() != first {
			t.Fatal("the order is not always the same")
		}
	}
}
