package dnssvc

import (
	"net/netip"
	"slices"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
)

// Server is another name server, and the key that messages to it are signed
// with.
type Server struct {
	Address netip.AddrPort
	Key     dns.Name // "" for none
}

// Access says who may have a zone: the clients of a network, whoever has a key,
// or the clients of a network who have it.
type Access struct {
	Network netip.Prefix // the zero Prefix: wherever the client is
	Key     dns.Name     // "": with a key or without
}

// Grant is what the holder of a key may change.
type Grant struct {
	Key dns.Name
	zone.Grant
}

// Policy says who may do what with a zone, and who is told of it.
type Policy struct {
	Notify     []Server // beside those that its NS records name
	TransferTo []Access // none for nobody
	Update     []Grant  // none for nobody
}

// mayTransfer says whether a client may have the whole zone. Key is that of its
// signature, "" for none.
func (p Policy) mayTransfer(client netip.Addr, key dns.Name) bool {
	return slices.ContainsFunc(p.TransferTo, func(a Access) bool {
		return (!a.Network.IsValid() || a.Network.Contains(client.Unmap())) && (a.Key == "" || a.Key.Equal(key))
	})
}

// grants are what the holder of a key may change.
func (p Policy) grants(key dns.Name) (all zone.Grants) {
	for _, g := range p.Update {
		if g.Key.Equal(key) {
			all = append(all, g.Grant)
		}
	}
	return all
}

// key finds a key by its name.
func (o Options) key(name dns.Name) (dns.TSIGKey, bool) {
	i := slices.IndexFunc(o.TSIG, func(k dns.TSIGKey) bool { return k.Name.Equal(name) })
	if i < 0 {
		return dns.TSIGKey{}, false
	}
	return o.TSIG[i], true
}

// verify checks the signature of a message; signer is nil where there is none.
// Answer is what is said about a signature that is no good.
func (o Options) verify(query []byte, now time.Time) (signer *dns.TSIGSigner, answer []byte, ok bool) {
	signer, fault := dns.OpenTSIG(query, func(name dns.Name, _ dns.TSIGAlgorithm) (dns.TSIGKey, bool) { return o.key(name) }, now)
	if fault == nil {
		return signer, nil, true
	}
	answer, err := fault.Respond(nil, query, now)
	if err != nil {
		return nil, nil, false
	}
	return nil, answer, false
}

// keyOf is the name of the key of a signature; "" where there is none.
func keyOf(signer *dns.TSIGSigner) dns.Name {
	if signer == nil {
		return ""
	}
	return signer.Key().Name
}

// signed puts a response, signed where the query was, behind dst.
func signed(dst []byte, r *dns.Message, signer *dns.TSIGSigner, now time.Time, limit int) []byte {
	room := limit
	if signer != nil {
		room -= signer.Size()
	}
	wire, err := r.Append(nil, room)
	if err != nil {
		return dst
	}
	return sealed(dst, wire, signer, now)
}

// sealed puts the octets of a response, signed where the query was, behind dst.
func sealed(dst, wire []byte, signer *dns.TSIGSigner, now time.Time) []byte {
	if signer == nil {
		return append(dst, wire...)
	}
	out, err := signer.Sign(dst, wire, now)
	if err != nil {
		return dst
	}
	return out
}
