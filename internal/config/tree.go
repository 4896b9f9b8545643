package config

import (
	"errors"

	"github.com/pelletier/go-toml/v2/unstable"
)

// nodeKind is what a value of the file is.
type nodeKind uint8

const (
	isTable nodeKind = iota
	isList
	isText
	isWhole   // a whole number
	isDecimal // a number with a point, an infinity, or no number
	isBool
	isDate
)

// String names the kind as a problem does after "found".
func (k nodeKind) String() string {
	switch k {
	case isTable:
		return "a table"
	case isList:
		return "a list"
	case isText:
		return "text"
	case isWhole:
		return "a number"
	case isDecimal:
		return "a decimal number"
	case isBool:
		return "true or false"
	default:
		return "a date"
	}
}

// origin is how a table came to be, which decides how it may be added to.
type origin uint8

const (
	byValue  origin = iota // { … }: closed
	byPath                 // [a.b] made a
	byHeader               // [a]
	byDots                 // a.b = 1 made a
)

// node is a value with its position.
type node struct {
	kind    nodeKind
	at      span   // the value; for the table of a header, the header's key
	text    string // the text, or the digits of a number, or true and false
	items   []*node
	entries []*entry
	index   map[string]*entry
	origin  origin
	tables  bool   // a list made by [[a]]
	pairs   []part // of { … }: the first name of each pair, and where the pair stands
}

// entry is a key of a table and its value.
type entry struct {
	name  string
	key   span
	value *node
}

func (n *node) get(name string) *entry { return n.index[name] }

func (n *node) put(name string, key span, value *node) {
	if n.index == nil {
		n.index = map[string]*entry{}
	}
	e := &entry{name: name, key: key, value: value}
	n.index[name] = e
	n.entries = append(n.entries, e)
}

// part is one name of a dotted key.
type part struct {
	name string
	at   span
}

// expression is a header or a key with its value, as they stand in the file;
// edits go by these.
type expression struct {
	table []string // the header above it; nil at the top
	key   []part
	at    span // from the first byte of the key or "[" to the end of the value or "]"
	value *node
}

// document is the whole file.
type document struct {
	root        *node
	expressions []expression
	broken      bool // some of it could not be read
}

type builder struct {
	src    *source
	doc    *document
	parser unstable.Parser
	base   int      // where the parser's data begins in the source
	end    int      // how far the file has been read
	table  *node    // of the last header
	path   []string // of the last header
}

// buildTree parses the file. After a mistake it goes on at the next line that
// looks like the start of something, so that all mistakes are found.
func buildTree(src *source) *document {
	b := &builder{src: src, doc: &document{root: &node{kind: isTable, origin: byHeader}}}
	b.table = b.doc.root
	for b.base < len(src.data) {
		b.parser.Reset(src.data[b.base:])
		for b.parser.NextExpression() {
			b.expression(b.parser.Expression())
		}
		err := b.parser.Error()
		if err == nil {
			break
		}
		b.doc.broken = true
		if src.full() {
			src.stopped = true
			break
		}
		start := skipFiller(src.data, b.end)
		at := span{start, start + 1}
		message := err.Error()
		var pe *unstable.ParserError
		if errors.As(err, &pe) {
			// Both share one array, so their capacities tell the distance.
			at.start = min(max(cap(src.data)-cap(pe.Highlight), b.end), len(src.data))
			start = min(start, at.start) // a comment that is wrong is no filler
			at.end = min(at.start+max(len(pe.Highlight), 1), len(src.data))
			message = pe.Message
		}
		src.syntaxProblem(start, at, message)
		if start < len(src.data) && src.data[start] == '[' {
			// What follows belongs to a table whose name is unknown.
			b.table, b.path = &node{kind: isTable, origin: byHeader}, nil
		}
		b.base = src.resume(start, at.start)
		b.end = b.base
	}
	return b.doc
}

func (b *builder) span(r unstable.Range) span {
	return span{b.base + int(r.Offset), b.base + int(r.Offset+r.Length)}
}

