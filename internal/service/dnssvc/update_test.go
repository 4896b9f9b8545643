package dnssvc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
	"github.com/network-utopia/utopia/dns/dnsserver"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/state/disk"
	"github.com/network-utopia/utopia/internal/state/zones"
)

var (
	laptop  = dns.TSIGKey{Name: dns.MustParseName("laptop."), Algorithm: dns.HMACSHA256, Secret: []byte("sixteen octets..")}
	courier = dns.TSIGKey{Name: dns.MustParseName("courier."), Algorithm: dns.HMACSHA512, Secret: []byte("sixteen octets, and more")}
	dynApex = dns.MustParseName("dyn.test.")
)

const dynFile = "$TTL 300\n@ SOA ns1 host 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\nwww A 192.0.2.80\n"

// keepIn gives a store in a folder.
func keepIn(t testing.TB, dir string) *zones.Store {
	t.Helper()
	f, err := disk.Open(dir, disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return zones.New(f)
}

// dynamic gives options with the zone dyn.test., which laptop may change and courier may fetch, and the path of its file.
func dynamic(t *testing.T, dir string) (Options, string) {
	t.Helper()
	opts := options()
	opts.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	path := writeFile(t, dir, "dyn.zone", dynFile)
	opts.TSIG = []dns.TSIGKey{laptop, courier}
	opts.Keep = keepIn(t, t.TempDir())
	opts.Zones = []Zone{{Name: "dyn.test", File: path, Policy: Policy{
		Update:     []Grant{{Key: laptop.Name, Grant: zone.Grant{Name: dynApex, Below: true}}, {Key: laptop.Name, Grant: zone.Grant{Name: dynApex, Types: []dns.Type{dns.TypeNS}}}},
		TransferTo: []Access{{Key: courier.Name}},
	}}}
	return opts, path
}

func message(changes ...dns.RR) *dns.Message {
	m := dns.NewQuery(0, dynApex, dns.TypeSOA)
	m.Opcode, m.Authority = dns.OpcodeUpdate, changes
	return m
}

func addText(t testing.TB, name, text string) dns.RR {
	t.Helper()
	rr, err := dns.ParseRR(name+" 60 TXT "+text, dynApex, 60)
	if err != nil {
		t.Fatal(err)
	}
	return rr
}

// send sends a message, signed with a key or not, and gives the code.
func send(t testing.TB, s *Service, network string, m *dns.Message, key *dns.TSIGKey) (string, *dns.Message) {
	t.Helper()
	for _, e := range s.Endpoints() {
		if e.Network == network {
			c := dnsclient.New(dnsclient.Options{Host: host.NewOS(host.OSOptions{}), TSIG: key, TCP: network == "tcp", Tries: 1})
			a, err := c.Exchange(t.Context(), e.Address, m)
			if err != nil {
				return err.Error(), nil
			}
			return a.Message.Rcode.String(), a.Message
		}
	}
	t.Fatal("no endpoint")
	return "", nil
}

func texts(t testing.TB, s *Service, name string) string {
	t.Helper()
	full, err := dns.ParseName(name, dynApex)
	if err != nil {
		t.Fatal(err)
	}
	code, m := send(t, s, "udp", dns.NewQuery(0, full, dns.TypeTXT), nil)
	for _, rr := range m.Answer {
		code += " " + rr.DataString()
	}
	return code
}

func serialOf(t testing.TB, s *Service) uint32 {
	t.Helper()
	_, m := send(t, s, "udp", dns.NewQuery(0, dynApex, dns.TypeSOA), nil)
	soa, ok := m.Answer[0].SOA()
	if !ok {
		t.Fatal(m)
	}
	return soa.Serial
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	s := started(t, opts)
	wrong := laptop
	wrong.Secret = []byte("seventeen octets.")
	unknown := laptop
	unknown.Name = dns.MustParseName("nobody.")
	outside := message(dns.NameRR(dns.MustParseName("a.other.test."), 1, dns.TypeNS, dns.Root))
	other := message()
	other.Question[0].Name = dns.MustParseName("other.test.")
	two := message(addText(t, "a", "1"))
	two.Authority[0].Class = dns.ClassCH
	wanting := message(addText(t, "b", "1"))
	wanting.Answer = []dns.RR{{Name: dynApex, Type: dns.TypeANY, Class: dns.ClassNONE}}
	for _, network := range []string{"udp", "tcp"} {
		for what, tt := range map[string]struct {
			m    *dns.Message
			key  *dns.TSIGKey
			want string
		}{
			"granted":          {message(addText(t, "new-"+network, "1")), &laptop, "NOERROR"},
			"another key":      {message(addText(t, "a", "1")), &courier, "REFUSED"},
			"no key":           {message(addText(t, "a", "1")), nil, "REFUSED"},
			"a wrong secret":   {message(addText(t, "a", "1")), &wrong, "BADSIG"},
			"an unknown key":   {message(addText(t, "a", "1")), &unknown, "BADKEY"},
			"not granted":      {message(addText(t, "@", "1")), &laptop, "REFUSED"},
			"outside":          {outside, &laptop, "NOTZONE"},
			"another zone":     {other, &laptop, "NOTAUTH"},
			"malformed":        {two, &laptop, "FORMERR"},
			"a prerequisite":   {wanting, &laptop, "YXDOMAIN"},
			"a plain question": {dns.NewQuery(0, dynApex, dns.TypeSOA), &laptop, "NOERROR"},
		} {
			got, m := send(t, s, network, tt.m, tt.key)
			if !strings.Contains(got, tt.want) {
				t.Errorf("%s, %s: %s, want %s", network, what, got, tt.want)
			}
			if m != nil && (!m.Response || m.Opcode != tt.m.Opcode || len(m.Authority) > 0) {
				t.Errorf("%s, %s: %+v", network, what, m)
			}
		}
		if got := texts(t, s, "new-"+network); got != `NOERROR "1"` {
			t.Errorf("%s: %s", network, got)
		}
	}
	if got := serialOf(t, s); got != 3 {
		t.Errorf("serial %d after two updates", got)
	}
	if got := texts(t, s, "a"); got != "NXDOMAIN" {
		t.Error(got)
	}
}

func TestUpdateWithoutAPlaceToKeepIt(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	opts.Keep = nil
	if got, _ := send(t, started(t, opts), "udp", message(addText(t, "a", "1")), &laptop); got != "REFUSED" {
		t.Error(got)
	}
}

// TestUpdatesLast: over a restart, and over changes of the file that the zone is made from.
func TestUpdatesLast(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opts, path := dynamic(t, dir)
	s := newService(t, opts)
	restart := func() {
		t.Helper()
		if err := s.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		s = newService(t, opts)
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	defer func() { _ = s.Stop(context.Background()) }()
	restart()
	update := func(changes ...dns.RR) {
		t.Helper()
		if got, _ := send(t, s, "udp", message(changes...), &laptop); got != "NOERROR" {
			t.Fatal(got)
		}
	}
	gone := dns.RR{Name: dns.MustParseName("www.dyn.test."), Type: dns.TypeA, Class: dns.ClassANY}
	update(addText(t, "a", "1"), gone)
	update(addText(t, "a", "2"))
	check := func(what string, serial uint32, a, b string) {
		t.Helper()
		code, m := send(t, s, "udp", dns.NewQuery(0, gone.Name, dns.TypeA), nil)
		if got := fmt.Sprint(serialOf(t, s), " ", texts(t, s, "a"), " ", texts(t, s, "b"), " ", code, len(m.Answer)); got != fmt.Sprint(serial, " ", a, " ", b, " NXDOMAIN0") {
			t.Errorf("%s: %s", what, got)
		}
	}
	check("before", 3, `NOERROR "1" "2"`, "NXDOMAIN")
	restart()
	check("after a restart", 3, `NOERROR "1" "2"`, "NXDOMAIN")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(dynFile + "b TXT 1\n")
	restart()
	check("the file changed while the server was away", 4, `NOERROR "1" "2"`, `NOERROR "1"`)
	reload := func() {
		t.Helper()
		next := opts
		next.Before = s
		if !s.Replace(newService(t, next)) {
			t.Fatal("not replaced")
		}
	}
	reload()
	check("a reload without a change", 4, `NOERROR "1" "2"`, `NOERROR "1"`)
	write(dynFile + "b TXT 2\n")
	reload()
	check("a reload", 5, `NOERROR "1" "2"`, `NOERROR "2"`)
	write(dynFile + "oops")
	reload()
	check("a reload with a fault", 5, `NOERROR "1" "2"`, `NOERROR "2"`)
	update(addText(t, "a", "3"))
	check("an update while the file has a fault", 6, `NOERROR "1" "2" "3"`, `NOERROR "2"`)
	write(strings.Replace(dynFile, " 1 3600", " 100 3600", 1) + "b TXT 3\n")
	reload()
	check("a file with a later serial", 100, `NOERROR "1" "2" "3"`, `NOERROR "3"`)
	restart()
	check("another restart", 100, `NOERROR "1" "2" "3"`, `NOERROR "3"`)
}

// TestConcurrentUpdates: all that is confirmed is answered at once, and once.
func TestConcurrentUpdates(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	s := started(t, opts)
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 10 {
				name := fmt.Sprintf("w%d-%d", w, i)
				if got, _ := send(t, s, "tcp", message(addText(t, name, "1")), &laptop); got != "NOERROR" {
					t.Errorf("%s: %s", name, got)
				}
				if got := texts(t, s, name); got != `NOERROR "1"` {
					t.Errorf("%s: %s", name, got)
				}
			}
		})
	}
	all.Wait()
	if got := serialOf(t, s); got != 41 {
		t.Errorf("serial %d", got)
	}
}

