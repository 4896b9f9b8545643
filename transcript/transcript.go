// Package transcript records who said what to whom: one record for each exchange, such as a question and its answer,
// or one connection, with the lines or one-line summaries of the messages in both directions.
//
// The protocol code writes it, message by message, since it alone knows what a message is and what in it is secret.
// An exchange carries the id of its parent in the context, so that the DNS lookup made for a delivery hangs under it.
// Where nobody watches, [Recorder.Begin] returns nil, and every method of a nil [Exchange] does nothing.
//
// Transcripts are no log: logs tell the operator what happened to the server, transcripts show what was on the wire.
package transcript

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"
)

// The limits of one record. What exceeds them is counted in Record.Omitted, or cut with an ellipsis. Sinks are told of
// entries past the limits all the same, as they come.
const (
	MaxEntries  = 200       // entries kept of one exchange
	MaxText     = 1000      // bytes kept of one entry's text, before those that cannot be shown become escapes
	MaxTexts    = 32 << 10  // bytes kept of all texts and fields of one exchange
	MaxRawBytes = 256 << 10 // bytes kept of one exchange's raw messages, where a sink asks for them
)

// Redacted stands where a secret was.
const Redacted = "•••"

// ID names an exchange within one run of a [Recorder]; the first is 1, and 0 is none.
type ID uint64

// String gives the number in decimal.
func (id ID) String() string { return strconv.FormatUint(uint64(id), 10) }

// Direction says where a message went, seen from the side that records.
type Direction uint8

// The directions.
const (
	Received Direction = iota // from the peer
	Sent                      // to the peer
	Note                      // not on the wire: what we concluded or did
)

var directions = [...]struct{ sign, name string }{{"<", "received"}, {">", "sent"}, {"=", "note"}}

// String gives "<", ">" or "=".
func (d Direction) String() string { return directions[min(d, Note)].sign }

// MarshalText gives "received", "sent" or "note".
func (d Direction) MarshalText() ([]byte, error) { return []byte(directions[min(d, Note)].name), nil }

