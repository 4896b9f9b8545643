package console

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/transcript"
)

// follower reads server-sent events.
type follower struct {
	t        *testing.T
	response *http.Response
	lines    *bufio.Scanner
	stop     context.CancelFunc
}

func (f *fixture) follow(path string) *follower {
	f.t.Helper()
	ctx, stop := context.WithTimeout(f.t.Context(), 30*time.Second)
	f.t.Cleanup(stop)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.base+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	request.Header.Set("Accept", "text/event-stream")
	response, err := f.browser.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { response.Body.Close() })
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	return &follower{t: f.t, response: response, lines: lines, stop: stop}
}

// read returns the next event; ok is false at the stream's end.
func (f *follower) read() (name, data string, ok bool) {
	for f.lines.Scan() {
		line := f.lines.Text()
		switch {
		case strings.HasPrefix(line, "event: "):
			name = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			data += line[len("data: "):] + "\n"
		case line == "" && name != "":
			return name, data, true
		}
	}
	return "", "", false
}

// next returns the data of the next event of the name.
func (f *follower) next(want string) string {
	f.t.Helper()
	for {
		name, data, ok := f.read()
		if !ok {
			f.t.Fatalf("the stream ended before %q", want)
		}
		if name == want {
			return data
		}
	}
}

func (f *follower) ended() bool {
	for {
		if _, _, ok := f.read(); !ok {
			return true
		}
	}
}

func TestLive(t *testing.T) {
	t.Parallel()
	f := start(t).enter()
	old := f.say("dns", "before", "the stream")
	live := f.follow("/live")
	if got := live.response.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("content type %s", got)
	}
	if all := live.next("all"); !strings.Contains(all, "before <i>→</i> the stream") || !strings.Contains(all, fmt.Sprintf(`<tr id="x%v">`, old)) {
		t.Errorf("all: %s", all)
	}
	id := f.say("web", "GET / HTTP/1.1", "200 OK")
	rows := live.next("rows")
	page := f.get("/").body
	row := strings.TrimSpace(strings.Replace(rows, ` class="new"`, "", 1))
	if !strings.Contains(row, fmt.Sprintf(`href="/exchanges/%v"`, id)) || !strings.Contains(page, row) {
		t.Errorf("the row on the stream\n%s\nis not the page's\n%s", row, page)
	}
}

func TestLiveUnderWay(t *testing.T) {
	t.Parallel()
	f := start(t).enter()
	live := f.follow("/live")
	live.next("all")
	x := f.recorder.Begin(t.Context(), "ftp", "tcp", local8053, remote1)
	x.Line(transcript.Sent, 9, "220 ready")
	if rows := live.next("rows"); !strings.Contains(rows, "220 ready") || !strings.Contains(rows, "under way") || strings.Contains(rows, "oob") {
		t.Errorf("begun: %s", rows)
	}
	x.Line(transcript.Received, 4, "QUIT")
	x.End()
	rows := live.next("rows")
	if !strings.Contains(rows, fmt.Sprintf(`<tr id="x%v" hx-swap-oob="true">`, x.Head().ID)) || !strings.Contains(rows, "QUIT") || strings.Contains(rows, "under way") {
		t.Errorf("ended: %s", rows)
	}
}

func TestLiveOfOneService(t *testing.T) {
	t.Parallel()
	f := start(t).enter()
	f.say("dns", "old dns", "")
	f.say("web", "old web", "")
	live := f.follow("/live?service=dns")
	if all := live.next("all"); strings.Contains(all, "web") || !strings.Contains(all, "old dns") {
		t.Errorf("all: %s", all)
	}
	f.say("web", "new web", "")
	f.say("dns", "new dns", "")
	if rows := live.next("rows"); strings.Contains(rows, "web") || !strings.Contains(rows, "new dns") {
		t.Errorf("rows: %s", rows)
	}
}

func TestLiveIsThrottled(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *Options) { o.Rows, o.RowsPerSecond = 5, 1 }).enter()
	live := f.follow("/live")
	live.next("all")
	for i := range 40 {
		f.say("dns", fmt.Sprintf("query %d", i), "answer")
		time.Sleep(time.Millisecond)
	}
	shown := 0
	for {
		name, data, ok := live.read()
		if !ok {
			t.Fatal("the stream ended")
		}
		if name == "rows" {
			shown += strings.Count(data, `class="new"`)
			continue
		}
		if name != "note" {
			continue
		}
		var left int
		if _, err := fmt.Sscanf(data, "%d left out", &left); err != nil {
			t.Fatalf("note %q: %v", data, err)
		}
		if shown > 8 || shown+left > 40 {
			t.Fatalf("%d shown, %d left out", shown, left)
		}
		if shown+left == 40 {
			return
		}
	}
}

