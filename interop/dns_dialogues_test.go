package interop

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/dialogue"
	servers "github.com/network-utopia/utopia/internal/foreign"
	"github.com/network-utopia/utopia/internal/leftout"
)

// TestDialoguesWithOthers asks NSD, Knot, BIND and our own running program what dns/authority/testdata asks the engine. Where another server answers otherwise, the case must give the reason; where it does not, no reason may stand.
func TestDialoguesWithOthers(t *testing.T) {
	files, err := filepath.Glob("../dns/authority/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files of dialogues: %v", len(files), err)
	}
	for _, path := range files {
		d, err := dialogue.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(path)+"/utopia", func(t *testing.T) {
			t.Parallel()
			in := withDialogue(t, d)
			if reason := d.Refuses["utopia"]; reason == "" {
				replay(t, d, "utopia", serveDialogue(t, in))
			} else if out, err := in.run("", "config", "check"); err == nil {
				t.Errorf("the settings are right, and there is a reason why not: %s\n%s", reason, out)
			}
		})
		for _, p := range servers.Programs() {
			t.Run(filepath.Base(path)+"/"+string(p), func(t *testing.T) {
				t.Parallel()
				if _, err := p.Path(); err != nil {
					leftout.Because(t, "%v", err)
				}
				settings := servers.Settings{Zones: dialogueZones(t, d), Additional: true}
				if reason := d.Refuses[string(p)]; reason != "" {
					refuses(t, p, settings, reason)
					return
				}
				replay(t, d, string(p), startForeign(t, p, settings))
			})
		}
	}
}

// startForeign starts a foreign server for a test, and says where it answers.
func startForeign(t *testing.T, p servers.Program, s servers.Settings) netip.AddrPort {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	srv, err := servers.Start(ctx, p, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !srv.Running() {
			t.Errorf("%s has ended\n%s", p, srv.Said())
		}
		if err := srv.Stop(); err != nil {
			t.Error(err)
		}
	})
	return srv.Address
}

// refuses sees to it that a server does not answer for all zones.
func refuses(t *testing.T, p servers.Program, s servers.Settings, reason string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if srv, err := servers.Start(ctx, p, s); err == nil {
		t.Errorf("%s loads the zones, and there is a reason why not: %s", p, reason)
		if err := srv.Stop(); err != nil {
			t.Error(err)
		}
	}
}

func loadDialogue(t *testing.T, d *dialogue.File) []*zone.Zone {
	t.Helper()
	var zones []*zone.Zone
	for _, dz := range d.Zones {
		z, _, err := zone.Load(strings.NewReader(dz.Text), zone.ReadOptions{Origin: dns.MustParseName(dz.Name)})
		if err != nil {
			t.Fatal(err)
		}
		zones = append(zones, z)
	}
	return zones
}

// dialogueZones writes the zones for the others, record by record: NSD has no $GENERATE.
func dialogueZones(t *testing.T, d *dialogue.File) []servers.Zone {
	t.Helper()
	dir := t.TempDir()
	var zones []servers.Zone
	for i, z := range loadDialogue(t, d) {
		var text strings.Builder
		for rr := range z.All() {
			fmt.Fprintln(&text, rr)
		}
		file := filepath.Join(dir, fmt.Sprint("zone", i))
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		zones = append(zones, servers.Zone{Name: z.Apex().String(), File: file})
	}
	return zones
}

// withDialogue has settings for the zones of a file beside the domain's own.
func withDialogue(t *testing.T, d *dialogue.File) *instance {
	t.Helper()
	in := newInstance(t, "utopia-itself.test")
	settings := fmt.Sprintf("domain = %q\naddress = [%q]\n[web]\nenabled = false\n[socket]\nenabled = false\n[dns]\nrotate = false\n[dns.zones]\n", in.domain, in.address)
	for i, z := range d.Zones {
		file := fmt.Sprintf("zone%d", i)
		in.write(file, z.Text)
		settings += fmt.Sprintf("%q = { file = %q, dnssec = \"off\" }\n", strings.TrimSuffix(z.Name, "."), file)
	}
	in.write("utopia.toml", settings)
	return in
}

// serveDialogue runs the real program.
func serveDialogue(t *testing.T, in *instance) netip.AddrPort {
	t.Helper()
	in.start()
	t.Cleanup(func() {
		if err := in.stop(syscall.SIGTERM); err != nil {
			t.Errorf("utopia up: %v\n%s", err, in.printed.String())
		}
	})
	return netip.MustParseAddrPort(in.at(53))
}

