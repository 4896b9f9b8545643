package app

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/network-utopia/utopia/internal/config"
)

// logging is how the log is written, which a reload may change under the loggers that are in use.
type logging struct {
	verbose bool
	level   slog.LevelVar
	json    atomic.Bool
	to      io.Writer
}

func newLogging(to io.Writer, verbose bool) *logging {
	if to == nil {
		to = io.Discard
	}
	return &logging{to: to, verbose: verbose}
}

// use takes the settings over.
func (l *logging) use(settings config.Log) {
	l.json.Store(settings.Format == "json")
	if l.verbose {
		l.level.Set(slog.LevelDebug)
		return
	}
	// The settings were checked: the four names are slog's own.
	_ = l.level.UnmarshalText([]byte(settings.Level))
}

func (l *logging) handler() slog.Handler {
	opts := &slog.HandlerOptions{Level: &l.level}
	return either{l, slog.NewTextHandler(l.to, opts), slog.NewJSONHandler(l.to, opts)}
}

// either writes a record in the form that is in force when it is written.
type either struct {
	*logging
	text, object slog.Handler
}

// Enabled asks the level that is in force.
func (e either) Enabled(_ context.Context, level slog.Level) bool { return level >= e.level.Level() }

// Handle writes the record.
func (e either) Handle(ctx context.Context, r slog.Record) error {
	if e.json.Load() {
		return e.object.Handle(ctx, r)
	}
	return e.text.Handle(ctx, r)
}

// WithAttrs adds attributes to both forms.
func (e either) WithAttrs(attrs []slog.Attr) slog.Handler {
	return either{e.logging, e.text.WithAttrs(attrs), e.object.WithAttrs(attrs)}
}

// WithGroup opens a group in both forms.
func (e either) WithGroup(name string) slog.Handler {
	return either{e.logging, e.text.WithGroup(name), e.object.WithGroup(name)}
}
