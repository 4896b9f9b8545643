package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/service/dnssvc"
)

// dnsCollector reads what the name server has counted, and its zones, when metrics are asked for.
type dnsCollector struct{ app *App }

// noZone is the label of queries about none of the zones; no zone is called so, for their names end in a dot.
const noZone = "other"

func dnsDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("utopia_dns_"+name, help, labels, nil)
}

var (
	dnsResponses = dnsDesc("responses_total", "Responses sent, by their code.", "transport", "code")
	dnsQueries   = dnsDesc("queries_total", "Queries answered, by opcode and, where that is QUERY, by type.", "transport", "opcode", "type")
	dnsTruncated = dnsDesc("truncated_responses_total", "Responses without room for all (TC).", "transport")
	dnsValidate  = dnsDesc("dnssec_queries_total", "Queries answered that asked for signatures (DO).", "transport")
	dnsReceived  = dnsDesc("received_bytes_total", "Bytes of the queries answered.", "transport")
	dnsSent      = dnsDesc("sent_bytes_total", "Bytes of responses.", "transport")
	dnsZone      = dnsDesc("zone_queries_total", "Queries answered, by the zone that they are about.", "zone")

	zoneServed    = dnsDesc("zone_served", "1 when questions about the zone are answered from it.", "zone", "role")
	zoneOK        = dnsDesc("zone_ok", "1 when the zone is as its file or primary has it, as far as known.", "zone", "role")
	zoneSerial    = dnsDesc("zone_serial", "The SOA's serial.", "zone", "role")
	zoneSigned    = dnsDesc("zone_signatures_expire_timestamp_seconds", "When the first signature at the zone's own name ends.", "zone", "role")
	zoneRefreshed = dnsDesc("zone_refreshed_timestamp_seconds", "When a primary last said that the zone is up to date.", "zone", "role")
	zoneExpires   = dnsDesc("zone_expires_timestamp_seconds", "When a secondary zone is not answered from any more.", "zone", "role")
)

// Describe names the metrics.
func (dnsCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		dnsResponses, dnsQueries, dnsTruncated, dnsValidate, dnsReceived, dnsSent, dnsZone,
		zoneServed, zoneOK, zoneSerial, zoneSigned, zoneRefreshed, zoneExpires,
	} {
		to <- d
	}
}

// Collect reads what was counted.
func (c dnsCollector) Collect(to chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	t := c.app.Traffic()
	for _, one := range t.Transports {
		for code, n := range one.Codes {
			counter(dnsResponses, n, one.Transport, code)
		}
		for kind, n := range one.Types {
			counter(dnsQueries, n, one.Transport, "QUERY", kind)
		}
		for opcode, n := range one.Opcodes {
			counter(dnsQueries, n, one.Transport, opcode, "")
		}
		counter(dnsTruncated, one.Truncated, one.Transport)
		counter(dnsValidate, one.DNSSEC, one.Transport)
		counter(dnsReceived, one.Received, one.Transport)
		counter(dnsSent, one.Sent, one.Transport)
	}
	for _, z := range t.Zones {
		label := z.Zone
		if label == "" {
			label = noZone
		}
		counter(dnsZone, z.Queries, label)
	}
	zones, err := c.app.Zones(context.Background())
	if err != nil {
		return // the name server is off, or could not be built: there are no zones
	}
	for _, z := range zones[:min(len(zones), dnssvc.MaxCountedZones)] {
		if z.Role != dnssvc.Reverse { // those of single addresses have nothing that could be wrong by itself
			collectZone(to, z)
		}
	}
}

func collectZone(to chan<- prometheus.Metric, z control.Zone) {
	gauge := func(d *prometheus.Desc, v float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, z.Name, z.Role)
	}
	yes := func(is bool) float64 {
		if is {
			return 1
		}
		return 0
	}
	moment := func(d *prometheus.Desc, at time.Time) {
		if !at.IsZero() {
			gauge(d, float64(at.Unix()))
		}
	}
	served := z.State != "missing"
	gauge(zoneServed, yes(served))
	gauge(zoneOK, yes(z.State == "served" && z.Failure == ""))
	if served {
		gauge(zoneSerial, float64(z.Serial))
	}
	moment(zoneSigned, z.SignedUntil)
	moment(zoneRefreshed, z.Refreshed)
	moment(zoneExpires, z.Expires)
}

// Traffic is what the name server has answered, and what limits kept back.
func (a *App) Traffic() control.Traffic {
	t := a.guards.answered.Traffic()
	limits := a.guards.byService[dnsName].Snapshot()
	r := &a.guards.responses
	t.Refused = map[string]uint64{
		limitConnections: limits.RefusedTotal, limitPerClient: limits.RefusedClient, limitRate: limits.RefusedRate,
		limitDropped: r.Dropped.Load(), limitSlipped: r.Slipped.Load(), limitCookie: r.BadCookie.Load(),
	}
	return t
}
