// Package querylog reads what a name server has written into its transcript as a query log: one Query for each query
// that came, with what became of it.
//
// The two sides stand here together. [Describe] makes the line and the fields that the server's messages have in the
// transcript, and [Pairing] makes of these, message by message, what was asked and answered; [Queries] does so for an
// exchange that has been recorded. A [Filter] says which of them are wanted: by name, type, response code, client and
// transport.
//
// The messages are those of RFC 1035, with EDNS (RFC 6891) and extended errors (RFC 8914); the types, opcodes and codes
// go by the names of RFC 6895.
package querylog
