package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/config"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/service/dnssvc"
)

// Running is what a check asks of the instance.
type Running interface {
	Status(ctx context.Context, check bool) (control.Status, error)
	Zones(ctx context.Context) ([]control.Zone, error)
}

// AskAt asks a name server at an endpoint.
type AskAt func(ctx context.Context, at control.Endpoint, name dns.Name, t dns.Type) (*dns.Message, error)

// CheckZones looks at the zone named, or at all zones of a folder: whether their files can be served, whether the running
// instance serves them as they stand there, and whether each of its addresses answers so.
func CheckZones(ctx context.Context, dir, zone string, in Running, ask AskAt) ([]Check, error) {
	cfg, err := loadFile(filepath.Join(dir, config.FileName))
	if err != nil {
		return nil, err
	}
	opts, err := dnsOptions(cfg)
	if err != nil {
		return nil, err
	}
	zones, err := dnssvc.Inspect(opts)
	if err != nil {
		return nil, err
	}
	c := zoneCheck{ctx: ctx, in: in, ask: ask, short: names{dir: cfg.Dir()}.short}
	c.enquire(cfg.DNS.Enabled)
	zones = append(zones, c.reverse...)
	if zone != "" {
		zones = slices.DeleteFunc(zones, func(z control.Zone) bool { return !sameName(z.Name, zone) })
		if len(zones) == 0 {
			return nil, &control.Error{Kind: control.NotFound, Message: "there is no zone " + zone + " here", Hint: "utopia dns show lists the zones"}
		}
	}
	for _, z := range zones {
		c.file(z)
		c.served(z)
	}
	return c.checks, nil
}

