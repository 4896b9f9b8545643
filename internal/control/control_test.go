package control

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/leftout"
	"github.com/network-utopia/utopia/transcript"
)

var host4 = netip.MustParseAddrPort("192.0.2.1:53")

// scripted is an Instance that answers as it is told, and notes what it was asked.
type scripted struct {
	recorder *transcript.Recorder
	err      error
	asked    []string
	edits    []any
}

func (s *scripted) note(parts ...string) error {
	s.asked = append(s.asked, strings.Join(parts, " "))
	return s.err
}

func (s *scripted) Status(_ context.Context, check bool) (Status, error) {
	err := s.note("status", map[bool]string{true: "check"}[check])
	return Status{Domain: "a.test", PID: 7, Services: []Service{{Name: "dns", State: "up", Took: 1.5}}}, err
}

func (s *scripted) Reload(context.Context) (Reloaded, error) {
	return Reloaded{Changed: []string{"dns"}}, s.note("reload")
}

func (s *scripted) ConsoleLink(context.Context) (Link, error) {
	return Link{URL: "http://127.0.0.1:8800/open?token=x", Expires: time.Unix(1000, 0).UTC()}, s.note("link")
}

func (s *scripted) Follow(sink transcript.Sink) func() { return s.recorder.Attach(sink) }

func (s *scripted) Users(context.Context) ([]User, error) {
	return []User{{Name: "alice", Admin: true}}, s.note("users")
}

func (s *scripted) AddUser(_ context.Context, u NewUser) error {
	return s.note("add", u.Name, u.Password, map[bool]string{true: "admin"}[u.Admin])
}

func (s *scripted) SetPassword(_ context.Context, name, password string) error {
	return s.note("passwd", name, password)
}

func (s *scripted) RemoveUser(_ context.Context, name string) error { return s.note("remove", name) }

func (s *scripted) AddAppPassword(_ context.Context, name, label string) (AppPassword, error) {
	return AppPassword{ID: "1", Label: label, Secret: "s"}, s.note("app", name, label)
}

func (s *scripted) RemoveAppPassword(_ context.Context, name, id string) error {
	return s.note("unapp", name, id)
}

func (s *scripted) RootCertificate(context.Context) (Root, error) {
	return Root{PEM: "pem"}, s.note("root")
}

// serve answers for in on the socket of a folder, and returns a client.
func serve(t *testing.T, dir string, in Instance, r *transcript.Recorder) *Client {
	t.Helper()
	o := host.NewOS(host.OSOptions{})
	path, done, err := SocketPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := o.Listen(context.Background(), "unix", path)
	done()
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: Handler(in)}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return NewClient(o, dir, r)
}

func TestEveryQuestion(t *testing.T) {
	ctx := context.Background()
	in := &scripted{}
	c := serve(t, t.TempDir(), in, nil)
	status, err := c.Status(ctx, true)
	if err != nil || status.Domain != "a.test" || status.Services[0].Took != 1.5 || !status.OK() {
		t.Errorf("status %+v, %v", status, err)
	}
	if r, err := c.Reload(ctx); err != nil || r.Changed[0] != "dns" {
		t.Errorf("reload %+v, %v", r, err)
	}
	if l, err := c.ConsoleLink(ctx); err != nil || !strings.HasSuffix(l.URL, "=x") || l.Expires.Unix() != 1000 {
		t.Errorf("link %+v, %v", l, err)
	}
	if r, err := c.RootCertificate(ctx); err != nil || r.PEM != "pem" {
		t.Errorf("root %+v, %v", r, err)
	}
	if u, err := c.Users(ctx); err != nil || len(u) != 1 || !u[0].Admin {
		t.Errorf("users %+v, %v", u, err)
	}
	if p, err := c.AddAppPassword(ctx, "alice", "my phone"); err != nil || p.Secret != "s" || p.Label != "my phone" {
		t.Errorf("app password %+v, %v", p, err)
	}
	for _, err := range []error{
		c.AddUser(ctx, NewUser{Name: "bob", Admin: true, Password: "pass word"}), c.SetPassword(ctx, "a/b c", "new"),
		c.RemoveUser(ctx, "b?b"), c.RemoveAppPassword(ctx, "alice", "1/2"),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	want := "status check|reload|link|root|users|app alice my phone|add bob pass word admin|passwd a/b c new|remove b?b|unapp alice 1/2"
	if got := strings.Join(in.asked, "|"); got != want {
		t.Errorf("the instance was asked\n%s, want\n%s", got, want)
	}
}

func TestErrorsKeepTheirKindAndHint(t *testing.T) {
	ctx := context.Background()
	in := &scripted{}
	c := serve(t, t.TempDir(), in, nil)
	for _, kind := range []Kind{Invalid, NotFound, Conflict, Internal} {
		in.err = &Error{Kind: kind, Message: "no", Hint: "do that"}
		var got *Error
		if err := c.RemoveUser(ctx, "x"); !errors.As(err, &got) || *got != *(in.err.(*Error)) {
			t.Errorf("%s arrives as %+v", kind, got)
		}
	}
	in.err = errors.New("the disk is full")
	var got *Error
	if _, err := c.Status(ctx, false); !errors.As(err, &got) || got.Kind != Internal || got.Message != "the disk is full" {
		t.Errorf("a plain error arrives as %+v", got)
	}
}

func TestNotRunning(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	o := host.NewOS(host.OSOptions{})
	if _, err := NewClient(o, dir, nil).Status(ctx, false); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without a socket: %v", err)
	}
	if _, err := NewClient(o, filepath.Join(dir, "nothing"), nil).Status(ctx, false); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without a folder: %v", err)
	}
	l, err := o.Listen(ctx, "unix", filepath.Join(dir, SocketName))
	if err != nil {
		t.Fatal(err)
	}
	l.(interface{ SetUnlinkOnClose(bool) }).SetUnlinkOnClose(false)
	l.Close() // what a killed instance leaves behind
	if _, err := NewClient(o, dir, nil).Status(ctx, false); !errors.Is(err, ErrNotRunning) {
		t.Errorf("with a dead socket: %v", err)
	}
}

