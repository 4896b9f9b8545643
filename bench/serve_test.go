package main

import (
	"net"
	"net/netip"
	"testing"
)

func addr(t *testing.T, s string) netip.Addr {
	t.Helper()
	a, err := netip.ParseAddr(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func q0(q []byte) byte { return octet(q, 0) }
func q1(q []byte) byte { return octet(q, 1) }

func octet(q []byte, i int) byte {
	if i < len(q) {
		return q[i]
	}
	return 0
}

// serveUDP answers datagrams by a function until the test ends; nothing is sent where that gives nothing.
func serveUDP(t *testing.T, respond func(query []byte) []byte) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buf := make([]byte, 1<<16)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if out := respond(buf[:n]); len(out) > 0 {
				_, _ = conn.WriteToUDPAddrPort(out, from) // a client that went is no matter
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-ended
	})
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}
