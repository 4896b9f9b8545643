package dnssvc

import (
	"bytes"
	"iter"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/authority"
	"github.com/network-utopia/utopia/dns/dnsserver"
)

// timedSigner signs with the time of the moment.
type timedSigner struct{ *dns.TSIGSigner }

// Sign implements authority.Signer.
func (s timedSigner) Sign(dst, wire []byte) ([]byte, error) {
	return s.TSIGSigner.Sign(dst, wire, time.Now())
}

func transferOptions(signer *dns.TSIGSigner) authority.TransferOptions {
	if signer == nil {
		return authority.TransferOptions{}
	}
	return authority.TransferOptions{Signer: timedSigner{signer}}
}

// Stream implements dnsserver.StreamHandler: zone transfers over TCP and TLS.
func (f inForce) Stream(query []byte, from dnsserver.Client) (iter.Seq2[[]byte, error], bool) {
	if !isTransfer(query) {
		return nil, false
	}
	query = bytes.Clone(query)
	return func(yield func([]byte, error) bool) {
		st, now := f.s.current.Load(), time.Now()
		signer, answer, ok := st.verify(query, now)
		if !ok {
			yield(answer, nil)
			return
		}
		m, err := dns.Parse(query)
		if err != nil || !authority.IsTransfer(m) {
			out, _, z := st.protect.at(now).RespondFrom(st.set, nil, query, clientOf(from), now)
			from.Tell(st.numbers[z], false)
			yield(sealed(nil, out, signer, now), nil)
			return
		}
		st.tellZone(m, from)
		t, r := st.transfer(m, from, signer)
		if t == nil {
			yield(signed(nil, r, signer, now, dns.MaxMessageLen), nil)
			return
		}
		t.Messages()(yield)
	}, true
}

// transferUDP answers an IXFR over UDP (RFC 1995 section 2); AXFR has no form
// there (RFC 5936 section 4.2).
func (f inForce) transferUDP(st *state, dst []byte, m *dns.Message, from dnsserver.Client, signer *dns.TSIGSigner, limit int) []byte {
	now := time.Now()
	t, r := st.transfer(m, from, signer)
	switch {
	case t == nil:
		return signed(dst, r, signer, now, limit)
	case m.Question[0].Type == dns.TypeAXFR:
		return signed(dst, failure(m, dns.RcodeFormErr, dns.EDENotSupported), signer, now, limit)
	}
	out, err := t.Single(dst, limit)
	if err != nil {
		return signed(dst, failure(m, dns.RcodeServFail, 0), signer, now, limit)
	}
	return out
}

// transfer makes the transfer that a client asks for, or says why it does not
// have it.
func (st *state) transfer(m *dns.Message, from dnsserver.Client, signer *dns.TSIGSigner) (*authority.Transfer, *dns.Message) {
	z := st.find(m.Question[0].Name.Canonical())
	switch {
	case z == nil:
		return nil, failure(m, dns.RcodeNotAuth, dns.EDENotAuthoritative) // RFC 5936 section 2.2.1
	case !z.policy.mayTransfer(from.Remote.Addr(), keyOf(signer)):
		return nil, failure(m, dns.RcodeRefused, dns.EDEProhibited)
	case z.zone == nil:
		return nil, failure(m, dns.RcodeServFail, dns.EDENotReady)
	}
	t, code := authority.NewTransfer(z.zone, z.past, m, transferOptions(signer))
	if code != dns.RcodeSuccess {
		return nil, failure(m, code, 0)
	}
	st.Log.Info("a zone is transferred", "zone", z.name.String(), "to", from.Remote.String(), "over", from.Transport.String(),
		"key", keyOf(signer).String(), "kind", t.Kind.String())
	return t, nil
}
