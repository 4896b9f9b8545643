package listen

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/network-utopia/utopia/host"
)

// Door lets the connections of an HTTP server in, one by one, and knows which are open. The connections stay bare: the
// server gets what the listener accepted.
type Door struct {
	// Admit decides whether a client may have another connection; release is called once it is over. Nil admits all.
	Admit func(client netip.Addr) (release func(), err error)
	// Max is how many connections may be open at once.
	Max func() int
	// Refuse may say something on a connection that is not let in. Nil says nothing.
	Refuse func(net.Conn)

	open  sync.WaitGroup // one for each connection
	mu    sync.Mutex
	conns map[net.Conn]*visit
}

// visit is what is known of an open connection.
type visit struct {
	release func()
	used    bool // a request has begun
}

// Listener returns a listener for the server, whose Accept lets in only whom the door admits. The server's ConnState
// must be the door's.
func (d *Door) Listener(l net.Listener) net.Listener { return &entrance{Listener: l, door: d} }

type entrance struct {
	net.Listener
	door *Door
}

// Accept closes the connections that are not let in, and waits for the next.
func (e *entrance) Accept() (net.Conn, error) {
	for {
		conn, err := e.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if e.door.enter(conn) {
			return conn, nil
		}
		if e.door.Refuse != nil {
			e.door.Refuse(conn)
		}
		_ = conn.Close() // whether the refused client hears of it is its own affair
	}
}

func (d *Door) enter(conn net.Conn) bool {
	v := &visit{release: func() {}}
	if d.Admit != nil {
		release, err := d.Admit(host.AddrPort(conn.RemoteAddr()).Addr())
		if err != nil {
			return false
		}
		v.release = release
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.conns) >= d.Max() {
		v.release()
		return false
	}
	if d.conns == nil {
		d.conns = map[net.Conn]*visit{}
	}
	d.open.Add(1)
	d.conns[conn] = v
	return true
}

// ConnState is the server's hook that follows its connections. Of TLS it is told the wrapped one.
func (d *Door) ConnState(conn net.Conn, state http.ConnState) {
	if wrapped, ok := conn.(*tls.Conn); ok {
		conn = wrapped.NetConn()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.conns[conn]
	switch {
	case v == nil:
	case state == http.StateActive:
		v.used = true
	case state == http.StateClosed, state == http.StateHijacked:
		delete(d.conns, conn)
		v.release()
		d.open.Done()
	}
}

// CloseUnused closes the connections on which no request has begun: browsers open such in advance, and a shutdown of
// the HTTP server would wait for them.
func (d *Door) CloseUnused() { d.close(func(v *visit) bool { return !v.used }) }

// CloseAll closes all connections; the server sees it and tells ConnState.
func (d *Door) CloseAll() { d.close(func(*visit) bool { return true }) }

func (d *Door) close(which func(*visit) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for conn, v := range d.conns {
		if which(v) {
			_ = conn.Close()
		}
	}
}

// Wait returns when all connections are over.
func (d *Door) Wait() { d.open.Wait() }

// Open is how many connections are open now.
func (d *Door) Open() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.conns)
}
