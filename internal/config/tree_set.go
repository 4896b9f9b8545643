package config

import "strings"

const tooDeep = "too many lists and tables within each other"

// set puts a value at a dotted key below table, as TOML 1.1 has it: dots make
// tables, and only dots add to them.
func (b *builder) set(table *node, key []part, value *node, depth int) {
	if depth+len(key) > MaxDepth {
		b.src.problem(key[0].at, "", tooDeep)
		b.doc.broken = true
		return
	}
	for _, p := range key[:len(key)-1] {
		e := table.get(p.name)
		switch {
		case e == nil:
			next := &node{kind: isTable, origin: byDots, at: p.at}
			table.put(p.name, p.at, next)
			table = next
		case e.value.kind == isTable && e.value.origin == byDots:
			table = e.value
		default:
			b.twice(p, e)
			return
		}
	}
	last := key[len(key)-1]
	if e := table.get(last.name); e != nil {
		b.twice(last, e)
		return
	}
	table.put(last.name, last.at, value)
}

// header opens the table of [a.b], or a new item of [[a.b]].
func (b *builder) header(key []part, item bool) {
	b.table = &node{kind: isTable, origin: byHeader} // where the key is refused
	if len(key) > MaxDepth {
		b.src.problem(key[0].at, "", tooDeep)
		b.doc.broken = true
		return
	}
	table := b.doc.root
	for _, p := range key[:len(key)-1] {
		e := table.get(p.name)
		switch {
		case e == nil:
			next := &node{kind: isTable, origin: byPath, at: p.at}
			table.put(p.name, p.at, next)
			table = next
		case e.value.kind == isTable && e.value.origin != byValue:
			table = e.value
		case e.value.tables:
			table = e.value.items[len(e.value.items)-1]
		default:
			b.twice(p, e)
			return
		}
	}
	last := key[len(key)-1]
	e := table.get(last.name)
	fresh := &node{kind: isTable, origin: byHeader, at: last.at}
	switch {
	case item && e == nil:
		list := &node{kind: isList, tables: true, at: last.at, items: []*node{fresh}}
		table.put(last.name, last.at, list)
	case item && e.value.tables:
		e.value.items = append(e.value.items, fresh)
	case !item && e == nil:
		table.put(last.name, last.at, fresh)
	case !item && e.value.kind == isTable && e.value.origin == byPath:
		fresh = e.value
		fresh.origin = byHeader
		e.key, fresh.at = last.at, last.at
	default:
		b.sectionTwice(key, e)
		return
	}
	b.table = fresh
}

func (b *builder) twice(p part, first *entry) {
	b.src.problem(p.at, "", "%s is set twice; the first is on line %d", quote(p.name), b.src.line(first.key.start))
	b.doc.broken = true
}

func (b *builder) sectionTwice(key []part, first *entry) {
	names := make([]string, len(key))
	for i, p := range key {
		names[i] = p.name
	}
	at := span{key[0].at.start, key[len(key)-1].at.end}
	b.src.problem(at, "keep all its settings in one place", "%s is there twice; the first is on line %d",
		quote(strings.Join(names, ".")), b.src.line(first.key.start))
	b.doc.broken = true
}
