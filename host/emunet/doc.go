// Package emunet is an internet in memory: hosts, routers, address translators and links, on which the same servers and
// clients run as on the operating system's sockets, since a [Host] is a host.Host.
//
// What takes time on a real internet takes it here: a link has a rate, a delay and a queue, a TCP connection costs a
// round trip to open and begins with ten segments (see package tcp for all that it does), a datagram may be lost, held
// up or overtaken. Nothing else takes time. A host that does not exist, a port where nobody listens, a peer that resets
// give the errors that package net gives on a real one.
//
// Inside a bubble of testing/synctest the network runs on the bubble's clock: a day of retries costs milliseconds, and
// the same seed gives the same run. Elsewhere it runs in real time. Its clock is Go's own, so what runs on it uses time
// and context plainly. It holds one goroutine, which ends with [Net.Close]: a bubble waits for that.
//
// # The same run
//
// In a bubble, packets are delivered one after the other, each at a moment of its own, after everything that the one
// before has set off has come to rest. What a host is told to send at one moment leaves a nanosecond later, in an order
// that does not depend on which goroutine spoke first: by protocol, port and peer. So a run depends on the seed and on
// what the programs do. Three things are theirs: two goroutines that open sockets of one host at the very same moment
// may get each other's port, random numbers (crypto/rand: see testing/cryptotest), and the order of goroutines that
// meet in memory and not over the network.
//
// # Names of things
//
// Times and sizes are those of the wire: a packet counts with its IP and TCP or UDP header, and without any of the link.
// IPv4 is RFC 791, IPv6 RFC 8200, UDP RFC 768, ICMP RFC 792 and 4443, address translation RFC 4787 and 5382. Packets are
// never fragmented; there is no broadcast or multicast.
package emunet