func (b *builder) key(it unstable.Iterator) []part {
	var parts []part
	for it.Next() {
		n := it.Node()
		parts = append(parts, part{string(n.Data), b.span(n.Raw)})
	}
	return parts
}

func (b *builder) expression(n *unstable.Node) {
	switch n.Kind {
	case unstable.KeyValue:
		before := len(b.src.problems)
		key := b.key(n.Key())
		at := b.span(n.Raw)
		value := b.value(n.Value(), b.afterEquals(key), len(b.path)+len(key))
		value.at.end = at.end
		b.end = at.end
		b.doc.expressions = append(b.doc.expressions, expression{table: b.path, key: key, at: at, value: value})
		if len(b.src.problems) == before {
			b.set(b.table, key, value, len(b.path))
		}
	case unstable.Table, unstable.ArrayTable:
		key := b.key(n.Key())
		last := key[len(key)-1].at.end
		end := last
		for end < len(b.src.data) && b.src.data[end] != '\n' && b.src.data[end] != '#' {
			end++
		}
		for end > last && b.src.data[end-1] != ']' {
			end--
		}
		b.end = end
		b.header(key, n.Kind == unstable.ArrayTable)
		path := make([]string, len(key))
		for i, p := range key {
			path[i] = p.name
		}
		b.path = path
		start := key[0].at.start
		for start > 0 && b.src.data[start-1] != '\n' {
			start--
		}
		b.doc.expressions = append(b.doc.expressions, expression{table: path, at: span{skipFiller(b.src.data, start), end}})
	}
}

// afterEquals returns where the value of a key begins.
func (b *builder) afterEquals(key []part) int {
	i := key[len(key)-1].at.end
	for i < len(b.src.data) && b.src.data[i] != '=' {
		i++
	}
	return skipFiller(b.src.data, i+1)
}

// value builds the node of a value that begins at start.
func (b *builder) value(n *unstable.Node, start, depth int) *node {
	v := &node{at: span{start, start + int(n.Raw.Length)}, text: string(n.Data)}
	if depth > MaxDepth {
		b.src.problem(span{start, start + 1}, "", tooDeep)
		b.doc.broken = true
		return v
	}
	switch n.Kind {
	case unstable.String:
		v.kind = isText
	case unstable.Integer:
		v.kind = isWhole
	case unstable.Float:
		v.kind = isDecimal
	case unstable.Bool:
		v.kind = isBool
	case unstable.Array:
		v.kind, v.text = isList, ""
		b.list(n, v, depth)
	case unstable.InlineTable:
		v.kind, v.text = isTable, ""
		b.inline(n, v, depth)
	default:
		v.kind = isDate
	}
	return v
}

func (b *builder) list(n *unstable.Node, v *node, depth int) {
	end := v.at.start + 1
	it := n.Children()
	for it.Next() {
		value := b.value(it.Node(), skipFiller(b.src.data, end), depth+1)
		v.items = append(v.items, value)
		end = value.at.end
	}
	v.at.end = min(skipFiller(b.src.data, end)+1, len(b.src.data))
}

func (b *builder) inline(n *unstable.Node, v *node, depth int) {
	end := v.at.start + 1
	it := n.Children()
	for it.Next() {
		pair := it.Node()
		key := b.key(pair.Key())
		value := b.value(pair.Value(), b.afterEquals(key), depth+len(key))
		end = b.span(pair.Raw).end
		value.at.end = end
		v.pairs = append(v.pairs, part{key[0].name, span{key[0].at.start, end}})
		b.set(v, key, value, depth)
	}
	v.at.end = min(skipFiller(b.src.data, end)+1, len(b.src.data))
}

// skipFiller goes past white space, line ends, commas and comments.
func skipFiller(data []byte, i int) int {
	for i < len(data) {
		switch data[i] {
		case ' ', '\t', '\r', '\n', ',':
			i++
		case '#':
			for i < len(data) && data[i] != '\n' {
				i++
			}
		default:
			return i
		}
	}
	return i
}
