package tcp

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// flights counts the segments with data by the round trip in which they were sent.
func (w *wire) flights() (sizes []int) {
	var at []Time
	w.meddle = func(from int, s *Segment) (bool, Time) {
		if from == 0 && len(s.Payload) > 0 {
			if len(at) == 0 || w.now-at[len(at)-1] > w.delay {
				at, sizes = append(at, w.now), append(sizes, 0)
			}
			sizes[len(sizes)-1]++
		}
		return false, 0
	}
	w.transfer(400*1460, 10*time.Second)
	return sizes
}

// RFC 6928 and 5681: ten segments at first, twice as many in each round trip.
func TestSlowStart(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms)
	if got := w.flights(); !slices.Equal(got, []int{10, 20, 40, 80, 160, 90}) {
		t.Errorf("flights %v", got)
	}
}

// Past the threshold the window grows by one segment in each round trip.
func TestCongestionAvoidance(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms, Config{}, Config{DelayedACK: -1})
	w.end[0].cc.threshold = 20 * 1460
	got := w.flights()
	if !slices.Equal(got[:6], []int{10, 20, 21, 22, 23, 24}) {
		t.Errorf("flights %v", got)
	}
}

// What an application says now and then does not open the window (RFC 7661 section 4.1), and after a silence it begins
// anew (RFC 2861).
func TestTheWindowIsEarned(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms)
	for range 30 {
		w.write(0, pattern(1000))
		w.run(w.now + 150*ms)
		w.read(1)
	}
	if n := w.end[0].cc.window; n > 11*1460 {
		t.Errorf("1000 octets at a time opened the window to %d", n)
	}
	w.transfer(300*1460, 10*time.Second)
	open := w.end[0].cc.window
	w.run(w.now + time.Minute)
	w.write(0, pattern(100))
	if n := w.end[0].cc.window; open < 100*1460 || n != 10*1460 {
		t.Errorf("the window is %d after a minute of silence, and was %d", n, open)
	}
}

// lose has the nth segment of data lost that end 0 sends, each once.
func (w *wire) lose(which ...int) {
	n := 0
	w.meddle = func(from int, s *Segment) (bool, Time) {
		if from != 0 || len(s.Payload) == 0 {
			return false, 0
		}
		n++
		return slices.Contains(which, n), 0
	}
}

// RFC 5681 section 3.2 and RFC 6675: one lost segment costs one round trip, and half of the window.
func TestFastRetransmit(t *testing.T) {
	t.Parallel()
	whole := dialled(t, 50*ms).transfer(100*1460, time.Minute)
	w := dialled(t, 50*ms)
	w.lose(35)
	took := w.transfer(100*1460, time.Minute)
	if more := took - whole; more < 90*ms || more > 110*ms {
		t.Errorf("a lost segment costs %v more than %v", more, whole)
	}
	// 36 to 70 of the flight of 40 had been sent, and 2 more each for those of the 30 before that were acknowledged after.
	if c := w.end[0].cc; c.threshold < 19*1460 || c.threshold > 31*1460 || c.recovery {
		t.Errorf("the threshold is %d segments, recovery %v", c.threshold/1460, c.recovery)
	}
	again := regexp.MustCompile(`(?m)^0 .*ACK (\d+:\d+)\(\d+\).* lost$`).FindStringSubmatch(w.heard())
	if again == nil || strings.Count(w.said(), again[1]) != 2 {
		t.Errorf("the lost segment %v was not sent exactly twice", again)
	}
}

// Several of one flight are mended in one round trip, as long as they are sent again without loss.
func TestSeveralLost(t *testing.T) {
	t.Parallel()
	whole := dialled(t, 50*ms).transfer(100*1460, time.Minute)
	w := dialled(t, 50*ms)
	w.lose(31, 33, 35, 37, 39, 41)
	took := w.transfer(100*1460, time.Minute)
	if more := took - whole; more > 110*ms {
		t.Errorf("six lost segments cost %v more than %v", more, whole)
	}
	if c := w.end[0]; c.rtt.rto > 400*ms || c.cc.threshold < 15*1460 {
		t.Errorf("there was a timeout: %v, threshold %d", c.rtt.rto, c.cc.threshold)
	}
}

