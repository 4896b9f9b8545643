package console

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/dns/querylog"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/transcript"
)

// element is one start tag of a page.
type element struct {
	name  string
	attrs map[string]string
}

// parse reads a page, and fails where tags do not match.
func parse(t *testing.T, page string) (elements []element, text string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(page))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var b strings.Builder
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return elements, b.String()
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, page)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{name: token.Name.Local, attrs: map[string]string{}}
			for _, a := range token.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			elements = append(elements, e)
		case xml.CharData:
			b.Write(token)
		}
	}
}

func named(elements []element, name string) (found []element) {
	for _, e := range elements {
		if e.name == name {
			found = append(found, e)
		}
	}
	return found
}

func TestFirstPage(t *testing.T) {
	t.Parallel()
	f := start(t).enter()
	f.say("dns", "query www.networkutopia.test. A", "NOERROR, 1 answer")
	f.say("web", "GET / HTTP/1.1", "200 OK")
	elements, text := parse(t, f.get("/").body)
	for _, want := range []string{
		"networkutopia.test", "dns", "127.0.0.1:8053", "UDP, TCP", "up", "failed", "starting", "stopped", "12", "0.4", "1\u202f234\u202f567",
		"127.0.0.1:20000 is taken by nc (pid 42)", "stop it", "web.root is empty",
		"query www.networkutopia.test. A → NOERROR, 1 answer", "GET / HTTP/1.1 → 200 OK", "127.0.0.1:40001", "Utopia 1.2.3",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	var links []string
	for _, a := range named(elements, "a") {
		links = append(links, a.attrs["href"])
	}
	for _, want := range []string{
		"http://127.0.0.1:8080/", "https://[::1]:8443/", "/exchanges/1", "/exchanges/2", "/?service=dns#exchanges", "/", "#main",
	} {
		if !slices.Contains(links, want) {
			t.Errorf("there is no link to %s among %v", want, links)
		}
	}
	if strings.Index(text, "GET / HTTP/1.1") > strings.Index(text, "query www") {
		t.Error("the newest is not first")
	}
	if strings.Contains(text, "Metrics") {
		t.Error("there is a link to metrics that are not there")
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	f := start(t).enter()
	f.say("dns", "a question", "")
	f.say("odd & <name>", "an oddity", "")
	elements, text := parse(t, f.get("/?service=dns").body)
	if !strings.Contains(text, "a question") || strings.Contains(text, "an oddity") {
		t.Errorf("the filter lets through:\n%s", text)
	}
	for _, e := range elements {
		if e.attrs["aria-current"] == "true" && e.attrs["href"] != "/?service=dns#exchanges" {
			t.Errorf("current is %v", e.attrs)
		}
	}
	elements, _ = parse(t, f.get("/").body)
	odd := url.Values{"service": {"odd & <name>"}}.Encode()
	found := slices.ContainsFunc(elements, func(e element) bool { return e.attrs["href"] == "/?"+odd+"#exchanges" })
	if !found {
		t.Error("a service that only its exchanges name has no filter")
	}
	elements, text = parse(t, f.get("/?"+odd).body)
	if !strings.Contains(text, "an oddity") || strings.Contains(text, "a question") {
		t.Errorf("the filter of the odd name lets through:\n%s", text)
	}
	if !slices.ContainsFunc(elements, func(e element) bool { return e.attrs["data-live"] == "/live?"+odd }) {
		t.Error("the live stream does not have the filter")
	}
	if _, text := parse(t, f.get("/?service=nobody").body); !strings.Contains(text, "Nothing has been said with nobody yet") {
		t.Error("a service without exchanges")
	}
}

func TestTranscriptPage(t *testing.T) {
	t.Parallel()
	f := start(t).enter()
	x := f.recorder.Begin(t.Context(), "smtp", "tcp", local8053, remote1)
	x.Line(transcript.Sent, 30, "220 ready")
	x.Line(transcript.Note, 0, "the client is known")
	x.Secret(transcript.Received, 20, "AUTH PLAIN ", "c2VjcmV0")
	child := f.recorder.Begin(x.Context(t.Context()), "dns", "udp", local8053, remote1)
	child.Line(transcript.Sent, 40, "query MX")
	child.End()
	page := f.get("/exchanges/1")
	elements, text := parse(t, page.body)
	for _, want := range []string{
		"Exchange 1", "smtp", "over tcp", "127.0.0.1:40001", "127.0.0.1:8053", "under way",
		"→ sent30220 ready", "· notethe client is known", "← received20AUTH PLAIN •••", "20 bytes", "30 bytes", "query MX",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the transcript lacks %q:\n%s", want, text)
		}
	}
	var poll string
	for _, e := range elements {
		if e.attrs["hx-get"] != "" {
			poll = e.attrs["hx-get"]
		}
	}
	if r := f.get(poll); r.status != http.StatusNoContent || r.body != "" {
		t.Errorf("the poll %s of an unchanged transcript: %d", poll, r.status)
	}
	x.Line(transcript.Sent, 5, "235 welcome")
	if r := f.get(poll); r.status != 200 || !strings.Contains(r.body, "235 welcome") {
		t.Errorf("the poll of a changed transcript: %d", r.status)
	}
	x.End()
	if r := f.get(poll); r.status != 200 || strings.Contains(r.body, "hx-get") || strings.Contains(r.body, "under way") {
		t.Errorf("the poll of a transcript that has ended: %d", r.status)
	}
	if _, text := parse(t, f.get("/exchanges/2").body); !strings.Contains(text, "exchange 1") || strings.Contains(text, "not kept") {
		t.Errorf("the child does not name its parent:\n%s", text)
	}
}

func TestTranscriptsThatAreNotKept(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *Options) {
		o.Ring = transcript.NewRing(1, 1<<30)
		o.Recorder = transcript.New(transcript.Options{Sinks: []transcript.Sink{o.Ring}})
	}).enter()
	parent := f.opts.Recorder.Begin(t.Context(), "smtp", "tcp", local8053, remote1)
	child := f.opts.Recorder.Begin(parent.Context(t.Context()), "dns", "udp", netip.AddrPort{}, netip.AddrPort{})
	for range transcript.MaxEntries + 7 {
		child.Line(transcript.Sent, 1000, "x")
	}
	child.End()
	f.opts.Recorder.Begin(t.Context(), "smtp", "tcp", local8053, remote1) // takes the parent's place
	if _, text := parse(t, f.get("/exchanges/2").body); !strings.Contains(text, "exchange 1, which is not kept any more") ||
		!strings.Contains(text, "7 further entries were not kept") || !strings.Contains(text, "at least 200\u202f000 bytes") {
		t.Errorf("the page does not say what is missing:\n%s", text)
	}
	for _, path := range []string{"/exchanges/1", "/exchanges/99", "/exchanges/0", "/exchanges/x", "/exchanges/-1", "/exchanges/18446744073709551616", "/exchanges/%3Cscript%3E"} {
		if r := f.get(path); r.status != http.StatusNotFound || strings.Contains(r.body, "<script>") {
			t.Errorf("%s: %d", path, r.status)
		}
	}
}

