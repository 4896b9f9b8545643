// Package foreign runs the name servers of others beside ours: NSD, Knot and BIND, where they are installed. Tests hold
// our answers against theirs, and bench/ our speed.
//
// Each server gets a folder of its own, a loopback address and a file of settings made for it, runs in the foreground as
// a child, and ends with us: when it is stopped, when the test's process dies, and when it cannot be stopped politely.
// Nothing of the system's own configuration is read, and no daemon of the system is touched.
//
// UsageOf reads what a process and its descendants cost, from /proc (Linux only).
package foreign