// An instance that was stopped (SIGSTOP) or is stuck still has a socket that the kernel accepts on.
func TestSilentInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClient(deaf{}, "data", nil)
		began := time.Now()
		_, err := c.Status(t.Context(), true)
		if !errors.Is(err, ErrSilent) || time.Since(began) != AnswerTimeout {
			t.Errorf("status: %v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Status(ctx, true); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrSilent) {
			t.Errorf("with less patience: %v", err)
		}
	})
}

// deaf is a host whose connections take everything and answer nothing.
type deaf struct{ host.Host }

func (deaf) Dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	go io.Copy(io.Discard, far)
	return near, nil
}

// interrupted is an instance that notes whether the context of a change outlives the command.
type interrupted struct {
	scripted
	reloading, gone chan struct{}
	ended           chan error
}

func (i *interrupted) Reload(ctx context.Context) (Reloaded, error) {
	close(i.reloading)
	<-i.gone
	select {
	case <-ctx.Done():
	case <-time.After(100 * time.Millisecond): // the server sees the end of its client in the background
	}
	i.ended <- ctx.Err()
	return Reloaded{}, nil
}

// A reload that is broken off in the middle would leave services stopped, a user removed in part.
func TestAChangeOutlivesItsCommand(t *testing.T) {
	in := &interrupted{reloading: make(chan struct{}), gone: make(chan struct{}), ended: make(chan error, 1)}
	c := serve(t, t.TempDir(), in, nil)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-in.reloading
		cancel()
	}()
	if _, err := c.Reload(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the command: %v", err)
	}
	close(in.gone)
	if err := <-in.ended; err != nil {
		t.Errorf("the reload was called off: %v", err)
	}
}

func TestLongFolderNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long-", 40))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		leftout.Because(t, "this system has no other name for a folder: %v", err)
	}
	if _, err := serve(t, dir, &scripted{}, nil).Status(context.Background(), false); err != nil {
		t.Error(err)
	}
}

