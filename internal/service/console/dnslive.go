package console

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/network-utopia/utopia/dns/querylog"
	"github.com/network-utopia/utopia/transcript"
)

// maxLook is how many of the name server's newest exchanges are looked through for queries.
const maxLook = 500

// dnsService is the name of the name server in transcripts.
const dnsService = "dns"

// queryRow is one query in a list.
type queryRow struct {
	Key       string // names the row in the page
	Exchange  transcript.ID
	Time      time.Time
	Client    string
	Transport string
	Name      string
	Kind      string
	Flags     string
	Outcome   string
	Class     string // of the outcome: up, starting or failed, as those of services
	Counts    string
	Size      string
	Marks     string
	Took      string
	New       bool // it is new to a page that is open
}

func newQueryRow(key string, q querylog.Query) queryRow {
	row := queryRow{
		Key: key, Exchange: q.Exchange, Time: q.Time, Client: q.Client.String(), Transport: q.Transport,
		Name: cut(q.Name, maxLine), Kind: q.Kind(), Flags: strings.Join(q.Flags, " "), Outcome: q.Outcome(), Class: "failed",
		Marks: strings.Join(q.Marks(), " "),
	}
	switch {
	case q.Malformed != "":
		row.Name, row.Kind = cut(q.Malformed, maxLine), ""
	case q.Name == "":
		row.Name = "(no question)"
	}
	switch q.Code {
	case "":
		row.Marks = strings.TrimSpace(row.Marks + " " + q.Note)
		return row
	case "NOERROR":
		row.Class = "up"
	case "NXDOMAIN":
		row.Class = "starting"
	}
	row.Counts = fmt.Sprintf("%d/%d/%d", q.Answer, q.Authority, q.Additional)
	row.Size = count(uint64(max(q.Sent, 0)))
	row.Took = span(time.Duration(q.Took) * time.Microsecond)
	return row
}

// querySource shows the name server's queries that fit a filter, out of the ring of transcripts.
type querySource struct {
	*Service
	filter querylog.Filter

	shown     []string        // the keys of the rows that the page has, the newest first
	looked    map[string]bool // what the last look found, shown or left out
	allowance float64         // rows that may be shown now; at most Options.Rows
	at        time.Time       // of the last look

	recorded uint64 // queries found in the ring since the beginning, whatever the filter wants
	answered uint64 // queries that had been answered at the beginning
	before   uint64 // and at the last look
	left     uint64 // not recorded, as last told
	told     time.Time
}

func newQuerySource(s *Service, filter querylog.Filter) *querySource {
	return &querySource{Service: s, filter: filter}
}

// found is a query that the ring has.
type found struct {
	key   string
	query querylog.Query
}

// look gives the queries in the ring, the newest first.
func (s *querySource) look() []found {
	var all []found
	for _, record := range s.opts.Ring.Recent(maxLook, dnsService) {
		for i, q := range querylog.Queries(record) {
			all = append(all, found{fmt.Sprintf("%d-%d", record.ID, i), q})
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return b.query.Time.Compare(a.query.Time) })
	return all
}

// rows gives the newest rows that fit, and begins with them.
func (s *querySource) rows() (rows []queryRow) {
	all := s.look()
	s.looked, s.shown = map[string]bool{}, nil
	for _, f := range all {
		s.looked[f.key] = true
		if len(rows) < s.opts.Rows && s.filter.Wants(f.query) {
			rows = append(rows, newQueryRow(f.key, f.query))
			s.shown = append(s.shown, f.key)
		}
	}
	return rows
}

func (s *querySource) all(now time.Time) []byte {
	s.allowance, s.at = float64(s.opts.Rows), now
	s.answered = s.total()
	s.before, s.recorded, s.left = s.answered, 0, 0
	return s.site.render("queries", s.rows())
}

func (s *querySource) changes(now time.Time) []byte {
	s.allowance = min(float64(s.opts.Rows), s.allowance+float64(s.opts.RowsPerSecond)*now.Sub(s.at).Seconds())
	s.at = now
	all := s.look()
	looked := make(map[string]bool, len(all))
	var rows []queryRow
	var fresh []string
	for _, f := range all {
		looked[f.key] = true
		if s.looked[f.key] {
			continue
		}
		s.recorded++
		if float64(len(rows)+1) > s.allowance || !s.filter.Wants(f.query) {
			continue
		}
		row := newQueryRow(f.key, f.query)
		row.New = true
		rows, fresh = append(rows, row), append(fresh, f.key)
	}
	s.looked = looked
	if len(rows) == 0 {
		return nil
	}
	s.allowance -= float64(len(rows))
	s.shown = append(fresh, s.shown...)
	var gone []string
	if len(s.shown) > s.opts.Rows {
		gone = s.shown[s.opts.Rows:]
		s.shown = s.shown[:s.opts.Rows]
	}
	return s.site.render("query-changes", struct {
		Rows []queryRow
		Gone []string
	}{rows, gone})
}

// note tells how many queries were answered that the ring does not have: it takes so many exchanges a second. What was
// answered since the last look is not counted yet, since it may not be in the ring.
func (s *querySource) note(now time.Time) string {
	before := s.before
	s.before = s.total()
	if before <= s.answered+s.recorded+s.left || now.Sub(s.told) < time.Second {
		return ""
	}
	s.left, s.told = before-s.answered-s.recorded, now
	return count(s.left) + " not recorded"
}

// total is how many queries were answered since the program started.
func (s *querySource) total() (n uint64) {
	_, transports := sums(s.opts.Names.Traffic())
	for _, answered := range transports {
		n += answered
	}
	return n
}
