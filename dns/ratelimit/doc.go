// Package ratelimit decides which responses of an authoritative name server
// are sent. It limits how often one network gets one kind of response, so that
// the server is of little use to those who forge queries in the name of a
// victim. It is an engine: no I/O, no goroutines, no logging, and no clock.
//
// # What is counted
//
// A client is an IPv4 /24 or an IPv6 /56: behind a forged address there is
// nobody, and the victim is a network. What it gets falls into a [Class] with a
// key: positive answers by the name that owns them, those from a wildcard or a
// DNAME by that, NXDOMAIN and NODATA by zone, referrals by cut, errors together. So
// a resolver that asks for many names is not limited where a flood for one name
// is. What is sent to one network counts together as well, with a higher limit,
// for a flood may use all names of a zone.
//
// # How it is counted
//
// Each account is credited Rate responses a second, up to one second's worth,
// and debited one by each response, sent or not. Below zero, responses are
// limited; the debt is at most Window. That is the rule of BIND's response rate
// limiting (ISC-TN-2012-1 by Vixie and Schryver), which counts in whole
// seconds, in one number for each account: when it will be even (the generic
// cell rate algorithm).
//
// Of the responses that are limited, the first and then every Slip-th is sent
// truncated: so a client that did ask learns to ask over TCP, where addresses
// cannot be forged, and the victim gets no more octets than were spent on it.
// Errors are never truncated: who gets one has nothing to ask for again.
//
// # Memory
//
// The accounts stand in a table of fixed size, eight to a cache line, in places
// that a hash with a secret seed says: nobody can choose names or addresses
// that meet. Where all eight places are taken, the account that is soonest even
// gives way, which is the one that matters least: a flood of many addresses
// does not push out the account of a flood from one. In the table an account is
// known by 20 bits of its hash. Two that meet by chance, one lookup of some
// 130,000 in a full table, share one account for a while: that costs the
// innocent of them at most a truncated response, or the time until it asks
// again.
//
// Every account is one word, changed atomically: there are no locks.
package ratelimit
