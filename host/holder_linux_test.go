package host

import (
	"net/netip"
	"testing"
)

func TestParseSocket(t *testing.T) {
	for line, want := range map[string]string{
		"   0: 0100007F:1F75 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31337 1 x":                           "127.0.0.1:8053",
		"   1: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 0:0 00:0 0 0 0 5 2":                        "[::1]:53",
		"   2: 0000000000000000FFFF00000100007F:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 0 0 0 5 2 x": "[::ffff:127.0.0.1]:53",
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode":                               "",
		"   3: 010000:1F75 0:0 0A 0:0 0:0 0 1000 0 31337 1 x":                                                                            "",
		"   4: 0100007F:1F7512 0:0 0A 0:0 0:0 0 1000 0 31337 1 x":                                                                        "",
		"   5: 0100007F 0:0 0A 0:0 0:0 0 1000 0 31337 1 x":                                                                               "",
		"": "",
	} {
		entry, ok := parseSocket(line)
		if ok != (want != "") {
			t.Errorf("%q: ok %v", line, ok)
			continue
		}
		if ok && entry.local != netip.MustParseAddrPort(want) {
			t.Errorf("%q is %v, want %s", line, entry.local, want)
		}
	}
	entry, _ := parseSocket("   0: 0100007F:1F75 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31337 1 x")
	if entry.state != tcpListen || entry.uid != "1000" || entry.inode != "31337" {
		t.Errorf("entry %+v", entry)
	}
}
