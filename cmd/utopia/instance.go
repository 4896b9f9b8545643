package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/network-utopia/utopia/internal/app"
	"github.com/network-utopia/utopia/internal/control"
)

// instance returns a client of the instance that runs in the folder.
func (s *session) instance() *control.Client {
	return control.NewClient(s.network, filepath.Join(s.dir, app.DataDir), s.recorder())
}

// How long a command waits for a folder that is in use though no instance answers, and how often it looks; and how long
// a shell may be held up for what it completes.
const (
	inUseFor        = 5 * time.Second
	lookEvery       = 20 * time.Millisecond
	completeTimeout = time.Second
)

// admin calls do with the running instance or, where none runs, with the folder itself. When another command has the
// folder, or an instance that has not come so far as to answer, that is over in a moment.
func (s *session) admin(ctx context.Context, do func(control.Admin) error) error {
	for end := time.Now().Add(inUseFor); ; {
		running := s.instance()
		if _, err := running.Status(ctx, false); err == nil {
			return do(running)
		} else if !errors.Is(err, control.ErrNotRunning) {
			return err
		}
		folder, err := app.OpenFolder(ctx, s.dir)
		if err == nil {
			return errors.Join(do(folder), folder.Close())
		}
		if !errors.Is(err, app.ErrInUse) || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookEvery):
		}
	}
}
