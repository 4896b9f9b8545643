package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// place is where a setting stands in the file.
type place struct{ key, value span }

// decoder fills a Config from the tree, and remembers where everything stood.
// Paths in where join names by "/", which no name can hold.
type decoder struct {
	src    *source
	fields []Field
	where  map[string]place
	given  map[string][]string // all names in a table of names, by its path, in order: also wrong ones
	spoilt map[string]bool     // the paths of tables that hold an unknown key, or are none
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}

func item(path string, i int) string { return path + "/" + strconv.Itoa(i) }

func (d *decoder) config(doc *document, c *Config) {
	v := reflect.ValueOf(c).Elem()
	setDefaults(d.fields, v)
	d.table("", d.fields, doc.root, v)
}

// setDefaults gives every field the value of its tag. Tags are right: a test
// decodes each of them.
func setDefaults(fields []Field, v reflect.Value) {
	for _, f := range fields {
		switch target := v.Field(f.index); {
		case f.Kind == KindTable:
			setDefaults(f.Fields, target)
		case f.Default != "":
			root := buildTree(newSource(FileName, []byte("x = "+f.Default))).root
			(&decoder{src: newSource(FileName, nil), where: map[string]place{}, given: map[string][]string{}, spoilt: map[string]bool{}}).value("", f, root.get("x").value, target)
		}
	}
}

// table decodes the keys of n into the struct v.
func (d *decoder) table(path string, fields []Field, n *node, v reflect.Value) {
	for _, e := range n.entries {
		i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == e.name })
		if i < 0 {
			d.unknownKey(path, fields, e)
			continue
		}
		d.entry(join(path, e.name), fields[i], e, v.Field(fields[i].index))
	}
}

func (d *decoder) entry(path string, f Field, e *entry, v reflect.Value) {
	d.where[path] = place{e.key, e.value.at}
	d.value(path, f, e.value, v)
}

func (d *decoder) value(path string, f Field, n *node, v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		target := reflect.New(f.typ)
		d.value(path, f, n, target.Elem())
		v.Set(target)
		return
	}
	switch f.Kind {
	case KindTable, KindTables, KindNames:
		if n.kind != isTable {
			d.src.problem(n.at, tableHint(f, n), "expected %s, found %s", f.Type, n.found())
			return
		}
	}
	switch f.Kind {
	case KindTable:
		d.table(path, f.Fields, n, v)
	case KindTables:
		d.tables(path, f, n, v)
	case KindNames:
		d.names(path, n, v)
	case KindList:
		d.list(path, f, n, v)
	default:
		if x, fault := f.decode(f.Kind, n); fault != nil {
			d.src.problem(n.at, fault.hint, "%s", fault.message)
		} else {
			v.Set(reflect.ValueOf(x).Convert(v.Type()))
		}
	}
}

// tables decodes a table of names: each key is a name, each value its settings.
// A name that is none becomes "".
func (d *decoder) tables(path string, f Field, n *node, v reflect.Value) {
	fresh := reflect.New(f.typ.Elem()).Elem()
	setDefaults(f.Fields, fresh)
	for _, e := range n.entries {
		d.given[path] = append(d.given[path], e.name)
		at := join(path, e.name)
		d.where[at] = place{e.key, e.value.at}
		one := reflect.New(f.typ.Elem()).Elem()
		one.Set(fresh)
		name, fault := nameIn(f.Names, e.name)
		if fault != nil {
			d.src.problem(e.key, fault.hint, "%s", fault.message)
		}
		one.FieldByName("Name").SetString(name)
		if f.Names == "key" {
			d.hide(e.value)
		}
		if e.value.kind == isTable {
			d.table(at, f.Fields, e.value, one)
		} else {
			d.spoilt[at] = true
			d.src.problem(e.value.at, d.entryHint(f, e), "expected %s %s as a table, found %s", entryWords(f), quote(e.name), e.value.found())
		}
		v.Set(reflect.Append(v, one))
	}
}

