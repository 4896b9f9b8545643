// Package static is an http.Handler that serves the files of a folder: conditional requests and ranges by RFC 9110
// (sections 13 and 14), index files, readable error pages, and listings where they are asked for.
//
// Nothing outside the folder is reachable: files are opened under an os.Root, so that neither ".." in any spelling nor
// a symbolic link leads out. Only regular files are opened; a FIFO or a device answers 404. Names that begin with a
// dot are hidden, except /.well-known (RFC 8615).
//
// The folder may be replaced while it is served (mv www www.old; mv www.new www, or a symbolic link that is turned):
// each request looks which folder the path names. While it names none, the last one is served.
package static

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The limits that Options holds where they are zero.
const (
	DefaultMaxPath    = 4096 // bytes of a request's path, decoded
	DefaultMaxRanges  = 16   // ranges of one request
	DefaultMaxListing = 2000 // entries of a listing
)

// DefaultIndex returns the names of index files that Options holds where it names none.
func DefaultIndex() []string { return []string{"index.html", "index.htm"} }

// Options are the settings of a [Handler].
type Options struct {
	Root        string       // the folder that is served; it must exist
	Index       []string     // the file that answers for its folder, the first that exists; nil means [DefaultIndex]
	Listing     bool         // whether a folder without an index file is listed; otherwise it is 404
	HiddenFiles bool         // whether names that begin with a dot are served
	MaxPath     int          // a longer path is 414; zero means [DefaultMaxPath]
	MaxRanges   int          // a request for more gets the whole file; zero means [DefaultMaxRanges]
	MaxListing  int          // a listing says that there is more; zero means [DefaultMaxListing]
	Log         *slog.Logger // files that cannot be read, at warn; nil for none
}

// Handler serves one folder as the root of a host. It is safe for concurrent use.
type Handler struct {
	opts Options
	tree *tree
}

// New opens the folder. The caller closes the handler.
func New(opts Options) (*Handler, error) {
	if opts.Index == nil {
		opts.Index = DefaultIndex()
	}
	if opts.MaxPath == 0 {
		opts.MaxPath = DefaultMaxPath
	}
	if opts.MaxRanges == 0 {
		opts.MaxRanges = DefaultMaxRanges
	}
	if opts.MaxListing == 0 {
		opts.MaxListing = DefaultMaxListing
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	t, err := openTree(opts.Root)
	if err != nil {
		return nil, err
	}
	return &Handler{opts: opts, tree: t}, nil
}

// Close lets go of the folder. Requests after it are answered with 500.
func (h *Handler) Close() error { return h.tree.close() }

// ServeHTTP answers GET and HEAD, and everything else with 405.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		ErrorPage(w, r, http.StatusMethodNotAllowed, "This address can be read with GET or HEAD, and nothing else.")
		return
	}
	t, err := h.target(r.URL)
	switch {
	case err != nil:
		h.fail(w, r, err)
	case t.canonical != "":
		redirect(w, r, t.canonical)
	default:
		h.serve(w, r, t)
	}
}

// serve answers for a file or a folder.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, t target) {
	f, err := h.tree.open(t.name)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if !f.folder() {
		defer f.close()
		if t.folder {
			h.fail(w, r, fs.ErrNotExist)
			return
		}
		h.serveFile(w, r, f)
		return
	}
	if !t.folder {
		// Relative, so that it holds below any prefix; "./", so that a colon in the name makes no scheme of it.
		redirect(w, r, "./"+url.PathEscape(path.Base(t.name))+"/")
		return
	}
	for _, index := range h.opts.Index {
		f, err := h.tree.open(path.Join(t.name, index))
		switch {
		case err != nil && !isMissing(err):
			h.fail(w, r, err)
			return
		case err == nil && !f.folder():
			defer f.close()
			h.serveFile(w, r, f)
			return
		}
	}
	if !h.opts.Listing {
		h.fail(w, r, fs.ErrNotExist)
		return
	}
	h.list(w, r, t.name)
}