// UnmarshalText reads what MarshalText gives.
func (d *Direction) UnmarshalText(text []byte) error {
	for i, known := range directions {
		if known.name == string(text) {
			*d = Direction(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no direction", text)
}

// Level is how much a sink wants to know of a service.
type Level uint8

// The levels, each with all of those before it.
const (
	Off   Level = iota // nothing
	Lines              // lines and summaries
	Bytes              // the messages' bytes as well
)

// Entry is one line or message of an exchange.
type Entry struct {
	Time  time.Time `json:"time"`
	Dir   Direction `json:"direction"`
	Text  string    `json:"text"`          // the line without its end, or a one-line summary of the message
	Bytes int       `json:"bytes"`         // on the wire
	Raw   []byte    `json:"raw,omitempty"` // the message itself, at level Bytes alone
	// Fields are what is known of the message, by names of the protocol's own. They are not changed any more.
	Fields map[string]string `json:"fields,omitempty"`
}

// Head is what is known of an exchange when it begins.
type Head struct {
	ID      ID             `json:"id"`
	Parent  ID             `json:"parent,omitempty"`
	Service string         `json:"service"` // such as "dns"
	Network string         `json:"network"` // such as "udp", "tcp" or "tls"
	Local   netip.AddrPort `json:"local"`
	Remote  netip.AddrPort `json:"remote"`
	Start   time.Time      `json:"start"`
}

// Record is an exchange as far as it has gone.
type Record struct {
	Head
	End     time.Time `json:"end,omitzero"` // zero while it is under way
	Entries []Entry   `json:"entries"`
	Omitted int       `json:"omitted,omitempty"` // entries past MaxEntries
}

// Sink is where exchanges go. Its methods are called from many goroutines, for one exchange in order; they must not
// block, since a peer is waiting.
type Sink interface {
	// Level says how much the sink wants of a service's next exchange.
	Level(service string) Level
	// Begin, Entry and End follow an exchange. They are called only for exchanges that the sink wanted.
	Begin(x *Exchange)
	Entry(x *Exchange, e Entry)
	End(x *Exchange)
}

// Recorder hands exchanges to its sinks. A nil *Recorder records nothing.
type Recorder struct {
	reveal bool
	last   atomic.Uint64
	mu     sync.Mutex // guards writes of sinks
	sinks  atomic.Pointer[[]Sink]
}

// Options are the settings of a Recorder.
type Options struct {
	Reveal bool   // keep secrets as they are, instead of [Redacted]
	Sinks  []Sink // where exchanges go from the beginning; Attach adds more
}

// New returns a Recorder.
func New(opts Options) *Recorder {
	r := &Recorder{reveal: opts.Reveal}
	sinks := append([]Sink(nil), opts.Sinks...)
	r.sinks.Store(&sinks)
	return r
}

// Attach adds a sink for the exchanges that begin from now on; detach, called once or more, takes it away: it is told
// nothing more, also of exchanges that are under way, once the calls of its methods that are under way have returned.
func (r *Recorder) Attach(s Sink) (detach func()) {
	held := &attached{} // its address tells it from another attachment of the same sink
	held.sink.Store(&s)
	r.change(func(sinks []Sink) []Sink { return append(sinks, held) })
	return func() {
		held.sink.Store(nil)
		r.change(func(sinks []Sink) []Sink {
			return slices.DeleteFunc(sinks, func(other Sink) bool { return other == Sink(held) })
		})
	}
}

// attached stands for a sink until that is detached. Exchanges hold it for as long as they are kept, and must not keep
// the sink with all that is in it, such as the buffer of a [Feed] whose reader has gone.
type attached struct{ sink atomic.Pointer[Sink] }

func (a *attached) Level(service string) Level {
	if s := a.sink.Load(); s != nil {
		return (*s).Level(service)
	}
	return Off
}

func (a *attached) Begin(x *Exchange) {
	if s := a.sink.Load(); s != nil {
		(*s).Begin(x)
	}
}

func (a *attached) Entry(x *Exchange, e Entry) {
	if s := a.sink.Load(); s != nil {
		(*s).Entry(x, e)
	}
}

func (a *attached) End(x *Exchange) {
	if s := a.sink.Load(); s != nil {
		(*s).End(x)
	}
}

func (a *attached) spent(service string, now time.Time) bool {
	s := a.sink.Load()
	if s == nil {
		return true
	}
	if sample, ok := (*s).(sampler); ok {
		return sample.spent(service, now)
	}
	return (*s).Level(service) == Off
}

func (a *attached) pass(service string, n int) {
	if s := a.sink.Load(); s != nil {
		if sample, ok := (*s).(sampler); ok {
			sample.pass(service, n)
		}
	}
}

// change replaces the list of sinks, so that Begin reads it without a lock.
func (r *Recorder) change(edit func([]Sink) []Sink) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sinks := edit(slices.Clone(*r.sinks.Load()))
	r.sinks.Store(&sinks)
}

type parentKey struct{}

// ParentOf returns the id of the exchange that ctx belongs to; 0 for none.
func ParentOf(ctx context.Context) ID {
	id, _ := ctx.Value(parentKey{}).(ID)
	return id
}

// Begin opens an exchange; its parent is the one that ctx carries. It returns nil when no sink wants the service's
// next exchange. The caller ends it.
func (r *Recorder) Begin(ctx context.Context, service, network string, local, remote netip.AddrPort) *Exchange {
	if r == nil {
		return nil
	}
	var wanted []Sink
	level := Off
	for _, s := range *r.sinks.Load() {
		if l := s.Level(service); l != Off {
			wanted = append(wanted, s)
			level = max(level, l)
		}
	}
	if level == Off {
		return nil
	}
	x := &Exchange{sinks: wanted, level: level, reveal: r.reveal}
	x.record.Head = Head{
		ID: ID(r.last.Add(1)), Parent: ParentOf(ctx), Service: service, Network: network,
		Local: local, Remote: remote, Start: time.Now(),
	}
	for _, s := range wanted {
		s.Begin(x)
	}
	return x
}

// sampler is a sink that takes only a share of the exchanges, and can say at little cost that it takes no more now.
type sampler interface {
	spent(service string, now time.Time) bool
	pass(service string, n int)
}

// Watched says whether a sink might want an exchange of the service that begins now. It is for those who have many
// exchanges at once: where it says no, they need not ask [Recorder.Begin] for each, and tell [Recorder.Pass] how many
// there were.
func (r *Recorder) Watched(service string, now time.Time) bool {
	if r == nil {
		return false
	}
	for _, s := range *r.sinks.Load() {
		if sample, ok := s.(sampler); ok {
			if !sample.spent(service, now) {
				return true
			}
		} else if s.Level(service) != Off {
			return true
		}
	}
	return false
}

// Pass counts n exchanges of the service that were not begun because Watched said no.
func (r *Recorder) Pass(service string, n int) {
	if r == nil {
		return
	}
	for _, s := range *r.sinks.Load() {
		if sample, ok := s.(sampler); ok {
			sample.pass(service, n)
		}
	}
}

// Exchange is a record that is being written. It is safe for concurrent use, and a nil *Exchange takes everything
// and keeps nothing.
type Exchange struct {
	sinks  []Sink
	level  Level
	reveal bool

	mu     sync.Mutex
	record Record
	raw    int // bytes of raw messages kept
	texts  int // bytes of texts kept
	ended  bool
}

// Context returns a context under which exchanges that begin have x as their parent.
func (x *Exchange) Context(ctx context.Context) context.Context {
	if x == nil {
		return ctx
	}
	return context.WithValue(ctx, parentKey{}, x.record.ID)
}

// Head returns what was known when the exchange began; of a nil Exchange the zero Head.
func (x *Exchange) Head() Head {
	if x == nil {
		return Head{}
	}
	return x.record.Head // written once, by Begin
}

// Wants says whether a sink asks for that much, for those to whom it costs something to know. A nil Exchange wants
// nothing.
func (x *Exchange) Wants(l Level) bool { return x != nil && x.level >= l }

// Masked gives what stands for a secret in the bytes of a message: as many asterisks, or the secret itself where the
// Recorder reveals those.
func (x *Exchange) Masked(secret string) string {
	if x != nil && x.reveal {
		return secret
	}
	return strings.Repeat("*", len(secret))
}

// Line adds a line, or a one-line summary of a message, that took n bytes on the wire.
func (x *Exchange) Line(d Direction, n int, text string) {
	if x != nil {
		x.add(Entry{Dir: d, Text: text, Bytes: n})
	}
}

// Message adds a message with its summary, and keeps a copy of its bytes where a sink asks for them.
func (x *Exchange) Message(d Direction, wire []byte, text string) { x.Described(d, wire, text, nil) }

// Described is Message with fields, or nil, which belong to the exchange then. They are kept as texts are: printable,
// and up to MaxText bytes of each value.
func (x *Exchange) Described(d Direction, wire []byte, text string, fields map[string]string) {
	if x == nil {
		return
	}
	e := Entry{Dir: d, Text: text, Bytes: len(wire), Fields: fields}
	if x.level >= Bytes {
		e.Raw = wire // add copies what there is room for
	}
	x.add(e)
}

// Secret adds a line of which only the first part may be shown: "PASS " and the password. n is the whole line's bytes.
func (x *Exchange) Secret(d Direction, n int, shown, secret string) {
	if x == nil {
		return
	}
	if !x.reveal {
		secret = Redacted
	}
	x.add(Entry{Dir: d, Text: shown + secret, Bytes: n})
}

func (x *Exchange) add(e Entry) {
	e.Time = time.Now()
	e.Text = printable(e.Text)
	size := len(e.Text)
	for name, value := range e.Fields {
		e.Fields[name] = printable(value)
		size += len(name) + len(e.Fields[name])
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended {
		return
	}
	if e.Raw != nil {
		room := min(len(e.Raw), MaxRawBytes-x.raw)
		e.Raw = append([]byte(nil), e.Raw[:room]...)
		x.raw += room
	}
	if len(x.record.Entries) < MaxEntries && x.texts+size <= MaxTexts {
		x.record.Entries = append(x.record.Entries, e)
		x.texts += size
	} else {
		x.record.Omitted++
	}
	for _, s := range x.sinks {
		s.Entry(x, e)
	}
}

// printable cuts a text at MaxText bytes and writes control characters and what is not UTF-8 as escapes, since texts
// come from strangers and end on terminals.
func printable(text string) string {
	cut := ""
	if len(text) > MaxText {
		end := MaxText
		for end > MaxText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
			end--
		}
		if !utf8.RuneStart(text[end]) { // not UTF-8 here: any byte will do
			end = MaxText
		}
		text, cut = text[:end], "…"
	}
	if strings.IndexFunc(text, unprintable) < 0 {
		return text + cut
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case unprintable(r):
			escaped := strconv.QuoteRuneToASCII(r)
			b.WriteString(escaped[1 : len(escaped)-1])
		default:
			b.WriteString(text[:size])
		}
		text = text[size:]
	}
	return b.String() + cut
}

func unprintable(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

// End closes the record. Only the first End counts. The messages' bytes are let go once the sinks have been told.
func (x *Exchange) End() {
	if x == nil {
		return
	}
	x.mu.Lock()
	if x.ended {
		x.mu.Unlock()
		return
	}
	x.ended = true
	x.record.End = time.Now()
	x.mu.Unlock()
	for _, s := range x.sinks {
		s.End(x)
	}
	if x.level >= Bytes { // or a Ring would keep them as long as the exchange
		x.mu.Lock()
		defer x.mu.Unlock()
		for i := range x.record.Entries {
			x.record.Entries[i].Raw = nil
		}
	}
}

// Record returns a copy of the exchange as far as it has gone; the messages' bytes are in it until the end, and in what
// a sink is told of the end. A sink must not call it from Entry.
func (x *Exchange) Record() Record {
	if x == nil {
		return Record{}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	copied := x.record
	copied.Entries = append([]Entry(nil), x.record.Entries...)
	return copied
}
