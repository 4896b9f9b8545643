package console

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/network-utopia/utopia/dns/querylog"
	"github.com/network-utopia/utopia/internal/control"
)

const (
	// trafficEvery is how long each of the intervals is whose rates are shown, and trafficIntervals how many there are.
	trafficEvery     = 5 * time.Second
	trafficIntervals = 120
	// maxZones is how many zones the page lists, and maxBars how many of the most frequent things.
	maxZones = 200
	maxBars  = 12
	// endsSoon is how long before their end signatures and copies of zones are pointed out.
	endsSoon = 3 * 24 * time.Hour
)

// dnsView is what the page about the name server shows.
type dnsView struct {
	Zones   zonesView
	Traffic trafficView
	Asked   querylog.Spec // the filter, as it was given
	Wrong   string        // what is wrong with it
	Rows    []queryRow
	Live    string // the address of the live stream; "" while the filter is wrong
	Here    string // the address of this page
	At      time.Time
	Shown   int // the most rows
}

// zonesView is the table of zones.
type zonesView struct {
	Problem string // why nothing is known
	Zones   []zoneView
	More    int // that are not listed
}

type zoneView struct {
	control.Zone
	Class      string // of its state, as those of services
	StateText  string
	SerialText string
	Signatures *untilView // nil where there are none
	Copy       *untilView // of a secondary zone; nil before it has come
	From       string     // its primaries
	Wrong      []string
}

// untilView is until when something holds.
type untilView struct {
	Until time.Time
	Left  string // until then; "" when it is past
	Soon  bool
}

// trafficView is what was asked and answered.
type trafficView struct {
	Charts     []chartView
	Transports []transportView
	Lists      []listView
}

type transportView struct {
	Name, Answered, Truncated, DNSSEC, Received, Sent string
}

// listView is the most frequent of something.
type listView struct {
	Title string
	Bars  []barView
}

type barView struct {
	Name, Count, Share string
	Width              int // of 100
}

// dns shows the name server.
func (s *Service) dns(r *http.Request) (string, any, error) {
	asked := specOf(r)
	view := dnsView{
		Zones: s.zonesView(r.Context()), Traffic: s.trafficView(), Asked: asked, Here: withSpec("/dns", asked),
		At: time.Now(), Shown: s.opts.Rows,
	}
	if filter, wrong := filterOf(asked); wrong != "" {
		view.Wrong = wrong
	} else {
		view.Live, view.Rows = withSpec("/dns/live", asked), newQuerySource(s, filter).rows()
	}
	return "DNS", view, nil
}

// filterOf reads a filter, or says what is wrong with it.
func filterOf(s querylog.Spec) (f querylog.Filter, wrong string) {
	f, err := querylog.NewFilter(s)
	if err != nil {
		return f, err.Error()
	}
	return f, ""
}

// specOf gives the filter that an address has.
func specOf(r *http.Request) querylog.Spec {
	q := r.URL.Query()
	return querylog.Spec{Name: q.Get("name"), Type: q.Get("type"), Code: q.Get("code"), Client: q.Get("client"), Transport: q.Get("transport")}
}

