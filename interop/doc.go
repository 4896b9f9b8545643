// Package interop holds the tests in which foreign programs speak to a running instance of the real program: dig,
// kdig, curl, nc, the textbook's Python clients, and Chromium; and those that hold our answers against the ones of other
// servers: NSD, Knot and BIND.
//
// A test whose program is not installed says so and is left out; with UTOPIA_INTEROP=required it fails instead.
package interop
