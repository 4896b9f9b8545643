package console

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/querylog"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/state/observe"
	"github.com/network-utopia/utopia/transcript"
)

// nameServer is a Names that tells what it holds.
type nameServer struct {
	mu      sync.Mutex
	zones   []control.Zone
	failing error
	traffic control.Traffic
}

func (n *nameServer) Zones(context.Context) ([]control.Zone, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.zones, n.failing
}

func (n *nameServer) Traffic() control.Traffic {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.traffic
	t.Transports = slices.Clone(t.Transports) // change may set what is in it
	return t
}

func (n *nameServer) change(f func(*nameServer)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(n)
}

// at is when the samples were made.
var at = time.Date(2026, 11, 22, 12, 34, 56, 789e6, time.UTC)

func sampleNames() *nameServer {
	return &nameServer{
		zones: []control.Zone{
			{Name: "networkutopia.test.", Role: "domain", State: "served", Serial: 1795757179, Records: 11, Signed: true, Denial: "NSEC",
				SignedUntil: at.Add(12 * 24 * time.Hour), Resign: at.Add(6 * 24 * time.Hour)},
			{Name: "broken.test.", Role: "primary", State: "kept", Serial: 7, Records: 3, Problems: []string{"broken.zone:5:5: no record type"}, Warnings: []string{"odd"}},
			{Name: "copy.test.", Role: "secondary", State: "served", Serial: 9, Records: 4, Primaries: []string{"192.0.2.53:53", "192.0.2.54:53"},
				Refreshed: at.Add(-time.Hour), Transferred: at.Add(-2 * time.Hour), Expires: at.Add(23 * time.Hour), Tried: at, Failure: "192.0.2.53:53: unreachable"},
			{Name: "gone.test.", Role: "secondary", State: "missing", Primaries: []string{"192.0.2.53:53"}},
		},
		traffic: control.Traffic{
			Transports: []control.TransportTraffic{
				{Transport: "udp", Codes: map[string]uint64{"NOERROR": 3000, "NXDOMAIN": 1000}, Types: map[string]uint64{"A": 3000, "AAAA": 900},
					Opcodes: map[string]uint64{"NOTIFY": 100}, Truncated: 12, DNSSEC: 34, Received: 123456, Sent: 654321},
				{Transport: "tcp", Codes: map[string]uint64{"NOERROR": 5}, Types: map[string]uint64{"SOA": 5}},
			},
			Zones:   []control.ZoneTraffic{{Queries: 5}, {Zone: "networkutopia.test.", Queries: 4000}},
			Refused: map[string]uint64{"rate-limit": 77, "connections": 0},
		},
	}
}

func withNames(n *nameServer) func(*Options) { return func(o *Options) { o.Names = n } }

// asked records a query and its answer as the name server does.
func (f *fixture) asked(network, name string, typ dns.Type, code dns.Rcode) transcript.ID {
	f.t.Helper()
	q := dns.NewQuery(7, dns.MustParseName(name), typ)
	x := f.recorder.Begin(context.Background(), "dns", network, local8053, remote1)
	f.message(x, transcript.Received, q)
	f.message(x, transcript.Sent, q.Reply(code))
	x.End()
	return x.Head().ID
}

func (f *fixture) message(x *transcript.Exchange, d transcript.Direction, m *dns.Message) {
	f.t.Helper()
	wire, err := m.Append(nil, 0)
	if err != nil {
		f.t.Fatal(err)
	}
	line, fields := querylog.Describe(wire)
	x.Described(d, wire, line, fields)
}

