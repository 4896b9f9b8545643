package console

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/network-utopia/utopia/transcript"
)

// The times of a live stream.
const (
	updateEvery = time.Second      // the least time between two updates of an exchange under way
	aliveEvery  = 15 * time.Second // the longest silence on the stream
	retryAfter  = 2 * time.Second  // when a browser connects again
)

// source is what a live stream shows.
type source interface {
	// all gives the rows that there are, from which on changes are followed.
	all(now time.Time) []byte
	// changes gives what has changed since it was last asked; nil for nothing.
	changes(now time.Time) []byte
	// note says what is not shown; "" where there is nothing new to say. It is asked after changes.
	note(now time.Time) string
}

// live streams the exchanges.
func (s *Service) live(w http.ResponseWriter, r *http.Request) {
	service := r.URL.Query().Get("service")
	from := &exchangeSource{Service: s, service: service, begun: transcript.NewTurnstile(service)}
	if s.opts.Recorder != nil {
		defer s.opts.Recorder.Attach(from.begun)()
	}
	s.stream(w, r, from)
}

// stream sends what a source shows as server-sent events (HTML Living Standard, section 9.2). Each carries rows of the
// list: "all" the whole list, first and after every interruption; "rows" the rows that are new, with updates of those
// that the page has; "note" how many were left out, as text.
func (s *Service) stream(w http.ResponseWriter, r *http.Request, from source) {
	leave, ok := s.streams.join(s.sessions.find(now(), s.token(r), false))
	if !ok {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "Too many live streams are open.", http.StatusTooManyRequests)
		return
	}
	defer leave()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	out := eventWriter{w: w, conn: http.NewResponseController(w), timeout: s.opts.WriteTimeout}
	if err := s.follow(r, from, out); err != nil {
		s.opts.Log.Debug("a live stream broke off", "remote", r.RemoteAddr, "err", err)
	}
}

// follow sends events until the page, the session or the console goes.
func (s *Service) follow(r *http.Request, from source, out eventWriter) error {
	// The read deadline would end the request: the server reads on, to see the client go.
	if err := out.conn.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	err := errors.Join(out.retry(retryAfter), out.send("all", from.all(time.Now())))
	ticker := time.NewTicker(s.opts.StreamInterval)
	defer ticker.Stop()
	said := time.Now()
	for err == nil {
		select {
		case <-r.Context().Done():
			return nil
		case <-s.streams.ended:
			return nil
		case <-ticker.C:
		}
		if s.sessions.find(now(), s.token(r), false) == nil {
			return nil
		}
		at := time.Now()
		if changes := from.changes(at); changes != nil {
			err = out.send("rows", changes)
			said = at
		}
		if note := from.note(at); note != "" {
			err = errors.Join(err, out.send("note", []byte(note)))
		}
		if at.Sub(said) >= aliveEvery {
			err = errors.Join(err, out.send("alive", nil))
			said = at
		}
	}
	return err
}

// exchangeSource shows the exchanges of a service, or of all.
type exchangeSource struct {
	*Service
	service string
	begun   *transcript.Turnstile
	list    *liveList
}

func (e *exchangeSource) all(now time.Time) []byte {
	e.list = newLiveList(e.opts.Rows, e.opts.RowsPerSecond, e.opts.Ring)
	return e.site.render("rows", e.list.reset(e.recent(e.service), e.begun.Count(), now))
}

func (e *exchangeSource) changes(now time.Time) []byte {
	rows, gone := e.list.step(e.recent(e.service), now)
	if len(rows)+len(gone) == 0 {
		return nil
	}
	return e.site.render("changes", struct {
		Rows []rowView
		Gone []transcript.ID
	}{rows, gone})
}

func (e *exchangeSource) note(now time.Time) string {
	left, more := e.list.leftOut(e.begun.Count(), now)
	if !more {
		return ""
	}
	return count(left) + " left out"
}

// eventWriter writes server-sent events.
type eventWriter struct {
	w       http.ResponseWriter
	conn    *http.ResponseController
	timeout time.Duration
}

// send writes one event, each line of its data as the format wants it.
func (e eventWriter) send(name string, data []byte) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\n", name)
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		b.WriteString("data: ")
		b.Write(line)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	return e.write(b.Bytes())
}

// retry tells the browser when to connect again.
func (e eventWriter) retry(after time.Duration) error {
	return e.write(fmt.Appendf(nil, "retry: %d\n\n", after.Milliseconds()))
}

