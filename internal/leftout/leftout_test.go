package leftout

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// told is a test that says how it ended.
type told struct {
	testing.TB
	how string
}

func (t *told) Helper() {}

func (t *told) Fatalf(format string, args ...any) { t.end("failed: " + fmt.Sprintf(format, args...)) }
func (t *told) Skipf(format string, args ...any)  { t.end("skipped: " + fmt.Sprintf(format, args...)) }

func (t *told) end(how string) {
	t.how = how
	runtime.Goexit()
}

// ending runs a test to its end, and says what that was; "" where it came to its last line.
func ending(test func(t testing.TB)) string {
	t, over := &told{}, make(chan struct{})
	go func() {
		defer close(over)
		test(t)
	}()
	<-over
	return t.how
}

func TestBecause(t *testing.T) {
	for demand, want := range map[string]string{
		"":         "skipped: left out: no IPv6: 7",
		"please":   "skipped: left out: no IPv6: 7",
		"required": "failed: no IPv6: 7, and UTOPIA_INTEROP=required leaves nothing out",
	} {
		t.Setenv("UTOPIA_INTEROP", demand)
		if got := ending(func(t testing.TB) { Because(t, "no IPv6: %d", 7) }); got != want {
			t.Errorf("%q: %s", demand, got)
		}
	}
}

func TestPrograms(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	there := filepath.Join(dir, "there.exe") // the ending that some systems ask for
	if err := os.WriteFile(there, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	for demand, want := range map[string]string{"": "skipped: left out: absent is not installed", "required": "failed: absent is not installed"} {
		t.Setenv("UTOPIA_INTEROP", demand)
		if got := ending(func(t testing.TB) { Without(t, "absent") }); !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s", demand, got)
		}
		if how := ending(func(testing.TB) {
			if got := Without(t, "there.exe"); got != there {
				t.Errorf("%q: found %s", demand, got)
			}
		}); how != "" {
			t.Errorf("%q: %s", demand, how)
		}
		if ok, err := Installed("there.exe"); !ok || err != nil {
			t.Errorf("%q: %v, %v", demand, ok, err)
		}
		if ok, err := Installed("absent"); ok || (err != nil) != (demand == "required") {
			t.Errorf("%q: %v, %v", demand, ok, err)
		}
	}
}
