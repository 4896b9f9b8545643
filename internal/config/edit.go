package config

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// The reasons why AddUser and RemoveUser refuse, beside Problems.
var (
	ErrUserExists = errors.New("there is a user of that name")
	ErrNoUser     = errors.New("there is no user of that name")
	errEdit       = errors.New("the file is written in a way that cannot be edited safely; edit it by hand")
)

// AddUser returns the text of a settings file with one more user, in the way
// in which its users are written, and all else as it was, comments too. The
// error is ErrUserExists, or what CheckUserName says, or the Problems of data.
func AddUser(data []byte, name string, admin bool) ([]byte, error) {
	if err := CheckUserName(name); err != nil {
		return nil, fmt.Errorf("add user: %w", err)
	}
	before, err := Parse(FileName, data)
	if err != nil {
		return nil, err
	}
	for _, u := range before.Users {
		if u.Name == name {
			return nil, fmt.Errorf("add user %s: %w", quote(name), ErrUserExists)
		}
	}
	e := newEditor(data)
	e.add(name, admin)
	return e.finish(before, append(slices.Clone(before.Users), User{Name: name, Admin: admin}))
}

// RemoveUser returns the text of a settings file without the user of that
// name. Comments stay, but for those on the user's own lines. The error is
// ErrNoUser, or the Problems of data, or those of the file as it would be, such
// as an alias that leads to the user.
func RemoveUser(data []byte, name string) ([]byte, error) {
	before, err := Parse(FileName, data)
	if err != nil {
		return nil, err
	}
	left := slices.DeleteFunc(slices.Clone(before.Users), func(u User) bool { return u.Name == name })
	if len(left) == len(before.Users) {
		names := make([]string, len(left))
		for i, u := range left {
			names[i] = u.Name
		}
		if near := Nearest(name, names); near != "" {
			return nil, fmt.Errorf("remove user %s: %w; %s", quote(name), ErrNoUser, didYouMean(near))
		}
		return nil, fmt.Errorf("remove user %s: %w", quote(name), ErrNoUser)
	}
	e := newEditor(data)
	e.remove(name)
	return e.finish(before, left)
}

// editor changes the text of a file at the positions of its tree.
type editor struct {
	src     *source
	doc     *document
	prefix  []byte // the byte order mark, if any
	newline string
	changes []change
}

// change replaces a part of the text.
type change struct {
	at   span
	text string
}

func newEditor(data []byte) *editor {
	e := &editor{src: newSource(FileName, data), newline: "\n"}
	e.doc = buildTree(e.src)
	e.prefix = data[:len(data)-len(e.src.data)]
	if i := bytes.IndexByte(data, '\n'); i > 0 && data[i-1] == '\r' {
		e.newline = "\r\n"
	}
	return e
}

// finish applies the changes, and makes sure that the file then means what it
// meant, but for its users.
func (e *editor) finish(before *Config, users []User) ([]byte, error) {
	slices.SortFunc(e.changes, func(a, b change) int { return a.at.start - b.at.start })
	out := bytes.Clone(e.prefix)
	from := 0
	for _, c := range e.changes {
		if c.at.start < from {
			return nil, errEdit
		}
		out = append(out, e.src.data[from:c.at.start]...)
		out = append(out, c.text...)
		from = c.at.end
	}
	out = append(out, e.src.data[from:]...)
	after, err := Parse(FileName, out)
	if err != nil {
		return nil, err
	}
	if !sameUsers(after.Users, users) {
		return nil, errEdit
	}
	a, b := *before, *after
	a.Users, b.Users, a.Warnings, b.Warnings = nil, nil, nil, nil
	if !reflect.DeepEqual(a, b) {
		return nil, errEdit
	}
	return out, nil
}

// sameUsers compares without regard to the order in the file.
func sameUsers(a, b []User) bool {
	byName := func(x, y User) int { return strings.Compare(x.Name, y.Name) }
	return slices.Equal(slices.SortedFunc(slices.Values(a), byName), slices.SortedFunc(slices.Values(b), byName))
}

func (e *editor) change(start, end int, text string) {
	e.changes = append(e.changes, change{span{start, end}, text})
}

// path returns the whole key of an expression: its section and its own names.
func (x expression) path() []string {
	path := slices.Clone(x.table)
	for _, p := range x.key {
		path = append(path, p.name)
	}
	return path
}

// lineStart and nextLine bound the lines that hold a part of the text.
func (e *editor) lineStart(offset int) int { return e.src.lines[e.src.line(offset)-1] }

func (e *editor) nextLine(offset int) int {
	if line := e.src.line(offset); line < len(e.src.lines) {
		return e.src.lines[line]
	}
	return len(e.src.data)
}

func (e *editor) rights(admin bool) string {
	if admin {
		return "{ admin = true }"
	}
	return "{}"
}
