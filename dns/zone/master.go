package zone

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/network-utopia/utopia/dns"
)

// Limits of ReadOptions where it names none.
const (
	DefaultTTL         = 3600       // seconds, for records of a file without $TTL
	DefaultMaxRecords  = 10_000_000 // records of one zone
	DefaultMaxEntry    = 512 << 10  // octets of one entry: a record of 64 KiB in \DDD escapes fits
	DefaultMaxGenerate = 65_536     // records that one $GENERATE may make
	DefaultMaxDepth    = 8          // files that include one another
	DefaultMaxIncludes = 1000       // files that are included, all told
	DefaultMaxProblems = 20         // problems after which reading ends
)

// ReadOptions say how a master file is read. Zero values mean the defaults.
type ReadOptions struct {
	Origin  dns.Name // names are relative to it until $ORIGIN says otherwise
	File    string   // the file's name: for messages, and as the place that $INCLUDE starts from
	Include fs.FS    // where $INCLUDE finds files; nil: $INCLUDE is an error
	TTL     uint32   // seconds, for records before any $TTL and TTL

	MaxRecords  int
	MaxEntry    int
	MaxGenerate int
	MaxDepth    int
	MaxIncludes int
	MaxProblems int
}

func (o ReadOptions) withDefaults() ReadOptions {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.MaxRecords, DefaultMaxRecords)
	def(&o.MaxEntry, DefaultMaxEntry)
	def(&o.MaxGenerate, DefaultMaxGenerate)
	def(&o.MaxDepth, DefaultMaxDepth)
	def(&o.MaxIncludes, DefaultMaxIncludes)
	def(&o.MaxProblems, DefaultMaxProblems)
	if o.TTL == 0 {
		o.TTL = DefaultTTL
	}
	return o
}

