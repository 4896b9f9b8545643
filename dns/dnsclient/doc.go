// Package dnsclient asks name servers, over UDP, TCP, TLS and HTTPS, on any
// [host.Host].
//
// [Client.Exchange] asks one question and gives one answer. It picks a fresh
// random ID and a fresh source port for each try, takes only an answer that
// matches (RFC 5452 section 9.1), tries again when nothing comes, and asks
// over TCP what did not fit a datagram (RFC 2181 section 9, RFC 7766) and
// without EDNS a server that does not know it (RFC 6891 section 6.2.2). What
// went wrong is an [*Error], which says for certain whether the server was
// silent ([ErrTimeout]) or could not be reached ([ErrUnreachable]). A [Conn]
// asks question after question over one connection.
//
// [Client.Transfer] brings a zone or what changed in it, and [Client.Trace]
// asks from the root down, as a resolver does. Neither believes a server more
// than it has a say about. [Client.Chain] asks for what proves an answer: the
// signatures, keys and DS records up to a trust anchor.
//
// Each try is one exchange of the transcript, of the service "dns".
//
// RFCs: 1034 section 5.3.3 (iteration), 1035 section 4.2 (transports), 1995
// (IXFR), 2181 section 9 (TC), 3596 section 2.5 (reverse names), 4035 section
// 5 and 5155 section 8 (proofs), 5452 (matching), 5936 (AXFR), 6891 (EDNS), 7766 (TCP), 7830 (padding), 7858
// (TLS), 7873 (cookies), 8109 (priming), 8484 (HTTPS), 8945 (TSIG), 9103
// (transfers over TLS).
package dnsclient
