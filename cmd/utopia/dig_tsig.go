package main

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/network-utopia/utopia/dns"
)

// masked gives the arguments without the secret of a key, for the eyes of whoever sees the output.
func masked(args []string) []string {
	out := slices.Clone(args)
	for i, a := range out {
		switch {
		case a == "-y" && i+1 < len(out):
			out[i+1] = maskedKey(out[i+1])
		case strings.HasPrefix(a, "-y") && len(a) > 2:
			out[i] = "-y" + maskedKey(a[2:])
		}
	}
	return out
}

func maskedKey(key string) string {
	if i := strings.LastIndexByte(key, ':'); i >= 0 {
		return key[:i+1] + "***"
	}
	return "***"
}

func (p *digParser) setKey(value string) error {
	key, err := dns.ParseTSIGKey(value)
	if err != nil {
		return usage("-y: %w\nhint: -y [algorithm:]name:secret, or -k FILE, which keeps the secret off the command line", err)
	}
	p.key = &key
	return nil
}

func (p *digParser) setKeyFile(path string) error {
	text, err := readSmall(path)
	if err != nil {
		return usage("-k: %w", err)
	}
	keys, err := dns.ParseTSIGKeys(string(text))
	switch {
	case err != nil:
		return usage("-k %s: %w", path, err)
	case len(keys) != 1:
		return usage("-k %s: there are %d keys in it, not one", path, len(keys))
	}
	p.key = &keys[0]
	return nil
}

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
