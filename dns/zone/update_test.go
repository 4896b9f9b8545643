package zone

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/dns"
)

// changed makes the lines of a case an update that must succeed.
func changed(t testing.TB, z *Zone, lines ...string) (*Zone, Difference) {
	t.Helper()
	m, opts := updateOf(t, lines)
	next, d, err := Update(z, m, opts)
	if err != nil {
		t.Fatal(err)
	}
	return next, d
}

func TestUpdateLimits(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head)
	m, opts := updateOf(t, []string{"update add a.example.test. 1 A 192.0.2.1", "update add b.example.test. 1 A 192.0.2.1"})
	for most, fits := range map[int]bool{5: true, 4: false} {
		opts.MaxRecords = most
		next, _, err := Update(z, m, opts)
		var why *UpdateError
		switch {
		case fits && (err != nil || next.Len() != 5):
			t.Errorf("%d records: %v", most, err)
		case !fits && (!errors.As(err, &why) || why.Rcode != dns.RcodeRefused || next != z):
			t.Errorf("%d records: %v", most, err)
		}
	}
	opts.MaxRecords = 0
	large := func(octets int) *dns.Message {
		m.Authority = []dns.RR{{Name: origin, Type: 65280, Class: dns.ClassIN, Data: make([]byte, octets)}}
		return m
	}
	if _, _, err := Update(z, large(maxSetOctets-recordHead), opts); err != nil {
		t.Error(err)
	}
	var why *UpdateError
	if _, _, err := Update(z, large(maxSetOctets-recordHead+1), opts); !errors.As(err, &why) || why.Rcode != dns.RcodeRefused {
		t.Error(err)
	}
	// Made by hand, and not what its type wants.
	m.Authority = []dns.RR{{Name: origin, Type: dns.TypeA, Class: dns.ClassIN, Data: []byte{1}}}
	if _, _, err := Update(z, m, opts); !errors.As(err, &why) || why.Rcode != dns.RcodeFormErr {
		t.Error(err)
	}
}

func TestNobodyMayWithoutAPolicy(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head)
	m, opts := updateOf(t, []string{"update add a.example.test. 1 A 192.0.2.1"})
	opts.Allow = nil
	var why *UpdateError
	if next, _, err := Update(z, m, opts); !errors.As(err, &why) || why.Rcode != dns.RcodeRefused || next != z {
		t.Error(err)
	}
	// To ask is free.
	m.Authority = nil
	if _, _, err := Update(z, m, opts); err != nil {
		t.Error(err)
	}
}

func TestUpdateSerials(t *testing.T) {
	t.Parallel()
	for before, want := range map[uint32]uint32{1: 2, 1<<32 - 1: 1, 1<<31 - 1: 1 << 31} {
		z, _ := load(t, fmt.Sprintf("@ SOA ns1 host %d 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n", before))
		next, d := changed(t, z, "update add a.example.test. 1 A 192.0.2.1")
		from, to, ok := d.Serials()
		if next.SOA().Serial != want || NextSerial(before) != want || from != before || to != want || !ok || !SerialAfter(want, before) {
			t.Errorf("%d is followed by %d; the difference is from %d to %d", before, next.SOA().Serial, from, to)
		}
	}
	if _, _, ok := (Difference{}).Serials(); ok {
		t.Error("an empty difference has serials")
	}
}

