package config

import (
	"strings"
)

// unknownKey reports a key that there is not, with the nearest that there is.
func (d *decoder) unknownKey(path string, fields []Field, e *entry) {
	d.spoilt[path] = true
	if d.src.full() {
		d.src.more++
		return
	}
	what := "key"
	if e.isSection(path) {
		what = "section"
	}
	if isSecret(e.name) {
		d.src.secrets = append(d.src.secrets, e.value.at)
	}
	d.src.problem(e.key, d.keyHint(path, fields, e), "unknown %s %s%s", what, quote(e.name), inSection(path))
}

// inSection names the table of a path, for a message.
func inSection(path string) string {
	top, rest, _ := strings.Cut(path, "/")
	if table, name, ok := strings.Cut(rest, "/"); ok && top == "dns" {
		return " in " + strings.TrimSuffix(table, "s") + " " + quote(name)
	}
	if top == "" {
		return ""
	}
	return " in [" + top + "]"
}

// isSection tells whether an entry was written as a section of the file.
func (e *entry) isSection(path string) bool {
	return path == "" && e.value.kind == isTable && e.value.origin != byDots || e.value.tables
}

func (d *decoder) keyHint(path string, fields []Field, e *entry) string {
	if hint := habit(e.name); hint != "" {
		return hint
	}
	var names []string
	for _, f := range fields {
		if f.Kind == KindTables && path != "" && e.value.kind != isTable {
			continue
		}
		if section := f.Kind == KindTable || f.Kind == KindTables; section || !e.isSection(path) {
			names = append(names, f.Name)
		}
	}
	if strings.HasPrefix(path, "users/") && e.value.kind == isTable {
		return "a name with a dot stands in quotes: " + quoteTOML(strings.TrimPrefix(path, "users/")+"."+e.name) + " = {}"
	}
	if name, ok := strings.CutPrefix(path, "dns/zones/"); ok && e.value.kind == isTable {
		return "a name with dots stands in quotes: [dns.zones." + quoteTOML(name+"."+e.name) + "]"
	}
	near := Nearest(e.name, names)
	// A key that is right, but elsewhere, is better than one like it.
	if elsewhere := d.elsewhere(path, e.name); elsewhere != "" && (near == "" || !strings.EqualFold(near, e.name)) {
		return elsewhere
	}
	if near != "" {
		return didYouMean(near)
	}
	for _, f := range d.fields {
		for _, key := range f.Fields {
			if f.Kind == KindTable && Nearest(e.name, []string{key.Name}) != "" && key.Name != "enabled" {
				return "did you mean " + quote(key.Name) + " in [" + f.Name + "]?"
			}
		}
	}
	return "write one of " + strings.Join(names, ", ")
}

// elsewhere tells which section a key belongs to.
func (d *decoder) elsewhere(path, name string) string {
	for _, f := range d.fields {
		if f.Name == name && path != "" {
			if f.Kind == KindTable || f.Kind == KindTables {
				return "the section [" + name + "] stands on its own, not within another"
			}
			return name + " belongs at the top of the file, above the first [section]"
		}
	}
	if name == "enabled" {
		return ""
	}
	for _, f := range d.fields {
		if f.Kind != KindTable || f.Name == path {
			continue
		}
		for _, key := range f.Fields {
			if key.Name == name {
				return name + " belongs in [" + f.Name + "]"
			}
		}
	}
	return ""
}

// habit answers keys that people bring along from other programs.
func habit(name string) string {
	switch strings.ToLower(name) {
	case "password", "passwd", "pass", "secret", "token":
		return "passwords are not kept in this file: use utopia user passwd NAME"
	case "port", "ports", "http-port", "https-port", "dns-port":
		return "every service has its standard port, moved by port-offset at the top of the file"
	case "listen", "bind", "addresses", "ip":
		return "all services listen on the addresses of address, at the top of the file"
	case "hostname", "host", "domain-name":
		return "the domain is given once, as domain at the top of the file"
	case "masters", "master", "primary":
		return didYouMean("primaries")
	case "allow-transfer", "outgoing-transfers", "provide-xfr":
		return didYouMean("transfer-to")
	case "also-notify":
		return didYouMean("notify")
	case "allow-update", "update-policy":
		return didYouMean("update")
	case "document-root", "documentroot", "docroot":
		return didYouMean("root")
	case "tls", "ssl", "certificate", "cert":
		return "certificates are made and kept by Utopia: nothing is set for them"
	}
	return ""
}
