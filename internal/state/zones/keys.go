package zones

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/internal/state/store"
)

// kindSigning is the kind of the keys in the store that zones are signed with.
const kindSigning = "zone-signing"

// The types of the PEM blocks that a key is kept in. In them are BIND's .key and .private files, so that the tools of
// others can read what they hold.
const (
	blockPublic  = "DNSSEC PUBLIC KEY FILE"
	blockPrivate = "DNSSEC PRIVATE KEY FILE"
)

// neverEnds is the end of a key that has none.
var neverEnds = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// SigningKeys keeps the keys that zones are signed with: one for each zone, which signs all of it (RFC 6781 section
// 3.1). Its methods may be called at once from many goroutines.
type SigningKeys struct{ keys store.Keys }

// NewSigningKeys makes one of the store's keys.
func NewSigningKeys(keys store.Keys) *SigningKeys { return &SigningKeys{keys} }

// Of gives the keys of a zone, and makes one where there is none: ECDSA P-256, which every validator knows (RFC 8624
// section 3.1). It is durable when Of returns. Of several that ask at once all get the same.
func (s *SigningKeys) Of(ctx context.Context, zone dns.Name) ([]*dns.SigningKey, error) {
	k, err := s.of(ctx, zone)
	if err != nil {
		return nil, fmt.Errorf("the key of %s: %w", zone, err)
	}
	return []*dns.SigningKey{k}, nil
}

func (s *SigningKeys) of(ctx context.Context, zone dns.Name) (*dns.SigningKey, error) {
	kept, err := s.keys.Get(ctx, kindSigning, nameOf(zone))
	if errors.Is(err, store.ErrNotFound) {
		kept, err = s.create(ctx, zone)
	}
	if err != nil {
		return nil, err
	}
	public, private := unwrap(kept.Certificate, blockPublic), unwrap(kept.PrivateKey, blockPrivate)
	k, err := dns.ParseKeyFiles(public, private)
	if err == nil && !k.Owner.Equal(zone) {
		err = fmt.Errorf("it is that of %s", k.Owner)
	}
	return k, err
}

// create makes a key, or gives the one that another has made meanwhile.
func (s *SigningKeys) create(ctx context.Context, zone dns.Name) (store.Key, error) {
	k, err := dns.GenerateKey(zone, dns.ECDSAP256SHA256, dns.FlagZone|dns.FlagSEP)
	if err != nil {
		return store.Key{}, err
	}
	private, err := k.PrivateFile(time.Now())
	if err != nil {
		return store.Key{}, err
	}
	now, _, err := s.keys.Swap(ctx, nil, store.Key{
		Kind: kindSigning, Name: nameOf(zone), NotAfter: neverEnds,
		Certificate: wrap(k.PublicFile(), blockPublic), PrivateKey: wrap(private, blockPrivate),
	})
	return now, err
}

func nameOf(zone dns.Name) string { return zone.Canonical().String() }

func wrap(text, kind string) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(text)})
}

// unwrap gives the text of a block; "" when it is of another kind.
func unwrap(data []byte, kind string) string {
	if block, _ := pem.Decode(data); block != nil && block.Type == kind {
		return string(block.Bytes)
	}
	return ""
}
