package transcript

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// EventKind says what an Event tells.
type EventKind uint8

// The kinds of event.
const (
	Began EventKind = iota
	Said
	Ended
)

// Event is a step of an exchange, for those who follow live.
type Event struct {
	Kind   EventKind
	Head   Head
	Entry  Entry  // of a Said
	Record Record // of an Ended: the whole exchange, without the bytes of its messages
}

// MaxFeedBytes is how many bytes of raw messages one Feed holds for its reader.
const MaxFeedBytes = 16 << 20

// Feed is a sink that passes events on to one reader. It never blocks: events that find its buffer full are lost and
// counted, and a message that finds MaxFeedBytes taken comes without its bytes. From half its buffer on it wants no more
// of a service that asks [Recorder.Watched], and what that passes counts as lost: so a flood is not slowed down by
// recording what nobody can take.
type Feed struct {
	services []string
	level    Level
	events   chan Event
	lost     atomic.Uint64
	held     atomic.Int64 // bytes of raw messages in events, and with the reader until Release
}

// NewFeed returns a Feed of the services named, or of all where none is named, at the level given, that holds up to
// buffer events for its reader.
func NewFeed(level Level, buffer int, services ...string) *Feed {
	return &Feed{services: services, level: level, events: make(chan Event, buffer)}
}

// Events is where the reader takes them. It is never closed: the reader stops by detaching the feed. At level Bytes the
// reader gives each event back with Release.
func (f *Feed) Events() <-chan Event { return f.events }

// Release tells that the reader is done with an event, so that there is room for the bytes of others.
func (f *Feed) Release(e Event) { f.held.Add(-int64(len(e.Entry.Raw))) }

// Lost is how many events found the buffer full, with the exchanges that were passed.
func (f *Feed) Lost() uint64 { return f.lost.Load() }

// Level is the feed's own for the services that it follows.
func (f *Feed) Level(service string) Level {
	if len(f.services) == 0 || slices.Contains(f.services, service) {
		return f.level
	}
	return Off
}

func (f *Feed) spent(service string, _ time.Time) bool {
	return f.Level(service) == Off || 2*len(f.events) > cap(f.events)
}

func (f *Feed) pass(service string, n int) {
	if f.Level(service) != Off {
		f.lost.Add(uint64(n))
	}
}

// Begin passes the beginning on.
func (f *Feed) Begin(x *Exchange) { f.offer(Event{Kind: Began, Head: x.Head()}) }

// Entry passes a line on, with its bytes only at level Bytes: another sink may have asked for them.
func (f *Feed) Entry(x *Exchange, e Entry) {
	if n := int64(len(e.Raw)); f.level < Bytes || f.held.Add(n) > MaxFeedBytes {
		if f.level >= Bytes {
			f.held.Add(-n)
		}
		e.Raw = nil
	}
	f.offer(Event{Kind: Said, Head: x.Head(), Entry: e})
}

// End passes the whole exchange on, without the bytes: they came with the entries.
func (f *Feed) End(x *Exchange) {
	f.offer(Event{Kind: Ended, Head: x.Head(), Record: withoutBytes(x.Record())})
}

// withoutBytes takes the messages' bytes out of a copy that Exchange.Record made: for a sink that has them, or never
// asked for them, though another did.
func withoutBytes(r Record) Record {
	for i := range r.Entries {
		r.Entries[i].Raw = nil
	}
	return r
}

func (f *Feed) offer(e Event) {
	select {
	case f.events <- e:
	default:
		f.lost.Add(1)
		f.Release(e)
	}
}

// JSONLines is a sink that writes each exchange, when it has ended, as one line of JSON. A failed write is reported
// once to the log, if there is one, and again after writing has worked in between.
type JSONLines struct {
	log *slog.Logger

	mu      sync.Mutex
	to      io.Writer
	failing bool
}

// NewJSONLines returns a sink that writes to w; log may be nil.
func NewJSONLines(w io.Writer, log *slog.Logger) *JSONLines { return &JSONLines{to: w, log: log} }

// Use makes w the writer from now on, nil for none, as when a file was moved away and is opened anew. Exchanges that are
// under way end in w. Nothing is written to the former one once Use has returned.
func (j *JSONLines) Use(w io.Writer) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.to, j.failing = w, false
}

// Level is Lines for every service.
func (j *JSONLines) Level(string) Level { return Lines }

// Begin does nothing: the line is written at the end.
func (j *JSONLines) Begin(*Exchange) {}

// Entry does nothing: the line is written at the end.
func (j *JSONLines) Entry(*Exchange, Entry) {}

// End writes the line.
func (j *JSONLines) End(x *Exchange) {
	line, err := json.Marshal(withoutBytes(x.Record()))
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.to == nil {
		return
	}
	if err == nil {
		_, err = j.to.Write(append(line, '\n'))
	}
	if err != nil && !j.failing && j.log != nil {
		j.log.Error("transcripts are not being written", "err", err)
	}
	j.failing = err != nil
}

// Slog is a sink that logs each exchange, when it has ended, as one record at debug level, with its first and last
// lines.
type Slog struct{ log *slog.Logger }

// NewSlog returns a sink that writes to the log.
func NewSlog(log *slog.Logger) Slog { return Slog{log: log} }

// Level is Lines where the log takes debug records.
func (s Slog) Level(string) Level {
	if s.log.Enabled(context.Background(), slog.LevelDebug) {
		return Lines
	}
	return Off
}

// Begin does nothing: the record is written at the end.
func (s Slog) Begin(*Exchange) {}

// Entry does nothing: the record is written at the end.
func (s Slog) Entry(*Exchange, Entry) {}

// End writes the record.
func (s Slog) End(x *Exchange) {
	r := x.Record()
	attrs := []slog.Attr{
		slog.String("service", r.Service), slog.String("network", r.Network), slog.Uint64("exchange", uint64(r.ID)),
		slog.String("remote", r.Remote.String()), slog.Duration("took", r.End.Sub(r.Start)),
	}
	if n := len(r.Entries); n > 0 {
		attrs = append(attrs, slog.String("first", r.Entries[0].Text), slog.String("last", r.Entries[n-1].Text))
	}
	s.log.LogAttrs(context.Background(), slog.LevelDebug, "exchange", attrs...)
}