func TestDNSPage(t *testing.T) {
	t.Parallel()
	f := start(t, withNames(sampleNames())).enter()
	id := f.asked("udp", "www.networkutopia.test.", dns.TypeA, dns.RcodeSuccess)
	f.asked("tcp", "no.networkutopia.test.", dns.TypeMX, dns.RcodeNXDomain)
	f.say("web", "GET /", "200 OK")
	elements, text := parse(t, f.get("/dns").body)
	for _, want := range []string{
		"networkutopia.test. domain", "served", "1795757179", "NSEC until", "renewed from",
		"served as it was before", "broken.zone:5:5: no record type", "odd",
		"served; its primaries do not answer", "192.0.2.53:53: unreachable", "from 192.0.2.53:53, 192.0.2.54:53", "up to date at", "came at",
		"not served: no copy of it is here", "none yet",
		"4\u202f000", "123\u202f456", "Truncated", "NOTIFY", "none of ours", "rate-limit", "77",
		"A www.networkutopia.test.", "MX no.networkutopia.test.", "NXDOMAIN", "127.0.0.1:40001 tcp", "0/0/0",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(text, "GET /") {
		t.Error("the page shows what is not the name server's")
	}
	if strings.Index(text, "MX no.networkutopia.test.") > strings.Index(text, "A www.networkutopia.test.") {
		t.Error("the newest query is not first")
	}
	for _, want := range []string{"/exchanges/" + id.String(), "/dns?name=networkutopia.test.#queries", "/dns"} {
		if !slices.ContainsFunc(named(elements, "a"), func(e element) bool { return e.attrs["href"] == want }) {
			t.Errorf("there is no link to %s", want)
		}
	}
	if page := f.get("/"); !strings.Contains(page.body, `<a href="/dns">DNS</a>`) {
		t.Error("the navigation lacks the page")
	}
}

func TestNoDNSPage(t *testing.T) {
	t.Parallel()
	f := start(t).enter()
	for _, path := range []string{"/dns", "/dns/live", "/parts/zones", "/parts/traffic"} {
		if r := f.get(path); r.status != 404 {
			t.Errorf("%s without a name server: %d", path, r.status)
		}
	}
	if strings.Contains(f.get("/").body, "/dns") {
		t.Error("the navigation has the page")
	}
	without := start(t, withNames(sampleNames())) // nobody is in
	for _, path := range []string{"/dns", "/dns/live", "/parts/zones", "/parts/traffic"} {
		if r := without.get(path); r.status != 303 {
			t.Errorf("%s without a session: %d", path, r.status)
		}
	}
}

func TestDNSPageOfNoNameServer(t *testing.T) {
	t.Parallel()
	n := &nameServer{failing: errors.New("the name server is switched off")}
	f := start(t, withNames(n)).enter()
	if _, text := parse(t, f.get("/dns").body); !strings.Contains(text, "The zones could not be asked for: the name server is switched off") || !strings.Contains(text, "nothing was answered") {
		t.Errorf("%s", text)
	}
}

func TestDNSFilter(t *testing.T) {
	t.Parallel()
	f := start(t, withNames(sampleNames())).enter()
	f.asked("udp", "www.networkutopia.test.", dns.TypeA, dns.RcodeSuccess)
	f.asked("tcp", "no.networkutopia.test.", dns.TypeMX, dns.RcodeNXDomain)
	for query, want := range map[string]string{
		"":                                  "www no",
		"type=MX":                           "no",
		"code=NOERROR&transport=udp":        "www",
		"name=www.networkutopia.test":       "www",
		"client=192.0.2.1":                  "",
		"client=127.0.0.0/8&name=.&type=,,": "www no",
	} {
		elements, text := parse(t, f.get("/dns?"+query).body)
		var got []string
		for _, host := range []string{"www", "no"} {
			if strings.Contains(text, " "+host+".networkutopia.test.") {
				got = append(got, host)
			}
		}
		if strings.Join(got, " ") != want || !strings.Contains(text, "No query that fits is kept") /* which CSS shows where there are no rows */ {
			t.Errorf("%s: %v, want %s", query, got, want)
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		live := slices.IndexFunc(elements, func(e element) bool { return e.attrs["data-live"] != "" })
		if live < 0 {
			t.Fatalf("%s: no live stream", query)
		}
		if u, err := url.Parse(elements[live].attrs["data-live"]); err != nil || u.Path != "/dns/live" || !maps.EqualFunc(u.Query(), values, slices.Equal) {
			t.Errorf("%s: the live stream is %s (%v)", query, u, err)
		}
		for _, e := range named(elements, "input") {
			if e.attrs["value"] != values.Get(e.attrs["name"]) {
				t.Errorf("%s: the form has forgotten %v", query, e.attrs)
			}
		}
	}
	page := f.get("/dns?type=" + url.QueryEscape("<script>"))
	elements, text := parse(t, page.body)
	if page.status != 200 || !strings.Contains(text, `The filter cannot be read: type "<script>"`) || strings.Contains(page.body, "<script>") {
		t.Errorf("a filter that cannot be read: %d %s", page.status, text)
	}
	if slices.ContainsFunc(elements, func(e element) bool { return e.attrs["data-live"] != "" }) {
		t.Error("it has a live stream")
	}
	if r := f.get("/dns/live?type=NOSUCH"); r.status != 400 || !strings.Contains(r.body, `type "NOSUCH"`) {
		t.Errorf("the stream of a filter that cannot be read: %d %s", r.status, r.body)
	}
}

// TestHostileQueries has names and zones that would be HTML.
func TestHostileQueries(t *testing.T) {
	t.Parallel()
	n := &nameServer{zones: []control.Zone{{
		Name: hostile, Role: "secondary", State: "kept", Denial: hostile, Primaries: []string{hostile}, Problems: []string{hostile}, Warnings: []string{hostile},
		Failure: hostile, SignedUntil: at, Expires: at, Refreshed: at, Tried: at,
	}}, traffic: control.Traffic{
		Transports: []control.TransportTraffic{{Transport: hostile, Codes: map[string]uint64{hostile: 1}, Types: map[string]uint64{hostile: 1}}},
		Zones:      []control.ZoneTraffic{{Zone: hostile, Queries: 1}}, Refused: map[string]uint64{hostile: 1},
	}}
	f := start(t, withNames(n)).enter()
	for i := range 3 {
		f.traffic.Add(at.Add(time.Duration(i)*time.Second), map[string]uint64{ofCode + hostile: uint64(i), ofTransport + hostile: uint64(i)})
	}
	live := f.follow("/dns/live")
	live.next("all")
	name := dns.Name("\x1d<script>alert(1)</script>\x1b[2J")
	name = dns.Name(string([]byte{byte(len(name) - 1)})+string(name[1:])) + "\x05\"'\n\r\x00\x00"
	q := dns.NewQuery(7, name, dns.TypeA)
	x := f.recorder.Begin(t.Context(), "dns", hostile, local8053, remote1)
	f.message(x, transcript.Received, q)
	f.message(x, transcript.Sent, q.Reply(dns.RcodeSuccess))
	x.End()
	pages := map[string]string{"rows": "<table>" + live.next("rows") + "</table>"}
	for _, path := range []string{"/dns", "/dns?" + url.Values{"name": {hostile}, "client": {hostile}}.Encode(), "/parts/zones", "/parts/traffic"} {
		pages[path] = f.get(path).body
	}
	for path, page := range pages {
		elements, _ := parse(t, page)
		for _, e := range elements {
			for name, value := range e.attrs {
				if strings.HasPrefix(name, "on") || strings.HasPrefix(value, "javascript:") {
					t.Errorf("%s: an attribute came through: %v", path, e)
				}
			}
		}
		if strings.Contains(page, "<script>") || strings.Contains(page, "<img src=x") || strings.ContainsAny(page, "\x1b\r\x00") {
			t.Errorf("%s: text came through unescaped:\n%q", path, page)
		}
	}
	if !strings.Contains(pages["rows"], "&lt;script&gt;") {
		t.Errorf("the row lacks the name: %s", pages["rows"])
	}
}

func TestDNSPageIsSound(t *testing.T) {
	t.Parallel()
	f := start(t, withNames(sampleNames())).enter()
	f.asked("udp", "www.networkutopia.test.", dns.TypeA, dns.RcodeSuccess)
	elements, _ := parse(t, f.get("/dns").body)
	ids, labels := map[string]bool{}, map[string]bool{}
	for _, label := range named(elements, "label") {
		labels[label.attrs["for"]] = true
	}
	for _, e := range elements {
		if id := e.attrs["id"]; id != "" && ids[id] {
			t.Errorf("the id %s stands twice", id)
		}
		ids[e.attrs["id"]] = true
		switch {
		case e.attrs["style"] != "" || e.name == "style" || e.name == "script" && e.attrs["src"] == "":
			t.Errorf("inline: %v", e)
		case e.name == "input" && !labels[e.attrs["id"]]:
			t.Errorf("an input without a label: %v", e)
		case e.name == "svg" && e.attrs["aria-hidden"] == "" && (e.attrs["role"] != "img" || e.attrs["aria-label"] == ""):
			t.Errorf("a picture without words: %v", e)
		case e.name == "form" && e.attrs["action"] != "/logout" && (e.attrs["method"] != "get" || e.attrs["action"] != "/dns#queries"):
			t.Errorf("a form that is not sent: %v", e)
		case e.name == "button" && e.attrs["type"] == "button" && e.attrs["hidden"] == "" && e.attrs["data-pause"] == "":
			t.Errorf("a button that does nothing without JavaScript is shown: %v", e)
		}
	}
	if n := len(named(elements, "table")); n != len(named(elements, "caption")) || n != len(named(elements, "thead")) || n < 5 {
		t.Errorf("%d tables, not all with a caption and a head", n)
	}
}

func TestManyZones(t *testing.T) {
	t.Parallel()
	n := sampleNames()
	f := start(t, withNames(n)).enter()
	fill := func(count int) string {
		n.change(func(n *nameServer) {
			n.zones = nil
			for i := range count {
				n.zones = append(n.zones, control.Zone{Name: fmt.Sprint("z", i, "."), State: "served"})
			}
		})
		return f.get("/parts/zones").body
	}
	if page := fill(maxZones); !strings.Contains(page, fmt.Sprint(">z", maxZones-1, ".<")) || strings.Contains(page, "more:") {
		t.Error("as many as are listed")
	}
	if page := fill(maxZones + 2); strings.Contains(page, fmt.Sprint(">z", maxZones, ".<")) || !strings.Contains(page, "And 2 more:") {
		t.Error("more than are listed")
	}
}

func TestZoneViews(t *testing.T) {
	t.Parallel()
	hours := func(n int) time.Time { return at.Add(time.Duration(n) * time.Hour) }
	for want, z := range map[string]control.Zone{
		"up served":                                            {State: "served"},
		"failed not served":                                    {State: "missing", Role: "primary"},
		"starting served as it was before":                     {State: "kept"},
		"starting served; its primaries do not answer":         {State: "served", Role: "secondary", Failure: "x"},
		"failed not served: no copy of it is here":             {State: "missing", Role: "secondary"},
		"failed not served: its copy has run out | copy: past": {State: "missing", Role: "secondary", Expires: hours(-1)},
		"up served | signatures 13 days":                       {State: "served", SignedUntil: hours(13 * 24)},
		"up served | signatures 71 h soon":                     {State: "served", SignedUntil: hours(71)},
		"up served | copy: 23 h soon":                          {State: "served", Role: "secondary", Expires: hours(23)},
	} {
		view := newZoneView(z, at)
		got := view.Class + " " + view.StateText
		for name, until := range map[string]*untilView{"signatures": view.Signatures, "copy:": view.Copy} {
			if until == nil {
				continue
			}
			left := until.Left
			if left == "2 days 23 h" {
				left = "71 h"
			}
			got += " | " + name + " " + left
			if left == "" {
				got = strings.TrimSuffix(got, " ") + " past"
			} else if until.Soon {
				got += " soon"
			}
		}
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestBars(t *testing.T) {
	t.Parallel()
	counts := map[string]uint64{"nothing": 0}
	for i := range maxBars + 1 {
		counts[fmt.Sprintf("%02d", i)] = uint64(100 - i)
	}
	if got := bars(counts); len(got) != maxBars+1 || got[0].Name != "00" || got[maxBars].Name != "all others" || got[maxBars].Count != "88" {
		t.Errorf("%v", got)
	}
	delete(counts, "nothing")
	if got := bars(counts); len(got) != maxBars+1 || got[maxBars].Name != "12" {
		t.Errorf("one that would stand alone for others: %v", got)
	}
	if got := bars(map[string]uint64{"a": 1, "b": 2}); fmt.Sprint(got) != "[{b 2 66.7 % 67} {a 1 33.3 % 33}]" {
		t.Errorf("%v", got)
	}
	if got := bars(map[string]uint64{"a": 0}); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

// TestSample follows a rate that is kept while the console runs.
func TestSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := sampleNames()
		s := &Service{opts: Options{Names: n}, traffic: observe.NewHistory(trafficIntervals)}
		ctx, cancel := context.WithCancel(t.Context())
		s.serving.Go(func() { s.sample(ctx) })
		synctest.Wait()
		n.change(func(n *nameServer) {
			n.traffic = control.Traffic{Transports: []control.TransportTraffic{{Transport: "udp", Codes: map[string]uint64{"NOERROR": 3100, "NXDOMAIN": 1000}}}}
		})
		time.Sleep(trafficEvery)
		synctest.Wait()
		_, rates := s.traffic.Series()
		for name, want := range map[string]float64{"code NOERROR": 19, "code NXDOMAIN": 0, "transport udp": 20} {
			if got := rates[name]; len(got) != 1 || got[0] != want {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
		cancel()
		s.serving.Wait()
	})
}

func TestQueryRows(t *testing.T) {
	t.Parallel()
	q := querylog.Query{Exchange: 3, Name: strings.Repeat("x", 200), Type: "A", Class: "IN", Opcode: "QUERY", Code: "REFUSED", Took: 1500, Sent: 1234, Client: netip.MustParseAddrPort("192.0.2.7:5")}
	row := newQueryRow("3-0", q)
	if len([]rune(row.Name)) != maxLine || row.Class != "failed" || row.Took != "1.50 ms" || row.Size != "1\u202f234" || row.Kind != "A" {
		t.Errorf("%+v", row)
	}
	q.Code, q.Note, q.Limited = "", "not answered", true
	if row := newQueryRow("3-0", q); row.Outcome != "none" || row.Marks != "limited not answered" || row.Took != "" || row.Counts != "" {
		t.Errorf("%+v", row)
	}
	if row := newQueryRow("3-0", querylog.Query{Malformed: "malformed message", Code: "FORMERR"}); row.Name != "malformed message" || row.Kind != "" {
		t.Errorf("%+v", row)
	}
	if row := newQueryRow("3-0", querylog.Query{Code: "FORMERR"}); row.Name != "(no question)" {
		t.Errorf("%+v", row)
	}
}