// TestTranscriptThatGoesWhileItIsRead: what the reader has on the page stays there.
func TestTranscriptThatGoesWhileItIsRead(t *testing.T) {
	t.Parallel()
	f := start(t).enter()
	if r := f.get("/exchanges/99?known=1.0", "HX-Request", "true"); r.status != 286 || r.header.Get("HX-Reswap") != "none" ||
		r.body != `<em id="took" hx-swap-oob="true">not kept any more</em>` {
		t.Errorf("%d %s", r.status, r.body)
	}
}

const hostile = `<script>alert(1)</script><img src=x onerror=alert(1)>"'> hx-get="/logout" {{.}} </td></table>`

// TestHostileText lets peers write markup wherever they can.
func TestHostileText(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *Options) {
		o.Domain = hostile
		o.Status = func(context.Context) (control.Status, error) {
			return control.Status{Warnings: []string{hostile}, Services: []control.Service{{
				Name: hostile, State: hostile, Error: hostile, Hint: hostile,
				Endpoints: []control.Endpoint{{Protocol: hostile, Network: hostile, Address: hostile}, {Protocol: "http", Address: "javascript:alert(1)"}},
			}}}, nil
		}
	}).enter()
	live := f.follow("/live")
	live.next("all")
	id := f.say(hostile, hostile, "x\n\nevent: all\ndata: y")
	rows := live.next("rows")
	pages := map[string]string{"rows": "<table>" + rows + "</table>"}
	for _, path := range []string{"/", "/?" + url.Values{"service": {hostile}}.Encode(), "/exchanges/" + id.String(), "/parts/services"} {
		pages[path] = f.get(path).body
	}
	wrong := f.post("/login", url.Values{"name": {hostile}, "password": {"x"}, "next": {"/" + hostile}})
	pages["/login"] = wrong.body
	for path, page := range pages {
		elements, _ := parse(t, page)
		for _, e := range elements {
			for name, value := range e.attrs {
				if strings.HasPrefix(name, "on") || strings.HasPrefix(value, "javascript:") || name == "hx-get" && value == "/logout" {
					t.Errorf("%s: an attribute came through: %v", path, e)
				}
			}
			if e.name == "script" && !strings.HasPrefix(e.attrs["src"], "/assets/") || e.name == "img" && e.attrs["src"] == "x" {
				t.Errorf("%s: an element came through: %v", path, e)
			}
		}
		if strings.Contains(page, "<script>") || strings.Contains(page, "<img src=x") {
			t.Errorf("%s: text came through unescaped", path)
		}
	}
}

