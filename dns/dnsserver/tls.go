package dnsserver

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/network-utopia/utopia/host/serve"
)

// alpnDoT is the protocol's name in a handshake (RFC 7858 section 3.1, the ALPN
// registry); clients need not say it.
const alpnDoT = "dot"

// ServeTLS is Serve for connections of TLS (RFC 7858), at least of version 1.2.
// Config must have certificates; clients that offer protocols must offer "dot",
// unless config names others. The limits of Options hold as over TCP, and the
// handshake must be over within Options.IdleTimeout. A connection holds some 20
// KiB while it is idle, nearly all of it package tls's.
func (s *Server) ServeTLS(l net.Listener, config *tls.Config) error {
	config = config.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	if config.NextProtos == nil {
		config.NextProtos = []string{alpnDoT}
	}
	return s.loop.Serve(l, func(conn net.Conn) serve.Session {
		secured := tls.Server(conn, config)
		return &tlsSession{session: s.begin(secured, TLS), secured: secured}
	})
}

// tlsSession is one connection of TLS.
type tlsSession struct {
	*session
	secured *tls.Conn
}

// Run agrees on keys, answers queries as over TCP, and says goodbye, so that the
// client knows that nothing was cut off.
func (c *tlsSession) Run() {
	if err := c.handshake(); err != nil {
		c.opts.Log.Debug("no handshake of TLS", "remote", c.from.Remote.String(), "err", err)
		c.refused(RefusedTLS)
		return
	}
	state := c.secured.ConnectionState()
	c.agreed = tls.VersionName(state.Version) + ", " + tls.CipherSuiteName(state.CipherSuite)
	c.session.Run()
	_ = c.secured.CloseWrite() // the client may be gone
}

func (c *tlsSession) handshake() error {
	if err := c.secured.SetWriteDeadline(time.Now().Add(c.opts.IdleTimeout)); err != nil {
		return err
	}
	if err := c.loop.Await(c.conn, c.opts.IdleTimeout); err != nil {
		return err
	}
	return c.secured.HandshakeContext(context.Background()) // the deadlines bound it
}
