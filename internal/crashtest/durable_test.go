package crashtest_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/network-utopia/utopia/internal/crashtest"
	"github.com/network-utopia/utopia/internal/state/disk"
)

// script runs calls on a disk, one a line, as the trace names them. "write a TEXT" writes at the end of the file.
func script(t *testing.T, d *crashtest.Disk, lines string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		if w := strings.Fields(line); len(w) > 0 {
			if err := run(d, w); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
	}
}

func run(d *crashtest.Disk, w []string) error {
	switch w[0] {
	case "create":
		_, err := d.Create(w[1])
		return err
	case "mkdir":
		return d.Mkdir(w[1])
	case "rename":
		return d.Rename(w[1], w[2])
	case "link":
		return d.Link(w[1], w[2])
	case "remove":
		return d.Remove(w[1])
	case "syncdir":
		return d.SyncDir(w[1])
	}
	file, err := d.OpenWrite(w[1])
	if err != nil {
		return err
	}
	size, err := file.Size()
	if err != nil {
		return err
	}
	switch w[0] {
	case "write":
		_, err = file.WriteAt([]byte(w[2]), size)
	case "over":
		_, err = file.WriteAt([]byte(w[2]), 0)
	case "empty":
		err = file.Truncate(0)
	case "sync":
		err = file.Sync()
	default:
		err = fmt.Errorf("no call %q", w[0])
	}
	return err
}

// tree shows all that is on a disk: "a=text d/ d/b=".
func tree(t *testing.T, d *crashtest.Disk) string {
	t.Helper()
	var all []string
	var walk func(folder string)
	walk = func(folder string) {
		entries, err := d.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			name := strings.TrimPrefix(folder+"/"+e.Name(), "./")
			if e.IsDir() {
				all = append(all, name+"/")
				walk(name)
				continue
			}
			data, err := disk.ReadFile(d, name, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, name+"="+string(bytes.ReplaceAll(data, []byte{0}, []byte("."))))
		}
	}
	walk(".")
	return strings.Join(all, " ")
}

