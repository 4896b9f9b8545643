package dnsclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// link is an open way to a server: a datagram socket, a connection, or a
// connection that speaks HTTP.
type link struct {
	network string
	conn    net.Conn
	web     *http.Transport // nil where it is not HTTPS
}

// stream says whether messages stand behind their lengths.
func (l *link) stream() bool { return l.network == overTCP || l.network == overTLS }

// interrupt ends what waits for the server.
func (l *link) interrupt() { _ = l.conn.SetDeadline(time.Unix(1, 0)) }

func (l *link) close() {
	if l.web != nil {
		l.web.CloseIdleConnections()
	}
	l.conn.Close() // what was sent is answered, or nobody waits for it
}

// open connects, and shakes hands where there is TLS.
func (x *exchange) open(ctx context.Context) (*link, error) {
	conn, err := x.opts.Host.Dial(ctx, x.dialNetwork(), x.server)
	if err != nil {
		return nil, err
	}
	l := &link{network: x.network, conn: conn}
	switch x.network {
	case overTLS:
		l.conn, err = x.secure(ctx, conn, x.opts.TLS, "dot")
	case overHTTPS:
		l.conn, err = x.secure(ctx, conn, &x.opts.HTTPS.TLS, "h2", "http/1.1")
		if err == nil {
			l.web = transport(l.conn)
		}
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return l, nil
}

// secure puts TLS on a connection. The protocols are those offered by ALPN,
// of which RFC 7858's has a name since RFC 7301's registry got it.
func (x *exchange) secure(ctx context.Context, conn net.Conn, opts *TLS, protocols ...string) (net.Conn, error) {
	name := opts.Name
	if name == "" {
		name, _, _ = net.SplitHostPort(x.server) // it was joined here
	}
	secured := tls.Client(conn, &tls.Config{
		ServerName: name, RootCAs: opts.Roots, Certificates: opts.Certificates, NextProtos: protocols,
		MinVersion: tls.VersionTLS12, InsecureSkipVerify: !opts.Verify, //nolint:gosec // opportunistic, as Options.TLS says
	})
	err := secured.HandshakeContext(ctx)
	var untrusted *tls.CertificateVerificationError
	var wrongName x509.HostnameError
	switch {
	case err == nil:
		return secured, nil
	case errors.As(err, &untrusted), errors.As(err, &wrongName):
		return nil, fmt.Errorf("%w: %w", ErrCertificate, err)
	case ctx.Err() != nil:
		return nil, err
	}
	return nil, fmt.Errorf("%w: TLS: %w", ErrClosed, bare(err))
}

func (x *exchange) dialNetwork() string {
	network := overTCP
	if x.network == overUDP {
		network = overUDP
	}
	if x.opts.IPVersion != 0 {
		return network + strconv.Itoa(x.opts.IPVersion)
	}
	return network
}
