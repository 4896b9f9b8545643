package emunet

import (
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The wire's share of a segment with data, and of an acknowledgement.
const (
	mss     = 1460
	headers = headerIPv4 + 20
)

// onWire is how many octets n octets of data are on the wire.
func onWire(n int) int { return n + (n+mss-1)/mss*headers }

// sending is how long a link takes for so many octets.
func sending(octets int, rate int64) time.Duration {
	return time.Duration(int64(octets) * 8 * int64(time.Second) / rate)
}

// objects is a server that answers "n\n" with n octets, on connections that stay open.
func objects(t testing.TB, h *Host, port uint16) {
	serve(t, h, port, func(c net.Conn, request string) {
		var n int64
		if _, err := fmt.Sscan(request, &n); err == nil {
			_, _ = io.CopyN(c, zeros{}, n)
		}
	})
}

// fetch asks for n octets on a connection and gives the time until all are there.
func fetch(t testing.TB, c net.Conn, n int) time.Duration {
	return elapsed(func() {
		fmt.Fprintln(c, n)
		if _, err := io.CopyN(io.Discard, c, int64(n)); err != nil {
			t.Error(err)
		}
	})
}

// off is by how much a time differs from what it should be, as a share.
func off(got, want time.Duration) float64 { return math.Abs(got.Seconds()/want.Seconds() - 1) }

// A file that fits the first window: two round trips and F/R on a new connection, one and F/R on one that is there
// (Computer Networking, section 2.2).
func TestSmallObject(t *testing.T) {
	t.Parallel()
	const size, rtt = 12000, 100 * ms
	for _, rate := range []int64{1 * Mbit, 10 * Mbit, 100 * Mbit} {
		virtually(t, 1, func(t *testing.T, n *Net) {
			a, b, _ := twoHosts(n, Rate(rate), Delay(rtt/2))
			objects(t, b, 80)
			var c net.Conn
			took := elapsed(func() {
				c = dial(t, a, "tcp", at(b, 80))
				fetch(t, c, size)
			})
			t.Logf("12,000 octets at %d Mbit/s on a new connection: %v", rate/Mbit, took)
			if want := 2*rtt + sending(onWire(size), rate); off(took, want) > 0.005 {
				t.Errorf("at %d Mbit/s a new connection takes %v, 2 RTT + F/R is %v", rate/Mbit, took, want)
			}
			if plain := 2*rtt + sending(size, rate); rate >= 10*Mbit && off(took, plain) > 0.005 {
				t.Errorf("at %d Mbit/s a new connection takes %v, 2 RTT + F/R without headers is %v", rate/Mbit, took, plain)
			}
			took = fetch(t, c, size)
			t.Logf("and once more on it: %v", took)
			if want := rtt + sending(onWire(size), rate); off(took, want) > 0.005 {
				t.Errorf("at %d Mbit/s a persistent connection takes %v, RTT + F/R is %v", rate/Mbit, took, want)
			}
			c.Close()
		})
	}
}

// predict is slow start, segment by segment, worked out beside the network: when the last of n octets is there, counted
// from when the first leaves, over one link with a rate, and a delay each way. There is no loss; the receiver
// acknowledges the first sixteen segments one by one, then every second.
func predict(octets int, rate int64, delay time.Duration) time.Duration {
	type ack struct {
		at     time.Duration
		octets int
	}
	var (
		acks                  []ack
		free, last            time.Duration // of the sender; when the last segment is there
		window                = 10 * mss
		sent, acked, got, due int
	)
	send := func(now time.Duration) {
		for sent < octets && sent-acked+min(mss, octets-sent) <= window {
			k := min(mss, octets-sent)
			sent += k
			free = max(free, now) + sending(k+headers, rate)
			last = free + delay
			got++
			if due += k; got <= 16 || due >= 2*mss || sent == octets {
				acks = append(acks, ack{last + sending(headers, rate) + delay, due})
				due = 0
			}
		}
	}
	for send(0); len(acks) > 0; acks = acks[1:] {
		acked += acks[0].octets
		window += acks[0].octets
		send(acks[0].at)
	}
	return last
}

// A larger one shows slow start: the server waits for acknowledgements until the window covers the path.
func TestSlowStart(t *testing.T) {
	t.Parallel()
	const rtt = 100 * ms
	for _, size := range []int{15000, 50000, 200000, 1000000} {
		for _, rate := range []int64{2 * Mbit, 10 * Mbit, 100 * Mbit} {
			virtually(t, 1, func(t *testing.T, n *Net) {
				a, b, _ := twoHosts(n, Rate(rate), Delay(rtt/2), Queue(4<<20))
				objects(t, b, 80)
				c := dial(t, a, "tcp", at(b, 80))
				took := fetch(t, c, size)
				want := rtt/2 + sending(headers+len(fmt.Sprintln(size)), rate) + predict(size, rate, rtt/2)
				t.Logf("%d octets at %d Mbit/s: %v, predicted %v", size, rate/Mbit, took, want)
				if off(took, want) > 0.01 {
					t.Errorf("%d octets at %d Mbit/s take %v, predicted %v", size, rate/Mbit, took, want)
				}
				if least := rtt + sending(onWire(size), rate); size == 200000 && rate == 100*Mbit && took < least+5*rtt/2 {
					t.Errorf("%v is no slow start: RTT + F/R is %v", took, least)
				}
				c.Close()
			})
		}
	}
}

// With HTTP: the second request on a connection costs a round trip and the octets' time, and ten in a row on new
// connections two round trips each.
func TestHTTP(t *testing.T) {
	t.Parallel()
	const size, rtt, rate = 12000, 100 * ms, 10 * Mbit
	virtually(t, 1, func(t *testing.T, n *Net) {
		a, b, _ := twoHosts(n, Rate(rate), Delay(rtt/2))
		body := strings.Repeat("x", size)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			_, _ = io.WriteString(w, body)
		})}
		l := listen(t, b, ":80")
		go func() { _ = server.Serve(l) }()
		defer server.Close()
		persistent := &http.Transport{DialContext: a.Dial}
		defer persistent.CloseIdleConnections()
		get := func(transport *http.Transport) time.Duration {
			return elapsed(func() {
				response, err := (&http.Client{Transport: transport}).Get("http://" + at(b, 80) + "/")
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				if got, err := io.ReadAll(response.Body); string(got) != body || err != nil {
					t.Errorf("%d octets, %v", len(got), err)
				}
			})
		}
		get(persistent)
		want := rtt + sending(size, rate)
		for range 3 {
			if took := get(persistent); off(took, want) > 0.01 {
				t.Errorf("on a persistent connection a GET takes %v, RTT + F/R is %v", took, want)
			}
		}
		want = 10 * (2*rtt + sending(size, rate))
		took := elapsed(func() {
			for range 10 {
				get(&http.Transport{DialContext: a.Dial, DisableKeepAlives: true})
			}
		})
		if off(took, want) > 0.01 {
			t.Errorf("ten GETs on new connections take %v, ten times 2 RTT + F/R is %v", took, want)
		}
		server.Close()
		synctest.Wait()
	})
}
