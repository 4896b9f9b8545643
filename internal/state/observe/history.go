package observe

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// maxSeries bounds how many counters a History follows. Those that come later are left out: what counts by a client's
// words has bounds of its own, below this one.
const maxSeries = 64

// History keeps how fast counters grew of late: for each of the last intervals the rate a second of each counter.
type History struct {
	size int

	mu    sync.Mutex
	times []time.Time // the ends of the intervals, the oldest first
	rates map[string][]float64
	last  map[string]uint64
	at    time.Time // of last
}

// NewHistory returns a History of so many intervals.
func NewHistory(size int) *History {
	return &History{size: size, rates: map[string][]float64{}, last: map[string]uint64{}}
}

// Add ends an interval, which began with the call before, with what the counters have by now. The first call begins the
// first one. A counter that is not there stands at zero, and one that is less than it was has begun anew.
func (h *History) Add(now time.Time, totals map[string]uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	took := now.Sub(h.at).Seconds()
	if first := h.at.IsZero(); first || took <= 0 {
		h.last, h.at = maps.Clone(totals), now
		return
	}
	for name := range totals {
		if h.rates[name] == nil && len(h.rates) < maxSeries {
			h.rates[name] = make([]float64, len(h.times), h.size+1) // it stood at zero until now
		}
	}
	h.times = append(h.times, now)
	for name, rates := range h.rates {
		grown := totals[name]
		if grown >= h.last[name] {
			grown -= h.last[name]
		}
		h.rates[name] = append(rates, float64(grown)/took)
	}
	if len(h.times) > h.size {
		h.times = slices.Delete(h.times, 0, 1)
		for name, rates := range h.rates {
			h.rates[name] = slices.Delete(rates, 0, 1)
		}
	}
	h.last, h.at = maps.Clone(totals), now
}

// Series gives the ends of the intervals, the oldest first, and the rates of each counter in them.
func (h *History) Series() (times []time.Time, rates map[string][]float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	rates = map[string][]float64{}
	for name, r := range h.rates {
		rates[name] = slices.Clone(r)
	}
	return slices.Clone(h.times), rates
}
