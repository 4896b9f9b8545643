package dnsclient

import (
	"context"
	"net"
	"sync"

	"github.com/network-utopia/utopia/dns"
)

// Conn asks one server question after question, over one connection where the
// transport has connections (RFC 7766 section 6.2.1). It is opened with the
// first question, and again when the server closed it meanwhile. It is safe
// for concurrent use; questions wait for one another.
type Conn struct {
	client *Client
	server string

	mu     sync.Mutex
	open   *link // between two questions; nil when there is none
	closed bool
}

// Connect makes a Conn to a server, which is named as with [Client.Exchange].
// Nothing is sent yet. The caller closes it.
func (c *Client) Connect(server string) *Conn { return &Conn{client: c, server: server} }

// Exchange asks the server as [Client.Exchange] does, with the same errors.
// After Close it fails with [net.ErrClosed].
func (k *Conn) Exchange(ctx context.Context, q *dns.Message) (*Answer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	x := newExchange(k.client, k.server, q)
	if k.closed {
		return nil, x.fail(net.ErrClosed)
	}
	x.held = k
	return x.run(ctx)
}

// Close closes the connection. A question that is on its way ends first.
func (k *Conn) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open != nil {
		k.open.close()
	}
	k.open, k.closed = nil, true
	return nil
}

// take gives the kept link if it is of the network wanted; the caller has it
// from then on. k may be nil.
func (k *Conn) take(network string) *link {
	if k == nil || k.open == nil {
		return nil
	}
	l := k.open
	k.open = nil
	if l.network == network {
		return l
	}
	l.close()
	return nil
}

// keep takes a link to be used again, and says whether it did. Datagrams have
// a new port for each question. k may be nil.
func (k *Conn) keep(l *link) bool {
	if k == nil || l.network == overUDP {
		return false
	}
	k.open = l
	return true
}
