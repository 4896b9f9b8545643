package console

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/network-utopia/utopia/transcript"
)

// maxLine is how many characters of a line the list of exchanges shows. The transcript has it whole.
const maxLine = 80

// rowView is one exchange in a list.
type rowView struct {
	ID      transcript.ID
	Time    time.Time
	Service string
	Network string
	Remote  string
	First   string
	Last    string // "" where First is the only one
	Took    string // "" while it is under way
	Swap    string // how a page that is open takes the row: "" as a new one, "true" in place of the one it has
	New     bool   // it is new to a page that is open
}

func newRow(r transcript.Record) rowView {
	row := rowView{ID: r.ID, Time: r.Start, Service: r.Service, Network: r.Network, Remote: remote(r.Head)}
	row.First, row.Last = firstAndLast(r.Entries)
	if !r.End.IsZero() {
		row.Took = span(r.End.Sub(r.Start))
	}
	return row
}

// firstAndLast returns the lines that stand for an exchange: of what was on the wire, if anything was.
func firstAndLast(entries []transcript.Entry) (first, last string) {
	wire := make([]transcript.Entry, 0, len(entries))
	for _, e := range entries {
		if e.Dir != transcript.Note {
			wire = append(wire, e)
		}
	}
	if len(wire) == 0 {
		wire = entries
	}
	if len(wire) > 0 {
		first = cut(wire[0].Text, maxLine)
	}
	if len(wire) > 1 {
		last = cut(wire[len(wire)-1].Text, maxLine)
	}
	return first, last
}

func remote(h transcript.Head) string {
	if !h.Remote.IsValid() {
		return "–"
	}
	return h.Remote.String()
}

// exchangeView is a transcript.
type exchangeView struct {
	transcript.Record
	LocalText, RemoteText string
	Took                  string // "" while it is under way
	ParentKept            bool
	ServiceURL            string
	Entries               []entryView
	Received, Sent        string // bytes
	Children              []rowView
	Poll                  string // while it is under way, the address that tells of more
}

type entryView struct {
	Sign   string // the direction's arrow
	Word   string // and its name
	Offset string // in ms since the start
	Bytes  string // "" of what was not on the wire
	Text   string
}

// arrows by direction, as the side that records sees it.
var arrows = [...]struct{ sign, word string }{
	transcript.Received: {"←", "received"},
	transcript.Sent:     {"→", "sent"},
	transcript.Note:     {"·", "note"},
}

// exchange shows one transcript.
func (s *Service) exchange(r *http.Request) (string, any, error) {
	number := r.PathValue("id")
	id, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return "", nil, &problem{http.StatusNotFound, "There is no such exchange", "Exchanges are numbered from 1 on."}
	}
	record, ok := s.opts.Ring.Get(transcript.ID(id))
	if !ok && byItself(r) {
		return "", nil, errGone
	}
	if !ok {
		return "", nil, &problem{http.StatusNotFound, "Exchange " + number + " is not kept any more",
			"Only the most recent exchanges are kept, in memory alone. The setting log.transcript keeps all of them in a file."}
	}
	children := s.opts.Ring.Under(record.ID)
	now := strconv.Itoa(len(record.Entries)+record.Omitted) + "." + strconv.Itoa(len(children)+ended(children))
	underWay := record.End.IsZero()
	if underWay && r.URL.Query().Get("known") == now {
		return "", nil, errUnchanged
	}
	view := newExchangeView(record, children)
	if record.Parent != 0 {
		_, view.ParentKept = s.opts.Ring.Get(record.Parent)
	}
	if underWay {
		view.Poll = "/exchanges/" + number + "?" + url.Values{"known": {now}}.Encode()
	}
	return "Exchange " + number, view, nil
}

func ended(records []transcript.Record) (n int) {
	for _, record := range records {
		if !record.End.IsZero() {
			n++
		}
	}
	return n
}

func newExchangeView(r transcript.Record, children []transcript.Record) exchangeView {
	view := exchangeView{
		Record: r, RemoteText: remote(r.Head), LocalText: "–", ServiceURL: withService("/", r.Service),
	}
	if r.Local.IsValid() {
		view.LocalText = r.Local.String()
	}
	if !r.End.IsZero() {
		view.Took = span(r.End.Sub(r.Start))
	}
	var bytes [len(arrows)]uint64
	for _, e := range r.Entries {
		dir := min(e.Dir, transcript.Note)
		bytes[dir] += uint64(max(e.Bytes, 0))
		entry := entryView{
			Sign: arrows[dir].sign, Word: arrows[dir].word, Offset: milliseconds(e.Time.Sub(r.Start)), Text: e.Text,
		}
		if dir != transcript.Note {
			entry.Bytes = count(uint64(max(e.Bytes, 0)))
		}
		view.Entries = append(view.Entries, entry)
	}
	view.Received, view.Sent = count(bytes[transcript.Received]), count(bytes[transcript.Sent])
	for _, child := range children {
		view.Children = append(view.Children, newRow(child))
	}
	return view
}
