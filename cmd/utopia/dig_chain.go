package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/dnsclient"
)

// maxSmallFile is the longest file of keys or certificates that is read, in octets.
const maxSmallFile = 256 << 10

// readSmall reads a file that is to be small, whatever it is: a device has no size to look at before.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxSmallFile+1))
	if err == nil && len(text) > maxSmallFile {
		err = fmt.Errorf("%s has more than %d octets", path, maxSmallFile)
	}
	return text, err
}

// setAnchors reads the DS and DNSKEY records of a file, one a line.
func setAnchors(q *digQuestion, path string) error {
	text, err := readSmall(path)
	if err != nil {
		return usage("+trust-anchor: %w", err)
	}
	q.anchors = nil
	for n, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == ';' {
			continue
		}
		rr, err := dns.ParseRR(line, dns.Root, 0)
		switch {
		case err != nil:
			return usage("+trust-anchor: %s:%d: %w", path, n+1, err)
		case rr.Type != dns.TypeDS && rr.Type != dns.TypeDNSKEY:
			return usage("+trust-anchor: %s:%d: %s is neither a DS nor a DNSKEY record", path, n+1, rr.Type)
		}
		q.anchors = append(q.anchors, rr)
	}
	if len(q.anchors) == 0 {
		return usage("+trust-anchor: there is no DS and no DNSKEY record in %s", path)
	}
	q.chain, q.dnssec, q.edns = true, true, true
	return nil
}

// chain prints an answer and what proves it. It ends with 1 where that is not proved.
func (d *digger) chain(ctx context.Context, a asker, q *digQuestion, name dns.Name) error {
	server := a.servers[0]
	c, err := a.client.Chain(ctx, a.address(server), q.message(name), dnsclient.ChainOptions{Anchors: q.anchors})
	if err != nil {
		return a.failure(ctx, err)
	}
	t := told{c.Answer, dns.Question{Name: name, Type: q.kind, Class: q.class}, server, time.Now()}
	if d.json {
		d.list.add(chainOf(t, c))
	} else {
		d.page.answer(t)
		d.page.links(c)
	}
	if c.Err != nil {
		return found()
	}
	return nil
}

// links prints a chain from the answer up, and what it comes to.
func (p *digPage) links(c *dnsclient.Chain) {
	if p.short {
		p.printf("%s\n", verdict(c))
		return
	}
	p.printf(";; CHAIN OF TRUST:\n")
	for _, l := range c.Links {
		p.printf("; %s %s%s\n", onlyASCII(l.Set[0].Name.String()), l.Set[0].Type, keysOf(l.Set))
		if sig, ok := l.Signature.RRSIG(); ok {
			p.printf(";     signed by key %d of %s (%s), until %s\n", sig.KeyTag, onlyASCII(sig.SignerName.String()), sig.Algorithm,
				sig.Expires(time.Now()).UTC().Format(time.DateTime))
		}
		if l.From != "" {
			p.printf(";     made from %s\n", onlyASCII(l.From.String()))
		}
		switch {
		case l.Anchor:
			p.printf(";     a trust anchor vouches for that key: %s\n", recordData(l.Vouches))
		case l.Vouches.Name != "":
			p.printf(";     a DS record vouches for that key: %s\n", recordData(l.Vouches))
		}
		if l.Err != nil {
			p.printf(";     %s\n", onlyASCII(l.Err.Error()))
		}
	}
	p.printf(";; %s\n\n", verdict(c))
}

// keysOf lists the tags of a set of keys or DS records.
func keysOf(set []dns.RR) string {
	var tags []string
	for _, rr := range set {
		if k, ok := rr.DNSKEY(); ok {
			tags = append(tags, fmt.Sprint(k.KeyTag()))
		} else if ds, ok := rr.DS(); ok {
			tags = append(tags, fmt.Sprint(ds.KeyTag))
		}
	}
	if len(tags) == 0 {
		return ""
	}
	return ", of key " + strings.Join(tags, ", ")
}

func verdict(c *dnsclient.Chain) string {
	if c.Err == nil {
		return "PROVED: the answer is what the zone's owner signed"
	}
	return strings.ToUpper(verdictWord(c.Err)) + onlyASCII(strings.TrimPrefix(c.Err.Error(), verdictWord(c.Err)))
}

func verdictWord(err error) string {
	if errors.Is(err, dnsclient.ErrBogus) {
		return dnsclient.ErrBogus.Error()
	}
	return dnsclient.ErrUnsigned.Error()
}

// chainJSON is an answer with what proves it, for programs.
type chainJSON struct {
	answerJSON
	Verdict string     `json:"verdict"` // proved, not proved or bogus
	Reason  string     `json:"reason,omitempty"`
	Chain   []linkJSON `json:"chain"`
}

type linkJSON struct {
	Name      string  `json:"name"`
	Type      string  `json:"type"`
	SignedBy  string  `json:"signedBy,omitempty"` // the zone
	KeyTag    uint16  `json:"keyTag,omitempty"`
	Algorithm string  `json:"algorithm,omitempty"`
	Expires   string  `json:"expires,omitempty"`
	Wildcard  string  `json:"wildcard,omitempty"`
	Vouches   *dns.RR `json:"vouchedBy,omitempty"`
	Anchor    bool    `json:"trustAnchor,omitempty"`
	Error     string  `json:"error,omitempty"`
}

func chainOf(t told, c *dnsclient.Chain) chainJSON {
	out := chainJSON{answerJSON: t.json(), Verdict: "proved", Chain: []linkJSON{}}
	if c.Err != nil {
		out.Verdict, out.Reason = verdictWord(c.Err), c.Err.Error()
	}
	for _, l := range c.Links {
		one := linkJSON{Name: l.Set[0].Name.String(), Type: l.Set[0].Type.String(), Wildcard: l.From.String(), Anchor: l.Anchor}
		if sig, ok := l.Signature.RRSIG(); ok {
			one.SignedBy, one.KeyTag, one.Algorithm = sig.SignerName.String(), sig.KeyTag, sig.Algorithm.String()
			one.Expires = sig.Expires(time.Now()).UTC().Format(time.RFC3339)
		}
		if l.Vouches.Name != "" {
			one.Vouches = &l.Vouches
		}
		if l.Err != nil {
			one.Error = l.Err.Error()
		}
		out.Chain = append(out.Chain, one)
	}
	return out
}
