package dns

import (
	"encoding/binary"
	"fmt"
	"time"
)

// TSIGVerifier checks the responses to one request: RFC 8945 section 5.4. It
// is for one goroutine.
type TSIGVerifier struct {
	digest *digester
	stream bool // a first response was verified
}

// SignTSIG puts a request with its signature behind dst, and gives what the
// responses are checked with (RFC 8945 section 5.1).
func SignTSIG(dst, wire []byte, key TSIGKey, now time.Time) ([]byte, *TSIGVerifier, error) {
	if err := key.Valid(); err != nil {
		return dst, nil, err
	}
	if len(wire) < HeaderLen {
		return dst, nil, fmt.Errorf("dns: TSIG: message %w", errShort)
	}
	t := TSIG{
		Key: key.Name.Canonical(), Algorithm: key.Algorithm.Name(),
		TimeSigned: uint64(now.Unix()), Fudge: TSIGFudge, OriginalID: binary.BigEndian.Uint16(wire),
	}
	d := newDigester(key)
	d.message(wire, t.OriginalID, false)
	t.MAC = d.sum(t, false)
	out, err := appendTSIG(dst, wire, t)
	if err != nil {
		return dst, nil, err
	}
	d.prior(t.MAC)
	return out, &TSIGVerifier{digest: d}, nil
}

// TSIGSize is the octets that SignTSIG adds to a message.
func TSIGSize(key TSIGKey) int { return tsigSize(key) }

// Verify checks the next response. The first must be signed; in a stream up to
// MaxTSIGUnsigned that follow may do without, and the last is signed again,
// which Finish tells. An error is of type *TSIGError; one that the peer told us
// has Peer set. After an error that is neither Peer nor about a message that
// somebody else may have sent, the stream is to be given up.
func (v *TSIGVerifier) Verify(wire []byte, now time.Time) error {
	t, start, ok, err := findTSIG(wire)
	if err != nil {
		return &TSIGError{Code: RcodeFormErr, Reason: err.Error()}
	}
	if !ok {
		return v.unsigned(wire)
	}
	fault := &TSIGError{Code: RcodeBadKey, TSIG: t}
	key := v.digest.key
	if !t.Key.Equal(key.Name) || !t.Algorithm.Equal(key.Algorithm.Name()) {
		fault.Reason = "not the key of the request"
		return fault
	}
	if len(t.MAC) == 0 && t.Error != RcodeSuccess {
		// Right for BADKEY and BADSIG alone; what servers do with the others too.
		fault.Code, fault.Peer = t.Error, true
		return fault
	}
	return v.signed(wire[:start], t, now)
}

// unsigned takes a message without a signature.
func (v *TSIGVerifier) unsigned(wire []byte) error {
	if !v.stream {
		return &TSIGError{Code: RcodeFormErr, Reason: "the response has no signature"}
	}
	if err := v.digest.skip(wire); err != nil {
		return &TSIGError{Code: RcodeFormErr, Reason: err.Error()}
	}
	return nil
}

func (v *TSIGVerifier) signed(wire []byte, t TSIG, now time.Time) error {
	d := v.digest
	d.message(wire, t.OriginalID, true)
	want := d.sum(t, v.stream)
	fault := &TSIGError{TSIG: t}
	// A response that somebody forged must not spoil the digest for the true one
	// behind it.
	defer func() { d.prior(d.last) }()
	if fault.Code, fault.Reason = checkMAC(t.MAC, want); fault.Code != RcodeSuccess {
		return fault
	}
	switch {
	case len(t.MAC) < len(want):
		fault.Code = RcodeBadTrunc
		return fault
	case t.Error != RcodeSuccess:
		fault.Code, fault.Peer, fault.Signed = t.Error, true, true
		if at, ok := t.PeerTime(); ok {
			fault.Reason = "its clock says " + at.UTC().Format(time.RFC3339)
		}
		return fault
	case !t.timely(now):
		fault.Code, fault.Reason = RcodeBadTime, clockReason(t, now)
		return fault
	}
	d.last, v.stream = t.MAC, true
	return nil
}

// Finish says whether the stream may end here: its last message was signed.
func (v *TSIGVerifier) Finish() error {
	if !v.stream || v.digest.unsigned > 0 {
		return fmt.Errorf("dns: TSIG: last message: %w", ErrTSIGUnsigned)
	}
	return nil
}
