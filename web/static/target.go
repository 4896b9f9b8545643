package static

import (
	"errors"
	"io/fs"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// target is what the path of a request names.
type target struct {
	name      string // below the root, without a slash at either end; "." for the root itself
	folder    bool   // the path ends in a slash
	canonical string // where to redirect to, when the path has empty segments
}

// The errors of a path that names nothing.
var (
	errPath    = errors.New("malformed path")
	errTooLong = errors.New("path too long")
)

// target reads a path. What a client has no reason to send is refused with 400 rather than interpreted: dot segments,
// which every client resolves itself (RFC 3986 section 5.2.4), encoded slashes, backslashes, control characters, and
// bytes that are not UTF-8.
func (h *Handler) target(u *url.URL) (target, error) {
	p := u.Path
	if p == "" && u.Host != "" { // http://host alone, in absolute form (RFC 9110 section 4.2.3)
		p = "/"
	}
	switch {
	case len(p) > h.opts.MaxPath:
		return target{}, errTooLong
	case !strings.HasPrefix(p, "/"), !utf8.ValidString(p), strings.ContainsFunc(p, forbidden):
		return target{}, errPath
	case strings.Contains(strings.ToLower(u.RawPath), "%2f"):
		return target{}, errPath
	}
	names := strings.Split(p[1:], "/")
	t := target{folder: names[len(names)-1] == ""}
	if t.folder {
		names = names[:len(names)-1]
	}
	if slices.Contains(names, ".") || slices.Contains(names, "..") {
		return target{}, errPath
	}
	if slices.Contains(names, "") {
		names = slices.DeleteFunc(names, func(name string) bool { return name == "" })
		t.canonical = canonical(names, t.folder)
	}
	if !h.visible(names) {
		return target{}, fs.ErrNotExist
	}
	if len(names) == 0 {
		t.name = "."
		return t, nil
	}
	t.name = strings.Join(names, "/")
	if _, err := filepath.Localize(t.name); err != nil { // a name that this system reserves
		return target{}, fs.ErrNotExist
	}
	return t, nil
}

// forbidden says of which characters no path is made. A backslash separates folders for some clients.
func forbidden(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }

// canonical spells a path with exactly one slash at its beginning: two would name another host (RFC 3986 section 4.2).
func canonical(names []string, folder bool) string {
	p := "/" + strings.Join(names, "/")
	if folder && len(names) > 0 {
		p += "/"
	}
	return (&url.URL{Path: p}).EscapedPath()
}