// nameIn reads a name of a table of names. Those of users are looked at later,
// all together.
func nameIn(what, name string) (string, *fault) {
	switch what {
	case "zone":
		return parseZoneName(name)
	case "key":
		return parseKeyName(name)
	}
	return name, nil
}

func entryWords(f Field) string {
	if f.Names == "user" {
		return "the rights of user"
	}
	return "the settings of " + f.Names
}

// entryHint says how an entry of a table of names is written.
func (d *decoder) entryHint(f Field, e *entry) string {
	switch f.Names {
	case "zone":
		file := e.name + ".zone"
		if e.value.kind == isText {
			file = cutText(e.value.text)
		}
		return fmt.Sprintf("write %s = { file = %s }", quoteKey(e.name), quoteTOML(file))
	case "key":
		return fmt.Sprintf("write %s = { file = \"NAME.key\" }, or { secret = \"...\" }", quoteKey(e.name))
	}
	return d.userHint(e)
}

// userHint recognises a setting that slipped below [users].
func (d *decoder) userHint(e *entry) string {
	for _, f := range d.fields {
		if f.Name == e.name && f.Kind != KindTable && f.Kind != KindTables {
			return fmt.Sprintf("%s belongs at the top of the file, above the first [section]", e.name)
		}
	}
	return fmt.Sprintf("write %s = {}, or %s = { admin = true }", quoteKey(e.name), quoteKey(e.name))
}

func (d *decoder) names(path string, n *node, v reflect.Value) {
	names := map[string]string{}
	for _, e := range n.entries {
		d.where[join(path, e.name)] = place{e.key, e.value.at}
		if e.value.kind != isText {
			d.src.problem(e.value.at, "", "expected a name in quotes, found %s", e.value.found())
			continue
		}
		names[e.name] = e.value.text
	}
	if len(names) > 0 {
		v.Set(reflect.ValueOf(names))
	}
}

func (d *decoder) list(path string, f Field, n *node, v reflect.Value) {
	if n.kind != isList {
		hint := ""
		if n.kind == isText {
			hint = "write [" + quoteTOML(cutText(n.text)) + "]"
		}
		d.src.problem(n.at, hint, "expected %s, found %s", f.Type, n.found())
		return
	}
	if n.tables {
		d.src.problem(n.at, "", "expected %s, found a section", f.Type)
		return
	}
	if len(n.items) < f.MinItems {
		d.src.problem(n.at, "write "+f.Name+" = "+f.Default, "the list is empty")
		return
	}
	if len(n.items) > MaxList {
		d.src.problem(n.items[MaxList].at, "", "a list has at most %d items, this one has %d", MaxList, len(n.items))
		return
	}
	v.SetZero() // also for an empty list, so that there is one way to say nothing
	seen := map[string]bool{}
	for _, it := range n.items {
		x, fault := f.decode(f.Item, it)
		switch {
		case fault != nil:
			d.src.problem(it.at, fault.hint, "%s", fault.message)
		case seen[fmt.Sprint(x)]:
			d.src.problem(it.at, "", "%s is listed twice", quote(fmt.Sprint(x)))
		default:
			seen[fmt.Sprint(x)] = true
			d.where[item(path, v.Len())] = place{n.at, it.at}
			v.Set(reflect.Append(v, reflect.ValueOf(x).Convert(v.Type().Elem())))
		}
	}
}

// found names what a node is, as a problem does after "found".
func (n *node) found() string {
	if n.tables {
		return "a list of sections"
	}
	return n.kind.String()
}

func tableHint(f Field, n *node) string {
	switch {
	case n.tables:
		return fmt.Sprintf("write [%s] with single brackets", f.Path)
	case f.Kind == KindNames:
		return fmt.Sprintf("write %s = %s", f.Name, f.Example)
	case f.Kind == KindTable, f.Kind == KindTables:
		return fmt.Sprintf("%s is a section: write [%s] on a line and its settings below it", f.Name, f.Path)
	}
	return ""
}

func cutText(s string) string {
	const longest = 64
	if len(s) > longest {
		return strings.ToValidUTF8(s[:longest], "") + "..."
	}
	return s
}

