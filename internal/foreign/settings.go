package foreign

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// Program is a name server that others wrote.
type Program string

// The programs, by the names that users know them by.
const (
	NSD  Program = "nsd"
	Knot Program = "knot"
	BIND Program = "bind"
)

// Programs lists them all, in the order in which tables show them.
func Programs() []Program { return []Program{NSD, Knot, BIND} }

// daemon is the name of the program's file.
func (p Program) daemon() string {
	return map[Program]string{NSD: "nsd", Knot: "knotd", BIND: "named"}[p]
}

// Path finds the program where the system has it. Servers often lie where the PATH of ordinary users does not lead.
func (p Program) Path() (string, error) {
	daemon := p.daemon()
	if daemon == "" {
		return "", fmt.Errorf("foreign: no program %q", string(p))
	}
	return Find(daemon)
}

// Find finds any program of the system, also one that is meant for administrators.
func Find(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("foreign: %s is not installed", name)
}

// Key is a TSIG key (RFC 8945).
type Key struct {
	Name      string // without the dot at the end
	Algorithm string // such as hmac-sha256
	Secret    string // base64
}

// Peer is another server, with the key for messages to and from it. Without a key messages are not signed.
type Peer struct {
	Address netip.AddrPort
	Key     *Key
}

// Zone is a zone that a server has.
type Zone struct {
	Name string // absolute: example.test.
	// File is the master file, of a primary. A secondary keeps its copy in the server's folder.
	File string
	// Primaries make this a secondary: where the zone comes from, and who may notify of changes.
	Primaries []Peer
	// Secondaries are notified of changes, and may transfer the zone.
	Secondaries []Peer
	// Update holds the keys that may change the zone (RFC 2136). NSD cannot.
	Update []Key
}

func (z Zone) secondary() bool { return len(z.Primaries) > 0 }

// peers are all servers that the zones name.
func peers(zones []Zone) []Peer {
	var all []Peer
	for _, z := range zones {
		for _, p := range slices.Concat(z.Primaries, z.Secondaries) {
			if !slices.ContainsFunc(all, func(q Peer) bool { return peerID(q) == peerID(p) }) {
				all = append(all, p)
			}
		}
	}
	return all
}

// peerID names a peer in a file of settings: letters and digits.
func peerID(p Peer) string {
	id := fmt.Sprintf("peer-%x-%d", p.Address.Addr().AsSlice(), p.Address.Port())
	if p.Key != nil {
		id += "-" + p.Key.Name
	}
	return id
}

// keys are all keys that the zones name.
func keys(zones []Zone) []Key {
	var all []Key
	add := func(k Key) {
		if !slices.Contains(all, k) {
			all = append(all, k)
		}
	}
	for _, z := range zones {
		for _, p := range slices.Concat(z.Primaries, z.Secondaries) {
			if p.Key != nil {
				add(*p.Key)
			}
		}
		for _, k := range z.Update {
			add(k)
		}
	}
	return all
}

// Settings say how a server is to run.
type Settings struct {
	// Address is for UDP and TCP; not given: a free port of 127.0.0.1. BIND listens at no other loopback address, unless
	// the system lists it as one of an interface.
	Address netip.AddrPort
	Zones   []Zone
	// Threads are the threads, or processes, that answer over UDP; 0 means one.
	Threads int
	// Additional has BIND give the addresses of the hosts that an answer names, as the others always do.
	Additional bool
}
