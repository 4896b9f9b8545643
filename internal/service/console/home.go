package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/transcript"
)

// homeView is what the first page shows.
type homeView struct {
	Services servicesView
	Service  string // the exchanges of this one alone are shown; "" for all
	Filters  []filterView
	Rows     []rowView
	Live     string // the address of the live stream
	Here     string // the address of this page
	At       time.Time
	Shown    int // the most rows
	PerSec   int // the most rows a second
}

type filterView struct {
	Name, URL string
	Current   bool
}

// servicesView is the table of services, with what is to be said about the instance.
type servicesView struct {
	Problem  string // why nothing is known
	Warnings []string
	Services []serviceView
	Started  time.Time
	Poll     string // the address that tells of changes
	Swap     bool   // it takes the place of the one that a page has
}

type serviceView struct {
	Index       int
	Name, URL   string // URL is the list of its exchanges; "" where they are neither recorded nor counted
	State       string
	Since       time.Time
	Error, Hint string
	Endpoints   []endpointView
	Rate, Total string
}

type endpointView struct {
	Protocol, Networks, Address string
	URL                         string // of what a browser can open
}

// home shows the services and the exchanges.
func (s *Service) home(r *http.Request) (string, any, error) {
	service := r.URL.Query().Get("service")
	view := homeView{
		Services: s.servicesView(r.Context()), Service: service, Shown: s.opts.Rows, PerSec: s.opts.RowsPerSecond,
		Live: withService("/live", service), Here: withService("/", service), At: time.Now(),
	}
	records := s.recent(service)
	for _, record := range records {
		view.Rows = append(view.Rows, newRow(record))
	}
	view.Filters = filters(service, view.Services.Services, records)
	return "Overview", view, nil
}

// recent returns the newest exchanges of a service, or of all.
func (s *Service) recent(service string) []transcript.Record {
	if service == "" {
		return s.opts.Ring.Recent(s.opts.Rows)
	}
	return s.opts.Ring.Recent(s.opts.Rows, service)
}

func withService(path, service string) string {
	if service == "" {
		return path
	}
	return path + "?" + url.Values{"service": {service}}.Encode()
}

// filters lists all services whose exchanges are recorded, or are there.
func filters(current string, services []serviceView, records []transcript.Record) []filterView {
	var names []string
	for _, service := range services {
		if service.URL != "" {
			names = append(names, service.Name)
		}
	}
	for _, record := range records {
		names = append(names, record.Service)
	}
	if current != "" {
		names = append(names, current)
	}
	slices.Sort(names)
	all := []filterView{{Name: "all", URL: "/", Current: current == ""}}
	for _, name := range slices.Compact(names) {
		all = append(all, filterView{Name: name, URL: withService("/", name), Current: name == current})
	}
	return all
}

// servicesPart tells a page that is open of what has changed: of new figures alone, so that what else stands in the
// table can be selected in peace, or of the whole table where more than that has changed.
func (s *Service) servicesPart(w http.ResponseWriter, r *http.Request) {
	view := s.servicesView(r.Context())
	if known, err := url.Parse(view.Poll); err == nil && known.RawQuery == r.URL.RawQuery {
		send(w, http.StatusOK, s.site.render("figures", view))
		return
	}
	view.Swap = true
	send(w, http.StatusOK, s.site.render("services", view))
}

func (s *Service) servicesView(ctx context.Context) servicesView {
	status, err := s.opts.Status(ctx)
	if err != nil {
		return servicesView{Problem: err.Error(), Poll: "/parts/services"}
	}
	view := servicesView{Warnings: status.Warnings, Started: status.Started}
	for i, service := range status.Services {
		view.Services = append(view.Services, newServiceView(i, service))
	}
	view.Poll = "/parts/services?known=" + fingerprint(status)
	return view
}

// fingerprint stands for all that the table shows besides the figures.
func fingerprint(status control.Status) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%q", status.Warnings)
	for _, s := range status.Services {
		fmt.Fprintf(&b, "%q %q %q %q %q %v", s.Name, s.State, s.Error, s.Hint, s.Endpoints, s.Since)
	}
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:8])
}

func newServiceView(i int, s control.Service) serviceView {
	view := serviceView{
		Index: i, Name: s.Name, State: s.State, Since: s.Since, Error: s.Error, Hint: s.Hint,
		Endpoints: endpointViews(s.Endpoints), Rate: rate(s.Rate), Total: count(s.Total),
	}
	if s.Traced {
		view.URL = withService("/", s.Name) + "#exchanges"
	}
	return view
}

// endpointViews puts together what differs in the network alone.
func endpointViews(endpoints []control.Endpoint) []endpointView {
	var views []endpointView
	for _, e := range endpoints {
		same := func(v endpointView) bool { return v.Protocol == e.Protocol && v.Address == e.Address }
		if i := slices.IndexFunc(views, same); i >= 0 {
			views[i].Networks += ", " + strings.ToUpper(e.Network)
			continue
		}
		views = append(views, endpointView{
			Protocol: e.Protocol, Networks: strings.ToUpper(e.Network), Address: e.Address, URL: webURL(e),
		})
	}
	return views
}

// webURL returns where a browser finds the endpoint; "" where it speaks something else.
func webURL(e control.Endpoint) string {
	scheme := strings.ToLower(e.Protocol)
	if scheme != "http" && scheme != "https" {
		return ""
	}
	address, err := netip.ParseAddrPort(e.Address)
	if err != nil {
		return ""
	}
	if address.Addr().IsUnspecified() {
		loopback := netip.IPv6Loopback()
		if address.Addr().Is4() {
			loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
		address = netip.AddrPortFrom(loopback, address.Port())
	}
	return scheme + "://" + address.String() + "/"
}
