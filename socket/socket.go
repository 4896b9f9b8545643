// Package socket is the upper-case service of the socket chapter in Kurose and Ross, Computer Networking (section
// 2.7), over UDP and TCP: a server for many clients at once, its client, and a raw line client.
//
// Over UDP (RFC 768) each datagram is answered by one datagram with the same text in upper case. Over TCP (RFC 9293)
// the byte stream is put into upper case as it arrives, and what has arrived is answered at once: the textbook's own
// client sends a word without a line end, waits for the answer and closes. A multi-byte character that is split
// between two segments waits for its end.
//
// Upper case means Unicode's simple mapping, character by character; bytes that are not UTF-8 (RFC 3629) pass
// unchanged. A text grows by at most one half, from two bytes to three ("ɐ" becomes "Ɐ"), and can shrink by one half
// ("ı" becomes "I"). So a datagram with a forged source is at most amplified 1.5 times; see [Server.ServePacket] for
// what is not answered at all.
package socket

import (
	"errors"
	"net/netip"
	"time"
)

// MaxDatagram is the longest text of one UDP datagram over IPv4, in bytes: 65,535 less the IP and UDP headers
// (RFC 768, RFC 791). Longer answers are cut after the last whole character that fits.
const MaxDatagram = 65507

// The limits that Options holds where they are zero.
const (
	DefaultMaxConns     = 1000            // TCP connections at once
	DefaultReaders      = 2               // goroutines that answer the datagrams of one socket
	DefaultIdleTimeout  = 5 * time.Minute // silence after which a TCP connection is closed
	DefaultWriteTimeout = 30 * time.Second
)

// ErrServerClosed is what Serve and ServePacket return after Shutdown.
var ErrServerClosed = errors.New("socket: server closed")

// Guard decides whether a client may have another TCP connection; release is called once the connection is over.
type Guard interface {
	Admit(client netip.Addr) (release func(), err error)
}

// Rate decides whether a client's datagram is answered now.
type Rate interface {
	Allow(client netip.Addr) bool
}

// Metrics counts what the server does. Network is "udp" or "tcp". Its methods are called from many goroutines.
type Metrics interface {
	// Exchange counts a finished TCP connection or an answered datagram, with the bytes of text in each direction.
	Exchange(network string, in, out int64, took time.Duration)
	// Refused counts a connection or a datagram that was not answered.
	Refused(network string, why Refusal)
	// Panic counts a connection or a datagram whose handling broke an invariant.
	Panic(network string)
}

// Refusal says why a connection or a datagram was not answered.
type Refusal string

// The refusals.
const (
	RefusedByGuard  Refusal = "guard"  // Options.Guard or Options.Rate said no
	RefusedFull     Refusal = "full"   // Options.MaxConns
	RefusedSource   Refusal = "source" // a source that must not be answered
	RefusedTooMuch  Refusal = "bytes"  // Options.MaxBytes: the connection was answered as far as that
	RefusedSilence  Refusal = "idle"   // Options.IdleTimeout
	RefusedDeafness Refusal = "write"  // Options.WriteTimeout: the client does not read its answers
)

type noMetrics struct{}

func (noMetrics) Exchange(string, int64, int64, time.Duration) {}
func (noMetrics) Refused(string, Refusal)                      {}
func (noMetrics) Panic(string)                                 {}
