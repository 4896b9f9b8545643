package app

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/network-utopia/utopia/dns"
	"github.com/network-utopia/utopia/dns/zone"
	"github.com/network-utopia/utopia/internal/config"
	"github.com/network-utopia/utopia/internal/service/dnssvc"
)

// maxKeyFile is the most octets of a file with a key.
const maxKeyFile = 64 << 10

// dnsPolicy fills in who may do what with the zones, and the keys that say who is who.
func dnsPolicy(cfg *config.Config, opts *dnssvc.Options) error {
	for _, k := range cfg.DNS.Keys {
		key, err := dnsKey(cfg, k)
		if err != nil {
			return fmt.Errorf("key %s: %w", k.Name, err)
		}
		opts.TSIG = append(opts.TSIG, key)
	}
	var err error
	if opts.Policy, err = policyOf(cfg.Own()); err != nil {
		return err
	}
	for _, z := range cfg.DNS.Zones {
		next := dnssvc.Zone{Name: z.Name, Signing: signing(z.DNSSEC)}
		if z.File != "" {
			next.File = cfg.Resolve(z.File)
		}
		if next.Policy, err = policyOf(z); err != nil {
			return err
		}
		if next.Primaries, err = serversOf(z.Primaries); err != nil {
			return err
		}
		opts.Zones = append(opts.Zones, next)
	}
	return nil
}

// dnsKey makes a key of its settings, or of its file.
func dnsKey(cfg *config.Config, k config.Key) (dns.TSIGKey, error) {
	name, err := nameOf(k.Name)
	if err != nil {
		return dns.TSIGKey{}, err
	}
	if k.File == "" {
		key := dns.TSIGKey{Name: name, Algorithm: dns.TSIGAlgorithm(k.Algorithm), Secret: []byte(k.Secret)}
		return key, key.Valid()
	}
	text, err := readSmall(cfg.Resolve(k.File), maxKeyFile)
	if err != nil {
		return dns.TSIGKey{}, err
	}
	keys, err := dns.ParseTSIGKeys(text)
	if err != nil {
		return dns.TSIGKey{}, fmt.Errorf("%s: %w", k.File, err)
	}
	for _, key := range keys {
		if key.Name.Equal(name) {
			return key, key.Valid()
		}
	}
	return dns.TSIGKey{}, fmt.Errorf("%s has no key of this name", k.File)
}

// readSmall reads a file of at most limit octets.
func readSmall(path string, limit int64) (text string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	octets, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(octets)) > limit {
		err = fmt.Errorf("%s is longer than %d octets", path, limit)
	}
	return string(octets), err
}

func policyOf(z config.Zone) (p dnssvc.Policy, err error) {
	if p.Notify, err = serversOf(z.Notify); err != nil {
		return p, err
	}
	for _, a := range z.TransferTo {
		key, err := keyName(a.Key)
		if err != nil {
			return p, err
		}
		p.TransferTo = append(p.TransferTo, dnssvc.Access{Network: a.Network, Key: key})
	}
	for _, g := range z.Update {
		grants, err := grantsOf(z.Name, g)
		if err != nil {
			return p, err
		}
		p.Update = append(p.Update, grants...)
	}
	return p, nil
}

func serversOf(servers []config.Server) (all []dnssvc.Server, err error) {
	for _, s := range servers {
		key, err := keyName(s.Key)
		if err != nil {
			return nil, err
		}
		all = append(all, dnssvc.Server{Address: s.Address, Key: key})
	}
	return all, nil
}

// grantsOf makes the grants of one setting: "*" means the zone's own name and all below it.
func grantsOf(zoneName string, g config.Grant) ([]dnssvc.Grant, error) {
	apex, err := nameOf(zoneName)
	if err != nil {
		return nil, err
	}
	key, err := keyName(g.Key)
	if err != nil {
		return nil, err
	}
	var types []dns.Type
	for _, text := range g.Types {
		t, err := dns.ParseType(text)
		if err != nil {
			return nil, err
		}
		types = append(types, t)
	}
	grant := func(name dns.Name, below bool) dnssvc.Grant {
		return dnssvc.Grant{Key: key, Grant: zone.Grant{Name: name, Below: below, Types: types}}
	}
	names, below := cutWildcard(g.Names)
	switch g.Names {
	case "*":
		return []dnssvc.Grant{grant(apex, false), grant(apex, true)}, nil
	case "@":
		return []dnssvc.Grant{grant(apex, false)}, nil
	default:
		name, err := dns.ParseName(names, apex)
		return []dnssvc.Grant{grant(name, below)}, err
	}
}

// cutWildcard reads "*.dyn" as all below dyn.
func cutWildcard(names string) (name string, below bool) {
	if len(names) > 2 && names[:2] == "*." {
		return names[2:], true
	}
	return names, false
}

func keyName(s string) (dns.Name, error) {
	if s == "" {
		return "", nil
	}
	return nameOf(s)
}

// nameOf reads a name as settings have it: with or without its final dot, and relative to nothing.
func nameOf(s string) (dns.Name, error) {
	n, err := dns.ParseName(s, dns.Root)
	return n.Canonical(), err
}
