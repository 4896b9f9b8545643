package console

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/leftout"
)

// tab is a page in Chromium.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string // errors of scripts, and what the content security policy forbade
}

func openTab(t *testing.T) *tab {
	t.Helper()
	path := leftout.Without(t, "chromium") // or nobody runs console.js
	options := append(append([]chromedp.ExecAllocatorOption(nil), chromedp.DefaultExecAllocatorOptions[:]...),
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-component-update", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.heard); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *tab) heard(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Source != log.EntrySourceNetwork { // a console that is stopped on purpose
			b.complaints = append(b.complaints, e.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Text)
	}
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// ask returns what a script gives.
func (b *tab) ask(script string) string {
	b.t.Helper()
	answer, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](script))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return answer
}

// until waits for a script to give true.
func (b *tab) until(condition string) {
	b.t.Helper()
	var last error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		yes, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](condition))
		if yes {
			return
		}
		last = err
	}
	b.t.Fatalf("waited in vain for %s (%v); the page says\n%s", condition, last, b.ask("document.body.innerText"))
}

// TestInABrowser follows the page's script through its life.
func TestInABrowser(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	status := sample()
	f := start(t, func(o *Options) {
		o.Status = func(context.Context) (control.Status, error) {
			mu.Lock()
			defer mu.Unlock()
			return status, nil
		}
	})
	b := openTab(t)
	first := `document.querySelector("#rows tr").textContent`
	state := `document.querySelector("[data-state]").textContent`

	b.do(chromedp.Navigate(f.base+"/?service=dns"), chromedp.SendKeys(chromedp.CSS("#name"), "alice"),
		chromedp.SendKeys(chromedp.CSS("#password"), "wonderland"), chromedp.Submit(chromedp.CSS("#name")))
	b.until(`location.search === "?service=dns" && ` + state + ` === "Live."`)
	b.do(chromedp.Navigate(f.base + "/"))
	b.until(state + ` === "Live."`)

	hostile := `<img src=x onerror="document.title='broken into'">`
	id := f.say("dns", "one", hostile)
	b.until(first + `.includes("one")`)
	if got := b.ask(first); !strings.Contains(got, hostile) {
		t.Errorf("the row says %q", got)
	}
	x := f.recorder.Begin(t.Context(), "ftp", "tcp", local8053, remote1)
	b.until(first + `.includes("under way")`)
	x.End()
	b.until(`!` + first + `.includes("under way") && document.querySelectorAll("#rows tr").length === 2`)
	for i := range DefaultRows {
		f.say("dns", fmt.Sprint("many ", i), "")
	}
	b.until(fmt.Sprintf(`%s.includes("many %d") && document.querySelectorAll("#rows tr").length === %d`, first, DefaultRows-1, DefaultRows))

	b.do(chromedp.Click(chromedp.CSS("[data-pause]")))
	f.eventually("the stream ends when it is paused", func() bool { f.streams.mu.Lock(); defer f.streams.mu.Unlock(); return f.streams.all == 0 })
	f.say("dns", "meanwhile", "")
	if got := b.ask(state + " + " + first); !strings.Contains(got, "Paused.") || strings.Contains(got, "meanwhile") {
		t.Errorf("while paused: %q", got)
	}
	b.do(chromedp.Click(chromedp.CSS("[data-pause]")))
	b.until(first + `.includes("meanwhile") && ` + state + ` === "Live."`)

	mu.Lock()
	status.Services[0].Total = 424242
	mu.Unlock()
	b.until(`document.querySelector("#total-0").textContent.replace(/\D/g, "") === "424242"`)
	mu.Lock()
	status.Services[0].State = "failed"
	mu.Unlock()
	b.until(`document.querySelector(".services .state").textContent.includes("failed")`)

	b.do(chromedp.Navigate(f.base + "/exchanges/" + id.String()))
	if got := b.ask("document.body.innerText + document.title"); !strings.Contains(got, hostile) || strings.Contains(got, "broken into\n") {
		t.Errorf("the transcript says %q", got)
	}
	b.do(chromedp.Navigate(f.base + "/"))
	b.until(state + ` === "Live."`)
	f.sessions.mu.Lock()
	clear(f.sessions.byHash)
	f.sessions.mu.Unlock()
	b.until(`location.pathname === "/login"`) // the page leaves by itself

	b.do(chromedp.Navigate(f.link()))
	b.until(`location.pathname === "/" && ` + state + ` === "Live."`)
	if err := f.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	b.until(state + `.startsWith("Not live")`)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		t.Errorf("the page complains: %s", c)
	}
}

