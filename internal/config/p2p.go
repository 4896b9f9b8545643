package config

// P2P is the [p2p] section.
type P2P struct {
	Enabled bool   `toml:"enabled" default:"true" doc:"Whether the tracker, the peer and the ring run."`
	Seed    string `toml:"seed" is:"path" example:"www/files" doc:"The folder whose files are shared with everybody. Not given: nothing."`
}

func (c *checker) p2p() { c.published("p2p/seed", c.P2P.Seed) }