func (e eventWriter) write(b []byte) error {
	if err := e.conn.SetWriteDeadline(time.Now().Add(e.timeout)); err != nil {
		return err
	}
	if _, err := e.w.Write(b); err != nil {
		return err
	}
	return e.conn.Flush()
}

// liveList is the list of exchanges as a page that is open has it.
type liveList struct {
	ring      *transcript.Ring
	size      int
	perSecond float64

	shown     []shown                // the newest first
	looked    map[transcript.ID]bool // what the last look at the ring found, shown or left out
	allowance float64                // rows that may be shown now; at most size
	at        time.Time              // of the last look

	counted uint64 // exchanges shown
	begun   uint64 // exchanges that had begun at the last look
	left    uint64 // exchanges left out, as last told
	told    time.Time
}

// shown is a row that the page has.
type shown struct {
	id      transcript.ID
	entries int
	ended   bool
	at      time.Time // of its last update
}

func newShown(r transcript.Record, now time.Time) shown {
	return shown{id: r.ID, entries: len(r.Entries), ended: !r.End.IsZero(), at: now}
}

func newLiveList(size, perSecond int, ring *transcript.Ring) *liveList {
	return &liveList{size: size, perSecond: float64(perSecond), ring: ring}
}

// reset begins the list anew, when so many exchanges have begun.
func (l *liveList) reset(recent []transcript.Record, begun uint64, now time.Time) (rows []rowView) {
	l.shown, l.allowance, l.at = nil, float64(l.size), now
	l.counted, l.begun = begun, begun
	l.look(recent)
	for _, record := range recent {
		rows = append(rows, newRow(record))
		l.shown = append(l.shown, newShown(record, now))
	}
	return rows
}

func (l *liveList) look(recent []transcript.Record) {
	l.looked = make(map[transcript.ID]bool, len(recent))
	for _, record := range recent {
		l.looked[record.ID] = true
	}
}

// step brings the list up to what the ring has now. It returns the rows that changed and, the newest first, those that
// are new, and which go: those past the list's size, and those under way that the ring has given up.
func (l *liveList) step(recent []transcript.Record, now time.Time) (rows []rowView, gone []transcript.ID) {
	rows, gone = l.update(now)
	l.allowance = min(float64(l.size), l.allowance+l.perSecond*now.Sub(l.at).Seconds())
	l.at = now
	var fresh []shown
	for _, record := range recent {
		if l.looked[record.ID] || float64(len(fresh)+1) > l.allowance {
			continue
		}
		row := newRow(record)
		row.New = true
		rows = append(rows, row)
		fresh = append(fresh, newShown(record, now))
	}
	l.look(recent)
	l.allowance -= float64(len(fresh))
	l.counted += uint64(len(fresh))
	l.shown = append(fresh, l.shown...)
	for len(l.shown) > l.size {
		last := len(l.shown) - 1
		gone = append(gone, l.shown[last].id)
		l.shown = l.shown[:last]
	}
	return rows, gone
}

// update returns the rows of exchanges under way that have ended, or have gone on and were not updated just now; and
// those that the ring has given up, of which nothing more can be known.
func (l *liveList) update(now time.Time) (rows []rowView, gone []transcript.ID) {
	kept := l.shown[:0]
	for _, s := range l.shown {
		if s.ended {
			kept = append(kept, s)
			continue
		}
		record, ok := l.ring.Get(s.id)
		if !ok {
			gone = append(gone, s.id)
			continue
		}
		if !record.End.IsZero() || len(record.Entries) != s.entries && now.Sub(s.at) >= updateEvery {
			row := newRow(record)
			row.Swap = "true"
			rows = append(rows, row)
			s = newShown(record, now)
		}
		kept = append(kept, s)
	}
	l.shown = kept
	return rows, gone
}

// leftOut is called after each step with the number of exchanges that have begun. It returns how many of them were not
// shown, and whether that is to be told: once a second at most, when it has grown. What began since the step before is
// not counted yet, since an exchange may have begun and not be in the ring.
func (l *liveList) leftOut(begun uint64, now time.Time) (left uint64, tell bool) {
	before := l.begun
	l.begun = begun
	if before <= l.counted+l.left || now.Sub(l.told) < time.Second {
		return l.left, false
	}
	l.left, l.told = before-l.counted, now
	return l.left, true
}
