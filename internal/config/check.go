package config

import (
	"path/filepath"
	"strings"
)

// checker looks at what each value alone cannot tell: what is missing, and
// what does not fit together.
type checker struct {
	*Config
	*decoder
}

func (c *checker) all() {
	c.top()
	c.addresses()
	c.users()
	c.dns()
	c.web()
	c.mail()
	c.ftp()
	c.p2p()
	c.console()
	c.log()
	c.limits()
	c.ports()
	c.warnings()
}

// fail reports a problem at the value of a path. A setting that the file does
// not give is reported for the file as a whole.
func (c *checker) fail(path, hint, format string, args ...any) {
	c.src.problem(c.where[path].value, hint, format, args...)
}

// failKey is fail, at the key.
func (c *checker) failKey(path, hint, format string, args ...any) {
	c.src.problem(c.where[path].key, hint, format, args...)
}

// top checks the keys above the sections.
func (c *checker) top() {
	if _, ok := c.where["domain"]; !ok {
		c.src.fileProblem(`add a line such as domain = "example.test" at the top`, "the domain is missing")
	}
	for i, a := range c.Address {
		path := item("address", i)
		if !a.IsUnspecified() {
			continue
		}
		if len(c.DNS.PublicAddress) == 0 {
			example := `"192.0.2.10"`
			if a.Is6() {
				example = `"2001:db8::10"`
			}
			c.fail(path, "add public-address = ["+example+"] to [dns], with the address at which others reach this machine",
				"the domain's records cannot give %s", quote(a.String()))
		}
		for j, b := range c.Address {
			if i != j && a.Is4() == b.Is4() {
				c.fail(item("address", j), "", "%s already covers %s", a, b)
			}
		}
	}
}

// MaxAddresses is how many addresses address and dns.public-address may have
// together: certificates name them all, beside the loopback ones.
const MaxAddresses = 60

func (c *checker) addresses() {
	own := len(c.Address)
	n := own + len(c.DNS.PublicAddress)
	if n <= MaxAddresses {
		return
	}
	path := item("address", MaxAddresses)
	if own <= MaxAddresses {
		path = item("dns/public-address", MaxAddresses-own)
	}
	c.fail(path, "", "address and dns.public-address have at most %d addresses together, these are %d", MaxAddresses, n)
}

// outsideData refuses a path inside the folder of state.
func (c *checker) outsideData(path, value string) bool {
	if value == "" || !within(c.Resolve(value), c.Resolve(DataDir)) {
		return true
	}
	c.fail(path, "move it out of data/, beside utopia.toml", "%s is inside data/, which holds Utopia's own state", quote(value))
	return false
}

// published refuses a folder that would show the state or the settings.
func (c *checker) published(path, value string) {
	if value == "" || !c.outsideData(path, value) {
		return
	}
	if within(c.Resolve(DataDir), c.Resolve(value)) {
		c.fail(path, `make a folder for it, such as "www"`, "%s would publish data/ and utopia.toml", quote(value))
	}
}

// unpublished refuses a file in a folder that is shown to others.
func (c *checker) unpublished(path, value, what, hint string) bool {
	if value == "" {
		return true
	}
	for _, f := range []struct{ key, path string }{
		{"web.root", c.Web.Root}, {"ftp.publish", c.FTP.Publish}, {"p2p.seed", c.P2P.Seed},
	} {
		if f.path != "" && within(c.Resolve(value), c.Resolve(f.path)) {
			c.fail(path, hint, "%s would be published from inside %s, which is %s", what, quote(f.path), f.key)
			return false
		}
	}
	return true
}

// within tells whether path is folder or something inside it, as written:
// links are not followed.
func within(path, folder string) bool {
	if !filepath.IsAbs(path) && !filepath.IsAbs(folder) {
		// Put both below enough folders without a name for every "..".
		base := strings.Repeat("/\x00", 1+strings.Count(path, "..")+strings.Count(folder, ".."))
		path, folder = filepath.Join(base, path), filepath.Join(base, folder)
	}
	rel, err := filepath.Rel(folder, path)
	return err == nil && filepath.IsLocal(rel)
}

// warnings tells what is set but has no effect in this version.
func (c *checker) warnings() {
	for _, f := range c.fields {
		at, ok := c.where[f.Name]
		if !ok || !c.Enabled(f.Name) {
			continue
		}
		if f.Later != "" {
			c.src.warn(at.key, "[%s] is understood, but this version %s", f.Name, f.Later)
		}
		for _, key := range f.Fields {
			if at, ok := c.where[join(f.Name, key.Name)]; ok && key.Later != "" && f.Kind == KindTable {
				c.src.warn(at.key, "%s is understood, but this version %s", key.Path, key.Later)
			}
			if key.Names == "zone" {
				c.zoneWarnings(key)
			}
		}
	}
	for _, u := range c.Users {
		if at, ok := c.where[join(join("users", u.Name), "quota")]; ok {
			// Once is enough: there may be thousands of users.
			c.src.warn(at.key, "the quota of a user is understood, but this version does not count what a user keeps yet")
			break
		}
	}
	sortProblems(c.src.warnings)
}