// What is left after each fate that has no seed.
func TestWhatSurvives(t *testing.T) {
	t.Parallel()
	const old = "create a\n write a old\n sync a\n syncdir .\n"
	for _, c := range []struct{ name, script, lost, kept, names, sizes, data, torn string }{
		{"nothing is durable by itself", "create a\n write a abcd\n mkdir d\n create d/b",
			"", "a=abcd d/ d/b=", "a= d/ d/b=", "a=.... d/ d/b=", "", "a=ab d/ d/b="},
		{"sync of a file does not keep its name", "create a\n write a abcd\n sync a",
			"", "a=abcd", "a=abcd", "a=abcd", "", "a=abcd"},
		{"sync of a folder does not keep its files", "create a\n write a abcd\n syncdir .",
			"a=", "a=abcd", "a=", "a=....", "a=abcd", "a=ab"},
		{"both syncs keep both", "create a\n write a abcd\n sync a\n syncdir .",
			"a=abcd", "a=abcd", "a=abcd", "a=abcd", "a=abcd", "a=abcd"},
		{"sync of a folder is not that of the one above", "mkdir d\n create d/a\n syncdir d",
			"", "d/ d/a=", "d/ d/a=", "d/ d/a=", "", "d/ d/a="},
		{"sync of a folder is not that of the one below", "mkdir d\n create d/a\n syncdir .",
			"d/", "d/ d/a=", "d/ d/a=", "d/ d/a=", "d/", "d/ d/a="},
		{"a sync covers what was before it", old + "write a abcd\n sync a\n write a efgh",
			"a=oldabcd", "a=oldabcdefgh", "a=oldabcd", "a=oldabcd....", "a=oldabcdefgh", "a=oldabcdef"},
		{"a file that is overwritten", old + "over a new",
			"a=old", "a=new", "a=old", "a=old", "a=new", "a=nld"},
		{"a file that is emptied and written anew", old + "empty a\n write a ab",
			"a=old", "a=ab", "a=old", "a=..", "a=ab", "a=a"},
		{"a file that is emptied", old + "empty a",
			"a=old", "a=", "a=old", "a=", "a=", "a="},
		{"two writes", old + "write a ab\n write a cdef",
			"a=old", "a=oldabcdef", "a=old", "a=old......", "a=oldabcdef", "a=oldabcd"},
		{"a removal", old + "remove a", "a=old", "", "", "", "a=old", ""},
		{"a synced removal", old + "remove a\n syncdir .", "", "", "", "", "", ""},
		{"a rename in place of another", old + "create b\n write b new\n sync b\n rename b a",
			"a=old", "a=new", "a=new", "a=new", "a=old", "a=new"},
		{"a synced rename", old + "create b\n write b new\n sync b\n rename b a\n syncdir .",
			"a=new", "a=new", "a=new", "a=new", "a=new", "a=new"},
		{"a rename to another folder", old + "mkdir d\n syncdir .\n rename a d/a",
			"a=old d/", "d/ d/a=old", "d/ d/a=old", "d/ d/a=old", "a=old d/", "d/ d/a=old"},
		{"its new folder synced", old + "mkdir d\n syncdir .\n rename a d/a\n syncdir d",
			"a=old d/ d/a=old", "d/ d/a=old", "d/ d/a=old", "d/ d/a=old", "a=old d/ d/a=old", "d/ d/a=old"},
		{"its old folder synced", old + "mkdir d\n syncdir .\n rename a d/a\n syncdir .",
			"a=old d/", "d/ d/a=old", "d/ d/a=old", "d/ d/a=old", "a=old d/", "d/ d/a=old"},
		{"both folders synced, the old one first", old + "mkdir d\n syncdir .\n rename a d/a\n syncdir .\n syncdir d",
			"d/ d/a=old", "d/ d/a=old", "d/ d/a=old", "d/ d/a=old", "d/ d/a=old", "d/ d/a=old"},
		{"the old name is taken anew and synced", old + "mkdir d\n syncdir .\n rename a d/a\n create a\n syncdir .",
			"a= d/ d/a=old", "a= d/ d/a=old", "a= d/ d/a=old", "a= d/ d/a=old", "a= d/ d/a=old", "a= d/ d/a=old"},
		{"a link", old + "mkdir d\n syncdir .\n link a d/b\n syncdir d\n remove a",
			"a=old d/ d/b=old", "d/ d/b=old", "d/ d/b=old", "d/ d/b=old", "a=old d/ d/b=old", "d/ d/b=old"},
		{"a folder that is renamed", "mkdir d\n create d/a\n syncdir d\n syncdir .\n rename d e",
			"d/ d/a=", "e/ e/a=", "e/ e/a=", "e/ e/a=", "d/ d/a=", "e/ e/a="},
		{"a folder goes after what was in it", "mkdir d\n mkdir e\n create d/a\n syncdir d\n syncdir .\n rename d/a e/a\n remove d\n syncdir .",
			"e/ e/a=", "e/ e/a=", "e/ e/a=", "e/ e/a=", "e/ e/a=", "e/ e/a="},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := crashtest.New(crashtest.Options{})
			script(t, d, c.script)
			seen := tree(t, d)
			for fate, want := range map[crashtest.Fate]string{
				crashtest.Lost: c.lost, crashtest.Kept: c.kept, crashtest.Names: c.names, crashtest.Sizes: c.sizes,
				crashtest.Data: c.data, crashtest.Torn: c.torn, crashtest.Killed: seen,
			} {
				after := d.Reboot(fate)
				if got := tree(t, after); got != want {
					t.Errorf("%s: %q, want %q\n%s", fate, got, want, after.Trace())
				}
				// What a boot finds is on the platter, but for a process that was killed.
				again := want
				if fate == crashtest.Killed {
					again = c.lost
				}
				if got := tree(t, after.Reboot(crashtest.Lost)); got != again {
					t.Errorf("%s, and crashed again: %q, want %q", fate, got, again)
				}
			}
		})
	}
}

