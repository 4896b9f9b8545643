package foreign

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/leftout"
)

const zoneText = `$TTL 300
@ SOA ns1 hostmaster 7 3600 900 1209600 60
@ NS ns1
ns1 A 192.0.2.53
www A 192.0.2.80
`

// installed leaves a test out where a program is not there.
func installed(t *testing.T, p Program) {
	t.Helper()
	if _, err := p.Path(); err != nil {
		leftout.Because(t, "%v", err)
	}
}

func zoneFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "example.zone")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func freeAddress(t *testing.T) netip.AddrPort {
	t.Helper()
	a, err := FreeAddress(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func start(t *testing.T, p Program, s Settings) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	srv, err := Start(ctx, p, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Stop(); err != nil {
			t.Error(err)
		}
	})
	return srv
}

// serial waits until a server has a zone with a serial.
func serial(t *testing.T, srv *Server, zone string, want uint32) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		got, err := WaitFor(ctx, srv.Address, zone)
		if err != nil {
			t.Fatalf("%v\n%s", err, srv.Said())
		}
		if got == want {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestServersStartAnswerReloadAndEnd(t *testing.T) {
	for _, p := range Programs() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			installed(t, p)
			file := zoneFile(t, zoneText)
			srv := start(t, p, Settings{Zones: []Zone{{Name: "example.test.", File: file}}, Threads: 2})
			r, err := Ask(t.Context(), srv.Address, dns.NewQuery(1, dns.MustParseName("www.example.test."), dns.TypeA))
			if err != nil || len(r.Answer) != 1 || !strings.HasSuffix(r.Answer[0].String(), "192.0.2.80") {
				t.Errorf("%v %v", r, err)
			}
			usage, err := UsageOf(srv.PID())
			if err != nil || usage.Memory < 1<<20 || usage.Peak < usage.Memory/10 {
				t.Errorf("%+v %v", usage, err)
			}
			if err := os.WriteFile(file, []byte(strings.Replace(zoneText, " 7 ", " 8 ", 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			// NSD reads a file again when it is newer, by the second.
			later := time.Now().Add(2 * time.Second)
			if err := os.Chtimes(file, later, later); err != nil {
				t.Fatal(err)
			}
			if err := srv.Reload(); err != nil {
				t.Fatal(err)
			}
			serial(t, srv, "example.test.", 8)
			processes, err := family(srv.PID())
			if err != nil {
				t.Fatal(err)
			}
			if err := srv.Stop(); err != nil {
				t.Fatal(err)
			}
			for _, one := range processes {
				// One that nobody has waited for yet is a zombie, and no more.
				stat, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(one.pid), "stat"))
				if len(stat) > 0 && !strings.Contains(string(stat), ") Z ") {
					t.Errorf("process %d of %d outlived the server: %s", one.pid, srv.PID(), stat)
				}
			}
			if _, err := os.Stat(srv.Dir); !os.IsNotExist(err) {
				t.Errorf("its folder is left: %v", err)
			}
		})
	}
}

// Each program's settings for transfers work: the zone goes from a primary to a secondary of every kind with a key, and
// a change of it after a NOTIFY.
func TestTransfersWithAKey(t *testing.T) {
	key := &Key{Name: "transfer.key", Algorithm: "hmac-sha256", Secret: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}
	for i, p := range Programs() {
		second := Programs()[(i+1)%len(Programs())]
		t.Run(string(p)+" to "+string(second), func(t *testing.T) {
			t.Parallel()
			installed(t, p)
			installed(t, second)
			primary, secondary := freeAddress(t), freeAddress(t)
			file := zoneFile(t, zoneText)
			from := start(t, p, Settings{Address: primary, Zones: []Zone{{
				Name: "example.test.", File: file, Secondaries: []Peer{{secondary, key}},
			}}})
			to := start(t, second, Settings{Address: secondary, Zones: []Zone{{
				Name: "example.test.", Primaries: []Peer{{primary, key}},
			}}})
			serial(t, to, "example.test.", 7)
			if err := os.WriteFile(file, []byte(strings.Replace(zoneText, " 7 ", " 8 ", 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			later := time.Now().Add(2 * time.Second)
			if err := os.Chtimes(file, later, later); err != nil {
				t.Fatal(err)
			}
			if err := from.Reload(); err != nil {
				t.Fatal(err)
			}
			serial(t, to, "example.test.", 8)
		})
	}
}

func TestAServerThatCannotStartSaysWhy(t *testing.T) {
	for _, p := range Programs() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			installed(t, p)
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer cancel()
			_, err := Start(ctx, p, Settings{Zones: []Zone{{Name: "example.test.", File: "/nowhere/at-all"}}})
			if err == nil || !strings.Contains(err.Error(), "at-all") {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := Launch("none", Settings{}); err == nil || !strings.Contains(err.Error(), `no program "none"`) {
		t.Errorf("%v", err)
	}
}

// What a server prints is kept up to a limit: the end of it.
func TestSaid(t *testing.T) {
	var s said
	for range maxSaid {
		_, _ = s.Write([]byte("a"))
	}
	if got := s.String(); len(got) != maxSaid {
		t.Errorf("at the limit: %d octets", len(got))
	}
	_, _ = s.Write([]byte("b"))
	if got := s.String(); len(got) != maxSaid || got[0] != 'a' || !strings.HasSuffix(got, "ab") {
		t.Errorf("one past it: %d octets", len(got))
	}
}