func sameName(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// CheckZoneFile looks at a file alone, as the file of a zone: where that is the domain, Utopia's own records are added to
// it, as they are when it is served. Without a zone, it is that whose file it is in the settings.
func CheckZoneFile(dir, zone, file string) ([]Check, error) {
	cfg, err := loadFile(filepath.Join(dir, config.FileName))
	if err != nil && zone == "" {
		return nil, fmt.Errorf("%w\nhint: --zone says which zone the file is for", err)
	}
	if zone == "" {
		if zone = zoneOfFile(cfg, file); zone == "" {
			return nil, fmt.Errorf("%s is the file of no zone in %s\nhint: --zone says which zone it is for", file, config.FileName)
		}
	}
	c := zoneCheck{short: func(path string) string { return path }}
	if err == nil && sameName(zone, cfg.Domain) {
		opts, err := dnsOptions(cfg)
		if err != nil {
			return nil, err
		}
		opts.ZoneFiles, opts.Zones = []string{file}, nil
		zones, err := dnssvc.Inspect(opts)
		if err != nil {
			return nil, err
		}
		c.file(zones[0])
		return c.checks, nil
	}
	z, err := dnssvc.InspectFile(dnssvc.Zone{Name: zone, File: file})
	if err != nil {
		return nil, err
	}
	c.file(z)
	return c.checks, nil
}

// ZoneOfFile gives the zone that a file belongs to in the settings of a folder, "" when it belongs to none.
func ZoneOfFile(dir, file string) string {
	cfg, err := loadFile(filepath.Join(dir, config.FileName))
	if err != nil {
		return ""
	}
	return zoneOfFile(cfg, file)
}

// zoneOfFile gives the zone whose file it is, "" when there is none.
func zoneOfFile(cfg *config.Config, file string) string {
	file, err := filepath.Abs(file)
	if err != nil {
		return ""
	}
	if cfg.DNS.ZoneFile != "" && cfg.Resolve(cfg.DNS.ZoneFile) == file {
		return cfg.Domain
	}
	for _, z := range cfg.DNS.Zones {
		if z.File != "" && cfg.Resolve(z.File) == file {
			return z.Name
		}
	}
	return ""
}

// zoneCheck is the check of several zones.
type zoneCheck struct {
	ctx    context.Context
	in     Running
	ask    AskAt
	short  func(path string) string
	checks []Check

	zones     map[string]control.Zone // of the instance, by name
	reverse   []control.Zone          // those of addresses: they come of the others, and of updates
	endpoints []control.Endpoint
	unknown   Check // why nothing is known of the instance
}

func (c *zoneCheck) add(zone, what string, o Outcome, text, hint string) {
	c.checks = append(c.checks, Check{zone, what, o, text, hint})
}

// enquire asks the instance what it serves.
func (c *zoneCheck) enquire(enabled bool) {
	zones, err := c.in.Zones(c.ctx)
	switch {
	case !enabled:
		c.unknown = Check{Outcome: OutcomeDoesNotApply, Text: "the name server is switched off"}
	case errors.Is(err, control.ErrNotRunning), errors.Is(err, fs.ErrNotExist):
		c.unknown = Check{Outcome: OutcomeDoesNotApply, Text: "utopia is not running here"}
	case err != nil:
		c.unknown = Check{Outcome: OutcomeCouldNotTell, Text: err.Error()}
	}
	if c.unknown.Outcome != "" {
		return
	}
	c.zones = map[string]control.Zone{}
	for _, z := range zones {
		if c.zones[z.Name] = z; z.Role == "reverse" {
			c.reverse = append(c.reverse, z)
		}
	}
	status, err := c.in.Status(c.ctx, false)
	if err != nil {
		c.unknown = Check{Outcome: OutcomeCouldNotTell, Text: err.Error()}
		return
	}
	for _, service := range status.Services {
		if service.Name == dnsName {
			c.endpoints = service.Endpoints
		}
	}
}

// file tells what the files of a zone come to.
func (c *zoneCheck) file(z control.Zone) {
	switch z.Role {
	case "secondary":
		c.add(z.Name, "file", OutcomeDoesNotApply, "it is fetched from its primaries", "")
		return
	case "reverse":
		c.add(z.Name, "file", OutcomeDoesNotApply, "it follows from the domain's addresses", "")
		return
	}
	for _, w := range z.Warnings {
		c.add(z.Name, "file", OutcomeOK, c.short(w), "")
	}
	if len(z.Problems) > 0 {
		for _, p := range z.Problems {
			c.add(z.Name, "file", OutcomeWrong, c.short(p), "")
		}
		return
	}
	c.add(z.Name, "file", OutcomeOK, fmt.Sprintf("%d records", z.Records), "")
}

// served compares a zone with what the instance serves, and has each of its addresses asked.
func (c *zoneCheck) served(z control.Zone) {
	const what = "served"
	if c.unknown.Outcome != "" {
		c.add(z.Name, what, c.unknown.Outcome, c.unknown.Text, "")
		return
	}
	running, ok := c.zones[z.Name]
	switch {
	case !ok:
		c.add(z.Name, what, OutcomeWrong, "the running instance does not know it", "utopia reload makes it read its settings anew")
		return
	case running.State == "missing" && z.Role == "secondary":
		c.add(z.Name, what, OutcomeWrong, "it could not be fetched, or has expired: questions about it get SERVFAIL", "see the log")
		return
	case running.State == "missing":
		c.add(z.Name, what, OutcomeWrong, "questions about it get SERVFAIL", "mend its file; then: utopia reload")
		return
	case running.State == "kept":
		c.add(z.Name, what, OutcomeWrong, "it is served as it was before its file got an error", "mend its file; then: utopia reload")
	case running.Sum != z.Sum:
		c.add(z.Name, what, OutcomeWrong, "its files have changed since the instance read them", "utopia reload makes it read them anew")
	default:
		c.add(z.Name, what, OutcomeOK, fmt.Sprintf("serial %d", running.Serial), "")
	}
	for _, e := range c.endpoints {
		c.endpoint(running, e)
	}
}

// endpoint asks one address of the instance for the zone's SOA record.
func (c *zoneCheck) endpoint(z control.Zone, e control.Endpoint) {
	if e.Protocol != "DNS" {
		return // such as HTTPS, where the same is behind
	}
	what := "answers at " + e.Address + " (" + e.Network + ")"
	name, err := dns.ParseName(z.Name, dns.Root)
	if at, bad := netip.ParseAddrPort(e.Address); bad == nil && at.Addr().IsUnspecified() {
		return // its other addresses are not known
	}
	var m *dns.Message
	if err == nil {
		m, err = c.ask(c.ctx, e, name, dns.TypeSOA)
	}
	if err != nil {
		c.add(z.Name, what, OutcomeCouldNotTell, err.Error(), "")
		return
	}
	if len(m.Answer) > 0 && m.Authoritative {
		if soa, ok := m.Answer[0].SOA(); ok && soa.Serial == z.Serial {
			c.add(z.Name, what, OutcomeOK, "", "")
			return
		}
	}
	c.add(z.Name, what, OutcomeWrong, dns.Summary(m), "")
}
