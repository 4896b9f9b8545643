package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// setting is one key with its value in force.
type setting struct {
	Field
	value any // bool, int, string, []string; []setting for tables
}

// settings lists what is in force: what the file says, and the defaults.
// Optional keys that are not given are left out; so is what a table of names
// has as it would be anyway.
func settings(fields []Field, v reflect.Value, brief bool) []setting {
	var all []setting
	for _, f := range fields {
		fv := v.Field(f.index)
		if fv.IsZero() && (f.Default == "" || brief) && f.Kind != KindTable || brief && f.isDefault(fv) {
			continue
		}
		if fv.Kind() == reflect.Pointer {
			fv = fv.Elem()
		}
		s := setting{Field: f}
		switch f.Kind {
		case KindTable:
			s.value = settings(f.Fields, fv, false)
		case KindTables:
			users := []setting{}
			for i := range fv.Len() {
				u := setting{Field: Field{Name: fv.Index(i).FieldByName("Name").String()}}
				u.value = settings(f.Fields, fv.Index(i), true)
				users = append(users, u)
			}
			s.value = users
		case KindNames:
			names := []setting{}
			aliases := fv.Interface().(map[string]string)
			for _, name := range slices.Sorted(maps.Keys(aliases)) {
				names = append(names, setting{Field: Field{Name: name}, value: aliases[name]})
			}
			s.value = names
		case KindList:
			items := make([]string, fv.Len())
			for i := range items {
				items[i] = fmt.Sprint(fv.Index(i).Interface())
			}
			s.value = items
		case KindSwitch:
			s.value = fv.Bool()
		case KindNumber:
			s.value = int(fv.Int())
		default:
			s.value = fmt.Sprint(fv.Interface())
		}
		all = append(all, s)
	}
	return all
}

// isDefault tells whether a value is that of the default.
func (f Field) isDefault(v reflect.Value) bool {
	return f.Kind == KindText && f.Default == quoteTOML(v.String())
}

func (c *Config) settings() []setting {
	return settings(Sections(), reflect.ValueOf(c).Elem(), false)
}

// TOML writes all settings in force, defaults among them, as a settings file
// that means the same, but for the secrets of keys, which it does not show.
func (c *Config) TOML() []byte {
	var top, sections bytes.Buffer
	for _, s := range c.settings() {
		if s.Kind != KindTable && s.Kind != KindTables {
			fmt.Fprintf(&top, "%s = %s\n", s.Name, inlineTOML(s.value))
			continue
		}
		fmt.Fprintf(&sections, "\n[%s]\n", s.Name)
		for _, key := range s.value.([]setting) {
			fmt.Fprintf(&sections, "%s = %s\n", quoteKey(key.Name), inlineTOML(key.value))
		}
	}
	return append(top.Bytes(), sections.Bytes()...)
}

func inlineTOML(value any) string {
	switch x := value.(type) {
	case string:
		return quoteTOML(x)
	case []string:
		items := make([]string, len(x))
		for i := range x {
			items[i] = quoteTOML(x[i])
		}
		return "[" + strings.Join(items, ", ") + "]"
	case []setting:
		if len(x) == 0 {
			return "{}"
		}
		pairs := make([]string, len(x))
		for i, s := range x {
			pairs[i] = quoteKey(s.Name) + " = " + inlineTOML(s.value)
		}
		return "{ " + strings.Join(pairs, ", ") + " }"
	default:
		return fmt.Sprint(x)
	}
}

// MarshalJSON writes all settings in force by the keys of the file, but for the
// secrets of keys.
func (c *Config) MarshalJSON() ([]byte, error) { return json.Marshal(tree(c.settings())) }

func tree(settings []setting) map[string]any {
	m := map[string]any{}
	for _, s := range settings {
		if inner, ok := s.value.([]setting); ok {
			m[s.Name] = tree(inner)
		} else {
			m[s.Name] = s.value
		}
	}
	return m
}