func TestApplyIsStrict(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head+"a TXT 1\nb CNAME a\n")
	rr := func(text string) []dns.RR { return []dns.RR{rrOf(t, text)} }
	chaos := rr("a TXT 2")
	chaos[0].Class = dns.ClassCH
	meta := []dns.RR{{Name: origin, Type: dns.TypeANY, Class: dns.ClassIN}}
	for what, tt := range map[string]struct {
		d    Difference
		want error
	}{
		"fits":               {Difference{rr("a TXT 1"), rr("a TXT 2"), nil}, nil},
		"another TTL":        {Difference{rr("a 9 TXT 1"), rr("a 5 TXT 1"), nil}, nil},
		"not there":          {Difference{rr("a TXT 2"), nil, nil}, ErrNotThere},
		"there":              {Difference{nil, rr("a TXT 1"), nil}, ErrThere},
		"outside":            {Difference{nil, rr("a.other.test. TXT 1"), nil}, ErrNotInZone},
		"deleted outside":    {Difference{rr("a.other.test. TXT 1"), nil, nil}, ErrNotThere},
		"class":              {Difference{nil, chaos, nil}, errAny},
		"type":               {Difference{nil, meta, nil}, errAny},
		"beside an alias":    {Difference{nil, rr("b TXT 1"), nil}, errAny},
		"an alias beside":    {Difference{nil, rr("a CNAME b"), nil}, errAny},
		"two aliases":        {Difference{nil, rr("b CNAME c"), nil}, errAny},
		"no SOA":             {Difference{rr("@ SOA ns1 host 7 2 3 4 5"), nil, nil}, errAny},
		"no NS":              {Difference{rr("@ NS ns1"), nil, nil}, errAny},
		"two SOAs":           {Difference{nil, rr("@ SOA ns1 host 8 2 3 4 5"), nil}, errAny},
		"an SOA elsewhere":   {Difference{nil, rr("a SOA ns1 host 8 2 3 4 5"), nil}, errAny},
		"a DNAME and a cut":  {Difference{nil, append(rr("d DNAME x"), rr("d NS x")...), nil}, errAny},
		"two DNAMEs":         {Difference{nil, append(rr("d DNAME x"), rr("d DNAME y")...), nil}, errAny},
		"a DNAME at the top": {Difference{nil, rr("@ DNAME x.test."), nil}, nil},
		"NSEC beside":        {Difference{nil, rr("b NSEC c CNAME"), nil}, nil},
	} {
		e := z.Edit()
		err := e.Apply(tt.d)
		if err == nil {
			err = e.Check()
		}
		if tt.want == errAny && err != nil {
			continue
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", what, err, tt.want)
		}
	}
}

var errAny = errors.New("any error")

func TestOverlayOnAnotherZone(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head+"@ NS ns2\na TXT 1\nb TXT 1\n")
	_, d := changed(t, z, "update delete a.example.test. TXT 1", "update add b.example.test. 300 TXT 2", "update delete example.test. NS ns2.example.test.",
		"update add example.test. 300 SOA ns1.example.test. host.example.test. 100 20 30 40 50")
	for what, tt := range map[string]struct{ file, want string }{
		"the same":                   {head + "@ NS ns2\na TXT 1\nb TXT 1\n", "SOA 7 20, NS ns1, b TXT 1 2"},
		"another serial":             {strings.Replace(head, " 7 ", " 9 ", 1) + "@ NS ns2\nb TXT 1\n", "SOA 9 20, NS ns1, b TXT 1 2"},
		"another SOA":                {strings.Replace(head, " 7 2 ", " 9 8 ", 1) + "b TXT 1\n", "SOA 9 8, NS ns1, b TXT 1 2"},
		"the set is gone":            {head, "SOA 7 20, NS ns1, b TXT 2"},
		"there by now":               {head + "b TXT 2\n", "SOA 7 20, NS ns1, b TXT 2"},
		"an alias by now":            {head + "b CNAME a\n", "SOA 7 20, NS ns1"},
		"the last NS is the deleted": {"@ 300 SOA ns1 host 7 2 3 4 5\n@ NS ns2\n", "SOA 7 20, NS ns2, b TXT 2"},
	} {
		base, _ := load(t, tt.file)
		e := base.Edit()
		e.Overlay(d)
		if err := e.Check(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if got := brief(e.Zone()); got != tt.want {
			t.Errorf("%s: %s, want %s", what, got, tt.want)
		}
	}
}