// TestNothingExternalOrInline looks for what the content security policy would refuse.
func TestNothingExternalOrInline(t *testing.T) {
	t.Parallel()
	f := start(t).enter()
	id := f.say("dns", "a", "b")
	for _, path := range []string{"/", "/exchanges/" + id.String(), "/nope", "/open", "/login"} {
		if path == "/login" {
			f.browser = f.newBrowser() // whoever is in is not shown it
		}
		elements, _ := parse(t, f.get(path).body)
		for _, e := range elements {
			if e.name == "style" || e.attrs["style"] != "" || e.name == "script" && e.attrs["src"] == "" || e.name == "iframe" || e.name == "base" {
				t.Errorf("%s: inline or framed: %v", path, e)
			}
			address := e.attrs["src"]
			if e.name == "link" {
				address = e.attrs["href"]
			}
			if address == "" {
				continue
			}
			if r := f.get(address); !strings.HasPrefix(address, "/assets/") || r.status != 200 {
				t.Errorf("%s: loads %s: %d", path, address, r.status)
			}
		}
	}
	for _, name := range []string{"console.css", "console.js", "icon.svg"} {
		content, err := files.ReadFile("assets/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if found := regexp.MustCompile(`(?i)@import|url\(|https?://[^w]|import\(|eval\(`).Find(content); found != nil {
			t.Errorf("%s: %s", name, found)
		}
	}
}

// TestReadableWithoutJavaScript: what matters is in the page as it is sent, reached by plain links and forms.
func TestReadableWithoutJavaScript(t *testing.T) {
	t.Parallel()
	f := start(t).enter()
	f.say("dns", "a", "b")
	elements, text := parse(t, f.get("/").body)
	if !strings.Contains(text, "a → b") || !strings.Contains(text, "Refresh") {
		t.Error("the exchanges or the link to load them again are missing")
	}
	for _, e := range elements {
		switch {
		case e.name == "button" && e.attrs["type"] == "button" && e.attrs["hidden"] == "":
			t.Errorf("a button that does nothing without JavaScript is shown: %v", e)
		case e.name == "a" && (e.attrs["href"] == "" || e.attrs["href"] == "#"):
			t.Errorf("a link that leads nowhere: %v", e)
		case e.name == "form" && (e.attrs["action"] == "" || e.attrs["method"] != "post"):
			t.Errorf("a form that is not sent: %v", e)
		}
	}
}

func TestAccessible(t *testing.T) {
	t.Parallel()
	f := start(t).enter()
	id := f.say("dns", "a", "b")
	for _, path := range []string{"/", "/exchanges/" + id.String(), "/login"} {
		if path == "/login" {
			f.browser = f.newBrowser() // whoever is in is not shown it
		}
		elements, _ := parse(t, f.get(path).body)
		for _, name := range []string{"main", "header", "footer", "h1", "title"} {
			if n := len(named(elements, name)); n != 1 {
				t.Errorf("%s: %d of <%s>", path, n, name)
			}
		}
		if n := len(named(elements, "table")); n != len(named(elements, "caption")) || n != len(named(elements, "thead")) {
			t.Errorf("%s: %d tables, not all with a caption and a head", path, n)
		}
		for _, th := range named(elements, "th") {
			if th.attrs["scope"] == "" {
				t.Errorf("%s: a header without a scope", path)
			}
		}
		for _, nav := range named(elements, "nav") {
			if nav.attrs["aria-label"] == "" {
				t.Errorf("%s: navigation without a name", path)
			}
		}
		labels := map[string]bool{}
		for _, label := range named(elements, "label") {
			labels[label.attrs["for"]] = true
		}
		ids := map[string]bool{}
		for _, e := range elements {
			if e.name == "input" && e.attrs["type"] != "hidden" && !labels[e.attrs["id"]] {
				t.Errorf("%s: an input without a label: %v", path, e)
			}
			if e.name == "img" {
				if _, ok := e.attrs["alt"]; !ok {
					t.Errorf("%s: an image without alt", path)
				}
			}
			if id := e.attrs["id"]; id != "" && ids[id] {
				t.Errorf("%s: the id %s stands twice", path, id)
			}
			ids[e.attrs["id"]] = true
		}
		if html := named(elements, "html"); len(html) != 1 || html[0].attrs["lang"] != "en" {
			t.Errorf("%s: no language", path)
		}
	}
}

