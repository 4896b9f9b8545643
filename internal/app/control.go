package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/control"
)

// controlServer answers the commands on the Unix socket.
type controlServer struct {
	http http.Server
	done chan struct{}
}

// listenControl opens the socket in the data folder, which this process has locked: so a socket that is there
// already was left behind by an instance that was killed.
func listenControl(ctx context.Context, h host.Host, data string, in control.Instance) (*controlServer, error) {
	if err := os.Remove(filepath.Join(data, control.SocketName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	path, release, err := control.SocketPath(data)
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	defer release()
	l, err := h.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // its short name may not hold any more; close removes it by its own
	}
	if err := os.Chmod(filepath.Join(data, control.SocketName), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("open the control socket: %w", err), l.Close())
	}
	s := &controlServer{
		http: http.Server{
			Handler: control.Handler(in), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10,
			BaseContext: func(net.Listener) context.Context { return ctx }, // ends the streams that follow
		},
		done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(l) // returns ErrServerClosed, after close; accept errors are temporary here
		_ = os.Remove(filepath.Join(data, control.SocketName))
	}()
	return s, nil
}

func (s *controlServer) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	<-s.done
	return err
}
