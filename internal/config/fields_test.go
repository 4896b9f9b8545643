package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	toml "github.com/pelletier/go-toml/v2"
)

// TestFields reads every tag: the reference and the schema are made of them.
func TestFields(t *testing.T) {
	t.Parallel()
	var sections []string
	for _, s := range Sections() {
		sections = append(sections, s.Name)
		if s.Doc == "" {
			t.Errorf("%s has no doc", s.Path)
		}
	}
	want := []string{"domain", "address", "port-offset", "users", "dns", "web", "mail", "ftp", "p2p", "socket", "console", "log", "limits"}
	if !slices.Equal(sections, want) {
		t.Errorf("sections %v, want %v", sections, want)
	}
	seen := map[string]bool{}
	for _, f := range flatten(Sections()) {
		if seen[f.Path] {
			t.Errorf("%s is there twice", f.Path)
		}
		seen[f.Path] = true
		if !strings.HasSuffix(f.Path, f.Name) || f.Type == "" || f.Kind == "" {
			t.Errorf("%+v", f)
		}
		if !strings.HasSuffix(f.Doc, ".") || strings.Contains(f.Doc, "  ") {
			t.Errorf("%s: a doc is made of sentences: %q", f.Path, f.Doc)
		}
		for _, literal := range []string{f.Default, f.Example} {
			if literal != "" {
				checkLiteral(t, f, literal)
			}
		}
		if !f.Required && f.Default == "" && f.Example == "" {
			t.Errorf("%s has neither a default nor an example", f.Path)
		}
	}
	for _, path := range []string{"domain", "users.NAME.admin", "users.NAME.quota", "dns.recursive-for", "mail.aliases", "limits.connections"} {
		if !seen[path] {
			t.Errorf("%s is not there", path)
		}
	}
}

// checkLiteral decodes a default or an example as if it stood in a file.
func checkLiteral(t *testing.T, f Field, literal string) {
	t.Helper()
	src := newSource("", nil)
	d := &decoder{src: src, where: map[string]place{}, given: map[string][]string{}, spoilt: map[string]bool{}}
	var any map[string]any
	if err := toml.Unmarshal([]byte("x = "+literal), &any); err != nil {
		t.Errorf("%s: %s: %v", f.Path, literal, err)
		return
	}
	n := buildTree(newSource("", []byte("x = "+literal))).root.get("x").value
	d.value("", f, n, reflect.New(f.typ).Elem())
	if len(src.problems) > 0 {
		t.Errorf("%s: %s: %v", f.Path, literal, src.problems)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	for _, f := range flatten(Sections()) {
		for _, bound := range []string{f.Min, f.Max} {
			if bound != "" {
				checkLiteral(t, f, f.literal(bound))
			}
		}
		if (f.Kind == KindNumber || f.Kind == KindSize || f.Kind == KindDuration) && (f.Min == "" || f.Max == "") {
			t.Errorf("%s has no bounds", f.Path)
		}
	}
}

// flatten gives every key that takes a value, without the nesting.
func flatten(fields []Field) []Field {
	var all []Field
	for _, f := range fields {
		if f.Kind == KindTable || f.Kind == KindTables {
			all = append(all, flatten(f.Fields)...)
		} else {
			all = append(all, f)
		}
	}
	return all
}