// TestWeight sums up the first page with all that it loads, at its fullest: every line at its longest, and of
// characters that take much room in HTML.
func TestWeight(t *testing.T) {
	t.Parallel()
	const most = 150_000
	f := start(t, func(o *Options) {
		o.Status = func(context.Context) (control.Status, error) {
			s := sample()
			for i := range 12 {
				service := sample().Services[0]
				service.Name = fmt.Sprint("service", i)
				s.Services = append(s.Services, service)
			}
			return s, nil
		}
	}).enter()
	for range DefaultRows {
		x := f.recorder.Begin(t.Context(), "service", "tls", local8053, netip.MustParseAddrPort("[2001:db8:1111:2222:3333:4444:5555:6666]:65535"))
		x.Line(transcript.Received, 1, strings.Repeat(`"`, 1000))
		x.Line(transcript.Sent, 1, strings.Repeat(`&`, 1000))
		x.End()
	}
	page := f.get("/").body
	elements, _ := parse(t, page)
	sum, seen := len(page), map[string]bool{}
	for _, e := range elements {
		address := e.attrs["src"]
		if e.name == "link" {
			address = e.attrs["href"]
		}
		if address != "" && !seen[address] {
			seen[address] = true
			sum += len(f.get(address).body)
		}
	}
	if len(seen) != 4 || sum > most {
		t.Errorf("the first page weighs %d bytes with %d assets, more than %d", sum, len(seen), most)
	}
	t.Logf("the first page weighs %d bytes, %d of them HTML", sum, len(page))
}