// TestUpdateThatCannotBeKept: nobody is told that it was, and the zone stays as it was; a reload tries anew.
func TestUpdateThatCannotBeKept(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	s := started(t, opts)
	if got, _ := send(t, s, "udp", message(addText(t, "a", "1")), &laptop); got != "NOERROR" {
		t.Fatal(got)
	}
	l := s.ledger(dynApex)
	if err := l.journal.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, _ := send(t, s, "udp", message(addText(t, "b", "1")), &laptop); got != "SERVFAIL" {
			t.Error(got)
		}
	}
	if a, b := texts(t, s, "a"), texts(t, s, "b"); a != `NOERROR "1"` || b != "NXDOMAIN" {
		t.Error(a, b)
	}
	l.mu.Lock()
	l.broken = errors.New("broken")
	l.mu.Unlock()
	next := opts
	next.Before = s
	if !s.Replace(newService(t, next)) {
		t.Fatal("not replaced")
	}
	if got, _ := send(t, s, "udp", message(addText(t, "b", "1")), &laptop); got != "NOERROR" {
		t.Error(got)
	}
	if a, b := texts(t, s, "a"), texts(t, s, "b"); a != `NOERROR "1"` || b != `NOERROR "1"` {
		t.Error(a, b)
	}
}

// frailFolder is a folder whose files cannot be synced while failing is set.
type frailFolder struct {
	disk.Folder
	failing atomic.Bool
}

