package websvc

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"

	"github.com/network-utopia/utopia/host"
	"github.com/network-utopia/utopia/transcript"
)

// begin opens the exchange of a request with the request's own lines.
func (c *site) begin(r *http.Request, remote netip.AddrPort) *transcript.Exchange {
	network := "tcp"
	if r.TLS != nil {
		network = "tls"
	}
	var local netip.AddrPort
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		local = host.AddrPort(a)
	}
	x := c.opts.Transcript.Begin(r.Context(), "web", network, local, remote)
	if x == nil {
		return nil
	}
	if r.TLS != nil {
		x.Line(transcript.Note, 0, handshake(r.TLS))
	}
	target := r.RequestURI
	if r.ProtoMajor == 2 {
		target = r.URL.RequestURI()
	}
	if x.Wants(transcript.Bytes) {
		recordRequestBytes(x, r, target)
		return x
	}
	line(x, transcript.Received, fmt.Sprintf("%s %s %s", r.Method, target, r.Proto))
	line(x, transcript.Received, "Host: "+r.Host)
	recordFields(x, transcript.Received, r.Header, false)
	return x
}

// handshake sums up what was agreed on, since that is what the lines after it stand on.
func handshake(state *tls.ConnectionState) string {
	text := tls.VersionName(state.Version) + ", " + tls.CipherSuiteName(state.CipherSuite)
	if state.ServerName != "" {
		text += ", for " + state.ServerName
	}
	if state.DidResume {
		text += ", resumed"
	}
	return text
}

// recordHeader adds an answer's status line and header. What net/http adds itself (Date, Connection and the like) is
// not known here.
func recordHeader(x *transcript.Exchange, proto string, code int, header http.Header) {
	if x == nil {
		return
	}
	line(x, transcript.Sent, fmt.Sprintf("%s %d %s", proto, code, http.StatusText(code)))
	recordFields(x, transcript.Sent, header, false)
}

// recordFields adds header fields by name; their order on the wire is not known. They count no octets where those are in
// another entry.
func recordFields(x *transcript.Exchange, d transcript.Direction, header http.Header, elsewhere bool) {
	for _, name := range sortedNames(header) {
		for _, value := range header[name] {
			octets := len(name) + len(value) + 4 // a colon, a space and the line's end
			if elsewhere {
				octets = 0
			}
			if secret(name) {
				x.Secret(d, octets, name+": ", value)
			} else {
				x.Line(d, octets, name+": "+value)
			}
		}
	}
}

func sortedNames(header http.Header) []string { return slices.Sorted(maps.Keys(header)) }

// secret says whether a field's value is one.
func secret(name string) bool {
	switch name {
	case "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie":
		return true
	}
	return false
}

// line adds a line that had CR LF after it; in HTTP/2 the same is said in fewer bytes.
func line(x *transcript.Exchange, d transcript.Direction, text string) { x.Line(d, len(text)+2, text) }
