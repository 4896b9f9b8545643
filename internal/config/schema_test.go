package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	toml "github.com/pelletier/go-toml/v2"
)

// check tests a value against the part of JSON Schema that Schema uses. It
// fails on a keyword that it does not know.
func check(schema map[string]any, v any, path string) (bad []string) {
	fail := func(format string, args ...any) {
		bad = append(bad, path+": "+fmt.Sprintf(format, args...))
	}
	object, _ := v.(map[string]any)
	list, _ := v.([]any)
	text, isText := v.(string)
	number, isNumber := v.(float64)
	for keyword, arg := range schema {
		switch keyword {
		case "$schema", "title", "description", "default", "examples", "required", "properties":
		case "type":
			kinds := map[string]bool{
				"object": object != nil, "array": list != nil, "string": isText,
				"integer": isNumber && number == float64(int(number)), "boolean": v == true || v == false,
			}
			if !kinds[arg.(string)] {
				fail("%T is no %s", v, arg)
			}
		case "additionalProperties":
			properties, _ := schema["properties"].(map[string]any)
			for key, value := range object {
				if inner, ok := properties[key].(map[string]any); ok {
					bad = append(bad, check(inner, value, path+"."+key)...)
				} else if inner, ok := arg.(map[string]any); ok {
					bad = append(bad, check(inner, value, path+"."+key)...)
				} else {
					fail("unknown key %s", key)
				}
			}
		case "propertyNames":
			for key := range object {
				bad = append(bad, check(arg.(map[string]any), key, path+" name "+key)...)
			}
		case "items":
			for i, value := range list {
				bad = append(bad, check(arg.(map[string]any), value, fmt.Sprintf("%s[%d]", path, i))...)
			}
		case "anyOf":
			if !slices.ContainsFunc(arg.([]any), func(s any) bool { return len(check(s.(map[string]any), v, path)) == 0 }) {
				fail("%v is none of %v", v, arg)
			}
		default:
			if !checkScalar(keyword, arg, text, number, list) {
				fail("%v breaks %s %v", v, keyword, arg)
			}
		}
	}
	required, _ := schema["required"].([]any)
	for _, key := range required {
		if _, ok := object[key.(string)]; !ok {
			fail("%s is missing", key)
		}
	}
	return bad
}

func checkScalar(keyword string, arg any, text string, number float64, list []any) bool {
	switch keyword {
	case "format":
		a, err := netip.ParseAddr(text)
		return err == nil && (arg == "ipv4") == a.Is4()
	case "pattern":
		return regexp.MustCompile(arg.(string)).MatchString(text)
	case "minLength":
		return float64(utf8.RuneCountInString(text)) >= arg.(float64)
	case "maxLength":
		return float64(utf8.RuneCountInString(text)) <= arg.(float64)
	case "enum":
		return slices.Contains(arg.([]any), any(text))
	case "minimum":
		return number >= arg.(float64)
	case "maximum":
		return number <= arg.(float64)
	case "minItems":
		return float64(len(list)) >= arg.(float64)
	case "maxItems":
		return float64(len(list)) <= arg.(float64)
	case "uniqueItems":
		seen := map[any]bool{}
		for _, x := range list {
			if seen[x] {
				return false
			}
			seen[x] = true
		}
		return true
	}
	return false
}

// viaJSON gives a value the types that JSON has.
func viaJSON(t *testing.T, v any) (out map[string]any) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSchemaAllowsWhatIsRead(t *testing.T) {
	t.Parallel()
	schema := viaJSON(t, Schema())
	texts := map[string][]byte{"default": Default("example.test", nil)}
	for _, path := range files(t, "good/*.toml") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = bytes.TrimPrefix(data, bom[:])
	}
	for name, data := range texts {
		var generic map[string]any
		if err := toml.Unmarshal(data, &generic); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if bad := check(schema, viaJSON(t, generic), name); bad != nil {
			t.Errorf("the schema forbids %s", strings.Join(bad, "\n"))
		}
		// What is in force is a settings file too.
		c := mustParse(t, string(data))
		if bad := check(schema, viaJSON(t, c), name); bad != nil {
			t.Errorf("as JSON, the schema forbids %s", strings.Join(bad, "\n"))
		}
	}
}

func TestSchemaForbids(t *testing.T) {
	t.Parallel()
	schema := viaJSON(t, Schema())
	for _, text := range []string{
		"", "domain = 1", "domain = 'a'", "domain = 'a.test'\nx = 1", "domain = 'a.test'\naddress = []", "domain = 'a.test'\naddress = ['x']",
		"domain = 'a.test'\naddress = ['::1', '::1']", "domain = 'a.test'\nport-offset = -1", "domain = 'a.test'\nport-offset = 1.5",
		"domain = 'a.test'\n[users]\nAlice = {}", "domain = 'a.test'\n[users]\nalice = 1", "domain = 'a.test'\n[users]\nalice = { x = 1 }",
		"domain = 'a.test'\n[users]\nalice = { quota = '5' }", "domain = 'a.test'\n[web]\nrot = 'x'", "domain = 'a.test'\n[web]\nenabled = 1",
		"domain = 'a.test'\n[log]\nlevel = 'loud'", "domain = 'a.test'\n[dns]\nttl = '5'", "domain = 'a.test'\n[limits]\nconnections = 0",
		"domain = 'a.test'\n[mail]\naliases = { a = 1 }", "domain = 'a.test'\n[web]\nroot = ''", "domain = 'a.test'\nweb = 1",
		"domain = 'a.test'\n[dns]\nrecursive-for = ['10.0.0.0']",
	} {
		var generic map[string]any
		if err := toml.Unmarshal([]byte(text), &generic); err != nil {
			t.Fatal(err)
		}
		if generic == nil {
			generic = map[string]any{}
		}
		if check(schema, viaJSON(t, generic), "") == nil {
			t.Errorf("the schema allows\n%s", text)
		}
		problemsOf(t, text)
	}
}

func TestSchemaShape(t *testing.T) {
	t.Parallel()
	s := viaJSON(t, Schema())
	if s["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("$schema is %v", s["$schema"])
	}
	var walk func(path string, s map[string]any)
	walk = func(path string, s map[string]any) {
		if s["type"] == "object" {
			if _, ok := s["additionalProperties"]; !ok {
				t.Errorf("%s is open", path)
			}
		}
		properties, _ := s["properties"].(map[string]any)
		for name, inner := range properties {
			in := inner.(map[string]any)
			if in["description"] == "" {
				t.Errorf("%s.%s has no description", path, name)
			}
			if d, ok := in["default"]; ok {
				if bad := check(in, d, path+"."+name); bad != nil {
					t.Errorf("the default is forbidden: %v", bad)
				}
			}
			examples, _ := in["examples"].([]any)
			for _, e := range examples {
				if bad := check(in, e, path+"."+name); bad != nil {
					t.Errorf("the example is forbidden: %v", bad)
				}
			}
			walk(path+"."+name, in)
		}
	}
	walk("", s)
	if !reflect.DeepEqual(s, viaJSON(t, Schema())) {
		t.Error("two schemas differ")
	}
}
