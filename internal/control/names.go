package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Names is what can be asked about the zones of the name server, of a running instance or of the files of a folder.
// Names of the domain name system are in presentation form; one without a final dot is the same as with it, and where it
// is in no zone it is taken as one within the domain.
type Names interface {
	// Zones lists the zones: the domain's own first, then the others by name, and those of addresses at the end.
	Zones(ctx context.Context) ([]Zone, error)
	// Records calls each for the records of a zone at and below a name, in canonical order (RFC 4034 section 6.1) behind
	// the SOA record, until each returns an error, which is passed on.
	Records(ctx context.Context, at At, each func(Record) error) error
	// Export writes a zone as a master file (RFC 1035 section 5); with signed, what comes of signing as well.
	Export(ctx context.Context, zone string, signed bool, w io.Writer) error
	// Delegation says what the parent of a zone has to know of it.
	Delegation(ctx context.Context, zone string) (Delegation, error)
	// Explain answers a question, and says how it came to the answer.
	Explain(ctx context.Context, q Question) (Explanation, error)
}

// Question is what a client asks. A name without any dot is one within the domain.
type Question struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	DNSSEC bool   `json:"dnssec"` // the client wants to validate (DO)
}

// Explanation is an answer and how the name server came to it.
type Explanation struct {
	Question   string   `json:"question"` // name and type
	Steps      []Step   `json:"steps"`
	Code       string   `json:"code"`          // such as NOERROR
	Own        bool     `json:"authoritative"` // the answer is the server's own
	Answer     []string `json:"answer"`        // records in presentation form, as those of the other sections
	Authority  []string `json:"authority"`
	Additional []string `json:"additional"`
}

// Step is one step on the way to an answer.
type Step struct {
	Text string `json:"step"`
	RFC  string `json:"rfc"` // the section that wants it so
}

// At is a place in the tree of names.
type At struct {
	Zone string `json:"zone"` // "" for the zone that Name is in
	Name string `json:"name"` // "" for the zone's own; else in full, or relative to Zone where that is given
}

// Zone is what is known of a zone.
type Zone struct {
	Name     string   `json:"name"` // with its final dot
	Role     string   `json:"role"` // domain: the domain's own; primary: another that is kept here; secondary: one that is fetched; reverse: that of one address
	Files    []string `json:"files,omitempty"`
	State    string   `json:"state"`              // served; kept: as it was before its file got an error; missing: not served
	Problems []string `json:"problems,omitempty"` // why it is not as its files would have it
	Warnings []string `json:"warnings,omitempty"`
	Serial   uint32   `json:"serial"`
	Records  int      `json:"records"` // without those that come of signing
	Signed   bool     `json:"signed"`
	Denial   string   `json:"denial,omitempty"` // what proves that a name is not there: NSEC or NSEC3

	SignedUntil time.Time `json:"signed_until,omitzero"` // when the first signature at the zone's own name ends
	Resign      time.Time `json:"resign,omitzero"`       // when signatures are next made anew here

	// Of a secondary zone:
	Primaries   []string  `json:"primaries,omitempty"`
	Refreshed   time.Time `json:"refreshed,omitzero"`   // when a primary last said that it is up to date
	Transferred time.Time `json:"transferred,omitzero"` // when the version at hand came, since the start
	Expires     time.Time `json:"expires,omitzero"`     // when it is not answered from any more
	Tried       time.Time `json:"tried,omitzero"`       // when the primaries were last asked
	Failure     string    `json:"failure,omitempty"`    // why that was in vain

	Sum string `json:"sum,omitempty"` // of the text of its files: another one for another text
}

// Where a record comes from that is in no file.
const (
	FromUtopia = "utopia" // made for the domain
	FromDNSSEC = "dnssec" // made when the zone was signed
	FromUpdate = "update" // put in while the zone was served

	FromTransfer = "transfer" // of a secondary zone: its primary has it
)

// Record is a record of a zone and where it comes from.
type Record struct {
	Name string `json:"name"` // with its final dot
	TTL  uint32 `json:"ttl"`  // seconds
	Type string `json:"type"`
	Data string `json:"data"` // in presentation form
	From string `json:"from"` // such as extra.zone:3:1, or utopia for those that it makes itself
}

// Delegation is what the parent of a zone has to know of it.
type Delegation struct {
	Zone    string   `json:"zone"`
	Servers []string `json:"servers"` // the names of its servers
	Glue    []Record `json:"glue"`    // the addresses of those that are within the zone
	DS      []Record `json:"ds"`      // of the keys that sign its keys; none when it is not signed
	TTL     uint32   `json:"ttl"`     // of the zone's NS records
	Port    uint16   `json:"port"`    // at which this instance answers; others ask at 53

	OfAddresses bool     `json:"of-addresses,omitempty"` // it has names of addresses (PTR): whoever gave these delegates it
	Pointers    []Record `json:"pointers,omitempty"`     // the PTR records of the zone's own name, where that is an address's
	Reverse     []string `json:"reverse,omitempty"`      // of the domain: the zones of its public addresses
}

