// Package observe keeps what the running services show of themselves: the Prometheus metrics, a meter for each
// service with its present rate, and the ring of recent transcripts.
package observe

import (
	"maps"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/network-utopia/utopia/transcript"
)

// The bounds of the ring of transcripts, for each service. With transcript.MaxTexts they keep hostile clients from
// holding more than about 10 MiB of memory by what one service records.
const (
	DefaultRingSize      = 200 // exchanges
	DefaultRingPerSecond = 100 // exchanges taken each second
)

// Options are the settings of an [Observer]; zero values mean the defaults.
type Options struct {
	Version       string // of the program, shown as a label of utopia_build_info
	RingSize      int    // exchanges kept of each service
	RingPerSecond int    // exchanges taken of each service in a second
}

// Observer holds the metrics and transcripts of one instance.
type Observer struct {
	registry  *prometheus.Registry
	recorder  *transcript.Recorder
	ring      *transcript.Ring
	exchanges *prometheus.CounterVec
	bytes     *prometheus.CounterVec
	mu        sync.Mutex
	meters    map[string]*Meter
}

// New returns an Observer whose recorder writes to the ring.
func New(opts Options) *Observer {
	if opts.RingSize == 0 {
		opts.RingSize = DefaultRingSize
	}
	if opts.RingPerSecond == 0 {
		opts.RingPerSecond = DefaultRingPerSecond
	}
	ring := transcript.NewRing(opts.RingSize, opts.RingPerSecond)
	o := &Observer{
		registry: prometheus.NewRegistry(),
		recorder: transcript.New(transcript.Options{Sinks: []transcript.Sink{ring}}),
		ring:     ring,
		meters:   map[string]*Meter{},
		exchanges: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "utopia_exchanges_total",
			Help: "Exchanges completed: questions answered, requests served, connections ended.",
		}, []string{"service", "outcome"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "utopia_bytes_total",
			Help: "Bytes of application messages.",
		}, []string{"service", "direction"}),
	}
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "utopia_build_info", Help: "Constant 1, with the version as a label.",
		ConstLabels: prometheus.Labels{"version": opts.Version, "go": runtime.Version()},
	}, func() float64 { return 1 })
	passed := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "utopia_transcripts_passed_total",
		Help: "Exchanges that the ring of transcripts left out because a second's share was used up.",
	}, func() float64 { return float64(ring.Passed()) })
	o.registry.MustRegister(o.exchanges, o.bytes, build, passed,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return o
}

// Recorder is where services write their exchanges.
func (o *Observer) Recorder() *transcript.Recorder { return o.recorder }

// Ring holds the recent exchanges.
func (o *Observer) Ring() *transcript.Ring { return o.ring }

// Register adds a collector, such as a gauge that reads a service's own numbers.
func (o *Observer) Register(c prometheus.Collector) error { return o.registry.Register(c) }

// Handler answers with all metrics in Prometheus' text format.
func (o *Observer) Handler() http.Handler {
	return promhttp.HandlerFor(o.registry, promhttp.HandlerOpts{})
}

// Meter returns the service's meter, the same one each time.
func (o *Observer) Meter(service string) *Meter {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m := o.meters[service]; m != nil {
		return m
	}
	m := &Meter{
		observer: o, service: service, outcomes: map[string]prometheus.Counter{},
		received: o.bytes.WithLabelValues(service, "received"),
		sent:     o.bytes.WithLabelValues(service, "sent"),
	}
	o.meters[service] = m
	return m
}

// Meters names the services that have a meter, sorted.
func (o *Observer) Meters() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.meters))
}

// window is how many past seconds Rate is the mean of.
const window = 10

// maxOutcomes bounds the outcomes of one service that are counted apart; further ones count as "other", so that no
// peer can fill the memory with labels.
const maxOutcomes = 64

// Meter counts the exchanges of one service. It is safe for concurrent use.
type Meter struct {
	observer *Observer
	service  string
	received prometheus.Counter
	sent     prometheus.Counter

	mu       sync.Mutex
	outcomes map[string]prometheus.Counter
	total    uint64
	slots    [window + 1]uint64 // exchanges in each of the last seconds, by second modulo its length
	second   int64              // the second that the newest slot counts
}

// Count adds one exchange with its outcome in the protocol's own terms, such as "NXDOMAIN" or "404", and the bytes of
// its messages.
func (m *Meter) Count(outcome string, received, sent int) { m.Add(outcome, 1, received, sent) }

// Add adds n exchanges with one outcome, and the bytes of all their messages: it is for those who have many at once.
func (m *Meter) Add(outcome string, n, received, sent int) {
	m.received.Add(float64(received))
	m.sent.Add(float64(sent))
	now := time.Now().Unix()
	m.mu.Lock()
	counter := m.counter(outcome)
	m.total += uint64(n)
	m.advance(now)
	m.slots[now%int64(len(m.slots))] += uint64(n)
	m.mu.Unlock()
	counter.Add(float64(n))
}

func (m *Meter) counter(outcome string) prometheus.Counter {
	if c := m.outcomes[outcome]; c != nil {
		return c
	}
	if len(m.outcomes) >= maxOutcomes {
		return m.observer.exchanges.WithLabelValues(m.service, "other")
	}
	c := m.observer.exchanges.WithLabelValues(m.service, outcome)
	m.outcomes[outcome] = c
	return c
}

// advance clears the slots of the seconds that have begun since the last exchange.
func (m *Meter) advance(now int64) {
	n := int64(len(m.slots))
	if now-m.second > n {
		m.second = now - n
	}
	for m.second < now {
		m.second++
		m.slots[m.second%n] = 0
	}
}

// Total is the number of exchanges so far.
func (m *Meter) Total() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.total
}

// Rate is the mean number of exchanges a second over the last ten whole seconds.
func (m *Meter) Rate() float64 {
	now := time.Now().Unix()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.advance(now)
	var sum uint64
	for i := int64(1); i <= window; i++ {
		sum += m.slots[(now-i)%int64(len(m.slots))]
	}
	return float64(sum) / window
}
