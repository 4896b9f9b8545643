package serve

import (
	"errors"
	"fmt"
	"net"
	"sync"
)

// ServePacket has the datagrams of pc read by some goroutines, at least one, until Shutdown; it then returns
// Options.Closed, and otherwise pc's error. It closes pc, and returns when all goroutines have ended.
//
// Each goroutine calls open once, for what it holds alone, such as buffers, and then the function that open returned
// again and again. That waits for a datagram (or a batch of them) and answers it; it returns an error where nothing
// could be read. One that leaves pc open is tried again after 5 ms to 1 s. The number of goroutines is what bounds an
// overload: the rest waits in the socket's queue, and is dropped there.
func (l *Loop) ServePacket(pc net.PacketConn, readers int, open func() (read func() error)) error {
	defer func() { _ = pc.Close() }() // Shutdown may have closed it
	if err := enter(l, l.packets, pc); err != nil {
		return err
	}
	defer leave(l, l.packets, pc)
	errs := make([]error, max(readers, 1))
	var reading sync.WaitGroup
	for i := range errs {
		reading.Go(func() { errs[i] = l.read(open()) })
	}
	reading.Wait()
	return errs[0]
}

func (l *Loop) read(read func() error) error {
	failures := pause{stop: l.stop}
	for {
		err := read()
		switch {
		case l.closing.Load():
			return l.opts.Closed
		case err == nil:
			failures.worked()
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("%s: read a datagram: %w", l.opts.Name, err)
		default: // such as an ICMP error that some systems report here
			l.opts.Log.Debug("cannot read a datagram", "err", err)
			failures.failed()
		}
	}
}
