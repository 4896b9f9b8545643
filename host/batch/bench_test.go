package batch

import (
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/network-utopia/utopia/host"
)

// BenchmarkEcho counts datagrams that go to a server and back, so many of them under way at once: with batches, and in
// the plain loop of one datagram a call. The client's part is the same in both.
func BenchmarkEcho(b *testing.B) {
	for _, window := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("batches/%d", window), func(b *testing.B) { benchmarkEcho(b, window, serveBatches) })
		b.Run(fmt.Sprintf("plain/%d", window), func(b *testing.B) { benchmarkEcho(b, window, servePlain) })
	}
}

func serveBatches(b *testing.B, pc net.PacketConn) func() {
	c := newConn(b, pc, Options{})
	return func() {
		_ = c.Serve(func(batch []Datagram) {
			echo(batch)
			c.Send()
		})
	}
}

func servePlain(b *testing.B, pc net.PacketConn) func() {
	s, err := host.NewDatagramSocket(pc)
	if err != nil {
		b.Fatal(err)
	}
	return func() {
		var d host.Datagram
		answer := make([]byte, 0, DefaultMaxAnswer)
		for s.Receive(&d) == nil {
			answer = append(answer[:0], d.Data...)
			_ = s.Reply(&d, answer)
		}
	}
}

func benchmarkEcho(b *testing.B, window int, server func(*testing.B, net.PacketConn) func()) {
	pc := open(b, "udp4", "127.0.0.1:0")
	var serving sync.WaitGroup
	serving.Go(server(b, pc))
	conn := dial(b, host.AddrPort(pc.LocalAddr()))
	question, buf := make([]byte, 40), make([]byte, 99)
	b.ReportAllocs()
	for done := 0; done < b.N; {
		n := min(window, b.N-done)
		for range n {
			if _, err := conn.Write(question); err != nil {
				b.Fatal(err)
			}
		}
		for range n {
			if _, err := conn.Read(buf); err != nil {
				b.Fatal(err)
			}
		}
		done += n
	}
	b.StopTimer()
	pc.Close()
	serving.Wait()
}
