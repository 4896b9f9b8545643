package config

import (
	"maps"
	"slices"
	"strings"
)

// MaxAliasSteps is through how many other aliases one may lead to its user.
const MaxAliasSteps = 10

// Mail is the [mail] section.
type Mail struct {
	Enabled bool              `toml:"enabled" default:"true" doc:"Whether mail is served."`
	Aliases map[string]string `toml:"aliases" example:"info = \"alice\"" doc:"Further addresses of the domain: each name gives the user, or the other alias, that its mail goes to."`
}

func (c *checker) mail() {
	users := map[string]bool{}
	for _, name := range c.given["users"] {
		users[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(c.Mail.Aliases)) {
		path, target := join("mail/aliases", name), c.Mail.Aliases[name]
		if f := checkAlias(name); f != nil {
			c.failKey(path, f.hint, "%s", f.message)
			continue
		}
		if users[name] {
			c.failKey(path, "", "alias %s shadows the user of that name", quote(name))
			continue
		}
		if _, isAlias := c.Mail.Aliases[target]; !users[target] && !isAlias {
			c.unknownTarget(path, target)
		} else {
			c.aliasWay(path, name)
		}
	}
}

// checkAlias allows what a user's name allows, and the reserved names too.
func checkAlias(name string) *fault {
	if reservedName(name) != "" {
		return nil
	}
	if f := checkUserName(name); f != nil {
		return &fault{message: strings.Replace(f.message, "the name of a user", "an alias", 1), hint: f.hint}
	}
	return nil
}

func (c *checker) unknownTarget(path, target string) {
	if c.src.full() {
		c.src.more++
		return
	}
	names := append(slices.Clone(c.given["users"]), slices.Sorted(maps.Keys(c.Mail.Aliases))...)
	hint := suggestion(target, names)
	switch {
	case hint != "":
	case strings.Contains(target, "@"):
		hint = "an alias leads to a user of this domain, named without @"
	default:
		hint = "add the user to [users], or name another"
	}
	c.fail(path, hint, "unknown user %s", quote(target))
}

// aliasWay checks the way that mail for an alias takes: it ends at a user, after
// MaxAliasSteps at most. Of a loop only the first name says so.
func (c *checker) aliasWay(path, name string) {
	way := []string{name}
	for next := c.Mail.Aliases[name]; ; {
		way = append(way, next)
		if next == name {
			if name == slices.Min(way) {
				c.fail(path, "let it end at a user", "aliases in a loop: %s", strings.Join(way, " -> "))
			}
			return
		}
		after, ok := c.Mail.Aliases[next]
		if !ok || slices.Contains(way[:len(way)-1], next) {
			return // at its end, or in a loop that is reported there
		}
		if len(way)-1 > MaxAliasSteps {
			c.fail(path, "let it lead to the user directly", "alias %s leads through more than %d others", quote(name), MaxAliasSteps)
			return
		}
		next = after
	}
}
