package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/internal/control"
)

// CheckTimeout bounds one question of a check where its context ends no earlier.
const CheckTimeout = 3 * time.Second

// Self is a service as its own client. It knows the addresses that its questions come from, so that they are neither
// recorded nor counted: a service that asks itself whether it is well would otherwise fill the transcripts. The zero
// value is ready for use.
type Self struct {
	asking atomic.Int32
	from   sync.Map // netip.AddrPort
}

// Is says whether a peer is the service itself. It costs next to nothing while nothing is asked.
func (s *Self) Is(remote netip.AddrPort) bool {
	if s.asking.Load() == 0 {
		return false
	}
	_, own := s.from.Load(remote)
	return own
}

// Check connects to each endpoint in turn and calls ask on the connection, which is closed when the time is over. It
// returns what went wrong, with the endpoint.
func (s *Self) Check(ctx context.Context, h host.Host, endpoints []control.Endpoint,
	ask func(context.Context, net.Conn, control.Endpoint) error) error {
	if len(endpoints) == 0 {
		return errors.New("it listens nowhere")
	}
	var errs []error
	for _, e := range endpoints {
		if err := s.one(ctx, h, e, ask); err != nil {
			errs = append(errs, fmt.Errorf("%s at %s over %s: %w", e.Protocol, e.Address, strings.ToUpper(e.Network), err))
		}
	}
	return errors.Join(errs...)
}

func (s *Self) one(ctx context.Context, h host.Host, e control.Endpoint,
	ask func(context.Context, net.Conn, control.Endpoint) error) error {
	ctx, cancel := context.WithTimeout(ctx, CheckTimeout)
	defer cancel()
	conn, err := h.Dial(ctx, e.Network, reachable(e.Address))
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	own := host.AddrPort(conn.LocalAddr())
	s.from.Store(own, true)
	s.asking.Add(1)
	defer func() {
		s.asking.Add(-1)
		s.from.Delete(own)
	}()
	err = ask(ctx, conn, e)
	if err != nil && ctx.Err() != nil { // what ask met is that the connection was closed
		return fmt.Errorf("no answer in time: %w", ctx.Err())
	}
	return err
}
