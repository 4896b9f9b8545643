package control

// Traffic is what the name server has answered since the program started. What was never counted is not in a map.
type Traffic struct {
	Transports []TransportTraffic `json:"transports"`
	Zones      []ZoneTraffic      `json:"zones"`             // the first is what is in no zone here, with no name; reverse: the zones of single addresses
	Refused    map[string]uint64  `json:"refused,omitempty"` // by the limit that kept the answer back
}

// TransportTraffic is what came over one transport.
type TransportTraffic struct {
	Transport string            `json:"transport"` // udp, tcp, tls or https
	Codes     map[string]uint64 `json:"codes"`     // responses by their code, such as NXDOMAIN
	Types     map[string]uint64 `json:"types"`     // queries by the type of the question; other for those not counted apart
	Opcodes   map[string]uint64 `json:"opcodes"`   // what was no query, such as UPDATE
	Truncated uint64            `json:"truncated"` // responses that had no room (TC)
	DNSSEC    uint64            `json:"dnssec"`    // queries of those who want to validate (DO)
	Received  uint64            `json:"received"`  // octets of messages
	Sent      uint64            `json:"sent"`
}

// ZoneTraffic is what was asked about one zone.
type ZoneTraffic struct {
	Zone    string `json:"zone"` // with its final dot
	Queries uint64 `json:"queries"`
}
