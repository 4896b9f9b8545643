package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/network-utopia/utopia/internal/app"
	"github.com/network-utopia/utopia/internal/control"
)

// instance returns a client of the instance that runs in the folder.
func (s *session) instance() *control.Client {
	return control.NewClient(s.network, filepath.Join(s.dir, app.DataDir), s.recorder())
}

// admin calls do with the running instance or, where none runs, with the folder itself.
func (s *session) admin(ctx context.Context, do func(control.Admin) error) error {
	running := s.instance()
	if _, err := running.Status(ctx, false); err == nil {
		return do(running)
	} else if !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	folder, err := app.OpenFolder(ctx, s.dir)
	if err != nil {
		return err
	}
	return errors.Join(do(folder), folder.Close())
}