// outcomes collects what many seeds leave.
func outcomes(t *testing.T, d *crashtest.Disk, fate func(uint64) crashtest.Fate, seeds int) map[string]bool {
	t.Helper()
	got := map[string]bool{}
	for seed := range seeds {
		one, two := tree(t, d.Reboot(fate(uint64(seed)))), tree(t, d.Reboot(fate(uint64(seed))))
		if one != two {
			t.Fatalf("seed %d leaves %q, and %q", seed, one, two)
		}
		got[one] = true
	}
	return got
}

// Names are lost in any combination that the kindnesses allow, and in no other.
func TestMixedNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, script string
		want         []string
	}{
		{"any of two files", "create a\n create b", []string{"", "a=", "b=", "a= b="}},
		{"a name and its end", "create a\n remove a\n create b\n syncdir .\n create a\n remove b",
			[]string{"b=", "a= b=", "a=", ""}},
		{"a rename is whole within a folder", "create a\n syncdir .\n rename a b", []string{"a=", "b="}},
		{"a rename to another folder may leave both, never none", "create a\n mkdir d\n syncdir .\n rename a d/b",
			[]string{"a= d/", "a= d/ d/b=", "d/ d/b="}},
		{"nor when the old name is taken anew", "create a\n write a x\n sync a\n syncdir .\n rename a b\n create a",
			[]string{"a=x", "b=x", "a= b=x"}},
		{"back and forth", "create a\n mkdir d\n syncdir .\n rename a d/a\n rename d/a a",
			[]string{"a= d/", "a= d/ d/a=", "d/ d/a="}},
		{"a link and its first name are two things", "create a\n mkdir d\n syncdir .\n link a d/a\n remove a",
			[]string{"a= d/", "a= d/ d/a=", "d/ d/a=", "d/"}},
		{"folders are renamed after all else", "mkdir d\n mkdir e\n syncdir .\n create a\n rename d e/d\n rename e f",
			[]string{"d/ e/", "a= d/ e/", "a= e/ e/d/", "a= f/ f/d/"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := crashtest.New(crashtest.Options{})
			script(t, d, c.script)
			for what, d := range map[string]*crashtest.Disk{"crashed": d, "killed, then crashed": d.Reboot(crashtest.Killed)} {
				got := outcomes(t, d, crashtest.Mixed, 400)
				for _, want := range c.want {
					if !got[want] {
						t.Errorf("%s: never %q", what, want)
					}
					delete(got, want)
				}
				for other := range got {
					t.Errorf("%s: once %q", what, other)
				}
			}
		})
	}
}

// Writes are lost by sectors of 512 octets that the file counts, and by octets when they are shredded.
func TestMixedWrites(t *testing.T) {
	t.Parallel()
	d := crashtest.New(crashtest.Options{})
	old := strings.Repeat("o", 400)
	script(t, d, "create a\n write a "+old+"\n sync a\n syncdir .\n write a "+strings.Repeat("n", 1000)) // up to 1400
	shapes := func(fate func(uint64) crashtest.Fate) map[string]bool {
		all := map[string]bool{}
		for text := range outcomes(t, d, fate, 300) {
			data := strings.TrimPrefix(text, "a=")
			if data[:400] != old {
				t.Fatalf("what was synced is lost: %q", data[:400])
			}
			var shape []string
			for _, cut := range [][2]int{{400, 512}, {512, 1024}, {1024, 1400}} {
				part := data[min(cut[0], len(data)):min(cut[1], len(data))]
				n, zero := strings.Count(part, "n"), strings.Count(part, ".")
				if n+zero != len(part) || part != strings.Repeat("n", n)+strings.Repeat(".", zero) {
					t.Fatalf("a sector holds %q", part)
				}
				switch {
				case n == cut[1]-cut[0]:
					shape = append(shape, "new")
				case zero == cut[1]-cut[0]:
					shape = append(shape, "zero")
				case n+zero == 0:
					shape = append(shape, "none")
				default:
					shape = append(shape, "torn")
				}
			}
			all[strings.Join(shape, " ")] = true
		}
		return all
	}
	mixed := shapes(crashtest.Mixed)
	for _, want := range []string{
		"new new new", "new new none", "new new zero", "new none none", "new zero new", "new zero zero",
		"zero new new", "zero new none", "zero new zero", "zero zero new", "zero zero zero", "none none none",
	} {
		if !mixed[want] {
			t.Errorf("never %q", want)
		}
	}
	if len(mixed) != 12 {
		t.Errorf("%d shapes: %v", len(mixed), mixed)
	}
	if shredded := shapes(crashtest.Shredded); !slices.ContainsFunc(slices.Collect(maps.Keys(shredded)), func(s string) bool { return strings.Contains(s, "torn") }) {
		t.Errorf("never torn within a sector: %v", shredded)
	}
}

