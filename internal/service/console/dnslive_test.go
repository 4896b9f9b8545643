package console

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/querylog"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/transcript"
)

func TestDNSLive(t *testing.T) {
	t.Parallel()
	f := start(t, withNames(sampleNames())).enter()
	old := f.asked("udp", "old.networkutopia.test.", dns.TypeA, dns.RcodeSuccess)
	live := f.follow("/dns/live")
	if all := live.next("all"); !strings.Contains(all, fmt.Sprintf(`<tr id="q%v-0">`, old)) {
		t.Errorf("all: %s", all)
	}
	id := f.asked("udp", "www.networkutopia.test.", dns.TypeA, dns.RcodeNXDomain)
	rows := live.next("rows")
	row := strings.TrimSpace(strings.Replace(rows, ` class="new"`, "", 1))
	if !strings.Contains(row, fmt.Sprintf(`href="/exchanges/%v"`, id)) || !strings.Contains(f.get("/dns").body, row) {
		t.Errorf("the row on the stream\n%s\nis not the page's", row)
	}
}

func TestDNSLiveFilters(t *testing.T) {
	t.Parallel()
	f := start(t, withNames(sampleNames())).enter()
	live := f.follow("/dns/live?type=MX&code=none,NXDOMAIN")
	live.next("all")
	f.asked("udp", "one.test.", dns.TypeMX, dns.RcodeSuccess)
	f.asked("udp", "two.test.", dns.TypeA, dns.RcodeNXDomain)
	f.asked("udp", "three.test.", dns.TypeMX, dns.RcodeNXDomain)
	if rows := live.next("rows"); strings.Contains(rows, "one.test") || strings.Contains(rows, "two.test") || !strings.Contains(rows, "three.test") {
		t.Errorf("rows: %s", rows)
	}
}

// On one connection each query is a row, when it is answered or will not be any more.
func TestDNSLiveOfAConnection(t *testing.T) {
	t.Parallel()
	f := start(t, withNames(sampleNames())).enter()
	live := f.follow("/dns/live")
	live.next("all")
	x := f.recorder.Begin(t.Context(), "dns", "tcp", local8053, remote1)
	one, two := dns.NewQuery(1, dns.MustParseName("one.test."), dns.TypeA), dns.NewQuery(2, dns.MustParseName("two.test."), dns.TypeA)
	f.message(x, transcript.Received, one)
	f.message(x, transcript.Received, two)
	f.message(x, transcript.Sent, two.Reply(dns.RcodeSuccess))
	if rows := live.next("rows"); !strings.Contains(rows, "two.test.") || strings.Contains(rows, "one.test.") {
		t.Errorf("rows: %s", rows)
	}
	x.End()
	if rows := live.next("rows"); !strings.Contains(rows, "one.test.") || !strings.Contains(rows, "not answered") || strings.Contains(rows, "two.test.") {
		t.Errorf("rows: %s", rows)
	}
}

// queries is a source over a ring of its own, on a clock of its own.
type queries struct {
	*querySource
	f   *fixture
	now time.Time
}

func newQueries(t *testing.T, n *nameServer, rows, perSecond int) *queries {
	t.Helper()
	f := start(t, withNames(n), func(o *Options) { o.Rows, o.RowsPerSecond = rows, perSecond })
	filter, err := querylog.NewFilter(querylog.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	q := &queries{newQuerySource(f.Service, filter), f, at}
	q.all(q.now)
	return q
}

func (q *queries) after(d time.Duration) (changes, note string) {
	q.now = q.now.Add(d)
	return string(q.changes(q.now)), q.note(q.now)
}

func TestQueriesAreBounded(t *testing.T) {
	t.Parallel()
	q := newQueries(t, &nameServer{}, 3, 1)
	var ids []transcript.ID
	ask := func(n int) {
		for range n {
			ids = append(ids, q.f.asked("udp", fmt.Sprintf("n%d.test.", len(ids)), dns.TypeA, dns.RcodeSuccess))
			time.Sleep(time.Millisecond) // so that the newest is
		}
	}
	ask(3)
	if changes, _ := q.after(time.Second); strings.Count(changes, `class="new"`) != 3 || strings.Contains(changes, "delete") {
		t.Errorf("as many as fit: %s", changes)
	}
	if changes, _ := q.after(time.Second); changes != "" {
		t.Errorf("nothing new: %s", changes)
	}
	ask(2) // two seconds have passed, and so two may be shown
	changes, _ := q.after(time.Second)
	if strings.Count(changes, `class="new"`) != 2 || !strings.Contains(changes, fmt.Sprintf(`<tr id="q%v-0" hx-swap-oob="delete">`, ids[0])) || strings.Count(changes, "delete") != 2 {
		t.Errorf("past the page's size: %s", changes)
	}
	ask(2)
	if changes, _ := q.after(time.Second); strings.Count(changes, `class="new"`) != 1 || !strings.Contains(changes, "n6.test.") {
		t.Errorf("the allowance: %s", changes)
	}
	ask(3) // those that were left out before do not come later
	if changes, _ := q.after(2 * time.Second); strings.Count(changes, `class="new"`) != 2 || !strings.Contains(changes, "n9.test.") || strings.Contains(changes, "n5.test.") {
		t.Errorf("past the allowance the newest are shown: %s", changes)
	}
}

// TestQueriesNotRecorded: the ring takes some of what is answered, and the page says how many it did not.
func TestQueriesNotRecorded(t *testing.T) {
	t.Parallel()
	n := &nameServer{}
	q := newQueries(t, n, 50, 50)
	answered := uint64(0)
	answer := func(recorded, not int) {
		for range recorded {
			q.f.asked("udp", "www.test.", dns.TypeA, dns.RcodeSuccess)
		}
		answered += uint64(recorded + not)
		n.change(func(n *nameServer) {
			n.traffic = control.Traffic{Transports: []control.TransportTraffic{{Transport: "udp", Codes: map[string]uint64{"NOERROR": answered}}}}
		})
	}
	for i, step := range []struct {
		recorded, not int
		after         time.Duration
		want          string
	}{
		{3, 0, time.Second, ""},
		{0, 0, time.Second, ""},
		{2, 5, time.Second, ""}, // it may be in the ring in a moment
		{0, 0, time.Second, "5 not recorded"},
		{0, 0, time.Second, ""}, // that is known
		{0, 1000, time.Second, ""},
		{0, 1, 500 * time.Millisecond, "1\u202f005 not recorded"},
		{0, 1, 400 * time.Millisecond, ""}, // a moment ago it was told
		{0, 0, 600 * time.Millisecond, "1\u202f007 not recorded"},
	} {
		answer(step.recorded, step.not)
		if _, note := q.after(step.after); note != step.want {
			t.Errorf("step %d: %q, want %q", i, note, step.want)
		}
	}
}
