package config

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"slices"
	"testing"
	"unicode/utf8"

	toml "github.com/pelletier/go-toml/v2"
)

// seed gives a fuzz target the files of testdata.
func seed(f *testing.F, add func(data []byte)) {
	f.Helper()
	for _, pattern := range []string{"testdata/good/*.toml", "testdata/bad/*.toml"} {
		paths, err := os.ReadDir(pattern[:len(pattern)-len("/*.toml")])
		if err != nil {
			f.Fatal(err)
		}
		for _, p := range paths {
			data, err := os.ReadFile(pattern[:len(pattern)-len("*.toml")] + p.Name())
			if err != nil {
				f.Fatal(err)
			}
			if len(data) < 2000 && bytes.HasSuffix([]byte(p.Name()), []byte(".toml")) {
				add(data)
			}
		}
	}
}

// FuzzParse: no input makes the reader panic, every problem is somewhere in
// the file, what is right means the same when it is written again, and the
// reader and go-toml agree on what is TOML.
func FuzzParse(f *testing.F) {
	seed(f, func(data []byte) { f.Add(data) })
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(FileName, data)
		var generic map[string]any
		tomlErr := toml.Unmarshal(bytes.TrimPrefix(data, bom[:]), &generic)
		if err != nil {
			var p Problems
			if !errors.As(err, &p) || len(p) == 0 {
				t.Fatalf("no problems: %v", err)
			}
			if utf8.Valid(data) {
				checkProblems(t, data, p)
			}
			src := newSource(FileName, data)
			if tomlErr == nil && !src.unreadable() && buildTree(src).broken && !bytes.Contains([]byte(src.sorted().Error()), []byte(tooDeep)) {
				t.Fatalf("go-toml reads it: %v", src.sorted())
			}
			return
		}
		if tomlErr != nil {
			t.Fatalf("go-toml does not read it: %v", tomlErr)
		}
		checkProblems(t, data, c.Warnings)
		if slices.ContainsFunc(c.DNS.Keys, func(k Key) bool { return k.Secret != "" }) {
			return // they are not written again
		}
		again, err := Parse(FileName, c.TOML())
		if err != nil {
			t.Fatalf("what is written is wrong: %v\n%s", err, c.TOML())
		}
		again.Warnings = c.Warnings
		if !reflect.DeepEqual(again, c) {
			t.Fatalf("what is written means something else:\n%s", c.TOML())
		}
	})
}

// FuzzAddUser: a user that is added is there, and when removed again leaves
// the file as it was in meaning.
func FuzzAddUser(f *testing.F) {
	seed(f, func(data []byte) { f.Add(data, "zoe", true) })
	f.Add([]byte("domain = 'a.test'\nusers = { a.admin = true, }"), "a.b", false)
	f.Fuzz(func(t *testing.T, data []byte, name string, admin bool) {
		added, err := AddUser(data, name, admin)
		if err != nil {
			if errors.Is(err, errEdit) {
				t.Fatalf("refused: %q", data)
			}
			return
		}
		before, err := Parse(FileName, data)
		if err != nil {
			t.Fatal(err)
		}
		after, err := Parse(FileName, added)
		if err != nil {
			t.Fatal(err)
		}
		if u, ok := after.User(name); !ok || u.Admin != admin || len(after.Users) != len(before.Users)+1 {
			t.Fatalf("users %+v in %q", after.Users, added)
		}
		removed, err := RemoveUser(added, name)
		if err != nil {
			t.Fatalf("remove from %q: %v", added, err)
		}
		restored, err := Parse(FileName, removed)
		if err != nil {
			t.Fatal(err)
		}
		before.Warnings, restored.Warnings = nil, nil
		if !reflect.DeepEqual(before, restored) {
			t.Fatalf("not the same:\n%q\n%q", data, removed)
		}
	})
}

// FuzzRemoveUser takes every user out of a file, one by one.
func FuzzRemoveUser(f *testing.F) {
	seed(f, func(data []byte) { f.Add(data) })
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(FileName, data)
		if err != nil {
			return
		}
		for _, u := range c.Users {
			out, err := RemoveUser(data, u.Name)
			if errors.Is(err, errEdit) {
				t.Fatalf("refused %q from %q", u.Name, data)
			}
			if err == nil {
				data = out
			}
		}
	})
}
