package dns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// ErrTSIGUnsigned says that a stream has too many messages without a signature
// in a row, or ends with one.
var ErrTSIGUnsigned = errors.New("signed message missing in the stream")

// TSIGSigner signs the responses to one request: RFC 8945 section 5.3. It is
// for one goroutine.
type TSIGSigner struct {
	digest *digester
	stream bool // a first response was signed
}

// Key gives the key that the request was signed with.
func (s *TSIGSigner) Key() TSIGKey { return s.digest.key }

// Size is the octets that Sign adds to a message: the room to leave under a
// size limit.
func (s *TSIGSigner) Size() int { return tsigSize(s.digest.key) }

func tsigSize(k TSIGKey) int {
	return len(k.Name) + 10 + len(k.Algorithm.Name()) + 16 + k.Algorithm.Size()
}

// OpenTSIG checks the signature of a request (RFC 8945 section 5.2). The keys
// are found by name, in lower case, and algorithm. Without a signature it gives
// neither signer nor error. With an error the request must not be obeyed, and
// its answer is that of TSIGError.Respond.
//
// A request can be played again while its time is near enough: what must not
// happen twice needs its own guard.
func OpenTSIG(wire []byte, keys func(Name, TSIGAlgorithm) (TSIGKey, bool), now time.Time) (*TSIGSigner, *TSIGError) {
	t, start, ok, err := findTSIG(wire)
	if err != nil {
		return nil, &TSIGError{Code: RcodeFormErr, Reason: err.Error()}
	}
	if !ok {
		return nil, nil
	}
	fault := &TSIGError{Code: RcodeBadKey, TSIG: t}
	algorithm, known := algorithmOf(t.Algorithm)
	if !known {
		fault.Reason = "algorithm " + t.Algorithm.String()
		return nil, fault
	}
	key, ok := keys(t.Key.Canonical(), algorithm)
	if !ok || key.Valid() != nil || key.Algorithm.Name() != algorithm.Name() || !key.Name.Equal(t.Key) {
		fault.Reason = "no such key for " + string(algorithm)
		return nil, fault
	}
	d := newDigester(key)
	d.message(wire[:start], t.OriginalID, true)
	want := d.sum(t, false)
	if fault.Code, fault.Reason = checkMAC(t.MAC, want); fault.Code != RcodeSuccess {
		return nil, fault
	}
	// Only now is what the record says about time and length worth an answer.
	signer := &TSIGSigner{digest: d}
	d.prior(t.MAC)
	switch {
	case !t.timely(now):
		fault.Code, fault.Reason = RcodeBadTime, clockReason(t, now)
	case len(t.MAC) < len(want):
		fault.Code, fault.Reason = RcodeBadTrunc, fmt.Sprintf("%d octets of MAC, want %d", len(t.MAC), len(want))
	default:
		return signer, nil
	}
	fault.signer = signer
	return nil, fault
}

func clockReason(t TSIG, now time.Time) string {
	return fmt.Sprintf("signed at %s, which is not within %d s of %s",
		time.Unix(int64(t.TimeSigned), 0).UTC().Format(time.RFC3339), t.Fudge, now.UTC().Format(time.RFC3339))
}

func algorithmOf(n Name) (TSIGAlgorithm, bool) {
	n = n.Canonical()
	for _, a := range [...]TSIGAlgorithm{HMACSHA1, HMACSHA224, HMACSHA256, HMACSHA384, HMACSHA512} {
		if n == a.Name() {
			return a, true
		}
	}
	return "", false
}

// Sign puts a response with its signature behind dst. In a stream it is called
// for one message after the other.
func (s *TSIGSigner) Sign(dst, wire []byte, now time.Time) ([]byte, error) {
	return s.sign(dst, wire, TSIG{TimeSigned: uint64(now.Unix()), Fudge: TSIGFudge})
}

func (s *TSIGSigner) sign(dst, wire []byte, t TSIG) ([]byte, error) {
	if len(wire) < HeaderLen {
		return dst, fmt.Errorf("dns: TSIG: message %w", errShort)
	}
	t.Key, t.Algorithm = s.digest.key.Name.Canonical(), s.digest.key.Algorithm.Name()
	t.OriginalID = binary.BigEndian.Uint16(wire)
	s.digest.message(wire, t.OriginalID, false)
	t.MAC = s.digest.sum(t, s.stream)
	out, err := appendTSIG(dst, wire, t)
	if err != nil {
		return dst, err
	}
	s.digest.prior(t.MAC)
	s.stream = true
	return out, nil
}

// Unsigned takes in a message of a stream that goes out without a signature. The
// next signature covers it. The first and the last message of a stream must be
// signed, and no more than MaxTSIGUnsigned may go so in a row.
func (s *TSIGSigner) Unsigned(wire []byte) error {
	if !s.stream {
		return fmt.Errorf("dns: TSIG: first message: %w", ErrTSIGUnsigned)
	}
	return s.digest.skip(wire)
}

func (d *digester) skip(wire []byte) error {
	if len(wire) < HeaderLen {
		return fmt.Errorf("dns: TSIG: message %w", errShort)
	}
	if d.unsigned == MaxTSIGUnsigned {
		return fmt.Errorf("dns: TSIG: %d messages in a row: %w", d.unsigned+1, ErrTSIGUnsigned)
	}
	d.unsigned++
	d.message(wire, binary.BigEndian.Uint16(wire), false)
	return nil
}

// Respond puts the answer to a request with this error behind dst (RFC 8945
// section 5.3.2): NOTAUTH or FORMERR, the question, and for all but FORMERR a
// TSIG record, which has a MAC for BADTIME and BADTRUNC alone. What is no query
// gets no answer.
func (e *TSIGError) Respond(dst, query []byte, now time.Time) ([]byte, error) {
	if len(query) < HeaderLen || query[2]&0x80 != 0 {
		return dst, nil
	}
	h, _, err := ParseHeader(query)
	if err != nil {
		return dst, err
	}
	r := (&Message{Header: h}).Reply(e.Rcode())
	if q, err := Parse(query); err == nil {
		r = q.Reply(e.Rcode())
		if q.EDNS != nil {
			r.EDNS = &EDNS{UDPSize: 1232, DO: q.EDNS.DO}
		}
	}
	if len(r.Question) > 1 {
		r.Question = r.Question[:1] // a small answer, whatever was sent
	}
	wire, err := r.Append(nil, 0)
	if err != nil {
		return dst, err
	}
	if e.Code == RcodeFormErr {
		return append(dst, wire...), nil
	}
	t := TSIG{
		Key: e.TSIG.Key.Canonical(), Algorithm: e.TSIG.Algorithm.Canonical(), Error: e.Code, OriginalID: h.ID,
		TimeSigned: uint64(now.Unix()), Fudge: TSIGFudge,
	}
	if e.Code == RcodeBadTime {
		t.Other = TSIG{TimeSigned: t.TimeSigned}.appendTimers(nil)[:6]
		// The client's own time, so that it can verify this.
		t.TimeSigned, t.Fudge = e.TSIG.TimeSigned, e.TSIG.Fudge
	}
	if e.signer == nil {
		return appendTSIG(dst, wire, t)
	}
	return e.signer.sign(dst, wire, t)
}
