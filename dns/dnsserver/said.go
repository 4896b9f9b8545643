package dnsserver

// said is what a Handler tells of its answer, beside the octets.
type said struct {
	zone    uint32
	limited bool
}

// Tell says of the answer to the client's query which zone it is from, by a
// number that the Handler chooses and Metrics is told, and whether a limit on
// responses has kept it back or made it small, which transcripts note. It is
// for the Handler, before it returns; without it the number is 0.
func (c Client) Tell(zone uint32, limited bool) {
	if c.said != nil { // a Client that no Server has made
		*c.said = said{zone, limited}
	}
}
