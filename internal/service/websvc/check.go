package websvc

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/network-utopia/utopia/internal/control"
)

// Check gets the first page from each address, over HTTP and HTTPS, and takes any answer of ours but an error of the
// server. Over HTTPS it verifies the certificate against Options.Roots. The mounts are their services' own affair.
func (s *Service) Check(ctx context.Context) error {
	s.mu.Lock()
	running := s.running
	s.mu.Unlock()
	if running == nil {
		return errors.New("the web service does not run")
	}
	return s.self.Check(ctx, s.current.Load().opts.Host, running.endpoints, s.ask)
}

func (s *Service) ask(ctx context.Context, conn net.Conn, e control.Endpoint) error {
	opts := s.current.Load().opts
	if e.Protocol == "HTTPS" {
		secured := tls.Client(conn, &tls.Config{
			ServerName: opts.Domain, RootCAs: opts.Roots, MinVersion: tls.VersionTLS12,
			InsecureSkipVerify: opts.Roots == nil, // without roots there is nothing to verify our own certificate against
		})
		if err := secured.HandshakeContext(ctx); err != nil {
			return err
		}
		conn = secured
	}
	return get(conn, opts.Domain)
}

// get asks for the first page and reads no more than the header of the answer.
func get(conn net.Conn, domain string) error {
	request := "GET / HTTP/1.1\r\nHost: " + domain + "\r\nUser-Agent: utopia-check\r\nConnection: close\r\n\r\n"
	if _, err := io.WriteString(conn, request); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	switch {
	case response.Header.Get("Server") != serverName:
		return errors.New("another server answers")
	case response.StatusCode >= http.StatusInternalServerError:
		return fmt.Errorf("the first page gives %s", response.Status)
	}
	return nil
}