type frailFile struct {
	disk.File
	folder *frailFolder
}

func (f *frailFolder) Create(name string) (disk.File, error) {
	file, err := f.Folder.Create(name)
	return frailFile{file, f}, err
}

func (f frailFile) Sync() error {
	if f.folder.failing.Load() {
		return errors.New("the disk is gone")
	}
	return f.File.Sync()
}

func newFrailFolder(t *testing.T) *frailFolder {
	t.Helper()
	inside, err := disk.Open(t.TempDir(), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = inside.Close() })
	return &frailFolder{Folder: inside}
}

// TestSyncThatFails: an update that was written and not synced is not confirmed, and not answered from.
func TestSyncThatFails(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	folder := newFrailFolder(t)
	opts.Keep = zones.New(folder)
	s := started(t, opts)
	folder.failing.Store(true)
	if got, _ := send(t, s, "udp", message(addText(t, "a", "1")), &laptop); got != "SERVFAIL" {
		t.Error(got)
	}
	folder.failing.Store(false)
	if got, _ := send(t, s, "udp", message(addText(t, "b", "1")), &laptop); got != "SERVFAIL" {
		t.Error("a sync that failed is tried again: ", got)
	}
	if a, serial := texts(t, s, "a"), serialOf(t, s); a != "NXDOMAIN" || serial != 1 {
		t.Error(a, serial)
	}
	next := opts
	next.Before = s
	if !s.Replace(newService(t, next)) {
		t.Fatal("not replaced")
	}
	if got, _ := send(t, s, "udp", message(addText(t, "b", "1")), &laptop); got != "NOERROR" {
		t.Error("after a reload: ", got)
	}
	if got := texts(t, s, "b"); got != `NOERROR "1"` {
		t.Error(got)
	}
}

