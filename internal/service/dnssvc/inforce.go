package dnssvc

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"time"

	"github.com/network-utopia/utopia/dns/authority"
	"github.com/network-utopia/utopia/dns/dnsserver"
)

// inForce answers, asks and counts by the settings that are in force at the
// moment: what package dnsserver wants of its caller.
type inForce struct{ s *Service }

// Respond implements dnsserver.Handler.
func (f inForce) Respond(dst, query []byte, from dnsserver.Client) []byte {
	st, now := f.s.current.Load(), from.Time
	if isSpecial(query) {
		return f.special(st, dst, query, from, time.Now())
	}
	out, outcome, z := st.protect.at(now).RespondFrom(st.set, dst, query, clientOf(from), now)
	if outcome != authority.Answered {
		st.Limited.count(outcome)
	}
	from.Tell(st.numbers[z], outcome > authority.Silent)
	return out
}

// certificate is for the handshakes of TLS.
func (f inForce) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.s.current.Load().Certificates.GetCertificate(hello)
}

// Admit implements dnsserver.Guard; the server has it only where there is a
// guard.
func (f inForce) Admit(client netip.Addr) (release func(), err error) {
	return f.s.current.Load().Guard.Admit(client)
}

// Allow implements dnsserver.Rate. Over UDP an address may be forged: whoever
// dropped queries by it would help to shut their owner out. There the limit on
// responses has its say, which sends those who did ask over TCP.
func (f inForce) Allow(client netip.Addr, over dnsserver.Transport, now time.Time) bool {
	st := f.s.current.Load()
	if st.Guard == nil || over == dnsserver.UDP && st.RateLimit > 0 {
		return true
	}
	return st.Guard.AllowAt(client, now)
}

// Answered implements dnsserver.Metrics.
func (f inForce) Answered(over dnsserver.Transport, a *dnsserver.Answers) {
	st := f.s.current.Load()
	st.Counts.add(over, a)
	if st.Meter != nil {
		for code, v := range a.Codes() {
			st.Meter.Add(codeName(code), v.N, v.In, v.Out)
		}
	}
}

// counted are the refusals that neither the guard nor Answered counts.
var counted = []dnsserver.Refusal{
	dnsserver.RefusedShort, dnsserver.RefusedResponse, dnsserver.RefusedSource, dnsserver.RefusedSilent,
	dnsserver.RefusedConns, dnsserver.RefusedSize, dnsserver.RefusedPending,
}

// Refused implements dnsserver.Metrics.
func (f inForce) Refused(_ dnsserver.Transport, why dnsserver.Refusal, n int) {
	if slices.Contains(counted, why) {
		f.count(string(why), n, 0, 0)
	}
}

// Panic implements dnsserver.Metrics.
func (f inForce) Panic(dnsserver.Transport) { f.count("panic", 1, 0, 0) }

func (f inForce) count(outcome string, n, received, sent int) {
	if m := f.s.current.Load().Meter; m != nil {
		m.Add(outcome, n, received, sent)
	}
}
