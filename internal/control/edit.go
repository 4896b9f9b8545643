package control

import (
	"context"
	"net/http"
	"net/url"
)

// Editor changes the records of the zones that a running instance keeps. Each call is one change: all of it is made, and
// is durable once the call returns, or none of it. Names are as [Names] takes them; those in the data of records are
// within the zone where they have no final dot.
type Editor interface {
	// SetRecords makes records all that a name owns of their type.
	SetRecords(ctx context.Context, r SetRecords) (Changed, error)
	// DeleteRecords takes away records, all of a type, or all of a name. What is not there is an error of kind NotFound.
	DeleteRecords(ctx context.Context, r DeleteRecords) (Changed, error)
	// ImportRecords makes records all that their names own of their types; with Replace, all that the zone has.
	ImportRecords(ctx context.Context, r ImportRecords) (Changed, error)
	// RevertRecords makes of a name what settings and files make of it: nothing that was changed stays on top of that.
	RevertRecords(ctx context.Context, r RevertRecords) (Changed, error)
	// Changes tells what a zone has and has not on top of what settings and files make.
	Changes(ctx context.Context, zone string) (Changed, error)
}

// The limits of what is changed at once.
const (
	MaxImport     = 100_000  // records
	MaxImportBody = 32 << 20 // octets of them as JSON
)

// SetRecords says what a name is to own of a type.
type SetRecords struct {
	At
	Type   string   `json:"type"`
	Data   []string `json:"data"`              // of each record, in presentation form; a text without quotes is one string
	TTL    *uint32  `json:"ttl,omitempty"`     // seconds; nil: as it was before, or the zone's usual one
	Add    bool     `json:"add,omitempty"`     // to what is there
	Only   bool     `json:"only,omitempty"`    // the name owns nothing else then
	DryRun bool     `json:"dry_run,omitempty"` // only say what would change
}

// DeleteRecords says what a name is to own no more.
type DeleteRecords struct {
	At
	Type   string   `json:"type"`           // "" with All
	Data   []string `json:"data,omitempty"` // of single records; none for all of the type
	All    bool     `json:"all,omitempty"`  // of the name, whatever their type
	DryRun bool     `json:"dry_run,omitempty"`
}

// ImportRecords says what a zone is to have.
type ImportRecords struct {
	Zone    string   `json:"zone"`    // "" for the domain's own
	Records []Record `json:"records"` // MaxImport at most; From is the place that is told when something is wrong with one
	Replace bool     `json:"replace,omitempty"`
	Apex    bool     `json:"apex,omitempty"` // also the SOA and NS records of the zone's own name
	DryRun  bool     `json:"dry_run,omitempty"`
}

// RevertRecords says of what nothing that was changed is to stay.
type RevertRecords struct {
	At
	Type   string `json:"type"` // "" for all that the name owns
	DryRun bool   `json:"dry_run,omitempty"`
}

// Changed tells what a change did, or with DryRun would do.
type Changed struct {
	Zone     string   `json:"zone"`
	DryRun   bool     `json:"dry_run"`
	Deleted  []Record `json:"deleted"` // without an SOA of which only the serial has changed
	Added    []Record `json:"added"`   // a record whose TTL has changed is in both
	Serial   uint32   `json:"serial"`  // of the zone that is answered from by now
	Answer   *Answer  `json:"answer,omitempty"`
	Cached   uint32   `json:"cached_seconds"` // for how long others may still have what was answered before
	Warnings []string `json:"warnings,omitempty"`
}

// Answer is what a client is told by now that asks for what was changed.
type Answer struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	Code    string   `json:"code"`    // such as NOERROR
	Own     bool     `json:"own"`     // the answer is the server's own, no referral to another
	Records []Record `json:"records"` // none where there is nothing
}

func handleEdits(handle func(string, int64, func(*http.Request) (any, error)), in Editor) {
	handle("POST /dns/set", MaxRequestBody, func(r *http.Request) (any, error) {
		return change(r, in.SetRecords)
	})
	handle("POST /dns/delete", MaxRequestBody, func(r *http.Request) (any, error) {
		return change(r, in.DeleteRecords)
	})
	handle("POST /dns/import", MaxImportBody, func(r *http.Request) (any, error) {
		return change(r, in.ImportRecords)
	})
	handle("POST /dns/revert", MaxRequestBody, func(r *http.Request) (any, error) {
		return change(r, in.RevertRecords)
	})
	handle("GET /dns/changes", MaxRequestBody, func(r *http.Request) (any, error) {
		return in.Changes(r.Context(), r.FormValue("zone"))
	})
}

// change makes the change that a request asks for.
func change[T any](r *http.Request, do func(context.Context, T) (Changed, error)) (any, error) {
	what, err := body[T](r)
	if err != nil {
		return nil, err
	}
	return do(r.Context(), what)
}

// SetRecords asks for records to be all of their name and type.
func (c *Client) SetRecords(ctx context.Context, r SetRecords) (done Changed, err error) {
	return done, c.ask(ctx, "POST", "/dns/set", r, &done)
}

// DeleteRecords asks for records to be taken away.
func (c *Client) DeleteRecords(ctx context.Context, r DeleteRecords) (done Changed, err error) {
	return done, c.ask(ctx, "POST", "/dns/delete", r, &done)
}

// ImportRecords asks for the records of a file to be put in.
func (c *Client) ImportRecords(ctx context.Context, r ImportRecords) (done Changed, err error) {
	return done, c.ask(ctx, "POST", "/dns/import", r, &done)
}

// RevertRecords asks for a name to be as settings and files make it.
func (c *Client) RevertRecords(ctx context.Context, r RevertRecords) (done Changed, err error) {
	return done, c.ask(ctx, "POST", "/dns/revert", r, &done)
}

// Changes asks what a zone has on top of what settings and files make.
func (c *Client) Changes(ctx context.Context, zone string) (d Changed, err error) {
	return d, c.ask(ctx, "GET", "/dns/changes?"+url.Values{"zone": {zone}}.Encode(), nil, &d)
}

var _ Editor = (*Client)(nil)
