package foreign

import (
	"fmt"
	"path/filepath"
	"strings"
)

// settingsFile writes what a program reads: its settings, for a server that keeps all its files in dir.
func settingsFile(p Program, dir string, s Settings) (string, error) {
	switch p {
	case NSD:
		return nsdFile(dir, s), nil
	case Knot:
		return knotFile(dir, s), nil
	case BIND:
		return bindFile(dir, s), nil
	}
	return "", fmt.Errorf("foreign: no program %q", string(p))
}

// zoneFile is where a zone's records are, or where a secondary keeps them.
func (z Zone) zoneFile(dir string) string {
	if z.secondary() {
		return filepath.Join(dir, "copy-of-"+strings.ReplaceAll(z.Name, "/", "_")+"zone")
	}
	return z.File
}

// printer collects the lines of a file of settings.
type printer struct{ strings.Builder }

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// nsdFile makes an nsd.conf. Debian's NSD limits how often one network is answered unless that is switched off.
func nsdFile(dir string, s Settings) string {
	var f printer
	f.line("server:")
	f.line("  ip-address: %s@%d", s.Address.Addr(), s.Address.Port())
	f.line("  server-count: %d", s.Threads)
	f.line("  reuseport: yes")
	f.line("  username: \"\"")
	f.line("  chroot: \"\"")
	f.line("  database: \"\"")
	f.line("  zonesdir: %q", dir)
	f.line("  pidfile: %q", filepath.Join(dir, "nsd.pid"))
	f.line("  xfrdfile: %q", filepath.Join(dir, "xfrd.state"))
	f.line("  xfrdir: %q", dir)
	f.line("  zonelistfile: %q", filepath.Join(dir, "zone.list"))
	f.line("  rrl-ratelimit: 0")
	f.line("  rrl-whitelist-ratelimit: 0")
	f.line("remote-control:")
	f.line("  control-enable: no")
	for _, k := range keys(s.Zones) {
		f.line("key:\n  name: %q\n  algorithm: %s\n  secret: %q", k.Name, k.Algorithm, k.Secret)
	}
	for _, z := range s.Zones {
		f.line("zone:\n  name: %q\n  zonefile: %q", z.Name, z.zoneFile(dir))
		if len(z.Primaries)+len(z.Secondaries) > 0 {
			f.line("  outgoing-interface: %s", s.Address.Addr())
		}
		for _, p := range z.Primaries {
			f.line("  request-xfr: %s@%d %s", p.Address.Addr(), p.Address.Port(), nsdKey(p))
			f.line("  allow-notify: %s %s", p.Address.Addr(), nsdKey(p))
		}
		for _, p := range z.Secondaries {
			f.line("  notify: %s@%d %s", p.Address.Addr(), p.Address.Port(), nsdKey(p))
			f.line("  provide-xfr: %s %s", p.Address.Addr(), nsdKey(p))
		}
	}
	return f.String()
}

func nsdKey(p Peer) string {
	if p.Key == nil {
		return "NOKEY"
	}
	return p.Key.Name
}

// knotFile makes a knot.conf. The checks are off since tests have odd zones, and no journal is kept of what is read from
// files, so that memory and disk hold the zone once.
func knotFile(dir string, s Settings) string {
	var f printer
	f.line("server:")
	f.line("  rundir: %q", dir)
	f.line("  listen: %s@%d", s.Address.Addr(), s.Address.Port())
	f.line("  udp-workers: %d", s.Threads)
	f.line("  tcp-workers: 1")
	f.line("  background-workers: 1")
	f.line("control:\n  listen: %q", filepath.Join(dir, "s"))
	f.line("database:\n  storage: %q", dir)
	f.line("log:\n- target: stderr\n  any: notice")
	if all := keys(s.Zones); len(all) > 0 {
		f.line("key:")
		for _, k := range all {
			f.line("- id: %s\n  algorithm: %s\n  secret: %q", k.Name, k.Algorithm, k.Secret)
		}
	}
	knotPeers(&f, s)
	f.line("template:\n- id: default\n  storage: %q\n  semantic-checks: off", dir)
	f.line("zone:")
	for _, z := range s.Zones {
		f.line("- domain: %q\n  file: %q", z.Name, z.zoneFile(dir))
		knotZone(&f, z)
	}
	return f.String()
}