// decode reads one value that is no table and no list.
func (f Field) decode(kind Kind, n *node) (any, *fault) {
	switch kind {
	case KindSwitch:
		if n.kind == isBool {
			return n.text == "true", nil
		}
	case KindNumber:
		if n.kind == isWhole {
			return f.number(n.text)
		}
	default:
		if n.kind == isText {
			return f.text(kind, n.text)
		}
	}
	one := Field{Kind: kind}
	return nil, faultf(f.mismatch(kind, n), "expected %s, found %s", one.words(), n.found())
}

// mismatch helps where the quotes are what is wrong.
func (f Field) mismatch(kind Kind, n *node) string {
	switch {
	case (kind == KindSwitch || kind == KindNumber) && n.kind == isText:
		node := buildTree(newSource("", []byte("x = "+cutText(n.text)))).root.get("x")
		if node != nil && node.value != nil {
			if _, fault := f.decode(kind, node.value); fault == nil {
				return "write it without the quotes: " + node.value.text
			}
		}
	case n.kind == isBool && slices.Contains(f.Enum, "on"):
		return didYouMean(map[string]string{"true": "on", "false": "off"}[n.text])
	case kind == KindDuration && n.kind == isWhole:
		return didYouMean(n.text + "s")
	case kind == KindSize && n.kind == isWhole:
		if bytes, err := strconv.ParseInt(n.text, 0, 64); err == nil && bytes > 0 {
			return didYouMean(Size(bytes).String())
		}
	case n.kind == isList && len(n.items) == 1 && n.items[0].kind == isText:
		return "write one value, without [ and ]"
	}
	return ""
}

func (f Field) number(text string) (any, *fault) {
	i, err := strconv.ParseInt(text, 0, 64)
	low, _ := strconv.ParseInt(f.Min, 10, 64)
	high, _ := strconv.ParseInt(f.Max, 10, 64)
	switch {
	case err != nil:
		return nil, faultf("", "the number is too large")
	case f.Min != "" && i < low:
		return nil, faultf("", "%s is at least %s, not %d", f.Name, f.Min, i)
	case f.Max != "" && i > high:
		return nil, faultf("", "%s is at most %s, not %d", f.Name, f.Max, i)
	}
	return int(i), nil
}

// text reads what stands in quotes.
func (f Field) text(kind Kind, s string) (any, *fault) {
	if len(s) > MaxText {
		return nil, faultf("", "a text has at most %d bytes, this one has %d", MaxText, len(s))
	}
	switch kind {
	case KindDomain:
		return parseDomain(s)
	case KindPath:
		return parsePath(s)
	case KindAddress:
		return parseAddress(s)
	case KindNetwork:
		return parseNetwork(s)
	case KindSecret:
		return parseSecret(s)
	case KindServer:
		return parseServer(s)
	case KindAccess:
		return parseAccess(s)
	case KindGrant:
		return parseGrant(s)
	case KindSize:
		size, fault := parseSize(s)
		low, _ := parseSize(f.Min)
		high, _ := parseSize(f.Max)
		return bounded(f, size, low, high, fault)
	case KindDuration:
		d, fault := parseDuration(s)
		low, _ := parseDuration(f.Min)
		high, _ := parseDuration(f.Max)
		return bounded(f, d, low, high, fault)
	}
	if f.Enum != nil && !slices.Contains(f.Enum, s) {
		hint := suggestion(s, f.Enum)
		if hint == "" {
			hint = "write one of " + strings.Join(f.Enum, ", ")
		}
		return nil, faultf(hint, "unknown %s %s", f.Name, quote(s))
	}
	return s, nil
}

func bounded[T interface {
	Size | Duration
	String() string
}](f Field, x, low, high T, bad *fault) (any, *fault) {
	switch {
	case bad != nil:
		return nil, bad
	case f.Min != "" && x < low:
		return nil, faultf("", "%s is at least %s, not %s", f.Name, f.Min, x.String())
	case f.Max != "" && x > high:
		return nil, faultf("", "%s is at most %s, not %s", f.Name, f.Max, x.String())
	}
	return x, nil
}
