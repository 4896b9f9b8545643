package foreign

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
)

// respond answers queries with what a function makes of them, until the test ends.
func respond(t *testing.T, answers func(q *dns.Message) []*dns.Message) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, dns.MaxMessageLen)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			q, err := dns.Parse(buf[:n])
			if err != nil {
				continue
			}
			for _, r := range answers(q) {
				if out, err := r.Append(nil, 0); err == nil {
					_, _ = conn.WriteToUDPAddrPort(out, from) // a client that went is no matter
				}
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-ended
	})
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func soa(q *dns.Message, serial uint32) *dns.Message {
	r := q.Reply(dns.RcodeSuccess)
	r.Authoritative = true
	r.Answer = []dns.RR{dns.SOARR(q.Question[0].Name, 60, dns.SOA{MName: dns.Root, RName: dns.Root, Serial: serial})}
	return r
}

// Only an answer with authority, a good code and the SOA ends the wait; and only the answer to the question is one.
func TestWaitForAsksUntilThereIsAuthority(t *testing.T) {
	var asked atomic.Int32
	at := respond(t, func(q *dns.Message) []*dns.Message {
		r := soa(q, 42)
		switch asked.Add(1) {
		case 1:
			r.Authoritative = false
		case 2:
			r.Rcode = dns.RcodeServFail
		case 3:
			r.Answer = nil
		case 4:
			other := soa(q, 41)
			other.ID++
			echo := soa(q, 40)
			echo.Response = false
			return []*dns.Message{other, echo, r}
		}
		return []*dns.Message{r}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if serial, err := WaitFor(ctx, at, "example.test."); err != nil || serial != 42 || asked.Load() != 4 {
		t.Errorf("serial %d after %d questions: %v", serial, asked.Load(), err)
	}
}

func TestWaitForSaysWhatWentWrong(t *testing.T) {
	at := respond(t, func(q *dns.Message) []*dns.Message { return []*dns.Message{q.Reply(dns.RcodeRefused)} })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := WaitFor(ctx, at, "example.test."); err == nil || !strings.Contains(err.Error(), "REFUSED") || !strings.Contains(err.Error(), "deadline") {
		t.Errorf("%v", err)
	}
	if _, err := WaitFor(t.Context(), at, "a..test."); err == nil {
		t.Error("a..test. is a name")
	}
}
