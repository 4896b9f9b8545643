package dnsserver

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/transcript"
)

// mediaType is that of a DNS message (RFC 8484 section 6).
const mediaType = "application/dns-message"

// ServeHTTP answers a query in a request of GET or POST (RFC 8484), whatever its
// path: it is for an HTTPS server to hand in what came for /dns-query. That
// server bounds connections and time; of Options, MaxQuery and Rate hold.
//
// A response that says for how long it may be kept says so to HTTP as well: at
// most for the least TTL of its answer, or for what the SOA record allows
// (section 5.1). It is 503 after Shutdown.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from := clientOf(r)
	from.quiet = s.quiet(from.Remote)
	query, failed := s.queryOf(w, r)
	why := RefusedHTTP
	if failed == nil {
		why, failed = s.unfitRequest(query, from)
	}
	if failed != nil {
		s.refuse(w, from, why, failed)
		return
	}
	x := s.exchange(r.Context(), from)
	defer x.End()
	record(x, transcript.Received, query)
	response, why := s.respondHTTP(x.Context(r.Context()), query, from)
	if why != "" {
		recordSilence(x, &from)
		s.refuse(w, from, why, &httpError{http.StatusInternalServerError, "There is no answer to this query."})
		return
	}
	recordResponse(x, &from, response)
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(response)))
	w.Header().Set("Cache-Control", freshness(response))
	if _, err := w.Write(response); err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
		x.Line(transcript.Note, 0, "the answer cannot be sent")
		s.countHTTP(from, RefusedWrite)
		return
	}
	s.answered(&from, query, response, len(response))
}

// clientOf tells who has made a request.
func clientOf(r *http.Request) Client {
	remote, _ := netip.ParseAddrPort(r.RemoteAddr) // of an emulated host too; otherwise the zero value
	from := Client{Remote: netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port()), Transport: HTTPS, Time: time.Now(), said: &said{}}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		from.Local = host.AddrPort(local)
	}
	return from
}

// httpError is an answer without a DNS message.
type httpError struct {
	code int
	text string
}

// queryOf takes the query out of a request.
func (s *Server) queryOf(w http.ResponseWriter, r *http.Request) ([]byte, *httpError) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return s.queryOfGet(r)
	case http.MethodPost:
		return s.queryOfPost(r)
	}
	w.Header().Set("Allow", "GET, HEAD, POST")
	return nil, &httpError{http.StatusMethodNotAllowed, "A query comes in a request of GET or POST."}
}

func (s *Server) queryOfGet(r *http.Request) ([]byte, *httpError) {
	text := r.URL.Query().Get("dns")
	switch {
	case text == "":
		return nil, &httpError{http.StatusBadRequest, `The parameter "dns" is missing: a DNS message in base64url.`}
	case len(text) > base64.RawURLEncoding.EncodedLen(s.opts.MaxQuery):
		return nil, &httpError{http.StatusRequestURITooLong, s.tooLong()}
	}
	query, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, &httpError{http.StatusBadRequest, `The parameter "dns" is not base64url without padding (RFC 4648 section 5).`}
	}
	return query, nil
}

func (s *Server) queryOfPost(r *http.Request) ([]byte, *httpError) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != mediaType {
		return nil, &httpError{http.StatusUnsupportedMediaType, "The body must be of type " + mediaType + "."}
	}
	query, err := io.ReadAll(io.LimitReader(r.Body, int64(s.opts.MaxQuery)+1))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), len(query) > s.opts.MaxQuery:
		return nil, &httpError{http.StatusRequestEntityTooLarge, s.tooLong()}
	case err != nil:
		return nil, &httpError{http.StatusBadRequest, "The body did not arrive whole."}
	}
	return query, nil
}

func (s *Server) tooLong() string {
	return fmt.Sprintf("A query may have %d octets.", s.opts.MaxQuery)
}

// unfitRequest says why a message is not given to the handler, and with what
// answer; nil when it is.
func (s *Server) unfitRequest(query []byte, from Client) (Refusal, *httpError) {
	if s.loop.Closing() {
		return RefusedHTTP, &httpError{http.StatusServiceUnavailable, "The name server has stopped."}
	}
	switch why := s.unfit(query, from); why {
	case "":
		return "", nil
	case RefusedRate:
		return why, &httpError{http.StatusTooManyRequests, "You ask faster than this server answers. Try again in a moment."}
	default:
		return why, &httpError{http.StatusBadRequest, "This is not a DNS query."}
	}
}

// refuse answers without a DNS message.
func (s *Server) refuse(w http.ResponseWriter, from Client, why Refusal, e *httpError) {
	s.countHTTP(from, why)
	if e.code == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	http.Error(w, e.text, e.code)
}

func (s *Server) countHTTP(from Client, why Refusal) {
	if !from.quiet {
		s.opts.Metrics.Refused(HTTPS, why, 1)
	}
}

// freshness is the Cache-Control field of a response.
func freshness(response []byte) string {
	m, err := dns.Parse(response)
	if err != nil || m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNXDomain {
		return "no-store" // a failure says nothing of later
	}
	age, known := uint32(1<<31-1), false
	atMost := func(ttl uint32) {
		if ttl > 1<<31-1 { // RFC 2181 section 8
			ttl = 0
		}
		age, known = min(age, ttl), true
	}
	for _, rr := range m.Answer {
		atMost(rr.TTL)
	}
	for _, rr := range m.Authority {
		if soa, ok := rr.SOA(); ok { // what is not there is not for longer than that (RFC 2308 section 5)
			atMost(min(rr.TTL, soa.Minimum))
		}
	}
	if !known {
		return "no-store"
	}
	return fmt.Sprintf("max-age=%d", age)
}
