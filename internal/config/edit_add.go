package config

import (
	"bytes"
	"strings"
)

// add writes a user where the file has its users: in the section [users], in
// users = { … }, in keys such as users.alice, in sections such as [users.alice],
// or in a new section at the end.
func (e *editor) add(name string, admin bool) {
	var section, last, dotted, own, inline *expression
	for i := range e.doc.expressions {
		x := &e.doc.expressions[i]
		path := x.path()
		if path[0] != "users" {
			continue
		}
		switch {
		case x.key == nil && len(path) == 1:
			section = x
		case x.table == nil && len(path) == 1:
			inline = x
		case x.table == nil:
			dotted = x
		case len(x.table) == 1:
			last = x
		default:
			own = x
		}
	}
	line := quoteKey(name) + " = " + e.rights(admin)
	switch {
	case last != nil:
		e.addLine(last, e.indent(last.at.start)+line)
	case section != nil:
		e.addLine(e.comments(section), line)
	case inline != nil:
		e.addInline(inline.value, line)
	case dotted != nil:
		e.addLine(dotted, e.indent(dotted.at.start)+"users."+line)
	case own != nil:
		text := e.newline + "[users." + quoteKey(name) + "]"
		if admin {
			text += e.newline + "admin = true"
		}
		e.addLine(own, text)
	default:
		e.addSection(line)
	}
}

// addLine adds a line below an expression.
func (e *editor) addLine(x *expression, text string) {
	at := e.nextLine(max(x.at.end-1, x.at.start))
	if at > 0 && e.src.data[at-1] != '\n' {
		e.change(at, at, e.newline+text)
		return
	}
	e.change(at, at, text+e.newline)
}

// comments returns the lines of a section's head: the header, and the comments
// that follow it at once, which tell what belongs there.
func (e *editor) comments(section *expression) *expression {
	head := *section
	for {
		next := e.nextLine(head.at.end)
		line := bytes.TrimLeft(e.src.data[next:], " \t")
		if len(line) == 0 || line[0] != '#' {
			return &head
		}
		head.at.end = e.src.lineEnd(e.src.line(next))
		if head.at.end == len(e.src.data) {
			return &head
		}
	}
}

func (e *editor) indent(offset int) string {
	line := e.src.data[e.lineStart(offset):offset]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// addInline adds a key at the end of an inline table.
func (e *editor) addInline(table *node, pair string) {
	data := e.src.data
	if len(table.pairs) == 0 {
		e.change(table.at.start+1, table.at.start+1, " "+pair+strings.Repeat(" ", blank(data[table.at.start+1])))
		return
	}
	end := table.pairs[len(table.pairs)-1].at.end
	if i := skipBlanks(data, end); data[i] == ',' {
		// TOML 1.1 allows a comma after the last pair.
		e.change(i+1, i+1, " "+pair+",")
		return
	}
	e.change(end, end, ", "+pair)
}

// blank is 1 where an opened table is closed at once, which then wants a blank.
func blank(b byte) int {
	if b == '}' {
		return 1
	}
	return 0
}

// skipBlanks goes past blanks, line ends and comments, but not commas.
func skipBlanks(data []byte, i int) int {
	for i < len(data) {
		switch data[i] {
		case ' ', '\t', '\r', '\n':
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

// addSection adds the section at the end of the file.
func (e *editor) addSection(line string) {
	end := len(e.src.data)
	text := "[users]" + e.newline + line + e.newline
	if end > 0 {
		text = e.newline + text
		if e.src.data[end-1] != '\n' {
			text = e.newline + text
		}
	}
	e.change(end, end, text)
}