func TestLiveEndsWithItsSession(t *testing.T) {
	t.Parallel()
	f := start(t).enter()
	live := f.follow("/live")
	live.next("all")
	f.post("/logout", nil)
	if !live.ended() {
		t.Error("a stream outlives its session")
	}
	f.eventually("the place is given back", func() bool { f.streams.mu.Lock(); defer f.streams.mu.Unlock(); return f.streams.all == 0 })
}

func TestLiveOutlivesTheReadTimeout(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *Options) { o.ReadTimeout, o.WriteTimeout = 500*time.Millisecond, 500*time.Millisecond }).enter()
	live := f.follow("/live")
	live.next("all")
	time.Sleep(time.Second)
	f.say("dns", "late", "")
	if rows := live.next("rows"); !strings.Contains(rows, "late") {
		t.Errorf("rows %s", rows)
	}
}

// TestSlowReader: who does not read is cut off, and holds up nobody.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *Options) {
		o.Rows, o.RowsPerSecond, o.StreamInterval, o.WriteTimeout = 500, 1e6, time.Millisecond, 500*time.Millisecond
	}).enter()
	request, err := http.NewRequest(http.MethodGet, f.base+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range f.browser.Jar.Cookies(request.URL) {
		request.AddCookie(c)
	}
	c, err := net.Dial("tcp", f.address().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if err := request.Write(c); err != nil {
		t.Fatal(err)
	}
	streams := func() int { f.streams.mu.Lock(); defer f.streams.mu.Unlock(); return f.streams.all }
	f.eventually("the stream begins", func() bool { return streams() == 1 })
	f.eventually("the stream is cut off", func() bool {
		for range 200 {
			f.say("dns", strings.Repeat("<", 80), strings.Repeat(">", 80))
		}
		return streams() == 0
	})
}

func TestMaxStreams(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *Options) { o.MaxStreams, o.MaxStreamsPerSession = 3, 2 }).enter()
	first := f.follow("/live")
	first.next("all")
	f.follow("/live").next("all")
	if r := f.get("/live"); r.status != http.StatusTooManyRequests || r.header.Get("Retry-After") == "" {
		t.Errorf("past the session's limit: %d", r.status)
	}
	mine := f.browser
	f.browser = f.newBrowser()
	f.enter()
	f.follow("/live").next("all")
	if r := f.get("/live"); r.status != http.StatusTooManyRequests {
		t.Errorf("past the limit of all: %d", r.status)
	}
	first.stop()
	f.eventually("a place is free again", func() bool { f.streams.mu.Lock(); defer f.streams.mu.Unlock(); return f.streams.all == 2 })
	f.browser = mine
	f.follow("/live").next("all")
}

// TestNobodyRecordsMore: a stream that is open does not make exchanges be recorded that nobody else wants.
func TestNobodyRecordsMore(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *Options) {
		o.Ring = transcript.NewRing(10, 0)
		o.Recorder = transcript.New(transcript.Options{Sinks: []transcript.Sink{o.Ring}})
	}).enter()
	live := f.follow("/live")
	live.next("all")
	if x := f.opts.Recorder.Begin(t.Context(), "dns", "udp", local8053, remote1); x != nil {
		t.Error("an exchange is recorded for the stream")
	}
	if note := live.next("note"); note != "1 left out\n" {
		t.Errorf("note %q", note)
	}
}

func TestNoRing(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *Options) { o.Ring, o.Recorder = nil, nil }).enter()
	if all := f.follow("/live").next("all"); strings.TrimSpace(all) != "" {
		t.Errorf("all %q", all)
	}
	if r := f.get("/exchanges/1"); r.status != http.StatusNotFound {
		t.Errorf("an exchange: %d", r.status)
	}
}

// list is a liveList over a ring that a test fills.
type list struct {
	*liveList
	ring     *transcript.Ring
	recorder *transcript.Recorder
	at       time.Time
}

