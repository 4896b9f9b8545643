// Package authority decides what an authoritative name server answers: given
// the zones that it has and a query, the response. It is an engine: no I/O, no
// goroutines, no logging, and nothing remembered from one query to the next.
//
// Answer works on messages, Respond on what goes over the wire, and a Transfer
// is a zone on its way to a secondary.
//
// In a signed zone, whoever has signed it, those who set DO get the signatures
// of what they get, and proofs of what is not there.
//
// RFCs: 1034 section 4.3.2 and 1035 (the algorithm), 1995 (IXFR), 2181 (cuts,
// TTLs, TC), 2308 (negative answers), 4035 section 3.1 and 5155 section 7.2
// (DNSSEC), 4592 (wildcards), 5936 (AXFR), 6604 (the code of a chain), 6672
// (DNAME), 6891 (EDNS), 8482 (ANY), 8914 (extended errors), 9471 (glue), 9619
// (one question).
package authority