func (h *Handler) serveFile(w http.ResponseWriter, r *http.Request, f *file) {
	contentType, err := f.contentType()
	if err != nil {
		h.fail(w, r, err)
		return
	}
	header := w.Header()
	header.Set("Content-Type", contentType)
	if tag := f.entityTag(time.Now()); tag != "" {
		header.Set("Etag", tag)
	}
	if ranges := r.Header.Get("Range"); ranges != "" {
		understood := ""
		if r.Method == http.MethodGet { // ranges are defined for GET alone (RFC 9110 section 14.2)
			understood = byteRanges(ranges, f.info.Size(), h.opts.MaxRanges)
		}
		r = r.Clone(r.Context())
		r.Header.Set("Range", understood) // an empty one is none
	}
	modified := f.info.ModTime()
	if now := time.Now(); modified.After(now) { // no Last-Modified is later than Date (RFC 9110 section 8.8.2.1)
		modified = now
	}
	// The name is empty: ServeContent would look up the type by it, and the type is known.
	http.ServeContent(&pages{ResponseWriter: w, request: r}, r, "", modified, f.File)
}

// fail answers for a file that cannot be served. Why a name is not there is not told: whether it is hidden, leads out
// of the tree, or is no file at all.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, errPath):
		ErrorPage(w, r, http.StatusBadRequest, "The path of this address is malformed.")
	case errors.Is(err, errTooLong):
		ErrorPage(w, r, http.StatusRequestURITooLong, "The path of this address is too long.")
	case isMissing(err):
		ErrorPage(w, r, http.StatusNotFound, "There is nothing at this address.")
	case errors.Is(err, fs.ErrPermission):
		ErrorPage(w, r, http.StatusForbidden, "The server may not read this file.")
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		h.opts.Log.Warn("cannot open a file", "path", r.URL.Path, "err", err)
		w.Header().Set("Retry-After", "5")
		ErrorPage(w, r, http.StatusServiceUnavailable, "The server is too busy to open this file. Try again in a moment.")
	default:
		h.opts.Log.Warn("cannot read a file", "path", r.URL.Path, "err", err)
		ErrorPage(w, r, http.StatusInternalServerError, "The server cannot read this file.")
	}
}

// redirect answers with 301 and the query kept.
func redirect(w http.ResponseWriter, r *http.Request, location string) {
	if r.URL.RawQuery != "" {
		location += "?" + r.URL.RawQuery
	}
	w.Header().Set("Location", location)
	ErrorPage(w, r, http.StatusMovedPermanently, "This address is spelt differently.")
}

// isMissing says whether an error means that there is nothing to be served under a name.
func isMissing(err error) bool {
	for _, missing := range []error{
		fs.ErrNotExist, errNotServed, syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.ENXIO, fs.ErrInvalid,
	} {
		if errors.Is(err, missing) {
			return true
		}
	}
	return escapes(err)
}

// pages passes an answer on, except that errors of http.ServeContent (412 and 416) get our own page. It keeps
// ReadFrom, through which sendfile works.
type pages struct {
	http.ResponseWriter
	request  *http.Request
	replaced bool
}

// WriteHeader replaces the answer where it is an error.
func (p *pages) WriteHeader(code int) {
	if code < 400 {
		p.ResponseWriter.WriteHeader(code)
		return
	}
	p.replaced = true
	sentence := "The server cannot read this file."
	switch code {
	case http.StatusPreconditionFailed:
		sentence = "The file is not in the state that the request asks for."
	case http.StatusRequestedRangeNotSatisfiable:
		sentence = "The file does not have the part that the request asks for."
	}
	ErrorPage(p.ResponseWriter, p.request, code, sentence)
}

// Write drops the text of an error that was replaced.
func (p *pages) Write(b []byte) (int, error) {
	if p.replaced {
		return len(b), nil
	}
	return p.ResponseWriter.Write(b)
}

// ReadFrom is io.ReaderFrom.
func (p *pages) ReadFrom(src io.Reader) (int64, error) {
	if to, ok := p.ResponseWriter.(io.ReaderFrom); ok && !p.replaced {
		return to.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{p}, src)
}

// Unwrap is for http.ResponseController.
func (p *pages) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// visible says whether a path of names is served at all.
func (h *Handler) visible(names []string) bool {
	if h.opts.HiddenFiles {
		return true
	}
	return !slices.ContainsFunc(wellKnown(names), func(name string) bool { return strings.HasPrefix(name, ".") })
}

// wellKnown takes away /.well-known, which is the one name with a dot that everyone may ask for.
func wellKnown(names []string) []string {
	if len(names) > 0 && names[0] == ".well-known" {
		return names[1:]
	}
	return names
}