// Addresses of IPv6 are long, and none is cut off at any width.
func TestInABrowserNothingIsCutOff(t *testing.T) {
	t.Parallel()
	status := sample()
	status.Services[0].Endpoints = []control.Endpoint{
		{Protocol: "upper-case", Network: "tcp", Address: "[2001:db8:1234:5678:9abc:def0:1234:5678]:20000"},
	}
	f := start(t, func(o *Options) {
		o.Status = func(context.Context) (control.Status, error) { return status, nil }
	})
	f.say("web", "GET / HTTP/1.1", "")
	b := openTab(t)
	b.do(chromedp.Navigate(f.link()))
	b.until(`location.pathname === "/" && document.querySelector("#rows tr") !== null`)
	for _, width := range []int64{320, 400, 768, 800, 1024, 1280} {
		b.do(chromedp.EmulateViewport(width, 800))
		cut := b.ask(`(() => {
			const page = document.documentElement;
			if (page.scrollWidth > page.clientWidth) return "the page is " + page.scrollWidth + " wide";
			const edge = document.querySelector(".services").getBoundingClientRect().right;
			const out = [...document.querySelectorAll(".services code, .services .n")].find((e) => e.getBoundingClientRect().right > edge);
			if (out) return out.textContent + " is cut off";
			const time = document.querySelector("#rows td");
			return time.scrollWidth > time.clientWidth ? "the time is cut off" : "";
		})()`)
		if cut != "" {
			t.Errorf("at %d pixels: %s", width, cut)
		}
	}
}

// TestInABrowserDNS walks the page about the name server.
func TestInABrowserDNS(t *testing.T) {
	t.Parallel()
	n := sampleNames()
	f := start(t, withNames(n))
	b := openTab(t)
	first := `(document.querySelector("#rows tr") || document.body).textContent`
	state := `document.querySelector("[data-state]").textContent`
	b.do(chromedp.Navigate(f.link()))
	b.until(`location.pathname === "/"`)
	b.do(chromedp.Navigate(f.base + "/dns"))
	b.until(state + ` === "Live."`)
	f.asked("udp", "www.networkutopia.test.", dns.TypeA, dns.RcodeSuccess)
	b.until(first + `.includes("www.networkutopia.test.")`)

	b.do(chromedp.SendKeys(chromedp.CSS("#f-type"), "MX"), chromedp.Submit(chromedp.CSS("#f-type")))
	b.until(`location.search.includes("type=MX") && ` + state + ` === "Live."`)
	hostile := dns.Name("\x0e<img src=x y=>\x04test\x00")
	f.asked("udp", "www.networkutopia.test.", dns.TypeA, dns.RcodeSuccess)
	f.asked("tcp", hostile.String(), dns.TypeMX, dns.RcodeNXDomain)
	b.until(first + `.includes("<img") && document.querySelectorAll("#rows tr").length === 1 && document.querySelectorAll("img").length === 1`)

	b.do(chromedp.Click(chromedp.CSS("[data-pause]")))
	f.eventually("the stream ends when it is paused", func() bool { f.streams.mu.Lock(); defer f.streams.mu.Unlock(); return f.streams.all == 0 })
	f.asked("tcp", "later.test.", dns.TypeMX, dns.RcodeNXDomain)
	b.do(chromedp.Click(chromedp.CSS("[data-pause]")))
	b.until(first + `.includes("later.test.")`)

	n.change(func(n *nameServer) { n.traffic.Transports[1].Truncated = 4242 })
	b.until(`document.querySelector(".transports").textContent.replace(/[^0-9a-z]/g, "").includes("4242")`)
	for _, width := range []int64{320, 400, 768, 1024, 1280} {
		b.do(chromedp.EmulateViewport(width, 800))
		if wide := b.ask(`String(document.documentElement.scrollWidth - document.documentElement.clientWidth)`); wide != "0" {
			t.Errorf("at %d pixels the page is %s too wide", width, wide)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		t.Errorf("the page complains: %s", c)
	}
}