// TestNoHistoryOfWhatWasNeverServed: a file that changed while the server was away, without a new serial, is no version
// that anybody has.
func TestNoHistoryOfWhatWasNeverServed(t *testing.T) {
	t.Parallel()
	opts, path := dynamic(t, t.TempDir())
	s := newService(t, opts)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, _ := send(t, s, "udp", message(addText(t, "a", "1")), &laptop); got != "NOERROR" {
		t.Fatal(got)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(dynFile+"b TXT 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = started(t, opts)
	for serial := range uint32(3) {
		if _, tr := fetch(t, s, dnsclient.NewIXFR(dynApex, serial), &courier, true); tr.Kind() != dnsclient.TransferWhole || tr.Serial() != 3 {
			t.Errorf("since %d: %s of serial %d", serial, tr.Kind(), tr.Serial())
		}
	}
}

func TestDamagedJournal(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	dir := t.TempDir()
	opts.Keep = keepIn(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "dyn.test.journal"), []byte("no journal"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := started(t, opts)
	if got := serialOf(t, s); got != 1 {
		t.Errorf("serial %d", got)
	}
	if got, _ := send(t, s, "udp", message(addText(t, "a", "1")), &laptop); got != "REFUSED" {
		t.Error(got)
	}
}

func fetch(t testing.TB, s *Service, q *dns.Message, key *dns.TSIGKey, tcp bool) (string, *dnsclient.Transfer) {
	t.Helper()
	c := dnsclient.New(dnsclient.Options{Host: host.NewOS(host.OSOptions{}), TSIG: key, TCP: tcp, Tries: 1})
	tr := c.Transfer(s.Endpoints()[0].Address, q)
	records := 0
	for _, err := range tr.Records(t.Context()) {
		var code *dnsclient.RcodeError
		if errors.As(err, &code) {
			return code.Message.Rcode.String(), tr
		}
		if err != nil {
			return err.Error(), tr
		}
		records++
	}
	return fmt.Sprint(records), tr
}

func TestTransfer(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	s := started(t, opts)
	for i := range 3 {
		if got, _ := send(t, s, "udp", message(addText(t, fmt.Sprintf("n%d", i), "1")), &laptop); got != "NOERROR" {
			t.Fatal(got)
		}
	}
	wrong := courier
	wrong.Secret = []byte("sixteen octets, or more")
	missing := dnsclient.NewAXFR(dns.MustParseName("missing.test."))
	own := dnsclient.NewAXFR(dns.MustParseName("networkutopia.test."))
	for what, tt := range map[string]struct {
		q    *dns.Message
		key  *dns.TSIGKey
		want string
		kind dnsclient.TransferKind
	}{
		"whole":            {dnsclient.NewAXFR(dynApex), &courier, "8", dnsclient.TransferWhole},
		"what changed":     {dnsclient.NewIXFR(dynApex, 2), &courier, "6", dnsclient.TransferDifferences},
		"all that changed": {dnsclient.NewIXFR(dynApex, 1), &courier, "7", dnsclient.TransferDifferences},
		"nothing":          {dnsclient.NewIXFR(dynApex, 4), &courier, "1", dnsclient.TransferUpToDate},
		"a lost version":   {dnsclient.NewIXFR(dynApex, 0), &courier, "8", dnsclient.TransferWhole},
		"another key":      {dnsclient.NewAXFR(dynApex), &laptop, "REFUSED", 0},
		"no key":           {dnsclient.NewAXFR(dynApex), nil, "REFUSED", 0},
		"a wrong secret":   {dnsclient.NewAXFR(dynApex), &wrong, "BADSIG", 0},
		"a missing zone":   {missing, &courier, "NOTAUTH", 0},
		"our own zone":     {own, &courier, "REFUSED", 0},
	} {
		for _, tcp := range []bool{true, false} {
			got, tr := fetch(t, s, tt.q, tt.key, tcp)
			if !strings.Contains(got, tt.want) || tr.Kind() != tt.kind {
				t.Errorf("%s, TCP %v: %s, %s; want %s, %s", what, tcp, got, tr.Kind(), tt.want, tt.kind)
			}
		}
	}
	axfr := dnsclient.NewAXFR(dynApex)
	if got, _ := send(t, s, "udp", axfr, &courier); got != "FORMERR" {
		t.Errorf("AXFR over UDP: %s", got)
	}
}

// TestHistoryLasts: what changed before a restart, or two, can still be fetched as a difference.
func TestHistoryLasts(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	for i := range 3 {
		s := newService(t, opts)
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, _ := send(t, s, "udp", message(addText(t, fmt.Sprintf("n%d", i), "1")), &laptop); got != "NOERROR" {
			t.Error(got)
		}
		got, tr := fetch(t, s, dnsclient.NewIXFR(dynApex, 1), &courier, true)
		if want := fmt.Sprint(2 + 2 + 1 + i); got != want || tr.Kind() != dnsclient.TransferDifferences || tr.Serial() != uint32(2+i) {
			t.Errorf("%d: %s of serial %d, %s", i, got, tr.Serial(), tr.Kind())
		}
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// TestUpdateOfASignedZone: what comes by update is signed, and the serial goes on from what was served.
func TestUpdateOfASignedZone(t *testing.T) {
	t.Parallel()
	opts, _ := dynamic(t, t.TempDir())
	opts.Keys, opts.Zones[0].Signing = &heldKeys{}, SignedNSEC
	s := started(t, opts)
	if got, _ := send(t, s, "udp", message(addText(t, "a", "1")), &laptop); got != "NOERROR" {
		t.Fatal(got)
	}
	if r := validated(t, s, "a.dyn.test.", dns.TypeTXT); count(r.Answer, dns.TypeRRSIG) != 1 {
		t.Errorf("%s", dns.Summary(r))
	}
	validated(t, s, "no.dyn.test.", dns.TypeTXT)
	if got := serialOf(t, s); got != 2 {
		t.Errorf("serial %d", got)
	}
	if _, tr := fetch(t, s, dnsclient.NewIXFR(dynApex, 1), &courier, true); tr.Kind() != dnsclient.TransferDifferences {
		t.Errorf("%s", tr.Kind())
	}
	key := dns.RR{Name: dns.MustParseName("a.dyn.test."), Type: dns.TypeRRSIG, Class: dns.ClassANY}
	if got, _ := send(t, s, "udp", message(key), &laptop); got != "REFUSED" {
		t.Error("somebody else may delete signatures: ", got)
	}
	// Signatures that are renewed raise the serial, and the next update goes on from there.
	err := s.change(func(st *state) {
		m := st.find(dynApex)
		before := *m
		m.plain = m.plain.WithSerial(9)
		*m = m.publish(&before, st.Options, time.Now())
	})
	if got := serialOf(t, s); got != 9 || err != nil {
		t.Errorf("serial %d, %v", got, err)
	}
	if got, _ := send(t, s, "udp", message(addText(t, "b", "1")), &laptop); got != "NOERROR" {
		t.Fatal(got)
	}
	if got := serialOf(t, s); got != 10 {
		t.Errorf("serial %d", got)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	s = started(t, opts)
	if got := serialOf(t, s); got != 10 {
		t.Errorf("serial %d after a restart, with the same signatures", got)
	}
	validated(t, s, "b.dyn.test.", dns.TypeTXT)
}

func TestTransferByAddress(t *testing.T) {
	t.Parallel()
	p := Policy{TransferTo: []Access{{Network: netip.MustParsePrefix("10.0.0.0/8")}, {Network: netip.MustParsePrefix("192.0.2.0/24"), Key: courier.Name}}}
	for _, tt := range []struct {
		from string
		key  dns.Name
		want bool
	}{
		{"10.1.2.3", "", true}, {"::ffff:10.1.2.3", "", true}, {"11.1.2.3", "", false}, {"192.0.2.1", "", false},
		{"192.0.2.1", courier.Name, true}, {"192.0.2.1", laptop.Name, false}, {"192.0.3.1", courier.Name, false},
	} {
		if got := p.mayTransfer(netip.MustParseAddr(tt.from), tt.key); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
	if (Policy{}).mayTransfer(loopback, courier.Name) {
		t.Error("without a policy anybody may")
	}
}

// TestIsSpecial holds the glance at a message to what its parts say.
func TestIsSpecial(t *testing.T) {
	t.Parallel()
	signedQuery, _, err := dns.SignTSIG(nil, wireOf(t, dns.NewQuery(1, dynApex, dns.TypeA)), laptop, timeNow())
	if err != nil {
		t.Fatal(err)
	}
	notify := dns.NewQuery(1, dynApex, dns.TypeSOA)
	notify.Opcode = dns.OpcodeNotify
	status := dns.NewQuery(1, dynApex, dns.TypeAXFR)
	status.Opcode = dns.OpcodeStatus
	for what, tt := range map[string]struct {
		wire []byte
		want bool
	}{
		"a query": {wireOf(t, dns.NewQuery(1, dynApex, dns.TypeA)), false}, "the root": {wireOf(t, dns.NewQuery(1, dns.Root, dns.TypeNS)), false},
		"AXFR": {wireOf(t, dns.NewQuery(1, dynApex, dns.TypeAXFR)), true}, "IXFR": {wireOf(t, dns.NewQuery(1, dns.Root, dns.TypeIXFR)), true},
		"type 508": {wireOf(t, dns.NewQuery(1, dynApex, 508)), false}, "update": {wireOf(t, message()), true}, "notify": {wireOf(t, notify), true},
		"status": {wireOf(t, status), false}, "signed": {signedQuery, true}, "a header": {make([]byte, dns.HeaderLen), false},
		"cut off": {wireOf(t, dns.NewQuery(1, dynApex, dns.TypeAXFR))[:dns.HeaderLen+len(dynApex)+1], false},
	} {
		if got := isSpecial(tt.wire); got != tt.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}

func wireOf(t testing.TB, m *dns.Message) []byte {
	t.Helper()
	wire, err := m.Append(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return wire
}

// TestSignedAnswersFit: an answer that is too long with its signature is truncated, and signed all the same.
func TestSignedAnswersFit(t *testing.T) {
	t.Parallel()
	opts, path := dynamic(t, t.TempDir())
	long := strings.Repeat("x", 200)
	if err := os.WriteFile(path, []byte(dynFile+"long TXT "+long+" "+long+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newService(t, opts)
	name := dns.MustParseName("long.dyn.test.")
	q, verifier, err := dns.SignTSIG(nil, wireOf(t, dns.NewQuery(1, name, dns.TypeTXT)), laptop, timeNow())
	if err != nil {
		t.Fatal(err)
	}
	for most, truncated := range map[int]bool{512: true, 0: false} {
		out := inForce{s}.Respond(nil, q, dnsserver.Client{Remote: netip.MustParseAddrPort("192.0.2.1:1000"), MaxUDP: most})
		m, err := dns.Parse(out)
		if err != nil || m.Truncated != truncated || most > 0 && len(out) > most {
			t.Errorf("%d octets: %v of %d, %v", most, m, len(out), err)
		}
		if err := verifier.Verify(out, timeNow()); err != nil {
			t.Error(err)
		}
		q, verifier, _ = dns.SignTSIG(nil, wireOf(t, dns.NewQuery(1, name, dns.TypeTXT)), laptop, timeNow())
	}
}

// FuzzSpecial sends whatever comes, unsigned and signed: nothing panics, answers are answers, and who has no key changes
// nothing.
func FuzzSpecial(f *testing.F) {
	notify := dns.NewQuery(1, dynApex, dns.TypeSOA)
	notify.Opcode = dns.OpcodeNotify
	for _, m := range []*dns.Message{
		message(addText(f, "a", "1")), notify, dns.NewQuery(1, dynApex, dns.TypeAXFR), dnsclient.NewIXFR(dynApex, 1), dns.NewQuery(1, dynApex, dns.TypeA),
	} {
		f.Add(wireOf(f, m), true)
		f.Add(wireOf(f, m), false)
	}
	dir := f.TempDir()
	path := filepath.Join(dir, "dyn.zone")
	if err := os.WriteFile(path, []byte(dynFile), 0o600); err != nil {
		f.Fatal(err)
	}
	opts := options()
	opts.TSIG = []dns.TSIGKey{laptop}
	opts.Zones = []Zone{{Name: "dyn.test", File: path, Policy: Policy{
		Update: []Grant{{Key: laptop.Name, Grant: zone.Grant{Name: dynApex, Below: true}}}, TransferTo: []Access{{Key: laptop.Name}},
	}}}
	s, err := New(opts)
	if err != nil {
		f.Fatal(err)
	}
	before := s.current.Load()
	from := dnsserver.Client{Remote: netip.MustParseAddrPort("192.0.2.1:1000"), Local: netip.MustParseAddrPort("192.0.2.53:53")}
	f.Fuzz(func(t *testing.T, wire []byte, sign bool) {
		if len(wire) < dns.HeaderLen || wire[2]&0x80 != 0 {
			return
		}
		if sign {
			if out, _, err := dns.SignTSIG(nil, wire, laptop, timeNow()); err == nil {
				wire = out
			}
		}
		for _, c := range []dnsserver.Client{{Transport: dnsserver.UDP, MaxUDP: 1232}, {Transport: dnsserver.TCP}} {
			c.Remote, c.Local, c.Time = from.Remote, from.Local, timeNow()
			all := [][]byte{inForce{s}.Respond(nil, wire, c)}
			if messages, ok := (inForce{s}).Stream(wire, c); ok && c.Transport == dnsserver.TCP {
				for m, err := range messages {
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, m)
					break
				}
			}
			for _, out := range all {
				if len(out) == 0 {
					continue
				}
				if m, err := dns.Parse(out); err != nil || !m.Response || c.MaxUDP > 0 && len(out) > c.MaxUDP {
					t.Fatalf("%x: %d octets, %v", out, len(out), err)
				}
			}
		}
		if s.current.Load() != before {
			t.Fatal("something has changed, though nothing can be kept")
		}
	})
}
