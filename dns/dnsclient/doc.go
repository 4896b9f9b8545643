// Package dnsclient asks name servers: one question, one answer, over UDP and
// TCP, on any [host.Host].
//
// [Client.Exchange] picks a fresh random ID and a fresh source port for each
// try, takes only an answer that matches (RFC 5452 section 9.1), tries again
// when nothing comes, and asks over TCP what did not fit a datagram (RFC 2181
// section 9, RFC 7766) and without EDNS a server that does not know it (RFC
// 6891 section 6.2.2). What went wrong is an [*Error], which says for certain
// whether the server was silent ([ErrTimeout]) or could not be reached
// ([ErrUnreachable]).
//
// Each try is one exchange of the transcript, of the service "dns".
//
// RFCs: 1035 section 4.2 (transports), 2181 section 9 (TC), 3596 section 2.5
// (reverse names), 5452 (matching), 6891 (EDNS), 7766 (TCP).
package dnsclient