// TestContrast computes the contrast of each colour of text with what it stands on (WCAG 2.2, 1.4.3: at least 4.5).
func TestContrast(t *testing.T) {
	t.Parallel()
	sheet, err := files.ReadFile("assets/console.css")
	if err != nil {
		t.Fatal(err)
	}
	roots := regexp.MustCompile(`:root \{[^}]*\}`).FindAll(sheet, -1)
	if len(roots) != 2 {
		t.Fatalf("%d sets of colours, want a light and a dark one", len(roots))
	}
	for i, scheme := range []string{"light", "dark"} {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{3,6});`).FindAllStringSubmatch(string(roots[i]), -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		for text, grounds := range map[string]string{
			"text": "back sheet hover line new", "soft": "back sheet hover", "link": "back sheet hover", "good": "sheet hover",
			"bad": "sheet bad-back", "wait": "sheet hover wait-back", "sheet": "link",
		} {
			for ground := range strings.FieldsSeq(grounds) {
				a, okA := colours[text]
				b, okB := colours[ground]
				if contrast := (max(a, b) + 0.05) / (min(a, b) + 0.05); !okA || !okB || contrast < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.1f", scheme, text, ground, contrast)
				}
			}
		}
	}
}

// luminance is the relative luminance of a colour (WCAG 2.2).
func luminance(t *testing.T, hexadecimal string) float64 {
	t.Helper()
	if len(hexadecimal) == 3 {
		h := hexadecimal
		hexadecimal = string([]byte{h[0], h[0], h[1], h[1], h[2], h[2]})
	}
	rgb, err := hex.DecodeString(hexadecimal)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(rgb[i]) / 255
		if c <= 0.04045 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}

func TestServicesPart(t *testing.T) {
	t.Parallel()
	var status control.Status
	var failed error
	f := start(t, func(o *Options) {
		o.Status = func(context.Context) (control.Status, error) { return status, failed }
	}).enter()
	status = sample()
	poll := func(page string) string {
		elements, _ := parse(t, page)
		for _, e := range elements {
			if e.attrs["id"] == "services" {
				return e.attrs["hx-get"]
			}
		}
		t.Fatalf("no services in\n%s", page)
		return ""
	}
	address := poll(f.get("/").body)
	status.Services[0].Total++
	status.Services[0].Rate = 99
	got := f.get(address).body
	if !strings.Contains(got, `<span id="rate-0" hx-swap-oob="true">99</span>`) || !strings.Contains(got, "234\u202f568") || strings.Contains(got, "<table") {
		t.Errorf("new figures: %s", got)
	}
	status.Services[1].State = "failed"
	got = f.get(address).body
	if !strings.Contains(got, `hx-swap-oob="true"`) || !strings.Contains(got, "<table") || poll(got) == address {
		t.Errorf("a new state: %s", got)
	}
	failed = errors.New("the supervisor is out")
	if got := f.get(address).body; !strings.Contains(got, "the supervisor is out") {
		t.Errorf("no status: %s", got)
	}
	if r := f.get("/"); r.status != 200 || !strings.Contains(r.body, "the supervisor is out") || !strings.Contains(r.body, "Exchanges") {
		t.Errorf("the first page without a status: %d", r.status)
	}
}

// TestGolden keeps the pages as they are looked at.
func TestGolden(t *testing.T) {
	t.Parallel()
	f := start(t, withNames(sampleNames()))
	f.opts.Domain = "networkutopia.test"
	record := transcript.Record{
		Head: transcript.Head{ID: 7, Parent: 3, Service: "dns", Network: "udp", Local: local8053, Remote: remote1, Start: at},
		End:  at.Add(1234 * time.Microsecond),
		Entries: []transcript.Entry{
			{Time: at.Add(100 * time.Microsecond), Dir: transcript.Received, Text: "query www.networkutopia.test. A", Bytes: 44},
			{Time: at.Add(1200 * time.Microsecond), Dir: transcript.Sent, Text: "NOERROR, 1 answer", Bytes: 60},
		},
	}
	underWay := record
	underWay.ID, underWay.End, underWay.Entries = 8, time.Time{}, nil
	home := homeView{
		Services: f.servicesView(t.Context()), Rows: []rowView{newRow(underWay), newRow(record)}, Live: "/live", Here: "/", At: at, Shown: 50,
		Filters: []filterView{{Name: "all", URL: "/", Current: true}, {Name: "dns", URL: "/?service=dns"}},
	}
	names := dnsView{Traffic: f.trafficView(), Live: "/dns/live?type=A", Here: "/dns?type=A", At: at, Shown: 50, Wrong: "It is wrong."}
	names.Asked.Type = "A"
	names.Traffic.Charts[0] = newChart("By response code", []time.Time{at, at.Add(trafficEvery)}, map[string][]float64{"NOERROR": {1, 2}}, []string{"NOERROR"})
	for _, z := range sampleNames().zones {
		names.Zones.Zones = append(names.Zones.Zones, newZoneView(z, at))
	}
	names.Rows = []queryRow{newQueryRow("7-0", querylog.Query{
		Exchange: 7, Time: at, Transport: "udp", Client: remote1, Name: "www.networkutopia.test.", Type: "A", Class: "IN", Opcode: "QUERY",
		Flags: []string{"rd", "do"}, Code: "NOERROR", AnswerFlags: []string{"aa"}, Answer: 2, Sent: 172, Took: 85, Signed: true,
	})}
	r, err := http.NewRequest(http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]any{
		"dns": names, "home": home, "exchange": newExchangeView(record, []transcript.Record{underWay}),
		"login": loginView{Next: "/", Name: "alice", Problem: "It is wrong."}, "problem": "It went wrong.", "opened": nil,
	} {
		l := f.layout(r, "Title of "+name, data)
		l.In = name == "home" || name == "exchange" || name == "dns"
		var b bytes.Buffer
		if err := f.site.pages[name].ExecuteTemplate(&b, "layout", l); err != nil {
			t.Fatal(err)
		}
		got := regexp.MustCompile(`/assets/[0-9a-f]{12}-`).ReplaceAll(b.Bytes(), []byte("/assets/HASH-"))
		file := "testdata/" + name + ".golden.html"
		if *rewrite {
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not as in %s (go test -rewrite writes it anew):\n%s", name, file, got)
		}
	}
}

func TestEveryTemplateIsAPage(t *testing.T) {
	t.Parallel()
	s, err := newSite()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range (&Service{}).pages() {
		if s.pages[p.file] == nil {
			t.Errorf("page %s has no template", p.path)
		}
	}
	if _, err := s.assetURL("nope.css"); err == nil {
		t.Error("an asset that is not there has an address")
	}
}

func TestPageThatFails(t *testing.T) {
	t.Parallel()
	f := start(t)
	r, err := http.NewRequest(http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &recorded{header: http.Header{}}
	f.serve(w, r, page{file: "home", show: func(*http.Request) (string, any, error) { return "", nil, errors.New("secret detail") }})
	if w.status != http.StatusInternalServerError || strings.Contains(w.body.String(), "secret detail") {
		t.Errorf("%d %s", w.status, w.body.String())
	}
}

// recorded is a ResponseWriter that keeps what is written.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorded) Header() http.Header         { return r.header }
func (r *recorded) WriteHeader(status int)      { r.status = status }
func (r *recorded) Write(b []byte) (int, error) { return r.body.Write(b) }
