package config

import (
	"strconv"
)

// The patterns of the schema. The reader itself says more exactly what is
// wrong; these let an editor help while one types.
const (
	domainPattern  = `^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+\.?$`
	networkPattern = `^[0-9A-Fa-f:.]+/[0-9]{1,3}$`
	secretPattern  = `^[A-Za-z0-9+/]{21,}={0,2}$`
	serverPattern  = `^[0-9A-Fa-f:.\[\]]+(\s+key\s+[A-Za-z0-9._-]+)?$`
	accessPattern  = `^([0-9A-Fa-f:.]+(/[0-9]{1,3})?)?(\s*\bkey\s+[A-Za-z0-9._-]+)?$`
	grantPattern   = `^key\s+[A-Za-z0-9._-]+(\s+[*@A-Za-z0-9._-]+(\s+[A-Za-z0-9]+)*)?$`
)

// Schema returns the JSON Schema (draft 2020-12) of the settings file, ready
// for json.Marshal. It holds no key that the reader does not know, and none
// may be added.
func Schema() map[string]any {
	s := objectSchema(Sections())
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = FileName
	s["description"] = "The settings of Utopia."
	return s
}

func objectSchema(fields []Field) map[string]any {
	properties, required := map[string]any{}, []any{}
	for _, f := range fields {
		properties[f.Name] = f.schema()
		if f.Required {
			required = append(required, f.Name)
		}
	}
	s := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func (f Field) schema() map[string]any {
	var s map[string]any
	switch f.Kind {
	case KindTable:
		s = objectSchema(f.Fields)
	case KindTables:
		s = map[string]any{
			"type":                 "object",
			"propertyNames":        f.nameSchema(),
			"additionalProperties": objectSchema(f.Fields),
		}
	case KindNames:
		name := map[string]any{"type": "string", "pattern": userPattern, "maxLength": MaxUserName}
		s = map[string]any{
			"type":                 "object",
			"propertyNames":        map[string]any{"pattern": userPattern, "maxLength": MaxUserName},
			"additionalProperties": name,
		}
	case KindList:
		s = map[string]any{"type": "array", "items": f.valueSchema(f.Item), "uniqueItems": true, "minItems": f.MinItems, "maxItems": MaxList}
	default:
		s = f.valueSchema(f.Kind)
	}
	s["description"] = f.Doc
	if f.Later != "" {
		s["description"] = f.Doc + " (This version " + f.Later + ".)"
	}
	if f.Default != "" {
		s["default"] = f.plain(f.Default)
	}
	if f.Example != "" {
		s["examples"] = []any{f.plain(f.Example)}
	}
	return s
}

// nameSchema is what the names of a table of names look like.
func (f Field) nameSchema() map[string]any {
	if f.Names == "user" {
		return map[string]any{"pattern": userPattern, "maxLength": MaxUserName}
	}
	return map[string]any{"pattern": `^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$`, "maxLength": MaxDomain + 1}
}

func (f Field) valueSchema(kind Kind) map[string]any {
	s := map[string]any{"type": "string"}
	switch kind {
	case KindSwitch:
		s["type"] = "boolean"
	case KindNumber:
		s["type"] = "integer"
		if n, err := strconv.Atoi(f.Min); err == nil {
			s["minimum"] = n
		}
		if n, err := strconv.Atoi(f.Max); err == nil {
			s["maximum"] = n
		}
	case KindDomain:
		s["pattern"], s["maxLength"] = domainPattern, MaxDomain+1
	case KindPath:
		s["minLength"], s["maxLength"] = 1, MaxText
	case KindAddress:
		s["anyOf"] = []any{map[string]any{"format": "ipv4"}, map[string]any{"format": "ipv6"}}
	case KindNetwork:
		s["pattern"] = networkPattern
	case KindSecret:
		s["pattern"] = secretPattern
	case KindServer:
		s["pattern"] = serverPattern
	case KindAccess:
		s["pattern"] = accessPattern
	case KindGrant:
		s["pattern"] = grantPattern
	case KindSize:
		s["pattern"] = sizePattern
	case KindDuration:
		s["pattern"] = durationPattern
	default:
		s["maxLength"] = MaxText
		if f.Enum != nil {
			enum := make([]any, len(f.Enum))
			for i := range f.Enum {
				enum[i] = f.Enum[i]
			}
			s["enum"] = enum
		}
	}
	return s
}

// plain turns a value as it stands in the file into what JSON has for it.
func (f Field) plain(literal string) any {
	e := buildTree(newSource(FileName, []byte("x = "+literal))).root.get("x")
	return e.value.plain()
}

func (n *node) plain() any {
	switch n.kind {
	case isTable:
		m := map[string]any{}
		for _, e := range n.entries {
			m[e.name] = e.value.plain()
		}
		return m
	case isList:
		items := make([]any, len(n.items))
		for i := range items {
			items[i] = n.items[i].plain()
		}
		return items
	case isBool:
		return n.text == "true"
	case isWhole:
		i, _ := strconv.Atoi(n.text)
		return i
	default:
		return n.text
	}
}
