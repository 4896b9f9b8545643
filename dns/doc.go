// Package dns is the vocabulary of the Domain Name System: names, types,
// resource records and messages, read from and written to the wire.
//
// Names stand in wire form ([Name]), so that case, escapes and eight-bit
// labels never confuse a comparison; record data stands as uncompressed
// wire octets ([RR.Data]). [Parse] is strict: what it accepts can be printed,
// packed again and compared. [Message.Append] packs with name compression and
// truncates at the borders of record sets.
//
// The presentation form of the common types is read ([AppendData]) and written
// ([RR.AppendDataText]) here, without allocations; that of the others is made by
// miekg/dns, whose types never show in this package's interface.
//
// Signatures of DNSSEC are made and checked over record sets, with std's own
// cryptography: [SignSet], [PublicKey.VerifySet], and the records of
// DNSSEC as types ([RRSIG], [DNSKEY], [DS], [NSEC], [NSEC3]).
//
// Transaction signatures work on whole messages as octets: [SignTSIG] and
// [OpenTSIG] for requests, what they return for the responses.
//
// The package does no I/O and starts no goroutine. RFCs: 1034, 1035, 2181,
// 2308 (SOA), 3597 (unknown types), 4033 to 4035 (DNSSEC), 4343 (case), 5155 and
// 9276 (NSEC3), 5702, 6605 and 8080 (signature algorithms), 6840, 6891 (EDNS),
// 7873 and 9018 (cookies), 8427 (JSON), 8624 (which algorithms), 8914 (extended
// errors), 8945 (TSIG).
package dns
