package interop

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	servers "github.com/network-utopia/utopia/internal/foreign"
	"github.com/network-utopia/utopia/internal/leftout"
)

func tsigKey(name, secret string, a dns.TSIGAlgorithm) dns.TSIGKey {
	return dns.TSIGKey{Name: dns.MustParseName(name), Algorithm: a, Secret: []byte(secret)}
}

// TestTSIGWithServers transfers a zone of many messages from NSD, Knot and BIND, and checks all of their signatures, and
// what they say to requests whose key, secret or time is wrong.
func TestTSIGWithServers(t *testing.T) {
	t.Parallel()
	key := tsigKey("transfer.test.", "a secret of two servers, for tests", dns.HMACSHA256)
	var text strings.Builder
	text.WriteString("$TTL 60\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n")
	for i := range 8000 {
		fmt.Fprintf(&text, "n%d TXT \"%s\"\n", i, strings.Repeat("x", 200))
	}
	file := filepath.Join(t.TempDir(), "zone")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range servers.Programs() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			if _, err := p.Path(); err != nil {
				leftout.Because(t, "%v", err)
			}
			shared := servers.Key{Name: "transfer.test", Algorithm: "hmac-sha256", Secret: base64.StdEncoding.EncodeToString(key.Secret)}
			at := startForeign(t, p, servers.Settings{Zones: []servers.Zone{{
				Name: "example.test.", File: file,
				Secondaries: []servers.Peer{{Address: netip.MustParseAddrPort("127.0.0.1:9"), Key: &shared}},
			}}})
			records, messages, err := transferSigned(t, at, key, time.Now())
			if err != nil || records != 8000+3 || messages < 10 {
				t.Errorf("%d records in %d messages: %v", records, messages, err)
			}
			for what, tt := range map[string]struct {
				key    dns.TSIGKey
				at     time.Time
				want   dns.Rcode
				signed bool
			}{
				"other secret": {tsigKey("transfer.test.", "guess", dns.HMACSHA256), time.Now(), dns.RcodeBadSig, false},
				"other key":    {tsigKey("other.test.", "guess", dns.HMACSHA256), time.Now(), dns.RcodeBadKey, false},
				// RFC 8945 section 5.2.3 wants a signature on this; NSD makes none.
				"an hour ago": {key, time.Now().Add(-time.Hour), dns.RcodeBadTime, p != servers.NSD},
			} {
				_, _, err := transferSigned(t, at, tt.key, tt.at)
				var told *dns.TSIGError
				if !errors.As(err, &told) || told.Code != tt.want || !told.Peer || told.Signed != tt.signed {
					t.Fatalf("%s: %v", what, err)
				}
				if peer, ok := told.TSIG.PeerTime(); ok != (tt.want == dns.RcodeBadTime) || ok && time.Since(peer).Abs() > time.Minute {
					t.Errorf("%s: its time is %v", what, peer)
				}
			}
		})
	}
}

// transferSigned asks for a zone, with a request that is signed at a time.
func transferSigned(t *testing.T, server netip.AddrPort, key dns.TSIGKey, at time.Time) (records, messages int, err error) {
	t.Helper()
	query, err := dns.NewQuery(4711, dns.MustParseName("example.test."), dns.TypeAXFR).Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	wire, verifier, err := dns.SignTSIG([]byte{0, 0}, query, key, at)
	if err != nil {
		t.Fatal(err)
	}
	wire[0], wire[1] = byte((len(wire)-2)>>8), byte(len(wire)-2)
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(t.Context(), "tcp", server.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := conn.Write(wire); err != nil {
		t.Fatal(err)
	}
	for soas := 0; soas < 2; messages++ {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return records, messages, err
		}
		answer := make([]byte, int(length[0])<<8|int(length[1]))
		if _, err := io.ReadFull(conn, answer); err != nil {
			return records, messages, err
		}
		if err := verifier.Verify(answer, time.Now()); err != nil {
			return records, messages, err
		}
		m, err := dns.Parse(answer)
		if err != nil {
			return records, messages, err
		}
		for _, rr := range m.Answer {
			records++
			if rr.Type == dns.TypeSOA {
				soas++
			}
		}
	}
	return records - 1, messages, verifier.Finish() // the SOA comes twice
}

// TestTSIGWithClients has dig and kdig check our signatures, of all algorithms, and tell what is wrong with theirs.
func TestTSIGWithClients(t *testing.T) {
	t.Parallel()
	key := tsigKey("client.test.", "a secret of a client and a server", "")
	at := serveTSIG(t, key)
	host, port, _ := strings.Cut(at, ":")
	ask := func(program, y string) string {
		out, _ := exec.CommandContext(t.Context(), leftout.Without(t, program), "@"+host, "-p", port, "-y", y,
			"+norecurse", "+retry=0", "+time=5", "www.example.test", "A").CombinedOutput()
		return string(out)
	}
	good := base64.StdEncoding.EncodeToString(key.Secret)
	bad := base64.StdEncoding.EncodeToString([]byte("guess"))
	for _, a := range []string{"hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"} {
		out := ask("dig", a+":client.test:"+good)
		if !strings.Contains(out, "status: NOERROR") || !strings.Contains(out, "TSIG PSEUDOSECTION") || strings.Contains(out, "erify") || strings.Contains(out, "WARNING") {
			t.Errorf("dig, %s: %s", a, out)
		}
		out = ask("kdig", a+":client.test:"+good)
		if !strings.Contains(out, "status: NOERROR") || strings.Contains(out, "WARNING") || strings.Contains(out, "ERROR:") {
			t.Errorf("kdig, %s: %s", a, out)
		}
	}
	for y, want := range map[string]string{
		"hmac-sha256:client.test:" + bad: "BADSIG", "hmac-sha256:stranger.test:" + good: "BADKEY",
	} {
		if out := ask("dig", y); !strings.Contains(out, "status: NOTAUTH") || !strings.Contains(out, want) {
			t.Errorf("dig, %s: %s", want, out)
		}
	}
}

// serveTSIG answers signed queries over UDP, for every algorithm with the one secret.
func serveTSIG(t *testing.T, key dns.TSIGKey) string {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	keys := func(n dns.Name, a dns.TSIGAlgorithm) (dns.TSIGKey, bool) {
		k := key
		k.Algorithm = a
		return k, n == key.Name
	}
	go func() {
		buf := make([]byte, dns.MaxMessageLen)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			signer, fault := dns.OpenTSIG(buf[:n], keys, time.Now())
			var out []byte
			if fault != nil {
				out, _ = fault.Respond(nil, buf[:n], time.Now())
			} else if q, err := dns.Parse(buf[:n]); err == nil && signer != nil {
				reply, _ := q.Reply(dns.RcodeSuccess).Append(nil, 0)
				out, _ = signer.Sign(nil, reply, time.Now())
			}
			_, _ = conn.WriteTo(out, from)
		}
	}()
	return conn.LocalAddr().String()
}
