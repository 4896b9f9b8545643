package dns

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MaxKeyFile is the most octets of a .key or .private file.
const MaxKeyFile = 64 << 10

// KeyFileName gives the name that BIND's tools have for the two files of a key,
// to which .key and .private are added: Kexample.test.+013+12345.
func (k *SigningKey) KeyFileName() string {
	return fmt.Sprintf("K%s+%03d+%05d", k.Owner, k.Algorithm, k.tag)
}

// PublicFile gives the .key file: the DNSKEY record and a comment.
func (k *SigningKey) PublicFile() string {
	kind := "zone-signing"
	if k.Flags&FlagSEP != 0 {
		kind = "key-signing"
	}
	data := k.RR(0).DataString()
	return fmt.Sprintf("; This is a %s key, keyid %d, for %s\n%s IN DNSKEY %s\n", kind, k.tag, k.Owner, k.Owner, data)
}

// PrivateFile gives the .private file, in BIND's private key format v1.3, with
// the time when the key was made, published and used first.
func (k *SigningKey) PrivateFile(created time.Time) (string, error) {
	var raw []byte
	var err error
	switch private := k.private.(type) {
	case *ecdsa.PrivateKey:
		raw, err = private.Bytes()
	case ed25519.PrivateKey:
		raw = private.Seed()
	}
	if err != nil {
		return "", fmt.Errorf("dns: write key %s: %w", k, err)
	}
	at := created.UTC().Format("20060102150405")
	return fmt.Sprintf("Private-key-format: v1.3\nAlgorithm: %d (%s)\nPrivateKey: %s\nCreated: %s\nPublish: %s\nActivate: %s\n",
		k.Algorithm, k.Algorithm, base64.StdEncoding.EncodeToString(raw), at, at, at), nil
}

// ParseKeyFiles reads a key from the text of its .key and .private file. The
// two must fit each other. Keys of RSA are not read: they make no signatures
// here.
func ParseKeyFiles(public, private string) (*SigningKey, error) {
	k, err := parseKeyFiles(public, private)
	if err != nil {
		return nil, fmt.Errorf("dns: key files: %w", err)
	}
	return k, nil
}

func parseKeyFiles(public, private string) (*SigningKey, error) {
	if len(public) > MaxKeyFile || len(private) > MaxKeyFile {
		return nil, fmt.Errorf("longer than %d octets", MaxKeyFile)
	}
	rr, err := parsePublicFile(public)
	if err != nil {
		return nil, err
	}
	want, ok := rr.DNSKEY()
	if !ok || rr.Type != TypeDNSKEY || want.Protocol != 3 || want.Flags&FlagZone == 0 {
		return nil, errors.New("the public file holds no zone key")
	}
	a, raw, err := parsePrivateFile(private)
	if err != nil {
		return nil, err
	}
	signer, err := a.privateKey(raw)
	if err != nil {
		return nil, err
	}
	k, err := newSigningKey(rr.Name, a, want.Flags, signer)
	if err != nil {
		return nil, err
	}
	if string(k.Data()) != string(want.Data()) {
		return nil, errors.New("the private key is not that of the public file")
	}
	return k, nil
}

// parsePublicFile finds the one record between the comments.
func parsePublicFile(text string) (RR, error) {
	var found string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, ";")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if found != "" {
			return RR{}, errors.New("the public file holds more than a record")
		}
		found = line
	}
	return parseRR(found, Root, 0)
}

func parsePrivateFile(text string) (a DNSSECAlgorithm, raw []byte, err error) {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			fields[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
		}
	}
	if !strings.HasPrefix(fields["private-key-format"], "v1.") {
		return 0, nil, errors.New("the private file is not of format v1")
	}
	number, _, _ := strings.Cut(fields["algorithm"], " ")
	v, err := strconv.ParseUint(number, 10, 8)
	if err != nil {
		return 0, nil, errors.New("the private file names no algorithm")
	}
	raw, err = base64.StdEncoding.DecodeString(fields["privatekey"])
	if err != nil {
		return 0, nil, errors.New("the private key is not base64")
	}
	return DNSSECAlgorithm(v), raw, nil
}

func (a DNSSECAlgorithm) privateKey(raw []byte) (crypto.Signer, error) {
	switch a {
	case ECDSAP256SHA256, ECDSAP384SHA384:
		key, err := ecdsa.ParseRawPrivateKey(a.curve(), raw)
		if err != nil {
			return nil, ErrKeyData
		}
		return key, nil
	case Ed25519:
		if len(raw) != ed25519.SeedSize {
			return nil, ErrKeyData
		}
		return ed25519.NewKeyFromSeed(raw), nil
	}
	return nil, fmt.Errorf("%w for signing: %s", ErrAlgorithm, a)
}