// withSpec gives a page's address with a filter.
func withSpec(path string, s querylog.Spec) string {
	q := url.Values{}
	for name, value := range map[string]string{"name": s.Name, "type": s.Type, "code": s.Code, "client": s.Client, "transport": s.Transport} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// zonesPart tells a page that is open how the zones are by now.
func (s *Service) zonesPart(w http.ResponseWriter, r *http.Request) {
	send(w, http.StatusOK, s.site.render("zones", s.zonesView(r.Context())))
}

// trafficPart does so for what is asked.
func (s *Service) trafficPart(w http.ResponseWriter, _ *http.Request) {
	send(w, http.StatusOK, s.site.render("traffic", s.trafficView()))
}

func (s *Service) zonesView(ctx context.Context) (view zonesView) {
	zones, err := s.opts.Names.Zones(ctx)
	if err != nil {
		return zonesView{Problem: err.Error()}
	}
	view.More = max(0, len(zones)-maxZones)
	for _, z := range zones[:len(zones)-view.More] {
		view.Zones = append(view.Zones, newZoneView(z, time.Now()))
	}
	return view
}

func newZoneView(z control.Zone, now time.Time) zoneView {
	view := zoneView{Zone: z, Class: "up", StateText: "served", SerialText: "–", From: strings.Join(z.Primaries, ", ")}
	switch {
	case z.State == "missing" && z.Role == "secondary":
		view.Class, view.StateText = "failed", "not served: no copy of it is here"
		if !z.Expires.IsZero() {
			view.StateText = "not served: its copy has run out"
		}
	case z.State == "missing":
		view.Class, view.StateText = "failed", "not served"
	case z.State == "kept":
		view.Class, view.StateText = "starting", "served as it was before"
	case z.Failure != "":
		view.Class, view.StateText = "starting", "served; its primaries do not answer"
	}
	if z.State != "missing" {
		view.SerialText = strconv.FormatUint(uint64(z.Serial), 10)
	}
	view.Signatures, view.Copy = newUntil(z.SignedUntil, now), newUntil(z.Expires, now)
	view.Wrong = slices.Concat(z.Problems, z.Warnings)
	if z.Failure != "" {
		view.Wrong = append(view.Wrong, fmt.Sprintf("last asked at %s: %s", moment(z.Tried), z.Failure))
	}
	return view
}

func newUntil(at, now time.Time) *untilView {
	if at.IsZero() {
		return nil
	}
	v := &untilView{Until: at, Soon: at.Sub(now) < endsSoon}
	if left := at.Sub(now); left > 0 {
		v.Left = span(left)
	}
	return v
}

// sample keeps how fast what is counted grows, until ctx ends.
func (s *Service) sample(ctx context.Context) {
	ticker := time.NewTicker(trafficEvery)
	defer ticker.Stop()
	for {
		codes, transports := sums(s.opts.Names.Traffic())
		totals := map[string]uint64{}
		for name, n := range codes {
			totals[ofCode+name] = n
		}
		for name, n := range transports {
			totals[ofTransport+name] = n
		}
		s.traffic.Add(time.Now(), totals)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// The beginnings of the names of what is kept.
const (
	ofCode      = "code "
	ofTransport = "transport "
)

// sums adds up what was answered, by code and by transport.
func sums(t control.Traffic) (codes, transports map[string]uint64) {
	codes, transports = map[string]uint64{}, map[string]uint64{}
	for _, one := range t.Transports {
		for code, n := range one.Codes {
			codes[code] += n
			transports[one.Transport] += n
		}
	}
	return codes, transports
}

func (s *Service) trafficView() trafficView {
	t := s.opts.Names.Traffic()
	times, rates := s.traffic.Series()
	codes, transports := sums(t)
	view := trafficView{Charts: []chartView{
		newChart("By response code", times, pick(rates, ofCode), []string{"NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED"}),
		newChart("By transport", times, pick(rates, ofTransport), querylog.Transports()),
	}}
	types, zones := map[string]uint64{}, map[string]uint64{}
	for _, one := range t.Transports {
		for name, n := range one.Types {
			types[name] += n
		}
		for name, n := range one.Opcodes {
			types[name] += n
		}
		view.Transports = append(view.Transports, transportView{
			Name: one.Transport, Answered: count(transports[one.Transport]), Truncated: count(one.Truncated),
			DNSSEC: count(one.DNSSEC), Received: count(one.Received), Sent: count(one.Sent),
		})
	}
	for _, z := range t.Zones {
		zones[cmp.Or(z.Zone, "none of ours")] += z.Queries
	}
	for _, list := range []listView{
		{"Types", bars(types)}, {"Response codes", bars(codes)}, {"Zones", bars(zones)}, {"Kept back by limits", bars(t.Refused)},
	} {
		if len(list.Bars) > 0 {
			view.Lists = append(view.Lists, list)
		}
	}
	return view
}

// pick gives what has a prefix, without it.
func pick(rates map[string][]float64, prefix string) map[string][]float64 {
	picked := map[string][]float64{}
	for name, values := range rates {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			picked[rest] = values
		}
	}
	return picked
}

// bars gives the most frequent of what was counted, the most first; the rest together.
func bars(counts map[string]uint64) (list []barView) {
	sum := uint64(0)
	for _, n := range counts {
		sum += n
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	bar := func(name string, n uint64) {
		if n > 0 {
			share := float64(n) / float64(sum) * 100
			list = append(list, barView{name, count(n), strconv.FormatFloat(share, 'f', 1, 64) + " %", int(share + 0.5)})
		}
	}
	rest := uint64(0)
	for i, name := range names {
		if i < maxBars || len(names) == maxBars+1 {
			bar(name, counts[name])
		} else {
			rest += counts[name]
		}
	}
	bar("all others", rest)
	return list
}

// dnsLive streams the queries that fit a filter.
func (s *Service) dnsLive(w http.ResponseWriter, r *http.Request) {
	filter, wrong := filterOf(specOf(r))
	if wrong != "" {
		http.Error(w, wrong, http.StatusBadRequest)
		return
	}
	s.stream(w, r, newQuerySource(s, filter))
}
