package host

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// tcpListen is the state of a listening socket in /proc/net/tcp (proc(5)).
const tcpListen = "0A"

// socketEntry is one line of /proc/net/{tcp,udp}{,6}.
type socketEntry struct {
	local netip.AddrPort
	state string
	uid   string
	inode string
}

func holder(network string, address netip.AddrPort) (Process, bool) {
	entry, ok := findSocket(network, address)
	if !ok {
		return Process{}, false
	}
	p := Process{User: entry.uid}
	if u, err := user.LookupId(entry.uid); err == nil {
		p.User = u.Username
	}
	p.PID, p.Name = ownerOf(entry.inode)
	return p, true
}

// findSocket looks for a bound socket that excludes ours: the very address, or the unspecified one on that port.
func findSocket(network string, address netip.AddrPort) (socketEntry, bool) {
	for _, table := range []string{network, network + "6"} {
		f, err := os.Open("/proc/net/" + table)
		if err != nil {
			continue
		}
		entry, ok := scanSockets(f, network, address)
		f.Close() // read only: nothing to lose
		if ok {
			return entry, true
		}
	}
	return socketEntry{}, false
}

func scanSockets(f *os.File, network string, address netip.AddrPort) (socketEntry, bool) {
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		entry, ok := parseSocket(lines.Text())
		if !ok || entry.local.Port() != address.Port() {
			continue
		}
		if network == "tcp" && entry.state != tcpListen {
			continue
		}
		local := entry.local.Addr().Unmap()
		if local == address.Addr().Unmap() || local.IsUnspecified() || address.Addr().IsUnspecified() {
			return entry, true
		}
	}
	return socketEntry{}, false
}

// parseSocket reads a line such as
//
//	0: 0100007F:1F75 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000  0 31337 1 …
func parseSocket(line string) (socketEntry, bool) {
	fields := strings.Fields(line)
	if len(fields) < 10 {
		return socketEntry{}, false
	}
	local, ok := parseHexAddress(fields[1])
	return socketEntry{local: local, state: fields[3], uid: fields[7], inode: fields[9]}, ok
}

// parseHexAddress reads "0100007F:1F75": 32-bit words in the machine's order, here little-endian, then the port.
func parseHexAddress(s string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(s, ":")
	if !ok {
		return netip.AddrPort{}, false
	}
	words, err := hex.DecodeString(host)
	if err != nil || len(words) != 4 && len(words) != 16 {
		return netip.AddrPort{}, false
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(words); i += 4 {
		binary.BigEndian.PutUint32(words[i:], binary.NativeEndian.Uint32(words[i:]))
	}
	addr, _ := netip.AddrFromSlice(words)
	return netip.AddrPortFrom(addr, uint16(number)), true
}

// ownerOf finds the process that has the socket among its descriptors; 0 when it may not look at it.
func ownerOf(inode string) (pid int, name string) {
	link := "socket:[" + inode + "]"
	descriptors, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0, ""
	}
	for _, fd := range descriptors {
		if target, err := os.Readlink(fd); err != nil || target != link {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		comm, err := os.ReadFile(dir + "/comm")
		if err != nil {
			return pid, ""
		}
		return pid, strings.TrimSpace(string(comm))
	}
	return 0, ""
}
