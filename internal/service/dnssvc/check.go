package dnssvc

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/control"
)

// checkAgain is after how long a question over UDP is asked again: a datagram
// may get lost.
const checkAgain = 700 * time.Millisecond

// Check asks each address for the zone's SOA, over UDP, TCP and TLS, and wants an
// authoritative answer with the serial that is in force.
func (s *Service) Check(ctx context.Context) error {
	s.mu.Lock()
	running := s.server != nil
	s.mu.Unlock()
	if !running {
		return errors.New("the name server does not run")
	}
	return s.self.Check(ctx, s.current.Load().Host, s.Endpoints(), s.ask)
}

func (s *Service) ask(ctx context.Context, conn net.Conn, e control.Endpoint) error {
	var id [2]byte
	_, _ = rand.Read(id[:]) // never fails
	before := s.current.Load().own().zone
	q := dns.NewQuery(binary.BigEndian.Uint16(id[:]), before.Apex(), dns.TypeSOA)
	wire, err := q.Append(nil, 0)
	if err != nil {
		return err
	}
	var answer []byte
	switch {
	case e.Network == "udp":
		answer, err = exchangeUDP(ctx, conn, wire)
	case e.Protocol == overTLS:
		answer, err = s.exchangeTLS(ctx, conn, wire)
	default:
		answer, err = exchangeTCP(conn, wire)
	}
	if err != nil {
		return err
	}
	// A reload may come between: either serial is right.
	return judge(q, answer, before.SOA().Serial, s.current.Load().own().zone.SOA().Serial)
}

func judge(q *dns.Message, wire []byte, serials ...uint32) error {
	r, err := dns.Parse(wire)
	if err != nil {
		return err
	}
	if r.ID == q.ID && r.Response && r.Authoritative && r.Rcode == dns.RcodeSuccess && len(r.Answer) == 1 {
		soa, ok := r.Answer[0].SOA()
		for _, serial := range serials {
			if ok && soa.Serial == serial {
				return nil
			}
		}
	}
	return fmt.Errorf("%s: %s", dns.Summary(q), dns.Summary(r))
}

func exchangeUDP(ctx context.Context, conn net.Conn, query []byte) ([]byte, error) {
	buf := make([]byte, dns.MaxMessageLen)
	for {
		if _, err := conn.Write(query); err != nil {
			return nil, err
		}
		if err := conn.SetReadDeadline(time.Now().Add(checkAgain)); err != nil {
			return nil, err
		}
		n, err := conn.Read(buf)
		var timeout net.Error
		if err == nil || ctx.Err() != nil || !errors.As(err, &timeout) || !timeout.Timeout() {
			return buf[:n], err
		}
	}
}

func (s *Service) exchangeTLS(ctx context.Context, conn net.Conn, query []byte) ([]byte, error) {
	opts := s.current.Load().Options
	secured := tls.Client(conn, &tls.Config{
		ServerName: opts.Domain, RootCAs: opts.Roots, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: opts.Roots == nil, // without roots there is nothing to verify our own certificate against
	})
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return exchangeTCP(secured, query)
}

func exchangeTCP(conn net.Conn, query []byte) ([]byte, error) {
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)
	if _, err := conn.Write(framed); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	answer := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(conn, answer)
	return answer, err
}