func newList(ring, size, perSecond int) *list {
	r := transcript.NewRing(ring, 1<<30)
	l := &list{
		ring: r, recorder: transcript.New(transcript.Options{Sinks: []transcript.Sink{r}}),
		liveList: newLiveList(size, perSecond, r), at: time.Unix(1000, 0),
	}
	l.reset(r.Recent(size), 0, l.at)
	return l
}

func (l *list) begin() *transcript.Exchange {
	return l.recorder.Begin(context.Background(), "dns", "udp", local8053, remote1)
}

// after steps, a while later, and returns what changed as one line: new rows +, updates ~, rows that go -.
func (l *list) after(d time.Duration) string {
	l.at = l.at.Add(d)
	rows, gone := l.step(l.ring.Recent(l.size), l.at)
	var out []string
	for _, row := range rows {
		sign := "+"
		if row.Swap != "" {
			sign = "~"
		}
		out = append(out, sign+row.ID.String())
	}
	for _, id := range gone {
		out = append(out, "-"+id.String())
	}
	return strings.Join(out, " ")
}

func TestListSteps(t *testing.T) {
	t.Parallel()
	l := newList(100, 3, 1000)
	expect := func(what, want string, d time.Duration) {
		t.Helper()
		if got := l.after(d); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	expect("nothing", "", time.Second)
	one := l.begin()
	two := l.begin()
	two.End()
	expect("two begin", "+2 +1", time.Second)
	expect("nothing more", "", time.Second)
	one.Line(transcript.Sent, 1, "a")
	expect("a line", "~1", time.Second)
	one.Line(transcript.Sent, 1, "b")
	expect("a line too soon after", "", time.Second/2)
	expect("and late enough", "~1", time.Second/2)
	one.Line(transcript.Sent, 1, "c")
	one.End()
	expect("the end is never too soon", "~1", time.Millisecond)
	expect("and told once", "", time.Second)
	l.begin().End()
	l.begin().End()
	expect("past the size", "+4 +3 -1", time.Second)
}

func TestListLeavesOut(t *testing.T) {
	t.Parallel()
	l := newList(1000, 5, 10)
	burst := func(n int) {
		for range n {
			l.begin().End()
		}
	}
	burst(5)
	if got := l.after(0); got != "+5 +4 +3 +2 +1" {
		t.Errorf("a burst that fits the list: %q", got)
	}
	burst(3)
	if got := l.after(200 * time.Millisecond); got != "+8 +7 -1 -2" {
		t.Errorf("at 10 rows a second, after 0.2 s: %q", got)
	}
	if left, tell := l.leftOut(8, l.at); tell {
		t.Errorf("told of %d that may still come", left)
	}
	if left, tell := l.leftOut(8, l.at); !tell || left != 1 {
		t.Errorf("%d left out, told %v", left, tell)
	}
	if _, tell := l.leftOut(8, l.at.Add(time.Minute)); tell {
		t.Error("told twice")
	}
	burst(4)
	if got := l.after(0); got != "" {
		t.Errorf("with nothing allowed: %q", got)
	}
	if got := l.after(time.Hour); got != "" {
		t.Errorf("what was left out came later: %q", got)
	}
	l.leftOut(12, l.at)
	if _, tell := l.leftOut(12, l.told.Add(time.Second-1)); tell {
		t.Error("told more than once a second")
	}
	if left, tell := l.leftOut(12, l.told.Add(time.Second)); !tell || left != 5 {
		t.Errorf("%d left out, told %v", left, tell)
	}
	burst(9)
	if got := l.after(time.Hour); got != "+21 +20 +19 +18 +17 -3 -4 -5 -7 -8" {
		t.Errorf("after an hour of silence: %q", got)
	}
}

// TestListDropsWhatTheRingHasGivenUp: of an exchange under way that the ring has dropped nobody would tell the end.
func TestListDropsWhatTheRingHasGivenUp(t *testing.T) {
	t.Parallel()
	l := newList(3, 3, 1)
	long := l.begin()
	if got := l.after(0); got != "+1" {
		t.Fatal(got)
	}
	l.allowance = 0
	for range 3 {
		l.begin().End()
	}
	if got := l.after(0); got != "-1" {
		t.Errorf("after the ring has given it up: %q", got)
	}
	long.End()
}
