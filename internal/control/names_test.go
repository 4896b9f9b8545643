package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/network-utopia/utopia/host"
)

var aZone = Zone{Name: "a.test.", Role: "domain", Files: []string{"a.zone"}, State: "served", Serial: 7, Records: 3, Signed: true}

var aDelegation = Delegation{
	Zone: "a.test.", Servers: []string{"ns.a.test."}, TTL: 60, Port: 53,
	Glue: []Record{{"ns.a.test.", 60, "A", "192.0.2.1", ""}}, DS: []Record{},
}

func (s *scripted) Zones(context.Context) ([]Zone, error) { return []Zone{aZone}, s.note("zones") }

func (s *scripted) Delegation(_ context.Context, zone string) (Delegation, error) {
	return aDelegation, s.note("delegation", zone)
}

func (s *scripted) Explain(_ context.Context, q Question) (Explanation, error) {
	return Explanation{Question: q.Name, Steps: []Step{{"one", "RFC 1"}}, Code: "NOERROR", Own: true, Answer: []string{"a & b"}},
		s.note("explain", q.Name, q.Type, map[bool]string{true: "dnssec"}[q.DNSSEC])
}

// Export writes as many lines as the zone's name says; of "n.broken." it fails behind them.
func (s *scripted) Export(_ context.Context, zone string, signed bool, w io.Writer) error {
	if err := s.note("export", zone, map[bool]string{true: "signed"}[signed]); err != nil {
		return err
	}
	count := 0
	fmt.Sscan(zone, &count)
	for range count {
		if _, err := io.WriteString(w, "a line\n"); err != nil {
			return err
		}
	}
	if strings.HasSuffix(zone, ".broken.") {
		return &Error{Kind: NotFound, Message: "broken"}
	}
	return nil
}

func TestExport(t *testing.T) {
	ctx := context.Background()
	in := &scripted{}
	c := serve(t, t.TempDir(), in, nil)
	for zone, want := range map[string]int{"0.test.": 0, "1.test.": 1, "50000.test.": 50000} {
		var b strings.Builder
		if err := c.Export(ctx, zone, true, &b); err != nil || strings.Count(b.String(), "a line\n") != want {
			t.Errorf("%s: %d lines, %v", zone, strings.Count(b.String(), "\n"), err)
		}
	}
	if !strings.HasSuffix(in.asked[0], "signed") {
		t.Errorf("asked %q", in.asked)
	}
	var told *Error
	if err := c.Export(ctx, "0.broken.", false, io.Discard); !errors.As(err, &told) || told.Kind != NotFound {
		t.Errorf("an error at once: %v", err)
	}
	if err := c.Export(ctx, "50000.broken.", false, io.Discard); !errors.Is(err, ErrNotRunning) {
		t.Errorf("an error behind half of it: %v", err)
	}
	full := errors.New("the disk is full")
	if err := c.Export(ctx, "50000.test.", false, failing{full}); !errors.Is(err, full) {
		t.Errorf("nowhere to write: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// Records gives as many records as the name says; below "broken." it fails behind them.
func (s *scripted) Records(_ context.Context, at At, each func(Record) error) error {
	if err := s.note("records", at.Zone, at.Name); err != nil {
		return err
	}
	n, _, _ := strings.Cut(at.Name, ".")
	count := 0
	fmt.Sscan(n, &count)
	for i := range count {
		if err := each(Record{Name: fmt.Sprintf("n%d.a.test.", i), TTL: 60, Type: "TXT", Data: `"<&>"`, From: "a.zone:1:1"}); err != nil {
			return err
		}
	}
	if strings.HasSuffix(at.Name, ".broken.") {
		return &Error{Kind: Internal, Message: "broken", Hint: "mend it"}
	}
	return nil
}

func TestNames(t *testing.T) {
	ctx := context.Background()
	in := &scripted{}
	c := serve(t, t.TempDir(), in, nil)
	if z, err := c.Zones(ctx); err != nil || !reflect.DeepEqual(z, []Zone{aZone}) {
		t.Errorf("zones %+v, %v", z, err)
	}
	if d, err := c.Delegation(ctx, "a b.test&"); err != nil || !reflect.DeepEqual(d, aDelegation) {
		t.Errorf("delegation %+v, %v", d, err)
	}
	for _, q := range []Question{{"a b", "A", true}, {"c", "TYPE7", false}} {
		e, err := c.Explain(ctx, q)
		if err != nil || e.Question != q.Name || !e.Own || e.Steps[0] != (Step{"one", "RFC 1"}) || e.Answer[0] != "a & b" {
			t.Errorf("%+v, %v", e, err)
		}
	}
	for _, want := range []int{0, 1, 1000} {
		var got []Record
		err := c.Records(ctx, At{"a.test.", fmt.Sprint(want)}, func(r Record) error { got = append(got, r); return nil })
		if err != nil || len(got) != want {
			t.Errorf("%d records, %v; want %d", len(got), err, want)
		}
		if want > 0 && got[0] != (Record{"n0.a.test.", 60, "TXT", `"<&>"`, "a.zone:1:1"}) {
			t.Errorf("%+v", got[0])
		}
	}
	if want := "zones|delegation a b.test&|explain a b A dnssec|explain c TYPE7 |records a.test. 0|records a.test. 1|records a.test. 1000"; strings.Join(in.asked, "|") != want {
		t.Errorf("asked %q", in.asked)
	}
}

func TestRecordsThatFail(t *testing.T) {
	ctx := context.Background()
	in := &scripted{}
	c := serve(t, t.TempDir(), in, nil)
	for _, behind := range []int{0, 3} {
		got := 0
		var told *Error
		err := c.Records(ctx, At{"", fmt.Sprintf("%d.broken.", behind)}, func(Record) error { got++; return nil })
		if !errors.As(err, &told) || *told != (Error{Internal, "broken", "mend it"}) || got != behind {
			t.Errorf("behind %d: %v, %d records", behind, err, got)
		}
	}
	enough := errors.New("enough")
	if err := c.Records(ctx, At{"", "9"}, func(Record) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("each said enough: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	if err := c.Records(ended, At{"", "9"}, func(Record) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if err := NewClient(host.NewOS(host.OSOptions{}), t.TempDir(), nil).Records(ctx, At{}, nil); !errors.Is(err, ErrNotRunning) {
		t.Errorf("nobody is there: %v", err)
	}
}

// TestRecordsCutOff: a stream that ends before its end is no whole answer.
func TestRecordsCutOff(t *testing.T) {
	dir := t.TempDir()
	o := host.NewOS(host.OSOptions{})
	path, done, err := SocketPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := o.Listen(t.Context(), "unix", path)
	done()
	if err != nil {
		t.Fatal(err)
	}
	answers := []string{"{\"record\":{\"name\":\"a.\"}}\n", "{\"record\":{\"na", "{}\n{\"later\":1}\n", "nonsense\n"}
	i := 0
	server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(answers[i]))
		i++
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	c := NewClient(o, dir, nil)
	for i := range answers {
		err := c.Records(t.Context(), At{}, func(Record) error { return nil })
		if stopped := errors.Is(err, ErrNotRunning); err == nil || stopped != (i < 3) {
			t.Errorf("%q: %v", answers[i], err)
		}
	}
}
