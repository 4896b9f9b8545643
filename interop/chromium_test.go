package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
)

// browser is a headless Chromium with a profile of its own. What its pages complain about fails the test.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string
}

func newBrowser(t *testing.T, flags ...chromedp.ExecAllocatorOption) *browser {
	t.Helper()
	path := foreign(t, "chromium")
	options := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(options, flags...)...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.heard); err != nil {
		t.Fatal(err)
	}
	return b
}

// heard keeps errors of the pages' scripts, and what their policies forbade.
func (b *browser) heard(event any) {
	if e, ok := event.(*log.EventEntryAdded); ok && e.Entry.Level == log.EntryLevelError {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.complaints = append(b.complaints, e.Entry.Text+" "+e.Entry.URL)
	}
}

func (b *browser) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		if !strings.Contains(c, "favicon") { // which browsers ask for on their own
			b.t.Errorf("the page complains: %s", c)
		}
	}
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) text(selector string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS(selector)))
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

func (b *browser) location() string {
	b.t.Helper()
	at, err := chromedp.Run(b.ctx, chromedp.Location())
	if err != nil {
		b.t.Fatal(err)
	}
	return at
}

// scheme switches between light and dark.
func (b *browser) scheme(value string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
		})
		return err
	}))
}

// shoot keeps a screenshot, which go test -artifacts -outputdir DIR leaves behind for somebody to look at. One that
// shows nothing fails the test.
func (b *browser) shoot(name string) {
	b.t.Helper()
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if len(picture) < 4000 {
		b.t.Errorf("the screenshot %s has %d bytes: the page is empty", name, len(picture))
	}
	if err := os.WriteFile(filepath.Join(b.t.ArtifactDir(), name+".png"), picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) shootAll(name string) {
	b.t.Helper()
	for _, view := range []struct {
		name, scheme  string
		width, height int64
	}{{"light", "light", 1280, 900}, {"dark", "dark", 1280, 900}, {"phone", "light", 360, 740}} {
		b.do(chromedp.EmulateViewport(view.width, view.height))
		b.scheme(view.scheme)
		b.shoot(name + "-" + view.name)
		wide, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > document.documentElement.clientWidth`))
		if err != nil || wide {
			b.t.Errorf("%s at %d pixels has to be scrolled sideways (%v)", name, view.width, err)
		}
	}
}

func TestChromiumOnTheSite(t *testing.T) {
	t.Parallel()
	foreign(t, "chromium")
	certutil := foreign(t, "certutil")
	in := serve(t, "a.test")
	// A home with a certificate store that trusts our root, as docs/how-to/trust-the-root.md says.
	home := t.TempDir()
	store := filepath.Join(home, ".pki", "nssdb")
	if err := os.MkdirAll(store, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-d", "sql:" + store, "-N", "--empty-password"},
		{"-d", "sql:" + store, "-A", "-t", "C,,", "-n", "utopia", "-i", in.root()},
	} {
		if out, code := ask(t, "", certutil, args...); code != 0 {
			t.Fatalf("certutil %v: %s", args, out)
		}
	}
	b := newBrowser(t, chromedp.Env("HOME="+home),
		chromedp.Flag("host-resolver-rules", fmt.Sprintf("MAP *.a.test %s, MAP a.test %s", in.address, in.address)))
	for _, url := range []string{"http://www.a.test:8080/", "https://www.a.test:8443/"} {
		b.do(chromedp.Navigate(url))
		if heading := b.text("h1"); !strings.Contains(heading+b.text("body"), "a.test") {
			t.Errorf("%s says %q", url, heading)
		}
	}
	secure, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`window.isSecureContext && performance.getEntriesByType("navigation")[0].nextHopProtocol === "h2"`))
	if err != nil || !secure {
		t.Errorf("the page over HTTPS came neither trusted nor over HTTP/2: %v", err)
	}
	b.shootAll("site")
	b.quiet()
}

func TestChromiumOnTheConsole(t *testing.T) {
	t.Parallel()
	foreign(t, "chromium")
	in := serve(t, "a.test")
	b := newBrowser(t)

	b.do(chromedp.Navigate("http://" + in.at(800) + "/"))
	if page := b.text("body"); !strings.Contains(page, "utopia console link") {
		t.Errorf("the door does not say how to enter: %q", page)
	}
	b.shootAll("console-login")

	link := in.consoleLink()
	b.do(chromedp.Navigate(link), chromedp.WaitVisible(chromedp.CSS("table.services")))
	if at := b.location(); at != "http://"+in.at(800)+"/" {
		t.Errorf("the link leads to %s", at)
	}
	services := b.text("table.services")
	for _, want := range []string{"dns", "web", "socket", "console", in.at(53), "up"} {
		if !strings.Contains(services, want) {
			t.Errorf("the services lack %q:\n%s", want, services)
		}
	}

	// What happens now appears by itself.
	if out, err := in.run("", "dig", "@"+in.address, "-p", "8053", "seen-live.a.test"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	in.run("hello <script>alert(1)</script>\n", "upper", "--udp", in.at(12000))
	row := `//table[contains(@class,"exchanges")]//a[contains(., "seen-live.a.test")]`
	b.do(chromedp.WaitVisible(chromedp.Search(row)), chromedp.Sleep(500*time.Millisecond))
	b.shootAll("console")
	b.do(chromedp.EmulateViewport(1280, 900), chromedp.Click(chromedp.Search(row)), chromedp.WaitVisible(chromedp.CSS("table.transcript")))
	if transcript := b.text("table.transcript"); !strings.Contains(transcript, "seen-live.a.test") || !strings.Contains(transcript, "NXDOMAIN") {
		t.Errorf("the transcript is\n%s", transcript)
	}
	b.shootAll("console-transcript")
	b.quiet()

	// The link worked once.
	stranger := newBrowser(t)
	stranger.do(chromedp.Navigate(link))
	if page := stranger.text("body"); strings.Contains(page, in.at(53)) {
		t.Error("a link that was used opens the console again")
	}
}

func TestChromiumWithoutJavaScript(t *testing.T) {
	t.Parallel()
	foreign(t, "chromium")
	in := serve(t, "a.test")
	in.run("", "dig", "@"+in.address, "-p", "8053", "www.a.test")
	b := newBrowser(t, chromedp.Flag("blink-settings", "scriptEnabled=false"))
	b.do(chromedp.Navigate(in.consoleLink()), chromedp.WaitVisible(chromedp.CSS("table.services")))
	if rows := b.text("table.exchanges"); !strings.Contains(rows, "www.a.test") {
		t.Errorf("without scripts the exchanges are\n%s", rows)
	}
	b.do(chromedp.Click(chromedp.CSS("table.exchanges a")), chromedp.WaitVisible(chromedp.CSS("table.transcript")))
	b.shoot("console-no-script")
}
