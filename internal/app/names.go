package app

import (
	"context"
	"io"
	"path/filepath"
	"strings"

	"github.com/network-utopia/utopia/internal/config"
	"github.com/network-utopia/utopia/internal/control"
	"github.com/network-utopia/utopia/internal/service/dnssvc"
)

// names answers for the zones of a name server, and shows files as they stand in the settings of a folder.
type names struct {
	*dnssvc.Service
	dir string // of the settings
}

// OpenNames makes the zones of a folder from its settings and files, without an instance.
func OpenNames(dir string) (control.Names, error) {
	cfg, err := loadFile(filepath.Join(dir, config.FileName))
	if err != nil {
		return nil, err
	}
	opts, err := dnsOptions(cfg)
	if err != nil {
		return nil, err
	}
	service, err := dnssvc.New(opts)
	if err != nil {
		return nil, err
	}
	return names{service, cfg.Dir()}, nil
}

// Zones lists the zones.
func (n names) Zones(ctx context.Context) ([]control.Zone, error) {
	zones, err := n.Service.Zones(ctx)
	for i := range zones {
		z := &zones[i]
		z.Files = append([]string(nil), z.Files...) // they are the service's
		for _, list := range [...][]string{z.Files, z.Problems, z.Warnings} {
			for k := range list {
				list[k] = n.short(list[k])
			}
		}
	}
	return zones, err
}

// Records calls each for the records at and below a name.
func (n names) Records(ctx context.Context, at control.At, each func(control.Record) error) error {
	return n.Service.Records(ctx, at, func(r control.Record) error {
		r.From = n.short(r.From)
		return each(r)
	})
}

// short leaves the folder out of a path that begins with it.
func (n names) short(path string) string {
	return strings.TrimPrefix(path, n.dir+string(filepath.Separator))
}

// zones answers for the name server that runs.
func (a *App) zones() (names, error) {
	service := a.names()
	switch {
	case !a.config.Load().DNS.Enabled:
		return names{}, &control.Error{Kind: control.NotFound, Message: "the name server is switched off",
			Hint: "dns.enabled in " + config.FileName + " switches it on"}
	case service == nil:
		return names{}, &control.Error{Kind: control.Internal, Message: "the name server is not running",
			Hint: "utopia status says why"}
	}
	return names{service, a.config.Load().Dir()}, nil
}

// Zones lists the zones of the name server.
func (a *App) Zones(ctx context.Context) ([]control.Zone, error) {
	n, err := a.zones()
	if err != nil {
		return nil, err
	}
	return n.Zones(ctx)
}

// Records calls each for the records of a zone at and below a name.
func (a *App) Records(ctx context.Context, at control.At, each func(control.Record) error) error {
	n, err := a.zones()
	if err != nil {
		return err
	}
	return n.Records(ctx, at, each)
}

// Export writes a zone as a master file.
func (a *App) Export(ctx context.Context, zone string, signed bool, w io.Writer) error {
	n, err := a.zones()
	if err != nil {
		return err
	}
	return n.Export(ctx, zone, signed, w)
}

// Delegation says what the parent of a zone has to know of it.
func (a *App) Delegation(ctx context.Context, zone string) (control.Delegation, error) {
	n, err := a.zones()
	if err != nil {
		return control.Delegation{}, err
	}
	return n.Delegation(ctx, zone)
}

// Explain answers a question, and says how it came to the answer.
func (a *App) Explain(ctx context.Context, q control.Question) (control.Explanation, error) {
	n, err := a.zones()
	if err != nil {
		return control.Explanation{}, err
	}
	return n.Explain(ctx, q)
}

// SetRecords makes records all that a name owns of their type.
func (a *App) SetRecords(ctx context.Context, r control.SetRecords) (control.Changed, error) {
	return changed(ctx, a, r, (*dnssvc.Service).SetRecords)
}

// DeleteRecords takes records away.
func (a *App) DeleteRecords(ctx context.Context, r control.DeleteRecords) (control.Changed, error) {
	return changed(ctx, a, r, (*dnssvc.Service).DeleteRecords)
}

// ImportRecords makes records all that their names own of their types.
func (a *App) ImportRecords(ctx context.Context, r control.ImportRecords) (control.Changed, error) {
	return changed(ctx, a, r, (*dnssvc.Service).ImportRecords)
}

// RevertRecords makes of a name what settings and files make of it.
func (a *App) RevertRecords(ctx context.Context, r control.RevertRecords) (control.Changed, error) {
	return changed(ctx, a, r, (*dnssvc.Service).RevertRecords)
}

// Changes tells what a zone has on top of what settings and files make.
func (a *App) Changes(ctx context.Context, zone string) (control.Changed, error) {
	return changed(ctx, a, zone, (*dnssvc.Service).Changes)
}

// changed makes a change of the zones of the name server that runs, or asks for one.
func changed[T any](ctx context.Context, a *App, what T, do func(*dnssvc.Service, context.Context, T) (control.Changed, error)) (control.Changed, error) {
	n, err := a.zones()
	if err != nil {
		return control.Changed{}, err
	}
	done, err := do(n.Service, ctx, what)
	for _, list := range [...][]control.Record{done.Deleted, done.Added} {
		for i := range list {
			list[i].From = n.short(list[i].From)
		}
	}
	return done, err
}

// ReadRecords reads a master file to be imported into a zone; a path of "-" is what comes from in.
func ReadRecords(path string, in io.Reader, zone string) ([]control.Record, error) {
	if path == "-" {
		return dnssvc.ReadRecordsFrom(in, zone)
	}
	return dnssvc.ReadRecords(path, zone)
}

var _ control.Instance = (*App)(nil)
