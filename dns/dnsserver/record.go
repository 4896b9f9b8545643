package dnsserver

import (
	"github.com/network-utopia/utopia/dns/querylog"
	"github.com/network-utopia/utopia/transcript"
)

// record adds a message to the transcript. The summary and the fields are made
// only where they are wanted.
func record(x *transcript.Exchange, d transcript.Direction, message []byte) {
	if x != nil {
		line, fields := querylog.Describe(message)
		x.Described(d, message, line, fields)
	}
}

// recordResponse is record for a response, which a limit may have made small.
func recordResponse(x *transcript.Exchange, from *Client, response []byte) {
	if x == nil {
		return
	}
	line, fields := querylog.Describe(response)
	if from.said.limited {
		fields = querylog.Limited(fields)
	}
	x.Described(transcript.Sent, response, line, fields)
}

// recordSilence adds that a query is not answered.
func recordSilence(x *transcript.Exchange, from *Client) {
	if x == nil {
		return
	}
	text := "not answered"
	if from.said.limited {
		text = "not answered: over the limit on responses"
	}
	x.Described(transcript.Note, nil, text, querylog.Silent(from.said.limited))
}