// replay asks one server all questions of a file.
func replay(t *testing.T, d *dialogue.File, server string, at netip.AddrPort) {
	t.Helper()
	for _, c := range d.Cases {
		want := essential(d, c.Want)
		reason := c.Differs[server]
		wait := forAnAnswer
		if strings.HasPrefix(want, "(silence)") || strings.HasPrefix(reason, "silence") {
			wait = forSilence
		}
		got := essential(d, askRaw(t, at, c, wait))
		switch {
		case got == want && reason != "":
			t.Errorf("%s:%d: %s: it answers as we do, and there is a reason why not: %s", d.Path, c.Line, c.Question, reason)
		case got != want && reason == "":
			t.Errorf("%s:%d: Q: %s\n%s answers (+), we (-)\n%s", d.Path, c.Line, c.Question, server, differences(got, want))
		}
	}
}

// How long an answer is waited for: where there is to be none, no longer than the test can bear.
const (
	forAnAnswer = 3 * time.Second
	forSilence  = 300 * time.Millisecond
)

// askRaw sends the octets of a question, and gives the lines of its answer.
func askRaw(t *testing.T, at netip.AddrPort, c *dialogue.Case, wait time.Duration) []string {
	t.Helper()
	wire, stream, err := dialogue.Query(c.Question)
	if err != nil {
		t.Fatal(err)
	}
	network := "udp"
	if stream {
		network = "tcp"
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), network, at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	var answer []byte
	if stream {
		answer = overStream(conn, wire)
	} else if _, err := conn.Write(wire); err == nil {
		answer = make([]byte, dns.MaxMessageLen)
		n, _ := conn.Read(answer) // none within the time is silence
		answer = answer[:n]
	}
	lines, err := dialogue.Lines(wire, answer)
	if err != nil {
		return []string{err.Error()}
	}
	return lines
}

// overStream gives the one message that follows a query; nothing where the connection is closed instead.
func overStream(conn net.Conn, query []byte) []byte {
	framed := append([]byte{byte(len(query) >> 8), byte(len(query))}, query...)
	if _, err := conn.Write(framed); err != nil {
		return nil
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil
	}
	answer := make([]byte, int(length[0])<<8|int(length[1]))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return nil
	}
	return answer
}

// differences are the lines that only one of two answers has.
func differences(got, want string) string {
	var out strings.Builder
	for _, side := range []struct{ sign, lines, other string }{{"+", got, want}, {"-", want, got}} {
		for line := range strings.Lines(side.lines) {
			if !strings.Contains("\n"+side.other, "\n"+line) {
				out.WriteString(side.sign + " " + line)
			}
		}
	}
	return out.String()
}

// essential brings an answer into the form that is compared: the code, aa and tc, and the records of each section in
// order of the alphabet, in lower case. What a server may add as it likes is left out: the NS records of the zone itself
// beside an answer, and in the additional section all but the addresses that a referral cannot do without, those below
// its cut (RFC 9471). Of a truncated answer the head alone counts: the client throws away the rest (RFC 2181 section 9).
func essential(d *dialogue.File, lines []string) string {
	words := strings.Fields(strings.ToLower(lines[0]))
	head := strings.ToUpper(words[0])
	if strings.HasPrefix(lines[0], "(silence)") || strings.HasPrefix(lines[0], "the answer") {
		head = lines[0]
	}
	for _, flag := range []string{"aa", "tc"} {
		if slices.Contains(words[1:], flag) {
			head += " " + flag
		}
	}
	if strings.HasSuffix(head, " tc") {
		return head + "\n"
	}
	var records []string
	cut := ""
	for _, line := range lines[1:] {
		f := strings.Fields(strings.ToLower(line))
		section, owner, typ := f[0], f[1], f[4]
		switch {
		case section == "authority" && (typ == "ns" || typ == "rrsig" && f[5] == "ns") && ofZone(d, owner):
			continue
		case section == "authority" && typ == "ns":
			cut = owner
		case section == "additional" && (cut == "" || !strings.HasSuffix(owner, "."+cut)):
			continue
		}
		records = append(records, strings.Join(f, " "))
	}
	slices.Sort(records)
	return strings.Join(append([]string{head}, slices.Compact(records)...), "\n") + "\n"
}

func ofZone(d *dialogue.File, owner string) bool {
	return slices.ContainsFunc(d.Zones, func(z dialogue.Zone) bool { return z.Name == owner })
}