// Read is ReadEach for a file whose records are wanted all at once, in the
// order of the file.
func Read(r io.Reader, opts ReadOptions) ([]Record, error) {
	var records []Record
	var data chunks
	err := ReadEach(r, opts, func(rec Record) error {
		rec.Data = data.keep(rec.Data)
		records = append(records, rec)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// ReadEach reads a master file (RFC 1035 section 5), with $ORIGIN, $TTL (RFC
// 2308 section 4), $INCLUDE where it is allowed, and $GENERATE as BIND has it,
// and hands its records to each, one by one, in the order of the file; only
// class IN is taken. However long the file, no more than an entry of it is in
// memory.
//
// A record's Data is good until each returns: whoever keeps it makes a copy.
// Its Name may be kept. The names that come behind one another share blocks of
// some KiB, and records of one owner that follow one another share its name.
//
// What is wrong with the file comes back as Problems, with file, line and
// column. After the first one nothing more is handed to each, and the rest of
// the file is read for what else is wrong. An error of each ends the reading
// and is returned; other errors are those of r.
func ReadEach(r io.Reader, opts ReadOptions, each func(Record) error) error {
	m := &master{opts: opts.withDefaults(), each: each}
	if m.opts.Origin == "" {
		m.opts.Origin = dns.Root
	}
	f := &file{master: m, name: opts.File, origin: m.opts.Origin}
	err := f.read(r)
	if len(m.problems) > 0 {
		return m.problems
	}
	return err
}

// errEnough ends the reading after too many problems or records.
var errEnough = errors.New("reading ended early")

// master is what a file and those that it includes have in common.
type master struct {
	opts     ReadOptions
	each     func(Record) error
	records  int // handed out so far
	problems Problems
	ttl      uint32 // of $TTL, or the last one stated
	hasTTL   bool
	byTTL    bool // ttl is from $TTL
	includes int  // files included so far
	names    names
	wire     []byte   // of an owner that is being read
	words    [][]byte // of the data that is being read
	data     []byte   // of the record at hand
}

// file is one file that is being read.
type file struct {
	*master
	name   string
	depth  int // files that include this one
	origin dns.Name
	owner  dns.Name // of the last record; "" before the first
}

func (f *file) read(r io.Reader) error {
	s := newScanner(r, f.opts.MaxEntry)
	for {
		e, err := s.next()
		if err != nil {
			return f.ended(err)
		}
		if err := f.entry(e); err != nil {
			return err
		}
	}
}

// ended says how a file ended that the scanner gives no more of.
func (f *file) ended(err error) error {
	var se *scanError
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.As(err, &se):
		// Where a string or parenthesis went wrong, what follows would be
		// misread as well.
		return f.problem(token{line: se.line, column: se.column}, entry{}, "%s", se.text)
	}
	return fmt.Errorf("zone: read %s: %w", f.name, err)
}

// problem notes what is wrong at a token, and says when it is enough.
func (f *file) problem(at token, e entry, format string, args ...any) error {
	f.problems = append(f.problems, Problem{
		Pos: Pos{f.name, at.line, at.column}, Fatal: true,
		Record: e.text(), Text: fmt.Sprintf(format, args...),
	})
	if len(f.problems) >= f.opts.MaxProblems {
		return errEnough
	}
	return nil
}

func (f *file) entry(e entry) error {
	first := e.tokens[0]
	if first.text[0] != '$' || e.blank {
		return f.record(e)
	}
	args := e.tokens[1:]
	switch strings.ToUpper(string(first.text)) {
	case "$ORIGIN":
		return f.directiveOrigin(e, args)
	case "$TTL":
		return f.directiveTTL(e, args)
	case "$INCLUDE":
		return f.directiveInclude(e, args)
	case "$GENERATE":
		return f.directiveGenerate(e, args)
	}
	return f.problem(first, e, "unknown directive %s: there are $ORIGIN, $TTL, $INCLUDE and $GENERATE", first.text)
}

func (f *file) directiveOrigin(e entry, args []token) error {
	if len(args) != 1 {
		return f.problem(e.tokens[0], e, "$ORIGIN wants one name")
	}
	n, err := dns.ParseName(string(args[0].text), f.origin)
	if err != nil {
		return f.problem(args[0], e, "%s", reason(err))
	}
	f.origin = n
	return nil
}

func (f *file) directiveTTL(e entry, args []token) error {
	if len(args) != 1 {
		return f.problem(e.tokens[0], e, "$TTL wants one time in seconds, or as in 1h30m")
	}
	ttl, err := dns.ParseTTL(string(args[0].text))
	if err != nil {
		return f.problem(args[0], e, "%s", err)
	}
	f.ttl, f.hasTTL, f.byTTL = ttl, true, true
	return nil
}

func (f *file) directiveInclude(e entry, args []token) error {
	if len(args) < 1 || len(args) > 2 {
		return f.problem(e.tokens[0], e, "$INCLUDE wants a file name, and perhaps an origin")
	}
	if f.opts.Include == nil {
		return f.problem(e.tokens[0], e, "$INCLUDE is not allowed here")
	}
	if f.depth+1 >= f.opts.MaxDepth {
		return f.problem(e.tokens[0], e, "more than %d files include one another", f.opts.MaxDepth)
	}
	if f.includes++; f.includes > f.opts.MaxIncludes {
		_ = f.problem(e.tokens[0], e, "more than %d files are included", f.opts.MaxIncludes)
		return errEnough
	}
	sub := &file{master: f.master, depth: f.depth + 1, origin: f.origin, owner: f.owner}
	if len(args) == 2 {
		n, err := dns.ParseName(string(args[1].text), f.origin)
		if err != nil {
			return f.problem(args[1], e, "%s", reason(err))
		}
		sub.origin = n
	}
	sub.name = strings.Trim(string(args[0].text), `"`)
	if !path.IsAbs(sub.name) {
		sub.name = path.Join(path.Dir(f.name), sub.name)
	}
	r, err := openRegular(f.opts.Include, sub.name)
	if err != nil {
		return f.problem(args[0], e, "cannot open the file: %v", err)
	}
	err = sub.read(r)
	// The file was only read: closing it can lose nothing.
	_ = r.Close()
	return err
}

// openRegular opens a file that is one: to open a named pipe would wait for its
// writer.
func openRegular(files fs.FS, name string) (fs.File, error) {
	if info, err := fs.Stat(files, name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is a folder or device", name)
	}
	return files.Open(name)
}

// record reads an entry that holds a record: [owner] [TTL] [class] type data,
// with TTL and class in either order.
func (f *file) record(e entry) error {
	rest := e.tokens
	if !e.blank {
		wire, err := dns.AppendName(f.wire[:0], unquoted(rest[0].text), f.origin)
		if err != nil {
			return f.problem(rest[0], e, "owner: %s", reason(err))
		}
		if string(wire) != string(f.owner) {
			f.owner = f.names.keep(wire)
		}
		f.wire, rest = wire, rest[1:]
	}
	if f.owner == "" {
		return f.problem(rest[0], e, "the first record has no owner")
	}
	return f.add(e, f.owner, rest)
}

// unquoted gives an owner without its quotes, if it has some, as BIND and NSD
// do.
func unquoted(w []byte) []byte {
	if len(w) >= 2 && w[0] == '"' && w[len(w)-1] == '"' {
		return w[1 : len(w)-1]
	}
	return w
}

// add reads what follows the owner and hands the record out.
func (f *file) add(e entry, owner dns.Name, rest []token) error {
	rr := dns.RR{Name: owner, Class: dns.ClassIN}
	var stated, class bool
	for ; len(rest) > 0; rest = rest[1:] {
		if ttl, ok := quickTTL(rest[0].text); ok && !stated {
			rr.TTL, stated = ttl, true
		} else if c, ok := quickClass(rest[0].text); ok && !class {
			if c != dns.ClassIN {
				return f.problem(rest[0], e, "class %s: only IN is served", c)
			}
			class = true
		} else {
			break
		}
	}
	if len(rest) == 0 {
		return f.problem(e.tokens[len(e.tokens)-1], e, "the type is missing")
	}
	t, ok := quickType(rest[0].text)
	if !ok {
		return f.problem(rest[0], e, "%q is no record type, TTL or class", shorten(string(rest[0].text), 40))
	}
	rr.Type = t
	f.inheritTTL(&rr, stated)
	f.words = f.words[:0]
	for _, t := range rest[1:] {
		f.words = append(f.words, t.text)
	}
	var err error
	if f.data, err = dns.AppendData(f.data[:0], t, f.words, f.origin); err != nil {
		return f.badData(e, rest, err)
	}
	rr.Data = f.data
	return f.hand(rr, e, rest[0])
}

// hand gives a record out, unless something was wrong before.
func (f *file) hand(rr dns.RR, e entry, at token) error {
	if f.records >= f.opts.MaxRecords {
		_ = f.problem(at, e, "more than %d records", f.opts.MaxRecords)
		return errEnough
	}
	f.records++
	if len(f.problems) > 0 {
		return nil
	}
	return f.each(Record{rr, Pos{f.name, e.tokens[0].line, e.tokens[0].column}})
}

// inheritTTL: $TTL is for records that state none; without $TTL the last
// stated one is (RFC 1035 section 5.1, RFC 2308 section 4).
func (f *file) inheritTTL(rr *dns.RR, stated bool) {
	switch {
	case stated:
		if !f.byTTL {
			f.ttl, f.hasTTL = rr.TTL, true
		}
	case f.hasTTL:
		rr.TTL = f.ttl
	default:
		rr.TTL = f.opts.TTL
	}
}

// badData finds the token that the reader of the data did not like.
func (f *file) badData(e entry, rest []token, err error) error {
	at := rest[0]
	var de *dns.DataError
	if errors.As(err, &de) && de.Token != "" {
		for _, t := range rest[1:] {
			if text := string(t.text); text == de.Token || strings.Trim(text, `"`) == de.Token {
				at = t
			}
		}
	}
	return f.problem(at, e, "%s", err)
}

// reason gives an error of the package dns without what a problem says
// already.
func reason(err error) string { return strings.TrimPrefix(err.Error(), "dns: ") }