// recordLine is a line of the stream that /dns/records answers with: a record, or what came in between; the last one
// says that it is the end.
type recordLine struct {
	Record *Record `json:"record,omitempty"`
	Error  *Error  `json:"error,omitempty"`
	End    bool    `json:"end,omitempty"`
}

func handleNames(mux *http.ServeMux, handle func(string, func(*http.Request) (any, error)), in Names) {
	handle("GET /dns/zones", func(r *http.Request) (any, error) { return in.Zones(r.Context()) })
	handle("GET /dns/delegation", func(r *http.Request) (any, error) {
		return in.Delegation(r.Context(), r.FormValue("zone"))
	})
	handle("GET /dns/explain", func(r *http.Request) (any, error) {
		return in.Explain(r.Context(), Question{r.FormValue("name"), r.FormValue("type"), r.FormValue("dnssec") != ""})
	})
	mux.HandleFunc("GET /dns/export", func(w http.ResponseWriter, r *http.Request) { streamExport(w, r, in) })
	mux.HandleFunc("GET /dns/records", func(w http.ResponseWriter, r *http.Request) { streamRecords(w, r, in) })
}

// streamRecords answers with a line of JSON for each record.
func streamRecords(w http.ResponseWriter, r *http.Request, in Names) {
	out := json.NewEncoder(w)
	begun := false
	begin := func() {
		if !begun {
			w.Header().Set("Content-Type", "application/x-ndjson")
			begun = true
		}
	}
	err := in.Records(r.Context(), At{r.FormValue("zone"), r.FormValue("name")}, func(rec Record) error {
		begin()
		return out.Encode(recordLine{Record: &rec})
	})
	switch {
	case err == nil:
		begin()
		_ = out.Encode(recordLine{End: true}) // if the command has gone there is nobody to tell
	case !begun:
		reply(w, nil, err)
	default:
		_ = out.Encode(recordLine{Error: asError(err)})
	}
}

// streamExport answers with a master file. What goes wrong behind its beginning breaks the answer off.
func streamExport(w http.ResponseWriter, r *http.Request, in Names) {
	out := &begun{to: w}
	err := in.Export(r.Context(), r.FormValue("zone"), r.FormValue("signed") != "", out)
	switch {
	case err == nil:
	case !out.yes:
		reply(w, nil, err)
	default:
		panic(http.ErrAbortHandler)
	}
}

// begun is a writer that knows whether anything was written.
type begun struct {
	to  io.Writer
	yes bool
}

func (b *begun) Write(p []byte) (int, error) {
	b.yes = true
	return b.to.Write(p)
}

// Export asks for a zone as a master file.
func (c *Client) Export(ctx context.Context, zone string, signed bool, w io.Writer) error {
	query := url.Values{"zone": {zone}}
	if signed {
		query.Set("signed", "1")
	}
	answer, err := c.send(ctx, "GET", "/dns/export?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(w, answer.Body)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w any more: it stopped while a zone was read", ErrNotRunning)
	}
	return err
}

// Zones lists the zones.
func (c *Client) Zones(ctx context.Context) (zones []Zone, err error) {
	return zones, c.ask(ctx, "GET", "/dns/zones", nil, &zones)
}

// Delegation asks what the parent of a zone has to know.
func (c *Client) Delegation(ctx context.Context, zone string) (d Delegation, err error) {
	return d, c.ask(ctx, "GET", "/dns/delegation?"+url.Values{"zone": {zone}}.Encode(), nil, &d)
}

// Explain asks how an answer comes about.
func (c *Client) Explain(ctx context.Context, q Question) (e Explanation, err error) {
	query := url.Values{"name": {q.Name}, "type": {q.Type}}
	if q.DNSSEC {
		query.Set("dnssec", "1")
	}
	return e, c.ask(ctx, "GET", "/dns/explain?"+query.Encode(), nil, &e)
}

// Records asks for the records at and below a name.
func (c *Client) Records(ctx context.Context, at At, each func(Record) error) error {
	query := url.Values{"zone": {at.Zone}, "name": {at.Name}}
	answer, err := c.send(ctx, "GET", "/dns/records?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	for lines := json.NewDecoder(answer.Body); ; {
		var line recordLine
		switch err := lines.Decode(&line); {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("%w any more: it stopped while its records were read", ErrNotRunning)
		case err != nil:
			return fmt.Errorf("read the instance's answer: %w", err)
		case line.Error != nil:
			return line.Error
		case line.End:
			return nil
		case line.Record == nil:
			continue // a line of a later version
		}
		if err := each(*line.Record); err != nil {
			return err
		}
	}
}

var _ Names = (*Client)(nil)
