package tcp

import "time"

// control is the congestion window (RFC 5681), counted in octets.
type control struct {
	mss       int
	window    int // cwnd
	threshold int // ssthresh
	credit    int // octets acknowledged towards the next segment of the window (RFC 3465)
	limited   bool
	recovery  bool   // fast recovery, or the time after a timeout
	timedOut  bool   // recovery after a timeout: slow start goes on in it
	until     uint32 // recovery ends when this is acknowledged
	fast      bool   // the first lost segment goes out whatever the window says (RFC 6675 section 5, step 4.3)
}

// start sets the initial window of RFC 6928.
func (c *control) start(mss int) {
	c.mss = mss
	c.window = min(initialSegments*mss, max(2*mss, 14600))
	c.threshold = 1 << 30
}

// acked grows the window for octets that were acknowledged: where it was in use, and not in fast recovery. Slow start
// goes by two segments at most for each acknowledgement, and by one after a timeout (RFC 3465 sections 2.2 and 2.3).
func (c *control) acked(n int) {
	if !c.limited || c.recovery && !c.timedOut {
		return
	}
	if c.window < c.threshold {
		most := 2 * c.mss
		if c.timedOut {
			most = c.mss
		}
		c.window += min(n, most)
		return
	}
	for c.credit += n; c.credit >= c.window; {
		c.credit -= c.window
		c.window += c.mss
	}
}

// lost halves the window: fast recovery begins (RFC 6675 section 5).
func (c *control) lost(inFlight int, until uint32) {
	c.threshold = max(inFlight/2, 2*c.mss)
	c.window, c.credit = c.threshold, 0
	c.recovery, c.timedOut, c.until = true, false, until
}

// timeout begins anew from one segment (RFC 5681 section 3.1, equation 4).
func (c *control) timeout(inFlight int, until uint32, first bool) {
	if first {
		c.threshold = max(inFlight/2, 2*c.mss)
	}
	c.window, c.credit = c.mss, 0
	c.recovery, c.timedOut, c.until = true, true, until
}

// idle halves the window for each timeout that has passed without a word (RFC 2861 section 3.1).
func (c *control) idle(silence, rto time.Duration) {
	restart := min(initialSegments*c.mss, max(2*c.mss, 14600))
	if silence < rto || c.window <= restart {
		return
	}
	c.threshold = max(c.threshold, 3*c.window/4)
	for ; silence >= rto && c.window > restart; silence -= rto {
		c.window /= 2
	}
	c.window = max(c.window, restart)
}

// estimator is the retransmission timeout of RFC 6298.
type estimator struct {
	known        bool // there is a sample
	smooth, vary time.Duration
	rto          time.Duration
}

func (e *estimator) start() { e.rto = firstRTO }

// sample takes the round trip of a segment that was sent once (Karn's rule).
func (e *estimator) sample(r time.Duration) {
	if !e.known {
		e.known, e.smooth, e.vary = true, r, r/2
	} else {
		e.vary += ((e.smooth - r).Abs() - e.vary) / 4
		e.smooth += (r - e.smooth) / 8
	}
	e.rto = min(e.smooth+max(4*e.vary, minVar), maxRTO)
}

func (e *estimator) backOff() { e.rto = min(2*e.rto, maxRTO) }

// restore undoes what backing off did.
func (e *estimator) restore() {
	if e.known {
		e.rto = min(e.smooth+max(4*e.vary, minVar), maxRTO)
	}
}

// flight is what was sent and is not acknowledged, segment by segment: the scoreboard of RFC 6675.
type flight struct {
	sent   []record // in order of their sequence numbers
	sacked int      // how many of them are
	lost   int      // how many of them are marked, and were not sent again
	octets int      // RFC 6675's pipe: believed to be on the way
	resend int      // no record before this one is to be sent again
}

// record is one segment on its way.
type record struct {
	seq    uint32
	length uint32
	at     Time // when it was sent last
	sacked bool
	lost   bool // and not sent again since
	again  bool // was sent more than once
}

func (r *record) end() uint32 { return r.seq + r.length }

func (f *flight) add(seq, length uint32, at Time) {
	f.sent = append(f.sent, record{seq: seq, length: length, at: at})
	f.octets += int(length)
}

// leave takes a record out of the sums.
func (f *flight) leave(r *record) {
	switch {
	case r.sacked:
		f.sacked--
	case r.lost:
		f.lost--
	default:
		f.octets -= int(r.length)
	}
}

// acked takes away what is acknowledged up to una. It gives the time of the last segment that was sent once; before
// is false for none.
func (f *flight) acked(una uint32) (at Time, once bool) {
	n := 0
	for n < len(f.sent) && !before(una, f.sent[n].end()) {
		r := &f.sent[n]
		f.leave(r)
		if !r.again && !r.sacked {
			at, once = r.at, true
		}
		n++
	}
	f.sent = f.sent[n:]
	f.resend = max(f.resend-n, 0)
	if len(f.sent) > 0 && before(f.sent[0].seq, una) { // a part of it, as after a resegmentation
		r := &f.sent[0]
		part := una - r.seq
		if !r.sacked && !r.lost {
			f.octets -= int(part)
		}
		r.seq, r.length = una, r.length-part
	}
	return at, once
}

// sack marks what the blocks say has arrived, and says whether that is news.
func (f *flight) sack(blocks []Block) (news bool) {
	for _, b := range blocks {
		for i := f.find(b.From); i < len(f.sent) && !before(b.To, f.sent[i].end()); i++ {
			r := &f.sent[i]
			if r.sacked || before(r.seq, b.From) {
				continue
			}
			f.leave(r)
			r.sacked, r.lost = true, false
			f.sacked++
			news = true
		}
	}
	return news
}

// find is the index of the first record that does not end before or at seq.
func (f *flight) find(seq uint32) int {
	low, high := 0, len(f.sent)
	for low < high {
		if mid := (low + high) / 2; before(seq, f.sent[mid].end()) {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// markLost marks each record above which enough have arrived (RFC 6675 section 4, IsLost, counted in segments), and says
// whether there is a new one. What was sent again is given up only by a timeout.
func (f *flight) markLost() (news bool) {
	above := 0
	for i := len(f.sent) - 1; i >= 0; i-- {
		r := &f.sent[i]
		switch {
		case r.sacked:
			above++
			if above == f.sacked && above < dupThresh {
				return news
			}
		case above >= dupThresh && !r.lost && !r.again:
			f.octets -= int(r.length)
			r.lost = true
			f.lost++
			f.resend = min(f.resend, i)
			news = true
		}
	}
	return news
}

// timeout marks all that has not arrived.
func (f *flight) timeout() {
	for i := range f.sent {
		if r := &f.sent[i]; !r.sacked && !r.lost {
			f.octets -= int(r.length)
			r.lost = true
			f.lost++
		}
	}
	f.resend = 0
}

// next is the first record that is to be sent again; nil for none.
func (f *flight) next() *record {
	if f.lost == 0 {
		return nil
	}
	for ; f.resend < len(f.sent); f.resend++ {
		if f.sent[f.resend].lost {
			return &f.sent[f.resend]
		}
	}
	return nil
}

// resent notes that a record was sent again.
func (f *flight) resent(r *record, at Time) {
	r.lost, r.again, r.at = false, true, at
	f.lost--
	f.octets += int(r.length)
}
