package config

import (
	"net/netip"
	"reflect"
	"strconv"
	"strings"
)

// Kind is what a setting holds.
type Kind string

// The kinds of settings.
const (
	KindSwitch   Kind = "switch"   // true or false
	KindNumber   Kind = "number"   // a whole number
	KindText     Kind = "text"     // any text, or one of Enum
	KindDomain   Kind = "domain"   // a domain name
	KindPath     Kind = "path"     // a file or folder, relative to that of utopia.toml
	KindAddress  Kind = "address"  // an IPv4 or IPv6 address
	KindNetwork  Kind = "network"  // a range of addresses, such as 127.0.0.0/8
	KindSize     Kind = "size"     // an amount of bytes, such as 5 GB
	KindDuration Kind = "duration" // a length of time, such as 20s
	KindSecret   Kind = "secret"   // octets in base64, which are shown nowhere
	KindServer   Kind = "server"   // another name server, such as 192.0.2.1 key transfer
	KindAccess   Kind = "access"   // who may: a network, a key, or both
	KindGrant    Kind = "grant"    // who may change which records
	KindList     Kind = "list"     // a list of Item
	KindTable    Kind = "table"    // a section: the keys in Fields
	KindTables   Kind = "tables"   // names of one's own, each a table of Fields
	KindNames    Kind = "names"    // names of one's own, each with a text
)

// Field describes one key of the settings file.
type Field struct {
	Name     string   // the key
	Path     string   // the key with the sections above it: "dns.ttl", "users.NAME.admin"
	Kind     Kind     // what it holds
	Item     Kind     // of a list: what its items are
	Type     string   // the kind in words: "a list of networks"
	Doc      string   // what it does, in sentences
	Default  string   // the value where it is not given, as it stands in the file; "" for none
	Example  string   // a value, as it stands in the file; "" for none
	Enum     []string // the only texts allowed; nil for any
	Min, Max string   // bounds, as in the file; "" for none
	MinItems int      // of a list: how many items it has at least
	Names    string   // of a table of names: what they name: user, zone, key
	Required bool     // whether the file must give it
	Later    string   // what this version does not do yet; "" where the setting works
	Fields   []Field  // of a table: its keys

	index int          // in its struct
	typ   reflect.Type // of that field, without the pointer
}

// Sections returns the keys of the settings file with all that is known of
// them: first those at the top, then the sections, in the order of the file.
func Sections() []Field { return describe(configType()) }

func configType() reflect.Type { return reflect.TypeFor[Config]() }

func describe(t reflect.Type) []Field { return fieldsOf(t, "") }

func fieldsOf(t reflect.Type, path string) []Field {
	var fields []Field
	for i := range t.NumField() {
		sf := t.Field(i)
		name, ok := sf.Tag.Lookup("toml")
		if !ok {
			continue
		}
		f := Field{
			Name: name, Path: path + name, index: i, typ: sf.Type,
			Doc: sf.Tag.Get("doc"), Min: sf.Tag.Get("min"), Max: sf.Tag.Get("max"),
			Later: sf.Tag.Get("later"), Required: sf.Tag.Get("required") == "true", Names: sf.Tag.Get("names"),
		}
		f.MinItems, _ = strconv.Atoi(sf.Tag.Get("items"))
		if enum := sf.Tag.Get("enum"); enum != "" {
			f.Enum = strings.Split(enum, ",")
		}
		if f.typ.Kind() == reflect.Pointer {
			f.typ = f.typ.Elem()
		}
		f.Kind, f.Item = kindOf(f.typ, Kind(sf.Tag.Get("is")))
		f.Type = f.words()
		f.Default = f.literal(sf.Tag.Get("default"))
		f.Example = f.literal(sf.Tag.Get("example"))
		switch f.Kind {
		case KindTable:
			f.Fields = fieldsOf(f.typ, f.Path+".")
		case KindTables:
			f.Fields = fieldsOf(f.typ.Elem(), f.Path+".NAME.")
		}
		fields = append(fields, f)
	}
	return fields
}

// kindOf returns what a Go type holds, and what its items hold.
func kindOf(t reflect.Type, is Kind) (kind, item Kind) {
	switch t {
	case reflect.TypeFor[netip.Addr]():
		return KindAddress, ""
	case reflect.TypeFor[netip.Prefix]():
		return KindNetwork, ""
	case reflect.TypeFor[Size]():
		return KindSize, ""
	case reflect.TypeFor[Duration]():
		return KindDuration, ""
	case reflect.TypeFor[Secret]():
		return KindSecret, ""
	case reflect.TypeFor[Server]():
		return KindServer, ""
	case reflect.TypeFor[Access]():
		return KindAccess, ""
	case reflect.TypeFor[Grant]():
		return KindGrant, ""
	}
	switch t.Kind() {
	case reflect.Bool:
		return KindSwitch, ""
	case reflect.Int:
		return KindNumber, ""
	case reflect.Struct:
		return KindTable, ""
	case reflect.Map:
		return KindNames, ""
	case reflect.Slice:
		item, _ := kindOf(t.Elem(), is)
		if item == KindTable {
			return KindTables, ""
		}
		return KindList, item
	}
	if is != "" {
		return is, ""
	}
	return KindText, ""
}

// words names what a field holds, as a problem does after "expected".
func (f Field) words() string {
	switch f.Kind {
	case KindSwitch:
		return "true or false"
	case KindNumber:
		return "a whole number"
	case KindText:
		return "text in quotes"
	case KindDomain:
		return "a domain name in quotes"
	case KindPath:
		return "a path in quotes"
	case KindAddress:
		return `an address in quotes, such as "127.0.0.1"`
	case KindNetwork:
		return `a network in quotes, such as "127.0.0.0/8"`
	case KindSize:
		return `a size in quotes, such as "5 GB"`
	case KindDuration:
		return `a length of time in quotes, such as "20s"`
	case KindSecret:
		return "a secret in base64, in quotes"
	case KindServer:
		return `a server in quotes, such as "192.0.2.1"`
	case KindAccess:
		return `a network or key in quotes, such as "192.0.2.0/24" or "key transfer"`
	case KindGrant:
		return `a right in quotes, such as "key laptop home A AAAA"`
	case KindTables:
		return "a table of names, each with a table"
	case KindNames:
		return "a table of names, each with a text"
	case KindList:
		switch f.Item {
		case KindAddress:
			return "a list of addresses"
		case KindNetwork:
			return "a list of networks"
		case KindServer:
			return "a list of servers"
		case KindAccess:
			return "a list of networks and keys"
		case KindGrant:
			return "a list of rights"
		default:
			return "a list of text"
		}
	default:
		return "a table"
	}
}

// literal writes the text of a tag as it would stand in the file.
func (f Field) literal(text string) string {
	if text == "" {
		return ""
	}
	switch f.Kind {
	case KindSwitch, KindNumber:
		return text
	case KindNames:
		return "{ " + text + " }"
	case KindList:
		items := strings.Split(text, ",")
		for i := range items {
			items[i] = quoteTOML(items[i])
		}
		return "[" + strings.Join(items, ", ") + "]"
	default:
		return quoteTOML(text)
	}
}
