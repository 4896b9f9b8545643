package config

// FTP is the [ftp] section.
type FTP struct {
	Enabled bool   `toml:"enabled" default:"true" doc:"Whether FTP is served."`
	Publish string `toml:"publish" is:"path" example:"www/files" doc:"The folder that whoever has no account may read. Not given: nothing."`
}

func (c *checker) ftp() { c.published("ftp/publish", c.FTP.Publish) }
