// Package dnsserver serves DNS over UDP, TCP, TLS and HTTPS: it takes queries
// off sockets, has a Handler answer them, and sends the responses. It knows
// nothing of zones.
//
// Over UDP each socket has one goroutine with its own buffers, which reads and
// answers a batch of queries at a time, so that an overload is dropped by the
// kernel and never queues up here. Over TCP and TLS queries may be pipelined;
// each connection has bounds on its time, its messages and what it holds in
// memory. The connections of HTTPS are another server's: a Server is its handler.
//
// A StreamHandler answers with several messages, one after the other: a zone
// transfer, of which a bounded number run, each for a bounded time. Some answers
// of a LaterHandler take time: those behind them do not wait, and they leave when
// they are ready; they too are bounded in number and time.
//
// RFCs: 1035 section 4.2 (transports), 5625 section 4.2 (responses are not
// answered), 6891 section 6.2 (UDP sizes), 7766 (TCP), 7858 (TLS), 8484 (HTTPS).
package dnsserver