// The last segment of all has none behind it that would tell: it takes the timer (RFC 6298).
func TestLostTail(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms)
	w.lose(10)
	began := w.now
	w.transfer(10*1460, time.Minute)
	// It was sent with the first; the timer ran out a round trip and 200 ms after the last acknowledgement.
	if took := w.now - began; took < 400*ms || took > 480*ms {
		t.Errorf("took %v", took)
	}
	if c := w.end[0].cc; c.window > 3*1460 {
		t.Errorf("after a timeout the window is %d", c.window)
	}
}

// A segment that is lost again and again is sent at intervals that double, and at last the peer is given up (RFC 6298
// section 5.5, RFC 9293 section 3.8.3).
func TestBackOff(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms)
	var at []Time
	w.meddle = func(from int, s *Segment) (bool, Time) {
		if from == 0 {
			at = append(at, w.now)
		}
		return true, 0
	}
	began := w.now
	w.write(0, []byte("hello?"))
	w.run(w.now + time.Hour)
	if len(at) != 1+retries {
		t.Fatalf("sent %d times", len(at))
	}
	for i := 2; i < len(at); i++ {
		if a, b := at[i-1]-at[i-2], at[i]-at[i-1]; b != min(2*a, maxRTO) {
			t.Errorf("waited %v after %v", b, a)
		}
	}
	if given := at[len(at)-1] - began; given < 5*time.Minute || given > 20*time.Minute || w.end[0].State() != Closed {
		t.Errorf("given up after %v: %v", given, w.end[0].State())
	}
}

// RFC 1122 section 4.2.3.2: the first segments are acknowledged at once, later ones in pairs, or after 40 ms.
func TestDelayedACK(t *testing.T) {
	t.Parallel()
	w := dialled(t, 5*ms)
	count := func() (acks int) {
		w.run(w.now + 20*ms)
		acks = strings.Count(w.heard(), "1 ACK")
		w.said()
		w.read(1)
		return acks
	}
	w.said()
	for range quickACKs {
		w.write(0, pattern(1460))
		if n := count(); n != 1 {
			t.Errorf("%d acknowledgements for one of the first segments", n)
		}
	}
	w.write(0, pattern(1460))
	if n := count(); n != 0 {
		t.Error("a single segment is acknowledged at once")
	}
	w.run(w.now + 40*ms)
	if n := count(); n != 1 {
		t.Error("a single segment is not acknowledged in time")
	}
	w.write(0, pattern(10*1460))
	if n := count(); n != 5 {
		t.Errorf("%d acknowledgements for ten segments", n)
	}
	w.end[1].Write([]byte("an answer")) // takes the acknowledgement with it
	w.write(0, pattern(100))
	w.run(w.now + 5*ms)
	w.out(1)
	w.run(w.now + 100*ms)
	if log := w.said(); strings.Count(log, "\n1 ACK") != 0 || !strings.Contains(log, "1 PSH,ACK") {
		t.Errorf("said\n%s", log)
	}
	quick := dialled(t, 5*ms, Config{}, Config{DelayedACK: -1})
	quick.transfer(100*1460, time.Second)
	if n := strings.Count(quick.heard(), "1 ACK"); n < 100 {
		t.Errorf("%d acknowledgements for 100 segments", n)
	}
}

// RFC 2018 section 4: the block that changed last comes first.
func TestSACKBlocks(t *testing.T) {
	t.Parallel()
	w := dialled(t, ms)
	c := w.end[1]
	for _, x := range []struct {
		from, to uint32
		want     []Block
	}{
		{2001, 2101, []Block{{2001, 2101}}},
		{3001, 3101, []Block{{3001, 3101}, {2001, 2101}}},
		{2101, 2201, []Block{{2001, 2201}, {3001, 3101}}},
		{4001, 4101, []Block{{4001, 4101}, {2001, 2201}, {3001, 3101}}},
		{5001, 5101, []Block{{5001, 5101}, {4001, 4101}, {2001, 2201}, {3001, 3101}}},
		{6001, 6101, []Block{{6001, 6101}, {5001, 5101}, {4001, 4101}, {2001, 2201}}},
		{2201, 3001, []Block{{2001, 3101}, {6001, 6101}, {5001, 5101}, {4001, 4101}}},
		{1001, 2001, []Block{{6001, 6101}, {5001, 5101}, {4001, 4101}}},
	} {
		c.Input(&Segment{Seq: x.from, Ack: 5001, Flags: ACK, Payload: make([]byte, x.to-x.from)}, w.now)
		var got []Block
		c.Output(w.now, func(s *Segment) { got = slices.Clone(s.Blocks[:s.Sacked]) })
		if !slices.Equal(got, x.want) {
			t.Errorf("after %d to %d: %v, want %v", x.from, x.to, got, x.want)
		}
		check(t, c)
	}
	if c.recv.next != 3101 {
		t.Errorf("in order up to %d", c.recv.next)
	}
}

