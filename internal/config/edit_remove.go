package config

import "slices"

// remove takes out everything that makes a user: whole lines where they hold
// nothing else, a pair of an inline table otherwise.
func (e *editor) remove(name string) {
	user := []string{"users", name}
	for _, x := range e.doc.expressions {
		path := x.path()
		switch {
		case len(path) >= 2 && slices.Equal(path[:2], user):
			e.change(e.lineStart(x.at.start), e.nextLine(max(x.at.end-1, x.at.start)), "")
		case x.key != nil && len(path) == 1 && path[0] == "users" && x.value.kind == isTable:
			e.removeInline(x.value, name)
		}
	}
}

// removeInline takes the pairs of one user out of users = { … }.
func (e *editor) removeInline(table *node, name string) {
	data := e.src.data
	pairs := table.pairs
	keep := -1 // the last pair before this one that stays
	for i, p := range pairs {
		if p.name != name {
			keep = i
			continue
		}
		switch comma := skipBlanks(data, p.at.end); {
		case i+1 < len(pairs):
			// Up to the next pair, unless comments stand between.
			end := comma + 1
			for end < len(data) && (data[end] == ' ' || data[end] == '\t') {
				end++
			}
			e.cutPair(p.at.start, p.at.end, comma, end)
		case data[comma] == ',':
			e.cutPair(p.at.start, p.at.end, comma, comma+1)
		case keep >= 0:
			// The last pair: the comma before it goes too.
			before := skipBlanks(data, pairs[keep].at.end)
			if keep == i-1 {
				e.cutPair(before, before+1, p.at.start, p.at.end)
			} else {
				// Pairs between were cut with the comma behind each.
				e.change(before, before+1, "")
				e.change(p.at.start, p.at.end, "")
			}
		default:
			e.change(p.at.start, p.at.end, "")
		}
	}
}

// cutPair cuts a to b and c to d, and what is between if it is blank.
func (e *editor) cutPair(a, b, c, d int) {
	for _, ch := range e.src.data[b:c] {
		if ch != ' ' && ch != '\t' {
			e.change(a, b, "")
			e.change(c, d, "")
			return
		}
	}
	e.change(a, d, "")
}