// brief gives the SOA's first two numbers, the name servers and the texts of a zone.
func brief(z *Zone) string {
	out := fmt.Sprintf("SOA %d %d, NS", z.SOA().Serial, z.SOA().Refresh)
	for n := range z.Nodes() {
		if ns, ok := n.RRset(dns.TypeNS); ok {
			for _, data := range ns.Data {
				out += " " + dns.Name(data).Label()
			}
		}
		if txt, ok := n.RRset(dns.TypeTXT); ok {
			out += ", " + n.Name().Label() + " TXT"
			for _, data := range txt.Data {
				out += " " + string(data[1:])
			}
		}
	}
	return out
}

func TestJoin(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head+"a TXT 1\n")
	b, d1 := changed(t, z, "update add b.example.test. 1 TXT 1", "update delete a.example.test.")
	c, d2 := changed(t, b, "update delete b.example.test.", "update add a.example.test. 300 TXT 1", "update add c.example.test. 1 TXT 1")
	d := Join(d1, d2)
	from, to, ok := d.Serials()
	if len(d.Deleted) != 1 || len(d.Added) != 2 || from != 7 || to != 9 || !ok {
		t.Errorf("%v", d)
	}
	if d := Join(d1, Difference{Deleted: d1.Added, Added: d1.Deleted}); len(d.Deleted)+len(d.Added) != 0 {
		t.Errorf("there and back is %v", d)
	}
	if d := Join(); len(d.Deleted)+len(d.Added) != 0 {
		t.Errorf("nothing is %v", d)
	}
	e := z.Edit()
	if err := e.Apply(d); err != nil || !e.Zone().SameContent(c) {
		t.Error("the joined difference leads elsewhere", err)
	}
}

func TestHistoryLimits(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head)
	var all []Difference
	for i := range 4 {
		var d Difference
		z, d = changed(t, z, fmt.Sprintf("update add n%d.example.test. 1 TXT 1", i))
		all = append(all, d)
	}
	records, octets := all[0].Size()
	if records != 3 {
		t.Fatal(records)
	}
	for what, tt := range map[string]struct {
		limits HistoryLimits
		keeps  int
	}{
		"all":              {HistoryLimits{}, 4},
		"steps":            {HistoryLimits{Steps: 4}, 4},
		"one step fewer":   {HistoryLimits{Steps: 3}, 3},
		"records":          {HistoryLimits{Records: 12}, 4},
		"one record fewer": {HistoryLimits{Records: 11}, 3},
		"octets":           {HistoryLimits{Octets: 4 * octets}, 4},
		"one octet fewer":  {HistoryLimits{Octets: 4*octets - 1}, 3},
		"nothing fits":     {HistoryLimits{Records: 2}, 0},
	} {
		var h History
		for _, d := range all {
			before := h.Len()
			was := h
			h = h.With(d, tt.limits)
			if was.Len() != before {
				t.Errorf("%s: the history before has changed", what)
			}
		}
		r, o := h.Size()
		if h.Len() != tt.keeps || r != tt.keeps*records || o != tt.keeps*octets {
			t.Errorf("%s: %d steps, %d records, %d octets", what, h.Len(), r, o)
		}
		for i := range 4 {
			if _, ok := h.Since(uint32(7+i), 11); ok != (4-i <= tt.keeps) {
				t.Errorf("%s: since %d: %v", what, 7+i, ok)
			}
		}
	}
}

func TestHistoryHasNoGaps(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head)
	b, d1 := changed(t, z, "update add a.example.test. 1 TXT 1")
	_, d2 := changed(t, b, "update add b.example.test. 1 TXT 1")
	_, other := changed(t, b.WithSerial(100), "update add b.example.test. 1 TXT 1")
	h := History{}.With(d1, HistoryLimits{})
	if _, ok := h.Since(7, 8); !ok {
		t.Error("no way from 7 to 8")
	}
	for what, pair := range map[string][2]uint32{"a later version": {7, 9}, "an unknown one": {6, 8}, "the newest": {8, 8}} {
		if _, ok := h.Since(pair[0], pair[1]); ok {
			t.Errorf("a way to %s", what)
		}
	}
	if h := h.With(other, HistoryLimits{}); h.Len() != 1 {
		t.Error("a gap is passed over")
	}
	if h := h.With(Difference{Added: d2.Added}, HistoryLimits{}); h.Len() != 0 {
		t.Error("a difference without serials is kept")
	}
	if _, ok := (History{}).Since(0, 0); ok {
		t.Error("a way in an empty history")
	}
}

