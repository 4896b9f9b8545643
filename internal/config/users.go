package config

import (
	"strings"
)

// MaxUserName is the greatest length of a user's name, in bytes.
const MaxUserName = 32

// User is one account of the [users] section. Its password is kept in the
// store, never in the file.
type User struct {
	Name  string
	Admin bool `toml:"admin" default:"false" doc:"Whether the user may change settings and see everything on the console."`
	Quota Size `toml:"quota" min:"1 MB" max:"1000 TB" example:"5 GB" later:"does not count what a user keeps yet" doc:"The most that the user's mail and files may take together. Not given: no bound."`
}

const userPattern = `^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*$`

// CheckUserName returns what is wrong with name as the name of a user, or nil.
// A name is 1 to 32 letters a to z, digits, dots, hyphens and underscores, and
// begins with a letter, because it is also a mail address and an FTP login.
func CheckUserName(name string) error {
	if f := checkUserName(name); f != nil {
		return f
	}
	return nil
}

func checkUserName(name string) *fault {
	switch {
	case name == "":
		return faultf("", "the name of a user is empty")
	case strings.ContainsRune(name, '@'):
		local, _, _ := strings.Cut(name, "@")
		return faultf(didYouMean(local), "the name of a user has no @: %s", quote(name))
	case len(name) > MaxUserName:
		return faultf("", "the name of a user has at most %d characters, this one has %d", MaxUserName, len(name))
	}
	if reason := reservedName(name); reason != "" {
		return faultf(reason, "%s cannot be the name of a user", quote(name))
	}
	for i, r := range name {
		switch {
		case r >= 'a' && r <= 'z':
		case i > 0 && (r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'):
		case r >= 'A' && r <= 'Z':
			return faultf(didYouMean(strings.ToLower(name)), "the name of a user is in lower case, unlike %s", quote(name))
		case i == 0:
			return faultf("", "the name of a user begins with a letter a to z, unlike %s", quote(name))
		default:
			return faultf("use letters a to z, digits, dots, hyphens and underscores", "the name of a user cannot hold %s", quote(string(r)))
		}
	}
	if strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
		// The name is the local part of a mail address, RFC 5321 section 4.1.2.
		return faultf("", "the name of a user has characters on both sides of each dot, unlike %s", quote(name))
	}
	return nil
}

// reservedName says why name is not one person's, or returns "".
func reservedName(name string) string {
	switch name {
	case "postmaster", "abuse", "hostmaster", "webmaster", "security", "noc":
		// RFC 2142: mailboxes that every domain has, whoever reads them.
		return "it is an address that every domain has; make it an alias of a user: [mail] aliases = { " + name + ` = "alice" }`
	case "mailer-daemon":
		return "bounced mail comes from this address"
	case "anonymous", "ftp":
		return "FTP uses this name for whoever has no account"
	case "root", "admin", "administrator":
		return `name a person and give the right to them: alice = { admin = true }`
	}
	return ""
}

func (c *checker) users() {
	for _, name := range c.given["users"] {
		path, lower := join("users", name), strings.ToLower(name)
		if other, ok := c.where[join("users", lower)]; ok && lower != name {
			c.failKey(path, "", "users %s and %s (line %d) differ only by case", quote(name), quote(lower), c.src.line(other.key.start))
			continue
		}
		if f := checkUserName(name); f != nil {
			c.failKey(path, f.hint, "%s", f.message)
		}
	}
}
