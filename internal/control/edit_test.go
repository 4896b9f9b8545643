package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

var aChange = Changed{
	Zone: "a.test.", DryRun: true, Deleted: []Record{}, Added: []Record{{"www.a.test.", 60, "TXT", `"<&>"`, FromUpdate}}, Serial: 8, Cached: 300,
	Answer: &Answer{Name: "www.a.test.", Type: "TXT", Code: "NOERROR", Own: true, Records: []Record{}}, Warnings: []string{"odd"},
}

func (s *scripted) SetRecords(_ context.Context, r SetRecords) (Changed, error) {
	s.edits = append(s.edits, r)
	return aChange, s.note("set")
}

func (s *scripted) DeleteRecords(_ context.Context, r DeleteRecords) (Changed, error) {
	s.edits = append(s.edits, r)
	return aChange, s.note("delete")
}

func (s *scripted) ImportRecords(_ context.Context, r ImportRecords) (Changed, error) {
	s.edits = append(s.edits, r)
	return aChange, s.note("import")
}

func (s *scripted) RevertRecords(_ context.Context, r RevertRecords) (Changed, error) {
	s.edits = append(s.edits, r)
	return aChange, s.note("revert")
}

func (s *scripted) Changes(_ context.Context, zone string) (Changed, error) {
	s.edits = append(s.edits, zone)
	return aChange, s.note("changes")
}

func TestEdits(t *testing.T) {
	ctx := context.Background()
	in := &scripted{}
	c := serve(t, t.TempDir(), in, nil)
	ttl := uint32(0)
	at := At{"a.test", "www é"}
	set := SetRecords{At: at, Type: "TXT", Data: []string{"a b", `"<&>"`}, TTL: &ttl, Add: true, Only: true, DryRun: true}
	without := SetRecords{At: At{Name: "x"}, Type: "A", Data: []string{"192.0.2.1"}}
	del := DeleteRecords{At: at, Type: "TXT", Data: []string{"x"}, All: true, DryRun: true}
	imp := ImportRecords{Zone: "a.test", Records: []Record{{"a.", 1, "A", "192.0.2.1", "f:1:1"}}, Replace: true, Apex: true, DryRun: true}
	rev := RevertRecords{At: at, Type: "A", DryRun: true}
	for _, do := range []func() (Changed, error){
		func() (Changed, error) { return c.SetRecords(ctx, set) },
		func() (Changed, error) { return c.SetRecords(ctx, without) },
		func() (Changed, error) { return c.DeleteRecords(ctx, del) },
		func() (Changed, error) { return c.ImportRecords(ctx, imp) },
		func() (Changed, error) { return c.RevertRecords(ctx, rev) },
		func() (Changed, error) { return c.Changes(ctx, "a&b") },
	} {
		if got, err := do(); err != nil || !reflect.DeepEqual(got, aChange) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if want := []any{set, without, del, imp, rev, "a&b"}; !reflect.DeepEqual(in.edits, want) {
		t.Errorf("asked %+v", in.edits)
	}
	in.err = &Error{Kind: Conflict, Message: "no", Hint: "do"}
	var told *Error
	if _, err := c.SetRecords(ctx, set); !errors.As(err, &told) || *told != (Error{Conflict, "no", "do"}) {
		t.Errorf("an error: %v", err)
	}
}

// TestEditLimits: a request of as many octets as are taken, and of one more.
func TestEditLimits(t *testing.T) {
	ctx := context.Background()
	in := &scripted{}
	c := serve(t, t.TempDir(), in, nil)
	size := len(`{"zone":"","name":"","type":"TXT","data":[""]}`)
	for _, more := range []int{0, 1} {
		_, err := c.SetRecords(ctx, SetRecords{Type: "TXT", Data: []string{strings.Repeat("x", MaxRequestBody-size+more)}})
		var told *Error
		if long := errors.As(err, &told) && told.Message == fmt.Sprintf("the request is longer than %d octets", MaxRequestBody); long != (more > 0) || (err != nil) != long {
			t.Errorf("%d more: %v", more, err)
		}
	}
	// That of an import is larger, and held in the same way.
	limits := map[string]int64{}
	handleEdits(func(pattern string, most int64, _ func(*http.Request) (any, error)) { limits[pattern] = most }, in)
	for pattern, most := range limits {
		if want := map[bool]int64{true: MaxImportBody, false: MaxRequestBody}[pattern == "POST /dns/import"]; most != want {
			t.Errorf("%s: %d octets, want %d", pattern, most, want)
		}
	}
	large := Record{Type: "TXT", Data: strings.Repeat("x", MaxRequestBody)}
	if _, err := c.ImportRecords(ctx, ImportRecords{Records: []Record{large, large}}); err != nil {
		t.Error(err)
	}
}