// The timer is RFC 6298's, with Linux's least addition.
func TestEstimator(t *testing.T) {
	t.Parallel()
	var e estimator
	e.start()
	if e.rto != time.Second {
		t.Error(e.rto)
	}
	e.sample(100 * ms)
	if e.smooth != 100*ms || e.vary != 50*ms || e.rto != 300*ms {
		t.Errorf("%+v", e)
	}
	e.sample(200 * ms)
	if e.smooth != 112500*time.Microsecond || e.vary != 62500*time.Microsecond || e.rto != 362500*time.Microsecond {
		t.Errorf("%+v", e)
	}
	for range 100 {
		e.sample(10 * ms)
	}
	if e.rto < 210*ms || e.rto > 211*ms {
		t.Errorf("%+v", e)
	}
	e.backOff()
	if e.rto < 420*ms {
		t.Error(e.rto)
	}
	for range 20 {
		e.backOff()
	}
	if e.rto != maxRTO {
		t.Error(e.rto)
	}
	e.restore()
	if e.rto > 211*ms {
		t.Error(e.rto)
	}
}

// Over a link that sends R octets a second, a large transfer takes what the octets take, headers included.
func TestLargeTransfer(t *testing.T) {
	t.Parallel()
	w := dialled(t, 10*ms)
	w.rate = 1 << 20
	const n = 3 << 20
	took := w.transfer(n, time.Minute)
	least := float64(n) / 1460 * 1500 / (1 << 20)
	if r := took.Seconds() / least; math.Abs(r-1) > 0.02 {
		t.Errorf("took %v, the octets alone take %.3f s", took, least)
	}
}

// However much one acknowledgement is about, slow start goes by two segments for each, and by one after a timeout (RFC
// 3465 sections 2.2 and 2.3): what waited behind a lost segment is no reason to send as much at once.
func TestSlowStartIsNoBurst(t *testing.T) {
	t.Parallel()
	c := control{limited: true}
	c.start(1000)
	c.acked(50000)
	if c.window != 12000 {
		t.Errorf("after an acknowledgement of fifty segments the window is %d", c.window)
	}
	c.timeout(50000, 1, true)
	c.acked(50000)
	if c.window != 2000 {
		t.Errorf("after one that follows a timeout the window is %d", c.window)
	}
}

// What comes in order while something is still missing is acknowledged at once (RFC 5681 section 4.2).
func TestAcknowledgedAtOnce(t *testing.T) {
	t.Parallel()
	w := dialled(t, ms)
	c := w.end[1]
	c.quick = 0
	input := func(seq uint32) bool {
		c.Input(&Segment{Seq: seq, Ack: 5001, Flags: ACK, Payload: pattern(100)}, w.now)
		c.quick = 0
		urgent := c.Urgent()
		w.out(1)
		return urgent
	}
	if input(1001) {
		t.Error("the next in order does not wait")
	}
	if !input(1401) || !input(1201) || !input(1101) || !input(1301) {
		t.Error("what is out of order, or fills a gap, waits")
	}
	input(1701)
	if !input(1501) {
		t.Error("what comes in order before a gap waits")
	}
}

// The window of who was silent for less than a timeout is what it was; a timer that has no sample is left as it is.
func TestNotIdle(t *testing.T) {
	t.Parallel()
	w := dialled(t, 50*ms)
	w.transfer(300*1460, 10*time.Second)
	w.run(w.now + 150*ms)
	open := w.end[0].cc.window
	if w.write(0, pattern(100)); w.end[0].cc.window != open || open < 100*1460 {
		t.Errorf("the window was %d, and is %d at once", open, w.end[0].cc.window)
	}
	e := estimator{rto: 3 * time.Second}
	if e.restore(); e.rto != 3*time.Second {
		t.Errorf("without a sample the timer is set to %v", e.rto)
	}
}
