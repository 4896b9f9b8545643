package app

import (
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/network-utopia/utopia/internal/config"
	"github.com/network-utopia/utopia/internal/guard"
	"github.com/network-utopia/utopia/internal/service/dnssvc"
	"github.com/network-utopia/utopia/internal/state/observe"
)

// guards are the limits: one guard for each service, so that a flood at one leaves the others room, and one for
// failed logins, which count wherever they are tried.
type guards struct {
	byService map[string]*guard.Guard
	logins    *guard.Guard
	responses dnssvc.Limited // of the name server, as what follows
	answered  dnssvc.Counts
}

// The limits, as metrics and the console name them.
const (
	limitConnections = "connections"
	limitPerClient   = "connections-per-client"
	limitRate        = "requests-per-second"
	limitDropped     = "rate-limit"
	limitSlipped     = "rate-limit-slip"
	limitCookie      = "rate-limit-cookie"
)

func newGuards(l config.Limits) *guards {
	g := &guards{byService: map[string]*guard.Guard{}, logins: guard.New(guardOptions(l))}
	for _, name := range []string{dnsName, webName, socketName, consoleName} {
		g.byService[name] = guard.New(guardOptions(l))
	}
	return g
}

func guardOptions(l config.Limits) guard.Options {
	return guard.Options{
		// Many users may share this machine's own addresses, and whoever forwards to us from here limits for itself.
		Exempt:         []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		MaxConnections: l.Connections, MaxPerClient: l.ConnectionsPerClient,
		Rate: float64(l.RequestsPerSecond), Burst: l.RequestsPerSecond,
		FreeFailures: l.FailedLogins, MaxPenalty: l.LoginDelay.Std(),
	}
}

// set changes the limits while services run.
func (g *guards) set(l config.Limits) {
	g.logins.SetLimits(guardOptions(l))
	for _, each := range g.byService {
		each.SetLimits(guardOptions(l))
	}
}

// register shows the guards' numbers among the metrics.
func (g *guards) register(o *observe.Observer) error { return o.Register(guardCollector{g}) }

// guardCollector reads the guards when metrics are asked for, so that nothing is counted twice.
type guardCollector struct{ guards *guards }

var (
	connectionsOpen = prometheus.NewDesc("utopia_connections", "Connections open now.", []string{"service"}, nil)
	refusedTotal    = prometheus.NewDesc("utopia_refused_total",
		"Connections and requests refused by a limit.", []string{"service", "limit"}, nil)
	loginsTotal = prometheus.NewDesc("utopia_logins_total", "Logins tried.", []string{"outcome"}, nil)
)

// Describe names the metrics.
func (guardCollector) Describe(to chan<- *prometheus.Desc) {
	to <- connectionsOpen
	to <- refusedTotal
	to <- loginsTotal
}

// Collect reads the guards.
func (c guardCollector) Collect(to chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	for name, g := range c.guards.byService {
		s := g.Snapshot()
		to <- prometheus.MustNewConstMetric(connectionsOpen, prometheus.GaugeValue, float64(s.Connections), name)
		counter(refusedTotal, s.RefusedTotal, name, limitConnections)
		counter(refusedTotal, s.RefusedClient, name, limitPerClient)
		counter(refusedTotal, s.RefusedRate, name, limitRate)
	}
	counter(refusedTotal, c.guards.responses.Dropped.Load(), dnsName, limitDropped)
	counter(refusedTotal, c.guards.responses.Slipped.Load(), dnsName, limitSlipped)
	counter(refusedTotal, c.guards.responses.BadCookie.Load(), dnsName, limitCookie)
	logins := c.guards.logins.Snapshot()
	counter(loginsTotal, logins.Failed, "failed")
	counter(loginsTotal, logins.Succeeded, "succeeded")
}
