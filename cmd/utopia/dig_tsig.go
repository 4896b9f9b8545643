package main

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/network-utopia/utopia/dns"
)

// tsig gives a signature as dig does: algorithm, time, fudge, MAC, the ID that was signed, the error, and what stands
// behind it.
func (s dataStyle) tsig(t dns.TSIG) string {
	code := t.Error.String()
	if t.Error == dns.RcodeBadSig {
		code = "BADSIG"
	}
	head := fmt.Sprintf("%s %d %d %d", t.Algorithm, t.TimeSigned, t.Fudge, len(t.MAC))
	if mac := chunk(base64.StdEncoding.EncodeToString(t.MAC), s.split); len(t.MAC) > 0 && s.multiline {
		head += " (" + margin + strings.Join(mac, margin) + " )"
	} else if len(t.MAC) > 0 {
		head += " " + strings.Join(mac, " ")
	}
	return fmt.Sprintf("%s %d %s %d %s", head, t.OriginalID, code, len(t.Other), base64.StdEncoding.EncodeToString(t.Other))
}
