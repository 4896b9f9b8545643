package main

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/network-utopia/utopia/dns"
)

// tsigText gives a signature as dig does: algorithm, time, fudge, MAC, the ID that was signed, the error, and what
// stands behind it.
func tsigText(t dns.TSIG) string {
	code := t.Error.String()
	if t.Error == dns.RcodeBadSig {
		code = "BADSIG"
	}
	words := []string{t.Algorithm.String(), fmt.Sprint(t.TimeSigned), fmt.Sprint(t.Fudge), fmt.Sprint(len(t.MAC))}
	if len(t.MAC) > 0 {
		words = append(words, chunk(base64.StdEncoding.EncodeToString(t.MAC), wordWidth)...)
	}
	words = append(words, fmt.Sprint(t.OriginalID), code, fmt.Sprint(len(t.Other)), base64.StdEncoding.EncodeToString(t.Other))
	return strings.Join(words, " ")
}