// knotPeers writes the servers that the zones name, and what each may do.
func knotPeers(f *printer, s Settings) {
	all := peers(s.Zones)
	if len(all) > 0 {
		f.line("remote:")
	}
	for _, p := range all {
		f.line("- id: %s\n  address: %s@%d\n  via: %s", peerID(p), p.Address.Addr(), p.Address.Port(), s.Address.Addr())
		if p.Key != nil {
			f.line("  key: %s", p.Key.Name)
		}
	}
	updating := map[string]bool{}
	var rules printer
	for _, p := range all {
		for _, action := range []string{"transfer", "notify"} {
			rules.line("- id: %s-%s\n  address: %s\n  action: %s", action, peerID(p), p.Address.Addr(), action)
			if p.Key != nil {
				rules.line("  key: %s", p.Key.Name)
			}
		}
	}
	for _, z := range s.Zones {
		for _, k := range z.Update {
			if !updating[k.Name] {
				rules.line("- id: update-%s\n  key: %s\n  action: [update, transfer]", k.Name, k.Name)
			}
			updating[k.Name] = true
		}
	}
	if rules.Len() > 0 {
		f.line("acl:\n%s", strings.TrimSuffix(rules.String(), "\n"))
	}
}

func knotZone(f *printer, z Zone) {
	var acl, primaries, notify []string
	for _, p := range z.Primaries {
		primaries = append(primaries, peerID(p))
		acl = append(acl, "notify-"+peerID(p))
	}
	for _, p := range z.Secondaries {
		notify = append(notify, peerID(p))
		acl = append(acl, "transfer-"+peerID(p))
	}
	for _, k := range z.Update {
		acl = append(acl, "update-"+k.Name)
	}
	for _, list := range []struct {
		name  string
		items []string
	}{{"master", primaries}, {"notify", notify}, {"acl", acl}} {
		if len(list.items) > 0 {
			f.line("  %s: [%s]", list.name, strings.Join(list.items, ", "))
		}
	}
	// Without changes or transfers there is nothing that a journal would be good for.
	if len(primaries)+len(notify)+len(z.Update) == 0 {
		f.line("  journal-content: none")
	}
}

// bindFile makes a named.conf of a server that resolves nothing and checks no more than it must.
func bindFile(dir string, s Settings) string {
	var f printer
	minimal := "yes"
	if s.Additional {
		minimal = "no-auth"
	}
	f.line("options {")
	f.line("  directory %q;\n  pid-file %q;\n  session-keyfile %q;\n  managed-keys-directory %q;", dir,
		filepath.Join(dir, "named.pid"), filepath.Join(dir, "session.key"), dir)
	f.line("  listen-on port %d { %s; };\n  listen-on-v6 { none; };", s.Address.Port(), s.Address.Addr())
	f.line("  transfer-source %s;\n  notify-source %s;", s.Address.Addr(), s.Address.Addr())
	f.line("  recursion no;\n  dnssec-validation no;\n  empty-zones-enable no;\n  minimal-responses %s;", minimal)
	f.line("  allow-transfer { none; };\n  notify no;\n  max-cache-size 1m;")
	f.line("  check-names primary ignore;\n  check-names secondary ignore;\n  check-integrity no;\n  check-mx ignore;\n  check-wildcard no;")
	f.line("};\ncontrols { };")
	for _, k := range keys(s.Zones) {
		f.line("key %q { algorithm %s; secret %q; };", k.Name, k.Algorithm, k.Secret)
	}
	for _, z := range s.Zones {
		bindZone(&f, z, dir)
	}
	return f.String()
}

func bindZone(f *printer, z Zone, dir string) {
	kind := "primary"
	if z.secondary() {
		kind = "secondary"
	}
	f.line("zone %q {\n  type %s;\n  file %q;\n  masterfile-format text;", z.Name, kind, z.zoneFile(dir))
	if z.secondary() {
		f.line("  primaries { %s};", bindPeers(z.Primaries))
		f.line("  allow-notify { %s};", bindMatch(z.Primaries))
	}
	if len(z.Secondaries) > 0 {
		f.line("  notify explicit;\n  also-notify { %s};", bindPeers(z.Secondaries))
	}
	allowed := bindMatch(z.Secondaries)
	for _, k := range z.Update {
		allowed += fmt.Sprintf("key %q; ", k.Name)
	}
	if allowed != "" {
		f.line("  allow-transfer { %s};", allowed)
	}
	for i, k := range z.Update {
		if i == 0 {
			f.line("  update-policy {")
		}
		f.line("    grant %q zonesub ANY;", k.Name)
		if i == len(z.Update)-1 {
			f.line("  };")
		}
	}
	f.line("};")
}

func bindPeers(list []Peer) string {
	var s string
	for _, p := range list {
		s += fmt.Sprintf("%s port %d ", p.Address.Addr(), p.Address.Port())
		if p.Key != nil {
			s += fmt.Sprintf("key %q ", p.Key.Name)
		}
		s = strings.TrimSuffix(s, " ") + "; "
	}
	return s
}

func bindMatch(list []Peer) string {
	var s string
	for _, p := range list {
		if p.Key != nil {
			s += fmt.Sprintf("key %q; ", p.Key.Name)
		} else {
			s += p.Address.Addr().String() + "; "
		}
	}
	return s
}