func TestTrace(t *testing.T) {
	recorder := transcript.New(transcript.Options{})
	in := &scripted{recorder: recorder}
	c := serve(t, t.TempDir(), in, nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var got []string
	enough := errors.New("enough")
	err := c.Trace(ctx, transcript.Lines, []string{"dns"}, func(l Line) error {
		got = append(got, l.Event)
		switch l.Event {
		case "alive": // the feed is attached
			for _, service := range []string{"web", "dns"} {
				x := recorder.Begin(ctx, service, "udp", host4, host4)
				x.Line(transcript.Received, 9, service+" query")
				x.End()
			}
		case "entry":
			if l.Entry.Text != "dns query" || l.Entry.Dir != transcript.Received || l.Head.Service != "dns" {
				t.Errorf("entry %+v of %+v", l.Entry, l.Head)
			}
		case "end":
			if len(l.Record.Entries) != 1 || l.Record.Remote != host4 {
				t.Errorf("record %+v", l.Record)
			}
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || strings.Join(got, " ") != "alive begin entry end" {
		t.Errorf("trace: %v, %v", got, err)
	}
}

// TestTraceOfBytes sees that bytes come to the reader that asks for them.
func TestTraceOfBytes(t *testing.T) {
	enough := errors.New("enough")
	for level, want := range map[transcript.Level]string{transcript.Lines: "", transcript.Bytes: "octets\x00"} {
		recorder := transcript.New(transcript.Options{Sinks: []transcript.Sink{transcript.NewRing(1, 100)}})
		c := serve(t, t.TempDir(), &scripted{recorder: recorder}, nil)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		err := c.Trace(ctx, level, nil, func(l Line) error {
			switch l.Event {
			case "alive":
				x := recorder.Begin(ctx, "dns", "udp", host4, host4)
				if x.Wants(transcript.Bytes) != (level == transcript.Bytes) {
					t.Errorf("level %d: bytes are wanted: %v", level, x.Wants(transcript.Bytes))
				}
				x.Message(transcript.Received, []byte("octets\x00"), "query")
				x.End()
			case "entry":
				if string(l.Entry.Raw) != want || l.Entry.Bytes != 7 {
					t.Errorf("level %d: entry %+v", level, l.Entry)
				}
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Errorf("trace: %v", err)
		}
	}
}

// TestTraceOfManyBytes has more of them than a feed holds at once; the reader takes them as they come.
func TestTraceOfManyBytes(t *testing.T) {
	recorder := transcript.New(transcript.Options{})
	c := serve(t, t.TempDir(), &scripted{recorder: recorder}, nil)
	enough, left := errors.New("enough"), transcript.MaxFeedBytes/transcript.MaxRawBytes+1
	say := func() {
		x := recorder.Begin(context.Background(), "dns", "tcp", host4, host4)
		x.Message(transcript.Received, make([]byte, transcript.MaxRawBytes), "piece")
		x.End()
	}
	err := c.Trace(context.Background(), transcript.Bytes, nil, func(l Line) error {
		switch {
		case l.Event == "alive" && left > 0:
			say()
		case l.Event == "entry":
			if len(l.Entry.Raw) != transcript.MaxRawBytes {
				t.Errorf("%d before the end: %d bytes", left, len(l.Entry.Raw))
			}
			if left--; left == 0 {
				return enough
			}
			say()
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Error(err)
	}
	wanted := func() bool {
		x := recorder.Begin(context.Background(), "dns", "tcp", host4, host4)
		defer x.End()
		return x.Wants(transcript.Bytes)
	}
	for until := time.Now().Add(10 * time.Second); wanted(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("bytes are recorded, though nobody follows")
		}
	}
}

func TestTraceEnds(t *testing.T) {
	c := serve(t, t.TempDir(), &scripted{recorder: transcript.New(transcript.Options{})}, nil)
	ctx, cancel := context.WithCancel(context.Background())
	err := c.Trace(ctx, transcript.Lines, nil, func(Line) error { cancel(); return nil })
	if err != nil {
		t.Errorf("a trace that its reader ends: %v", err)
	}
}

func TestRequestsAreBoundedAndStrict(t *testing.T) {
	in := &scripted{}
	c := serve(t, t.TempDir(), in, nil)
	ctx := context.Background()
	if err := c.AddUser(ctx, NewUser{Name: strings.Repeat("x", MaxRequestBody-200)}); err != nil {
		t.Errorf("a body within the limit: %v", err)
	}
	var e *Error
	if err := c.AddUser(ctx, NewUser{Name: strings.Repeat("x", MaxRequestBody+1)}); !errors.As(err, &e) || e.Kind != Invalid {
		t.Errorf("a body past the limit: %v", err)
	}
	if err := c.ask(ctx, "POST", "/users", map[string]int{"nmae": 1}, nil); !errors.As(err, &e) || e.Kind != Invalid {
		t.Errorf("an unknown field: %v", err)
	}
	if len(in.asked) != 1 {
		t.Errorf("the instance was asked %d times", len(in.asked))
	}
}

func TestQuestionsAreRecordedWithoutSecrets(t *testing.T) {
	ring := transcript.NewRing(10, 10)
	c := serve(t, t.TempDir(), &scripted{}, transcript.New(transcript.Options{Sinks: []transcript.Sink{ring}}))
	if err := c.SetPassword(context.Background(), "alice", "swordfish"); err != nil {
		t.Fatal(err)
	}
	got := ring.Recent(1)[0].Entries
	if len(got) != 2 || got[0].Text != "PUT /users/alice/password" || got[1].Text != "200 OK" {
		t.Errorf("recorded %+v", got)
	}
}
