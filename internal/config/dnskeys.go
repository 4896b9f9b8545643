package config

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
)

// The sizes of a secret, in octets. RFC 8945 section 8 wants secrets as long
// as what the algorithm gives; half of that still cannot be guessed.
const (
	MinSecret = 16
	MaxSecret = 512
)

// Secret is what two sides share: octets, in the file as base64 (RFC 4648
// section 4). It shows itself nowhere.
type Secret string

// String gives no part of the secret.
func (Secret) String() string { return hiddenSecret }

// GoString gives no part of the secret.
func (Secret) GoString() string { return hiddenSecret }

const hiddenSecret = "(not shown)"

// Key is an entry of [dns.keys]: a secret that messages between servers are
// signed with (TSIG, RFC 8945).
type Key struct {
	Name      string // in lower case, without a dot at its end
	Algorithm string `toml:"algorithm" default:"hmac-sha256" enum:"hmac-sha256,hmac-sha384,hmac-sha512,hmac-sha224,hmac-sha1" doc:"How messages are signed with the secret."`
	Secret    Secret `toml:"secret" example:"c2l4dGVlbiBvY3RldHMuLi4=" doc:"The secret, in base64. Whoever may read utopia.toml sees it: file keeps it elsewhere."`
	File      string `toml:"file" is:"path" example:"transfer.key" doc:"A file with the key, as tsig-keygen writes it and dig -k and nsupdate -k read it. Its algorithm counts."`
}

func (c *checker) keys() {
	c.crowd("dns/keys", "keys", MaxKeys)
	first := map[string]string{}
	for i, k := range c.DNS.Keys {
		path := join("dns/keys", c.given["dns/keys"][i])
		given := func(key string) bool { _, ok := c.where[join(path, key)]; return ok }
		if k.Name == "" {
			continue // it was refused
		}
		if other, twice := first[k.Name]; twice {
			c.failKey(path, "", "key %s is there twice; the first is on line %d", quote(k.Name), c.src.line(c.where[other].key.start))
			continue
		}
		first[k.Name] = path
		c.keyFile(join(path, "file"), k.File)
		switch {
		case given("secret") && given("file"):
			c.failKey(join(path, "file"), "give one of them", "key %s has a secret and a file", quote(k.Name))
		case !given("secret") && !given("file") && !c.spoilt[path]:
			c.failKey(path, "give file, or secret; tsig-keygen "+k.Name+" makes such a file", "key %s has no secret", quote(k.Name))
		case given("file") && given("algorithm"):
			c.failKey(join(path, "algorithm"), "leave it out", "the file of key %s says its algorithm", quote(k.Name))
		}
	}
}

// keyFile refuses a file that would be lost or seen where it is.
func (c *checker) keyFile(path, file string) {
	if c.outsideData(path, file) {
		c.unpublished(path, file, "the secret", "put it beside utopia.toml")
	}
}

// knownKey checks that there is a key of the name that a setting gives.
func (c *checker) knownKey(path, name string) {
	if name == "" || slices.ContainsFunc(c.DNS.Keys, func(k Key) bool { return k.Name == name }) {
		return
	}
	names := make([]string, len(c.DNS.Keys))
	for i, k := range c.DNS.Keys {
		names[i] = k.Name
	}
	hint := suggestion(name, names)
	if hint == "" {
		hint = "add it to [dns.keys]"
	}
	c.fail(path, hint, "unknown key %s", quote(name))
}

// parseSecret reads a secret. No message about it shows any part of it.
func parseSecret(s string) (Secret, *fault) {
	octets, err := base64.StdEncoding.DecodeString(s)
	switch {
	case err != nil:
		return "", faultf("tsig-keygen makes one", "the secret is not in base64")
	case len(octets) < MinSecret:
		return "", faultf("tsig-keygen makes one", "a secret has at least %d octets, this one has %d", MinSecret, len(octets))
	case len(octets) > MaxSecret:
		return "", faultf("", "a secret has at most %d octets, this one has %d", MaxSecret, len(octets))
	}
	return Secret(octets), nil
}

// hide notes the secrets of a table, so that no problem shows them: whatever
// stands in a key may be one, under a name that is misspelt.
func (d *decoder) hide(n *node) {
	if n.kind != isTable {
		d.src.secrets = append(d.src.secrets, n.at)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(n.index)) {
		if !strings.EqualFold(name, "algorithm") && !strings.EqualFold(name, "file") {
			d.src.secrets = append(d.src.secrets, n.index[name].value.at)
		}
	}
}
