package dnsclient

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// contentType is that of RFC 8484 section 6.
const contentType = "application/dns-message"

// errUsedUp keeps HTTP from opening a connection of its own.
var errUsedUp = errors.New("the connection is used up")

// transport speaks HTTP, of the version that the two ends agreed upon, over
// one connection that is open already, and over no other.
func transport(conn net.Conn) *http.Transport {
	once := make(chan net.Conn, 1)
	once <- conn
	open := func(context.Context, string, string) (net.Conn, error) {
		select {
		case c := <-once:
			return c, nil
		default:
			return nil, errUsedUp
		}
	}
	return &http.Transport{
		DialContext: open, DialTLSContext: open,
		ForceAttemptHTTP2: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
	}
}

const maxHeader = 16 << 10 // octets of an HTTP answer's header

// askWeb asks over HTTPS (RFC 8484 section 4.1) and reads the one answer.
func (t *try) askWeb(ctx context.Context, wire []byte) (*Answer, error) {
	request, err := t.request(wire)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	response, err := t.link.web.RoundTrip(request)
	if err != nil {
		return nil, connError(ctx, t.network, err)
	}
	defer response.Body.Close()
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	switch {
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%w: status %d", ErrHTTP, response.StatusCode)
	case err != nil || kind != contentType:
		return nil, fmt.Errorf("%w: content of type %.80q", ErrHTTP, response.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, int64(t.opts.MaxMessage)+1))
	if err != nil {
		return nil, connError(ctx, t.network, err)
	}
	if err := t.checkSize(len(body)); err != nil {
		return nil, err
	}
	answer, mismatch, err := t.judge(body)
	if mismatch != nil {
		return nil, fmt.Errorf("%w: it answers another question: %w", ErrHTTP, mismatch)
	}
	return answer, err
}

// request makes the HTTP request of a question: with GET it stands in the URL,
// in base64url without padding (RFC 8484 section 6).
func (t *try) request(wire []byte) (*http.Request, error) {
	opts := t.opts.HTTPS
	authority := t.server
	if h, port, err := net.SplitHostPort(t.server); err == nil {
		if opts.Name != "" {
			h = opts.Name
		}
		authority = net.JoinHostPort(h, port)
		if port == DefaultHTTPSPort {
			authority = strings.TrimSuffix(authority, ":"+port)
		}
	}
	path := opts.Path
	if path == "" {
		path = DefaultPath
	}
	u := url.URL{Scheme: "https", Host: authority, Path: path}
	method, body := http.MethodPost, io.Reader(bytes.NewReader(wire))
	if opts.Get {
		method, body = http.MethodGet, nil
		u.RawQuery = "dns=" + base64.RawURLEncoding.EncodeToString(wire)
	}
	request, err := http.NewRequestWithContext(t.limited, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", contentType)
	if !opts.Get {
		request.Header.Set("Content-Type", contentType)
	}
	return request, nil
}