// The same seed draws the same for each of many files.
func TestSeeds(t *testing.T) {
	t.Parallel()
	d := crashtest.New(crashtest.Options{})
	for i := range 16 {
		script(t, d, fmt.Sprintf("create %d\n write %d text", i, i))
	}
	script(t, d, "syncdir .")
	if n := len(outcomes(t, d, crashtest.Mixed, 50)); n < 40 {
		t.Errorf("50 seeds leave %d disks", n)
	}
}

// What was written is what was given, whatever becomes of the caller's octets before it is synced.
func TestWritesAreCopied(t *testing.T) {
	t.Parallel()
	d := crashtest.New(crashtest.Options{})
	file, err := d.Create("a")
	if err != nil {
		t.Fatal(err)
	}
	p := []byte("one")
	if _, err := file.WriteAt(p, 0); err != nil {
		t.Fatal(err)
	}
	copy(p, "two")
	if got := tree(t, d.Reboot(crashtest.Kept)); got != "a=one" {
		t.Errorf("kept: %q", got)
	}
}

// The trace of a boot marks its own steps, not those that had the same number before a kill.
func TestTraceAfterAKill(t *testing.T) {
	t.Parallel()
	d := crashtest.New(crashtest.Options{})
	script(t, d, "create a\n mkdir d\n syncdir .\n write a x\n create d/b")
	killed := d.Reboot(crashtest.Killed)
	script(t, killed, strings.Repeat("syncdir .\n", 5))
	if trace := killed.Reboot(crashtest.Lost).Trace(); strings.Contains(trace, "LOST") {
		t.Error(trace)
	}
}

// A second crash takes what the first had left to a process that was killed, and no more.
func TestKilledTwice(t *testing.T) {
	t.Parallel()
	d := crashtest.New(crashtest.Options{})
	script(t, d, "mkdir d\n mkdir e\n syncdir .\n create d/a\n write d/a x\n rename d/a e/a\n link e/a e/b\n syncdir d")
	killed := d.Reboot(crashtest.Killed)
	if got := tree(t, killed.Reboot(crashtest.Lost)); got != "d/ d/a= e/" {
		t.Errorf("lost: %q", got)
	}
	killed = d.Reboot(crashtest.Killed)
	script(t, killed, "sync e/a\n syncdir e")
	if got := tree(t, killed.Reboot(crashtest.Lost)); got != "d/ e/ e/a=x e/b=x" {
		t.Errorf("synced by the next process: %q", got)
	}
	if got := tree(t, d.Reboot(crashtest.Lost)); got != "d/ d/a= e/" {
		t.Errorf("the disk before has changed: %q", got)
	}
}

func TestNoSuchFate(t *testing.T) {
	t.Parallel()
	for _, fate := range []crashtest.Fate{"", "x", "mixed", "mixed:", "mixed:x", "lost:1", "killed:1"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is a fate", fate)
				}
			}()
			crashtest.New(crashtest.Options{}).Reboot(fate)
		}()
	}
	for _, fate := range crashtest.Fates(2) {
		crashtest.New(crashtest.Options{}).Reboot(fate)
	}
}
