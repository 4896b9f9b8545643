package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/config"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/leftout"
	"github.com/network-utopia/utopia/internal/state/certs"
	"github.com/network-utopia/utopia/internal/state/store"
	"github.com/network-utopia/utopia/transcript"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// folderFor makes a folder that a first run has prepared, at an address of its own.
func folderFor(t *testing.T) (dir, address string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		leftout.Because(t, "this system has only one loopback address")
	}
	dir, address = t.TempDir(), fmt.Sprintf("127.%d.%d.%d", 16+rand.N(200), rand.N(250), 2+rand.N(250))
	made, err := FirstRun{Dir: dir, Domain: "a.test", Addresses: []netip.Addr{netip.MustParseAddr(address)}}.Prepare()
	if err != nil || !made {
		t.Fatalf("first run: %v, %v", made, err)
	}
	return dir, address
}

// start runs an app in a folder until the test ends.
func start(t *testing.T, dir string) (*App, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	a, err := Open(context.Background(), Options{
		Dir: dir, Host: host.NewOS(host.OSOptions{}), Control: host.NewOS(host.OSOptions{}), Version: "test", Log: &locked{to: log},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return a, log
}

// locked lets many goroutines write to one buffer.
type locked struct {
	mu sync.Mutex
	to io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.to.Write(p)
}

func mustBeUp(t *testing.T, a *App, names ...string) control.Status {
	t.Helper()
	status, err := a.Status(context.Background(), true)
	if err != nil {
		t.Fatal(err)
	}
	var up []string
	for _, s := range status.Services {
		if s.State == "up" {
			up = append(up, s.Name)
		} else {
			t.Logf("%s is %s: %s", s.Name, s.State, s.Error)
		}
	}
	if !slices.Equal(up, names) {
		t.Errorf("up are %v, want %v", up, names)
	}
	return status
}

func edit(t *testing.T, dir, from, to string) {
	t.Helper()
	path := filepath.Join(dir, ConfigFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if from == "" {
		text = append(text, to...)
	} else {
		if !bytes.Contains(text, []byte(from)) {
			t.Fatalf("the settings hold no %q", from)
		}
		text = bytes.Replace(text, []byte(from), []byte(to), 1)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func get(url string) (int, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return 0, err
	}
	answer.Body.Close()
	return answer.StatusCode, nil
}

func TestServesAndStops(t *testing.T) {
	dir, address := folderFor(t)
	a, _ := start(t, dir)
	status := mustBeUp(t, a, dnsName, webName, socketName, consoleName)
	for _, s := range status.Services {
		if len(s.Endpoints) == 0 || s.Took <= 0 {
			t.Errorf("%s: %+v", s.Name, s)
		}
		for _, e := range s.Endpoints {
			if !strings.HasPrefix(e.Address, address+":") {
				t.Errorf("%s listens on %s, not at %s", s.Name, e.Address, address)
			}
		}
	}
	if code, err := get("http://" + address + ":8080/"); code != 200 {
		t.Errorf("the first page: %d, %v", code, err)
	}
	if code, err := get("http://" + address + ":8800/metrics"); code != 200 {
		t.Errorf("the metrics: %d, %v", code, err)
	}
	client := control.NewClient(host.NewOS(host.OSOptions{}), filepath.Join(dir, DataDir), nil)
	over, err := client.Status(context.Background(), false)
	if err != nil || over.Domain != "a.test" || len(over.Services) != 4 {
		t.Errorf("over the socket: %+v, %v", over, err)
	}
	if link, err := client.ConsoleLink(context.Background()); err != nil || !strings.HasPrefix(link.URL, "http://"+address+":8800/") {
		t.Errorf("link %+v, %v", link, err)
	}
	if err := a.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Status(context.Background(), false); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("after the stop: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, DataDir, control.SocketName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the control socket is left behind: %v", err)
	}
}

func TestOneFolderOneInstance(t *testing.T) {
	dir, _ := folderFor(t)
	start(t, dir)
	_, err := Open(context.Background(), Options{Dir: dir, Host: host.NewOS(host.OSOptions{})})
	if !errors.Is(err, store.ErrInUse) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second instance: %v", err)
	}
	if _, err := OpenFolder(context.Background(), dir); !errors.Is(err, store.ErrInUse) {
		t.Errorf("a command on the folder: %v", err)
	}
}

func TestATakenPortStopsOneServiceAlone(t *testing.T) {
	dir, address := folderFor(t)
	l, err := net.Listen("tcp", address+":8080")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, _ := start(t, dir)
	status := mustBeUp(t, a, dnsName, socketName, consoleName)
	for _, s := range status.Services {
		if s.Name != webName {
			continue
		}
		if want := fmt.Sprintf("(pid %d)", os.Getpid()); !strings.Contains(s.Error, want) || !strings.Contains(s.Error, ":8080") {
			t.Errorf("the error names no holder: %q", s.Error)
		}
		if !strings.Contains(s.Hint, "port-offset") {
			t.Errorf("hint %q", s.Hint)
		}
	}
	l.Close()
	if _, err := a.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	mustBeUp(t, a, dnsName, webName, socketName, consoleName)
}

func TestAServiceThatCannotBeBuiltStopsNoOther(t *testing.T) {
	dir, _ := folderFor(t)
	edit(t, dir, `root = "www"`, `root = "`+filepath.Join(t.TempDir(), "not-mounted")+`"`)
	edit(t, dir, "", "\n[dns]\nzone-file = \"extra.zone\"\n")
	if err := os.WriteFile(filepath.Join(dir, "extra.zone"), []byte("oops IN A nowhere\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	a, _ := start(t, dir)
	status := mustBeUp(t, a, socketName, consoleName)
	for name, want := range map[string]string{dnsName: "extra.zone:1:", webName: "not-mounted"} {
		i := slices.IndexFunc(status.Services, func(s control.Service) bool { return s.Name == name })
		if i < 0 {
			t.Fatalf("the status leaves out %s", name)
		}
		if s := status.Services[i]; s.State != "failed" || !strings.Contains(s.Error, want) || !strings.Contains(s.Hint, "utopia reload") {
			t.Errorf("%s is %s: %q, hint %q", name, s.State, s.Error, s.Hint)
		}
	}
	if status.OK() {
		t.Error("all is said to be well")
	}
	if _, err := a.Reload(context.Background()); err == nil {
		t.Error("a reload takes what is wrong still")
	}
	edit(t, dir, "not-mounted", "") // its parent is there
	if err := os.WriteFile(filepath.Join(dir, "extra.zone"), []byte("fine IN A 192.0.2.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	mustBeUp(t, a, dnsName, webName, socketName, consoleName)
}

func TestStatusOfAServiceThatHasNotBegun(t *testing.T) {
	dir, _ := folderFor(t)
	a, err := Open(context.Background(), Options{Dir: dir, Host: host.NewOS(host.OSOptions{})})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close(context.Background())
	status, err := a.Status(context.Background(), true)
	if err != nil || len(status.Services) != 4 || status.OK() {
		t.Errorf("before the start: %+v, %v", status.Services, err)
	}
}

// TestAZoneFileWithAnError: its zone stays as it was, the others and all else move on.
func TestAZoneFileWithAnError(t *testing.T) {
	dir, _ := folderFor(t)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const top = "@ 60 SOA ns1 h 1 2 3 4 5\n@ 60 NS ns1\nns1 60 A 192.0.2.1\n"
	edit(t, dir, "", "\n[dns]\nzone-file = \"extra.zone\"\n[dns.zones]\n\"one.test\" = { file = \"one.zone\" }\n\"two.test\" = { file = \"two.zone\" }\n")
	write("extra.zone", "x 60 A 192.0.2.1\n")
	write("one.zone", top)
	write("two.zone", top)
	a, _ := start(t, dir)
	before := mustBeUp(t, a, dnsName, webName, socketName, consoleName)
	if len(before.Warnings) > 0 {
		t.Errorf("warnings %q", before.Warnings)
	}

	write("extra.zone", "x 60 A nonsense\n")
	write("one.zone", top+"y 60 MX nonsense\n")
	write("two.zone", strings.Replace(top, "h 1 2", "h 2 2", 1))
	edit(t, dir, "", "[log]\nlevel = \"error\"\n")
	done, err := a.Reload(context.Background())
	if err != nil || !slices.Equal(done.Changed, []string{"log", dnsName}) {
		t.Errorf("%+v, %v", done, err)
	}
	failed := strings.Join(done.Failed, "\n")
	for _, want := range []string{
		"is served as it was before:\n" + filepath.Join(dir, "extra.zone") + `:1:8: bad A data: not understood: "nonsense" (in: x 60 A nonsense)`,
		"dns: one.test is served as it was before:\n" + filepath.Join(dir, "one.zone") + ":4:9: ",
	} {
		if !strings.Contains(failed, want) {
			t.Errorf("%q is not in\n%s", want, failed)
		}
	}
	if len(done.Failed) != 2 || len(done.Warnings) != 0 {
		t.Errorf("%+v", done)
	}
	status := mustBeUp(t, a, dnsName, webName, socketName, consoleName)
	if !strings.Contains(strings.Join(status.Warnings, "\n"), "zone one.test is served as it was before:\n") {
		t.Errorf("the status does not tell of it: %q", status.Warnings)
	}
	if _, err := CheckSettings(filepath.Join(dir, ConfigFile)); err == nil || !strings.Contains(err.Error(), "extra.zone:1:8") {
		t.Errorf("the check says %v", err)
	}
	// The same again: nothing has changed, and it is told again.
	if done, err = a.Reload(context.Background()); err != nil || len(done.Changed) != 0 || len(done.Failed) != 2 {
		t.Errorf("again: %+v, %v", done, err)
	}
	write("extra.zone", "x 60 A 192.0.2.2\n")
	if _, err := CheckSettings(filepath.Join(dir, ConfigFile)); err == nil || !strings.Contains(err.Error(), "one.zone:4:9") {
		t.Errorf("the check of another zone says %v", err)
	}
	write("one.zone", top)
	if done, err = a.Reload(context.Background()); err != nil || len(done.Failed) != 0 || len(done.Changed) != 1 {
		t.Errorf("mended: %+v, %v", done, err)
	}
}

func TestReload(t *testing.T) {
	dir, address := folderFor(t)
	a, _ := start(t, dir)
	ctx := context.Background()
	before := mustBeUp(t, a, dnsName, webName, socketName, consoleName)

	for _, bad := range []struct{ from, to, want string }{
		{"", "\nnonsense\n", "utopia.toml:"},
		{"", "\n[log]\ntranscript = \"no/such/folder/t.jsonl\"\n", "log.transcript"},
	} {
		saved, _ := os.ReadFile(filepath.Join(dir, ConfigFile))
		edit(t, dir, bad.from, bad.to)
		if done, err := a.Reload(ctx); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%q: %+v, %v", bad.to, done, err)
		}
		os.WriteFile(filepath.Join(dir, ConfigFile), saved, 0o644)
	}
	after := mustBeUp(t, a, dnsName, webName, socketName, consoleName)
	for i := range after.Services {
		if !after.Services[i].Since.Equal(before.Services[i].Since) {
			t.Errorf("%s was restarted by a reload that failed", after.Services[i].Name)
		}
	}

	edit(t, dir, `root = "www"`, `root = "other"`)
	edit(t, dir, "", "\n[socket]\nenabled = false\n")
	if err := os.Mkdir(filepath.Join(dir, "other"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "other", "x.txt"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	done, err := a.Reload(ctx)
	if err != nil || !slices.Contains(done.Changed, webName) || slices.Contains(done.Changed, consoleName) {
		t.Errorf("reload %+v, %v", done, err)
	}
	mustBeUp(t, a, dnsName, webName, consoleName)
	if code, err := get("http://" + address + ":8080/x.txt"); code != 200 {
		t.Errorf("the new root is not served: %d, %v", code, err)
	}

	edit(t, dir, "enabled = false", "enabled = true")
	if _, err := a.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	status := mustBeUp(t, a, dnsName, webName, consoleName, socketName)
	if status.Services[0].Since != before.Services[0].Since {
		t.Error("the name server closed its sockets for a reload")
	}
}

func TestReloadOfAddressAndDomain(t *testing.T) {
	dir, address := folderFor(t)
	a, _ := start(t, dir)
	rootBefore, err := a.RootCertificate(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	_, other := folderFor(t)
	edit(t, dir, address, other)
	edit(t, dir, "a.test", "b.test")
	done, err := a.Reload(context.Background())
	if err != nil || len(done.Failed) > 0 || len(done.Changed) != 4 {
		t.Errorf("reload %+v, %v", done, err)
	}
	status := mustBeUp(t, a, dnsName, webName, socketName, consoleName)
	if status.Domain != "b.test" || !strings.HasPrefix(status.Services[0].Endpoints[0].Address, other) {
		t.Errorf("status %+v", status)
	}
	if root, _ := a.RootCertificate(context.Background()); root == rootBefore {
		t.Error("b.test is vouched for by the root of a.test")
	}
	if c, err := net.DialTimeout("tcp", address+":8080", time.Second); err == nil {
		c.Close()
		t.Error("the old address is still served")
	}
}

func TestReloadsWhileBeingAsked(t *testing.T) {
	dir, address := folderFor(t)
	a, _ := start(t, dir)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				a.Status(ctx, false)
				if code, err := get("http://" + address + ":8080/"); code != 200 && ctx.Err() == nil {
					t.Errorf("during a reload: %d, %v", code, err)
				}
			}
		})
	}
	for i := range 10 {
		edit(t, dir, "", fmt.Sprintf("# %d\n", i))
		if _, err := a.Reload(ctx); err != nil {
			t.Error(err)
		}
	}
	cancel()
	wg.Wait()
}

func TestTranscriptFile(t *testing.T) {
	dir, address := folderFor(t)
	edit(t, dir, "", "\n[log]\ntranscript = \"data/t.jsonl\"\n")
	a, _ := start(t, dir)
	path := filepath.Join(dir, "data", "t.jsonl")
	has := func(path, what string) bool {
		for range 500 {
			if text, _ := os.ReadFile(path); bytes.Contains(text, []byte(what)) {
				return true
			}
			time.Sleep(20 * time.Millisecond)
		}
		return false
	}
	get("http://" + address + ":8080/first")
	if !has(path, "/first") {
		t.Error("the exchange is not in the file")
	}
	if err := os.Rename(path, path+".1"); err != nil { // as logrotate does
		t.Fatal(err)
	}
	if _, err := a.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	get("http://" + address + ":8080/second")
	if !has(path, "/second") {
		t.Error("after a rotation the exchange is not in the new file")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
}

func TestFollow(t *testing.T) {
	dir, address := folderFor(t)
	a, _ := start(t, dir)
	feed := transcript.NewFeed(transcript.Lines, 100, webName)
	detach := a.Follow(feed)
	defer detach()
	get("http://" + address + ":8080/followed")
	for {
		select {
		case e := <-feed.Events():
			if e.Kind == transcript.Said && strings.Contains(e.Entry.Text, "/followed") {
				return
			}
		case <-time.After(5 * time.Second):
			t.Fatal("the request was not followed")
		}
	}
}

func TestUsersHaveTwoHalves(t *testing.T) {
	dir, _ := folderFor(t)
	f, err := OpenFolder(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx := context.Background()
	if err := f.AddUser(ctx, control.NewUser{Name: "alice", Password: "correct horse"}); err != nil {
		t.Fatal(err)
	}
	// As a crash between the two halves of a removal leaves it: the secret without the user.
	text, _ := os.ReadFile(filepath.Join(dir, ConfigFile))
	without, err := config.RemoveUser(text, "alice")
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(dir, ConfigFile), without, 0o644)
	if err := f.AddUser(ctx, control.NewUser{Name: "alice"}); err != nil {
		t.Fatal(err)
	}
	users, err := f.Users(ctx)
	if err != nil || len(users) != 1 || users[0].HasPassword {
		t.Errorf("the new alice has the old one's password: %+v, %v", users, err)
	}

	// A password that does not fit leaves no user behind.
	if err := f.AddUser(ctx, control.NewUser{Name: "bob", Password: "x"}); err == nil {
		t.Error("a password of one byte was taken")
	}
	if users, _ := f.Users(ctx); len(users) != 1 {
		t.Errorf("users %+v", users)
	}

	// A settings file that somebody is editing is left alone.
	edit(t, dir, "", "\nhalf a li")
	var told *control.Error
	if err := f.AddUser(ctx, control.NewUser{Name: "carol"}); !errors.As(err, &told) || told.Kind != control.Invalid {
		t.Errorf("with broken settings: %v", err)
	}
}

// The folder is not given back under a change of the users that is under way.
func TestCloseWaitsForAChange(t *testing.T) {
	dir, _ := folderFor(t)
	f, err := OpenFolder(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	f.folder.users.mu.Lock() // as AddUser has it before it writes the settings
	closed := make(chan error)
	go func() { closed <- f.Close() }()
	time.Sleep(20 * time.Millisecond)
	if other, err := OpenFolder(context.Background(), dir); !errors.Is(err, ErrInUse) {
		t.Errorf("a second one: %v, %v", other, err)
	}
	f.folder.users.mu.Unlock()
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if err := f.AddUser(context.Background(), control.NewUser{Name: "late"}); err == nil {
		t.Error("a user was added to a folder that was given back")
	}
}

// The console's sessions of a user end with the password that opened them, and with the user.
func TestSessionsEndWithThePassword(t *testing.T) {
	dir, address := folderFor(t)
	a, _ := start(t, dir)
	ctx := context.Background()
	console := "http://" + address + ":8800"
	enter := func(password string) *http.Client {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Jar: jar}
		t.Cleanup(client.CloseIdleConnections)
		r, err := http.NewRequest("POST", console+"/login", strings.NewReader(url.Values{"name": {"alice"}, "password": {password}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", console)
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return client
	}
	in := func(client *http.Client) bool {
		response, err := client.Get(console + "/")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		page, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(page), "Sign out")
	}
	if err := a.AddUser(ctx, control.NewUser{Name: "alice", Admin: true, Password: "correct horse"}); err != nil {
		t.Fatal(err)
	}
	first := enter("correct horse")
	if !in(first) {
		t.Fatal("alice is not in")
	}
	if err := a.SetPassword(ctx, "alice", "battery staple"); err != nil {
		t.Fatal(err)
	}
	if in(first) {
		t.Error("the session goes on with another password")
	}
	second := enter("battery staple")
	if !in(second) {
		t.Fatal("alice is not in again")
	}
	if err := a.RemoveUser(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	if in(second) {
		t.Error("the session outlives the user")
	}
}

func TestUserAlreadyThereOrNot(t *testing.T) {
	dir, _ := folderFor(t)
	a, _ := start(t, dir)
	ctx := context.Background()
	if err := a.AddUser(ctx, control.NewUser{Name: "alice", Admin: true, Password: "correct horse"}); err != nil {
		t.Fatal(err)
	}
	if admin, err := a.signIn(ctx, "alice", "correct horse"); !admin || err != nil {
		t.Errorf("alice cannot sign in: %v, %v", admin, err)
	}
	for kind, err := range map[control.Kind]error{
		control.Conflict: a.AddUser(ctx, control.NewUser{Name: "alice"}),
		control.NotFound: a.SetPassword(ctx, "nobody", "correct horse"),
		control.Invalid:  a.SetPassword(ctx, "alice", "x"),
	} {
		var told *control.Error
		if !errors.As(err, &told) || told.Kind != kind {
			t.Errorf("%s: %v", kind, err)
		}
	}
	app, err := a.AddAppPassword(ctx, "alice", "phone")
	if err != nil {
		t.Fatal(err)
	}
	if admin, err := a.signIn(ctx, "alice", app.Secret); admin || err != nil {
		t.Errorf("an app password opens the console: %v, %v", admin, err)
	}
	if !a.isAdmin("Alice") {
		t.Error("alice is no admin")
	}
	if err := a.RemoveUser(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	if a.isAdmin("alice") {
		t.Error("a removed user is an admin")
	}
	if _, err := a.signIn(ctx, "alice", "correct horse"); err == nil {
		t.Error("a removed user signs in")
	}
	if _, ok := a.config.Load().User("alice"); ok {
		t.Error("a removed user is still in the settings in force")
	}
}

func TestPrepare(t *testing.T) {
	dir, address := folderFor(t)
	before, _ := os.ReadFile(filepath.Join(dir, ConfigFile))
	for name, c := range map[string]struct {
		run FirstRun
		ok  bool
	}{
		"again":            {FirstRun{Dir: dir}, true},
		"the same domain":  {FirstRun{Dir: dir, Domain: "a.test"}, true},
		"in other letters": {FirstRun{Dir: dir, Domain: "A.Test."}, true},
		"no domain again":  {FirstRun{Dir: dir, Domain: "no domain"}, false},
		"the same address": {FirstRun{Dir: dir, Addresses: []netip.Addr{netip.MustParseAddr(address)}}, true},
		"another domain":   {FirstRun{Dir: dir, Domain: "b.test"}, false},
		"another address":  {FirstRun{Dir: dir, Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.9")}}, false},
		"no domain":        {FirstRun{Dir: t.TempDir(), Domain: "no domain"}, false},
	} {
		made, err := c.run.Prepare()
		if made || (err == nil) != c.ok || !c.ok && !errors.Is(err, ErrUsage) {
			t.Errorf("%s: %v, %v", name, made, err)
		}
	}
	if after, _ := os.ReadFile(filepath.Join(dir, ConfigFile)); !bytes.Equal(before, after) {
		t.Error("the settings were written again")
	}
	kept := t.TempDir()
	if err := os.Mkdir(filepath.Join(kept, "www"), 0o755); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(kept, "www", "index.html"), []byte("mine"), 0o644)
	if made, err := (FirstRun{Dir: kept}).Prepare(); !made || err != nil {
		t.Fatal(err)
	}
	if page, _ := os.ReadFile(filepath.Join(kept, "www", "index.html")); string(page) != "mine" {
		t.Error("a first run wrote over a page that was there")
	}
}

// Settings that lie on a disk that is not there are not made anew in its place.
func TestPrepareBesideALinkToNowhere(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, ConfigFile)
	if err := os.Symlink(filepath.Join(dir, "not-mounted", ConfigFile), link); err != nil {
		leftout.Because(t, "there are no symbolic links here: %v", err)
	}
	if made, err := (FirstRun{Dir: dir}).Prepare(); made || err == nil || !strings.Contains(err.Error(), "link") {
		t.Errorf("%v, %v", made, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
}

// A user whom somebody wrote into the file is told apart from one whom nobody knows.
func TestUserAddedByHand(t *testing.T) {
	dir, _ := folderFor(t)
	a, _ := start(t, dir)
	ctx := context.Background()
	edit(t, dir, "[users]", "[users]\nalice = {}")
	for _, err := range []error{a.SetPassword(ctx, "alice", "correct horse"), second(a.AddAppPassword(ctx, "alice", ""))} {
		var told *control.Error
		if !errors.As(err, &told) || told.Kind != control.NotFound || !strings.Contains(told.Hint, "utopia reload") {
			t.Errorf("before the reload: %v", err)
		}
	}
	if _, err := a.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	if err := a.SetPassword(ctx, "alice", "correct horse"); err != nil {
		t.Errorf("after the reload: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestExplain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := host.NewOS(host.OSOptions{})
	for address, want := range map[string]string{
		l.Addr().String(): "is taken by",
		"192.0.2.1:8053":  "this machine has no address",
	} {
		_, err := o.Listen(context.Background(), "tcp", address)
		text, hint := explain(fmt.Errorf("start dns: %w", err))
		if !strings.Contains(text, want) || hint == "" {
			t.Errorf("%v is explained as %q, %q", err, text, hint)
		}
	}
	if text, hint := explain(errors.New("boom")); text != "boom" || hint != "" {
		t.Errorf("%q, %q", text, hint)
	}
}

func TestReloadOfTheLog(t *testing.T) {
	dir, _ := folderFor(t)
	a, log := start(t, dir)
	a.log.With("k", "v").Debug("unseen")
	a.log.With("k", "v").Warn("as text")
	edit(t, dir, "", "\n[log]\nlevel = \"debug\"\nformat = \"json\"\n")
	if done, err := a.Reload(context.Background()); err != nil || !slices.Equal(done.Changed, []string{"log"}) {
		t.Fatalf("reload %+v, %v", done, err)
	}
	a.log.WithGroup("g").Debug("as an object", "k", "v")
	for _, want := range []string{`msg="as text" k=v`, `"msg":"as an object","g":{"k":"v"}`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	if strings.Contains(log.String(), "unseen") {
		t.Error("a message below the level was logged")
	}
}

func TestUsersAddedDuringReloads(t *testing.T) {
	dir, _ := folderFor(t)
	a, _ := start(t, dir)
	ctx := context.Background()
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 20 {
			if _, err := a.Reload(ctx); err != nil {
				t.Error(err)
			}
		}
	})
	for i := range 10 {
		if err := a.AddUser(ctx, control.NewUser{Name: fmt.Sprintf("user%d", i)}); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	users, err := a.Users(ctx)
	if err != nil || len(users) != 10 {
		t.Fatalf("%d users, %v", len(users), err)
	}
	for _, u := range users {
		if !u.Configured {
			t.Errorf("%s was forgotten", u.Name)
		}
	}
}

// What the settings allow, a certificate can hold beside the two loopback addresses.
func TestAddressesFitACertificate(t *testing.T) {
	if config.MaxAddresses+2 > certs.DefaultMaxAddresses {
		t.Errorf("settings may have %d addresses, a certificate %d", config.MaxAddresses, certs.DefaultMaxAddresses)
	}
}
