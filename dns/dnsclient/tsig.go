package dnsclient

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/network-utopia/utopia/dns"
)

// errComplaint says that somebody who did not sign it claims that the server
// finds fault with our signature: over UDP that may be anybody.
var errComplaint = errors.New("an unsigned complaint about the signature: ask over TCP")

// sign puts the signature on a packed question, which stands behind room for
// its length.
func (t *try) sign(frame []byte) ([]byte, error) {
	if t.opts.TSIG == nil {
		return frame, nil
	}
	signed, verifier, err := dns.SignTSIG(make([]byte, framePrefix, len(frame)+512), frame[framePrefix:], *t.opts.TSIG, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	t.signed = verifier
	return signed, nil
}

// verify checks the signature of an answer. Over UDP what is wrong with it
// makes it no answer, since the right one may still come (RFC 8945 section
// 5.4.1); over a connection nobody else can have sent it.
func (t *try) verify(wire []byte) (mismatch, err error) {
	if t.signed == nil {
		return nil, nil
	}
	err = t.signed.Verify(wire, time.Now())
	var bad *dns.TSIGError
	switch {
	case err == nil:
		return nil, nil
	case t.network != overUDP:
		return nil, fmt.Errorf("%w: %w", ErrTSIG, err)
	case errors.As(err, &bad) && bad.Peer && bad.Signed:
		return nil, fmt.Errorf("%w: %w", ErrTSIG, err)
	case errors.As(err, &bad) && bad.Peer:
		return nil, errComplaint
	}
	return err, nil
}

// pad makes the question a multiple of Options.Padding long (RFC 7830). It is
// the last thing that is added, but for the signature, whose size is known.
func (t *try) pad() {
	const optionHeader = 4
	if t.opts.Padding <= 0 || t.query.EDNS == nil {
		return
	}
	wire, err := t.query.Append(nil, dns.MaxMessageLen)
	if err != nil {
		return // frame says so
	}
	size := len(wire) + optionHeader
	if t.opts.TSIG != nil {
		size += dns.TSIGSize(*t.opts.TSIG)
	}
	with := *t.query.EDNS
	with.Options = append(slices.Clip(with.Options), dns.Option{
		Code: dns.OptionPadding, Data: make([]byte, (t.opts.Padding-size%t.opts.Padding)%t.opts.Padding),
	})
	t.query.EDNS = &with
}
