package config

import "strings"

// Web is the [web] section.
type Web struct {
	Enabled         bool     `toml:"enabled" default:"true" doc:"Whether the web server runs."`
	Root            string   `toml:"root" is:"path" default:"www" doc:"The folder whose files are served."`
	Index           []string `toml:"index" default:"index.html" doc:"The names of the file that answers for its folder; the first that exists is taken."`
	HiddenFiles     bool     `toml:"hidden-files" default:"false" doc:"Whether files and folders whose name begins with a dot are served. /.well-known always is."`
	RedirectToHTTPS bool     `toml:"redirect-to-https" default:"false" doc:"Whether a request over HTTP is sent to HTTPS."`
	Cache           Size     `toml:"cache" min:"1 MB" max:"1000 TB" example:"1 GB" later:"does not cache other servers' pages yet" doc:"The most that the cache of the forward proxy may take. Not given: no proxy."`
}

func (c *checker) web() {
	c.published("web/root", c.Web.Root)
	for i, name := range c.Web.Index {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\`) {
			c.fail(item("web/index", i), "", "%s is not the name of a file", quote(name))
		}
	}
}