func TestBetweenLooksAtAllNames(t *testing.T) {
	t.Parallel()
	a, _ := load(t, head+"a TXT 1\nc TXT 1\nd TXT 1\n")
	b, _ := load(t, strings.Replace(head, " 7 ", " 8 ", 1)+"b TXT 1\nc TXT 2\nd TXT 1\ne TXT 1\n")
	for _, pair := range [][2]*Zone{{a, b}, {b, a}, {a, a}} {
		d := Between(pair[0], pair[1])
		e := pair[0].Edit()
		if err := e.Apply(d); err != nil || !e.Zone().SameContent(pair[1]) || e.Zone().SOA() != pair[1].SOA() {
			t.Errorf("%v %v", d, err)
		}
		if pair[0] == pair[1] && len(d.Deleted)+len(d.Added) > 0 {
			t.Errorf("%v between a zone and itself", d)
		}
	}
	if d := Between(a, b); len(d.Deleted) != 3 || len(d.Added) != 4 {
		t.Errorf("%v", d)
	}
}

func TestGrants(t *testing.T) {
	t.Parallel()
	www := nameOf(t, "www")
	for _, tt := range []struct {
		grant Grant
		name  string
		typ   dns.Type
		want  bool
	}{
		{Grant{Name: www}, "WWW", dns.TypeA, true},
		{Grant{Name: www}, "a.www", dns.TypeA, false},
		{Grant{Name: www, Below: true}, "a.www", dns.TypeA, true},
		{Grant{Name: www, Below: true}, "www", dns.TypeA, false},
		{Grant{Name: www, Below: true}, "awww", dns.TypeA, false},
		{Grant{Name: www}, "www", dns.TypeDS, false},
		{Grant{Name: www}, "www", dns.TypeRRSIG, false},
		{Grant{Name: www, Types: []dns.Type{dns.TypeDS}}, "www", dns.TypeDS, true},
		{Grant{Name: www, Types: []dns.Type{dns.TypeDS}}, "www", dns.TypeA, false},
		{Grant{Name: www, Types: []dns.Type{dns.TypeANY}}, "www", dns.TypeSOA, true},
	} {
		if got := (Grants{{}, tt.grant}).Allow(nameOf(t, tt.name), tt.typ); got != tt.want {
			t.Errorf("%+v: %s %s: %v", tt.grant, tt.name, tt.typ, got)
		}
	}
	if (Grants{}).Allow(www, dns.TypeA) {
		t.Error("no grant allows all")
	}
}

// TestBetweenLargeZones: pages that two versions share are passed over, and nothing else is.
func TestBetweenLargeZones(t *testing.T) {
	t.Parallel()
	z, _ := load(t, head+"$GENERATE 1-5000 n$ TXT 1\n")
	for _, stride := range []int{1, 7, 97, 1999, 4999} {
		e := z.Edit()
		changes := 0
		for i := 1; i <= 5000; i += stride {
			changes++
			name := nameOf(t, fmt.Sprintf("n%d", i))
			if i%2 == 0 {
				name = nameOf(t, fmt.Sprintf("m%d", i))
			}
			if err := e.Put(name, RRset{Type: dns.TypeA, TTL: 1, Data: [][]byte{{192, 0, 2, 1}}}); err != nil {
				t.Fatal(err)
			}
			if i%3 == 0 {
				e.deleteSets(nameOf(t, fmt.Sprintf("n%d", i)), dns.TypeTXT)
				changes++
			}
		}
		next := e.Zone()
		d := Between(z, next)
		if n, _ := d.Size(); n != changes {
			t.Errorf("every %dth: %d records, %d changes", stride, n, changes)
		}
		back := z.Edit()
		if err := back.Apply(d); err != nil || !back.Zone().SameContent(next) {
			t.Errorf("every %dth: %v", stride, err)
		}
	}
}
