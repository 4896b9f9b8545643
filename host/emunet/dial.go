package emunet

import (
	"context"
	"net/netip"
	"sync"
	"syscall"

	"github.com/network-utopia/utopia/host/emunet/tcp"
)

// dialing is a connection that is about to be.
type dialing struct {
	h    *Host
	id   uint64
	from netip.Addr
	to   netip.AddrPort

	waiting sync.Cond
	began   *stream // once its SYN is sent
	done    bool
	stream  *stream // that was asked for, or
	err     error
}

func (d *dialing) order() rank { return rank{kind: 2, peer: d.to} }

// dialStream opens a connection and waits for it.
func (h *Host) dialStream(ctx context.Context, from netip.Addr, to netip.AddrPort) (*stream, error) {
	if to.Port() == 0 {
		return nil, syscall.ECONNREFUSED
	}
	id, err := h.admit()
	if err != nil {
		return nil, err
	}
	n := h.net
	d := &dialing{h: h, id: id, from: from, to: to}
	d.waiting.L = &n.mu
	h.sends(d)
	n.at(n.clock()+dialTimeout, keySocket|id, d)
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() {
			n.use()
			defer n.settle()
			d.end(nil, ctxError(ctx.Err()))
		})
		defer stop()
	}
	n.rest()
	for !d.done {
		d.waiting.Wait()
	}
	return d.stream, d.err
}

// flush sends the SYN.
func (d *dialing) flush(now Time) {
	if d.done {
		return
	}
	h := d.h
	ends := pair{remote: d.to}
	_, ok := h.pick(func(port uint16) bool {
		ends.local = netip.AddrPortFrom(d.from, port)
		return h.streams[ends] == nil && h.listeners[port] == nil
	})
	if !ok {
		d.end(nil, syscall.EADDRNOTAVAIL)
		return
	}
	s := h.newStream(ends, h.newID()) // not d.id: that goes by who spoke first
	s.tcp = tcp.Dial(h.config(ends), h.rng.Uint32(), now)
	s.dialing, d.began = d, s
	s.output(now)
}

// happen is the end of the time for it.
func (d *dialing) happen(Time) { d.end(nil, errTimeout{}) }

// end gives the result. What was begun in vain is given up.
func (d *dialing) end(s *stream, err error) {
	if d.done {
		return
	}
	d.done, d.stream, d.err = true, s, err
	switch {
	case s == nil && d.began == nil:
		d.h.open--
	case s == nil && !d.began.gone:
		d.began.leave()
	}
	if d.began != nil {
		d.began.dialing = nil
	}
	d.h.net.woke = true
	d.waiting.Broadcast()
}
